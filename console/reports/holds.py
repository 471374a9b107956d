"""What people hold of incidents, oldest first: what is released or handed over at a shift end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from msgspec import Struct

from console.domain.incident import holds_of
from console.domain.text import visible
from console.domain.timestamps import timestamp
from console.metrics.units import format_age

if TYPE_CHECKING:
    from console.domain.incident import Hold, HoldKind
    from console.domain.snapshot import Snapshot

HELD_SCHEMA: Final = "midwatch.held/1"

_HEADINGS = ("ID", "S", "WHO", "HOW", "AGE", "ENDS", "CHECK", "PLACE", "ABOUT", "WHY")

_NAME_CHARACTERS = 40

_REASON_CHARACTERS = 80


class HoldReport(Struct, frozen=True, kw_only=True):
    """One hold; ``place`` is the alert source that knows of it too, null: only the journal does.

    ``certain`` is false where nobody knows whether that source took it.
    """

    incident: str
    title: str
    severity: str | None
    kind: HoldKind
    by: str
    account: str
    reason: str
    op: str
    began_at: str
    age_seconds: float
    ends_at: str
    left_seconds: float
    next_check_at: str | None
    place: str | None
    certain: bool
    models: tuple[str, ...]
    dependency: str | None


class HeldDocument(Struct, frozen=True, kw_only=True):
    """Everything that is held at one moment."""

    schema: Literal["midwatch.held/1"]
    environment: str
    taken_at: str
    journal: str
    held: tuple[HoldReport, ...]


def held_document(snapshot: Snapshot) -> HeldDocument:
    """Return what is held, the oldest first, for scripts."""
    return HeldDocument(
        schema=HELD_SCHEMA,
        environment=snapshot.environment,
        taken_at=timestamp(snapshot.taken_at),
        journal=snapshot.record.state,
        held=tuple(_report(each, snapshot.taken_at) for each in holds_of(snapshot.care)),
    )


def held_table(snapshot: Snapshot) -> str:
    """Return one line a hold, the oldest first."""
    holds = holds_of(snapshot.care)
    head = f"held {visible(snapshot.environment, 40)} {timestamp(snapshot.taken_at)}"
    if not holds:
        told = "nothing" if snapshot.record.trusted else "not known, the journal cannot be read"
        return f"{head}: {told}\n"
    rows = [_HEADINGS, *(_cells(each, snapshot.taken_at) for each in holds)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADINGS))]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return "\n".join([f"{head}: {len(holds)}", *lines]) + "\n"


def _report(hold: Hold, now: float) -> HoldReport:
    return HoldReport(
        incident=visible(hold.incident, _NAME_CHARACTERS),
        title=visible(hold.title, 60),
        severity=hold.level or None,
        kind=hold.kind,
        by=hold.by,
        account=hold.account,
        reason=hold.reason,
        op=hold.op_id,
        began_at=timestamp(hold.began_at),
        age_seconds=round(hold.age_seconds(now), 1),
        ends_at=timestamp(hold.ends_at),
        left_seconds=round(hold.left_seconds(now), 1),
        next_check_at=None if hold.next_check_at is None else timestamp(hold.next_check_at),
        place=hold.place or None,
        certain=hold.certain,
        models=hold.models,
        dependency=hold.dependency or None,
    )


def _cells(hold: Hold, now: float) -> tuple[str, ...]:
    check = "--"
    if hold.next_check_at is not None:
        late = now - hold.next_check_at
        check = f"LATE {format_age(late)}" if late > 0 else f"in {format_age(-late)}"
    return (
        visible(hold.incident, _NAME_CHARACTERS),
        hold.level or "?",
        visible(hold.by, _NAME_CHARACTERS),
        hold.kind,
        format_age(hold.age_seconds(now)),
        f"in {format_age(max(0.0, hold.left_seconds(now)))}",
        check,
        visible(hold.where, _NAME_CHARACTERS) + ("" if hold.certain else " UNVERIFIED"),
        visible(hold.title, 60),
        visible(hold.reason, _REASON_CHARACTERS),
    )
