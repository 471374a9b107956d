"""What the journal says about one target at the moment of an action. Blocks; run in a thread."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.domain.entry import number_of
from console.domain.text import visible
from console.journal.leases import KEEPER_LEASE, shown_holder
from console.journal.override_log import overrides_in_force
from console.journal.store_base import Question
from console.settings.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterable

    from console.domain.action import Override
    from console.domain.entry import Entry
    from console.journal.store_base import Journal

RECENT_SECONDS = 600.0
LEASE_SECONDS = 20.0
_ACTING = ("intent", "outcome")
_SETTLING = ("resolved", "observed")


@dataclass(frozen=True, slots=True)
class TargetRecord:
    """The record about one target.

    ``seq`` is the newest entry of all, ``recent`` what was done to it in the last ten minutes,
    ``unsettled`` intents nobody closed, ``locked`` the outcome that still is not known,
    ``busy`` who acts on it now, ``watched`` the outcome that may still come true.
    """

    seq: int
    recent: tuple[Entry, ...]
    unsettled: tuple[Entry, ...]
    locked: Entry | None
    overrides: tuple[Override, ...]
    keeper_lives: bool
    busy: str
    watched: Entry | None = None

    def others(self, now: float) -> tuple[str, ...]:
        """Return in words who did what to the target lately, the newest first."""
        return tuple(_told(entry, now) for entry in reversed(self.recent))


def standing_of(journal: Journal, target: str, now: float) -> TargetRecord:
    """Read the record about ``target``."""
    head = journal.head()
    done = journal.entries(
        Question(target=target, kinds=("outcome", "resolved", "observed"), newest=50)
    )
    recent = journal.entries(
        Question(target=target, kinds=("outcome", "resolved"), since=now - RECENT_SECONDS)
    )
    return TargetRecord(
        seq=0 if head is None else head.seq,
        recent=recent,
        unsettled=tuple(each for each in journal.unsettled() if each.target == target),
        locked=locked_by(done),
        overrides=overrides_in_force(journal),
        keeper_lives=bool(holder_of(journal, KEEPER_LEASE, now)),
        busy=holder_of(journal, lease_name(target), now),
        watched=next(
            (each for each in reversed(watched_of(done)) if _until(each) > now),
            None,
        ),
    )


def lease_name(target: str) -> str:
    """Return the name of the lease on one target."""
    return f"act {target}"


def watched_of(entries: Iterable[Entry]) -> tuple[Entry, ...]:
    """Return the outcomes that may still come true and of which nothing was written since.

    ``entries`` are outcomes and what was observed and resolved, the oldest first.
    """
    found: dict[str, Entry] = {}
    for entry in entries:
        if entry.kind != "outcome":
            found.pop(entry.op_id, None)
        elif number_of(entry.details.get("watch_until")) is not None:
            found[entry.op_id] = entry
    return tuple(found.values())


def _until(outcome: Entry) -> float:
    return number_of(outcome.details.get("watch_until")) or 0.0


def holder_of(journal: Journal, name: str, now: float) -> str:
    """Return who holds a lease, empty when nobody does; looking is in nobody's way."""
    lease = journal.lease(name, now)
    return "" if lease is None else shown_holder(lease.holder)


def locked_by(entries: tuple[Entry, ...]) -> Entry | None:
    """Return the newest outcome that left a target unknown and that nothing settled since."""
    open_ops: dict[str, Entry] = {}
    for entry in entries:
        if entry.kind == "outcome" and entry.details.get("unknown_targets"):
            open_ops[entry.op_id] = entry
        elif entry.kind == "outcome" and entry.details.get("outcome") == "applied":
            open_ops.clear()  # a later change that was seen in force says what is true
        elif entry.kind in _SETTLING:
            open_ops.pop(entry.op_id, None)
    return next(reversed(open_ops.values()), None) if open_ops else None


def _told(entry: Entry, now: float) -> str:
    ago = format_duration(max(1.0, round(now - entry.at)))
    by = visible(entry.who.name, 40)
    what = "said what is true of" if entry.kind == "resolved" else entry.action
    outcome = entry.details.get("outcome")
    return f"{by}: {what} {visible(entry.target, 60)} {ago} ago" + (
        f" ({outcome})" if outcome else ""
    )
