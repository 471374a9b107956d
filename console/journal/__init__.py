"""The record: append-only, hash-chained, in one file or in the team's PostgreSQL."""

from console.journal.chain import (
    BrokenEntryError,
    JournalBusyError,
    JournalError,
    JournalReadOnlyError,
    JournalReplacedError,
    JournalUncertainError,
    TargetTouchedError,
    new_ulid,
)
from console.journal.identity import gather_who, is_shared_login, same_person
from console.journal.opening import config_digest_of, declared_name, open_configured, open_journal
from console.journal.store_base import KEEP_SECONDS, Journal, Pruned, Question

__all__ = [
    "KEEP_SECONDS",
    "BrokenEntryError",
    "Journal",
    "JournalBusyError",
    "JournalError",
    "JournalReadOnlyError",
    "JournalReplacedError",
    "JournalUncertainError",
    "Pruned",
    "Question",
    "TargetTouchedError",
    "config_digest_of",
    "declared_name",
    "gather_who",
    "is_shared_login",
    "new_ulid",
    "open_configured",
    "open_journal",
    "same_person",
]
