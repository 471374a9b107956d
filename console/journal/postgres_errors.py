"""What PostgreSQL's errors mean to somebody who waits for an action, one sentence each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.facts.text import visible
from console.journal.errors import JournalBusyError, JournalError

if TYPE_CHECKING:
    import psycopg

_SENTENCES = {
    "53100": "the database's disk is full; nothing was written: tell its administrator",
    "25006": (
        "the server is read-only (a standby, or after a fail-over); nothing was written: "
        "point journal.url at the primary"
    ),
    "42501": (
        "this role may not do that; nothing was written: docs/journal.md has the script that "
        "gives the rights, and pruning is for the tables' owner"
    ),
    "57P01": "the server is shutting down; nothing was written: try again when it is back",
    "53300": "the server has no free connection; nothing was written: try again",
    "28P01": "the password is refused; test it: midwatch secret test",
    "28000": "the server refuses this role from this host; look at pg_hba.conf",
    "3D000": "there is no such database; create it: createdb",
}
_BUSY = frozenset({"55P03", "57014", "40P01", "40001"})


def _connection_lost() -> type[psycopg.Error]:
    from psycopg import OperationalError

    return OperationalError


def explained(error: psycopg.Error, place: str, wait_seconds: float) -> JournalError:
    """Return the error as a sentence about the journal at ``place``."""
    code = error.sqlstate or ""
    if code in _BUSY:
        return JournalBusyError(
            f"the journal {place} is held by somebody else for more than {wait_seconds:g} s; "
            "nothing was written, try again"
        )
    why = _SENTENCES.get(code)
    if why is None and not code and isinstance(error, _connection_lost()):
        told = visible(" ".join(str(error).split()), 240)
        # libpq gives no code for what goes wrong before a connection stands, only words.
        refused = "password authentication failed" in told
        why = (
            f"{_SENTENCES['28P01']} ({told})"
            if refused
            else f"the server cannot be reached or went away ({told}); nothing was written"
        )
    if why is None:
        told = visible(" ".join(str(error).split()), 240)
        why = f"PostgreSQL says: {told or type(error).__name__}; nothing was written"
    return JournalError(f"the journal {place}: {why}")
