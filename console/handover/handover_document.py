"""The values a handover is built from, and the shape of ``midwatch handover --json``."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping

    from console.domain.decision import DecisionRecord
    from console.domain.entry import Entry, JournalHead
    from console.domain.incident import IncidentView
    from console.domain.snapshot import Snapshot

OPEN_STATES = ("firing", "suppressed")
"""States of an incident that somebody has to know of: what is silenced still burns."""


@dataclass(frozen=True, slots=True)
class Shift:
    """Whose shift it is, which span (Unix seconds), and who comes next.

    ``to`` is empty while nobody is named, ``due_at`` None where no end of a shift is declared.
    """

    since: float
    now: float
    by: str
    account: str
    to: str = ""
    due_at: float | None = None


@dataclass(frozen=True, slots=True)
class ShiftFacts:
    """What is known of the shift.

    ``entries`` are the journal's since its beginning, oldest first; ``entries_from`` is given where
    older ones of the shift could not be read. ``handovers`` are entries of earlier handovers and
    their acceptances, oldest first. ``views`` are the incidents that could be gathered as a whole.
    ``decisions`` are all that still count.
    """

    environment: str
    snapshot: Snapshot | None
    entries: tuple[Entry, ...] = ()
    handovers: tuple[Entry, ...] = ()
    views: Mapping[str, IncidentView] = field(default_factory=dict)
    decisions: tuple[DecisionRecord, ...] = ()
    head: JournalHead | None = None
    journal_place: str = ""
    journal_problem: str = ""
    entries_from: float | None = None


def text_of(kept: object) -> str:
    """Return a text that an entry keeps, empty for anything else."""
    return kept if isinstance(kept, str) else ""


SCHEMA: Final = "midwatch.handover/1"


class PreviousReport(Struct, frozen=True, kw_only=True):
    """The handover before this one; ``accepted_by`` null: nobody accepted it."""

    id: str
    by: str
    written_at: str
    accepted_by: str | None
    accepted_at: str | None


class OpenIncidentReport(Struct, frozen=True, kw_only=True):
    """One open incident as CAN: condition, actions, needs.

    ``gathered`` is false where only its alerts and the journal could be asked.
    """

    id: str
    level: str
    title: str
    state: str
    models: tuple[str, ...]
    since: str
    held_by: str | None
    next_check_at: str | None
    condition: str
    actions: str
    needs: str
    gathered: bool


class ForceReport(Struct, frozen=True, kw_only=True):
    """Something held by hand, as one clause; ``ends_at`` null: it has no end."""

    op: str
    target: str
    by: str
    state: str
    ends_at: str | None
    text: str


class HeldReport(Struct, frozen=True, kw_only=True):
    """An acknowledgement or a snooze; ``place`` null: only the journal knows of it."""

    incident: str
    title: str
    kind: str
    by: str
    account: str
    reason: str
    began_at: str
    ends_at: str
    ended: bool
    next_check_at: str | None
    place: str | None
    certain: bool
    op: str


class WatchReport(Struct, frozen=True, kw_only=True):
    """One row to keep an eye on: the first rule that holds for it, and since when."""

    model: str
    level: str
    rule: str
    text: str
    since: str | None


class ChangeReport(Struct, frozen=True, kw_only=True):
    """Something that changed, or will; ``by`` null: nobody says who."""

    at: str
    subject: str
    text: str
    by: str | None
    source: str


class DecisionReport(Struct, frozen=True, kw_only=True):
    """A retraining decision; ``state`` as ``midwatch decisions`` says it."""

    id: str
    decision: str
    model: str
    by: str
    state: str
    taken_at: str
    review_by: str
    reason: str
    approved_by: str | None
    waits_for_approval: bool


class PagesReport(Struct, frozen=True, kw_only=True):
    """How loud the shift was; a share is null while nothing was judged.

    ``incidents`` are those that began in the shift and are known, ``paging`` those of S1.
    """

    incidents: int
    paging: int
    useful: int
    noise: int
    unclear: int
    not_judged: int
    noise_share: float | None
    text: str


class CostReport(Struct, frozen=True, kw_only=True):
    """Money of one model that is worth a line; null is not known. Ratios, and USD."""

    model: str
    today_usd: float | None
    pace: float | None
    waste_ratio: float | None
    text: str


class MoneyReport(Struct, frozen=True, kw_only=True):
    """What is spent today by the models that say so; ``today_usd`` null: none does."""

    today_usd: float | None
    models_known: int
    models: int
    text: str
    rows: tuple[CostReport, ...]


class ExceptionReport(Struct, frozen=True, kw_only=True):
    """A rule of the house that was broken on purpose, or is broken now."""

    kind: Literal["break_glass", "residency", "against_objection", "no_end"]
    at: str | None
    subject: str
    by: str | None
    text: str


class FollowUpReport(Struct, frozen=True, kw_only=True):
    """Something left to do, where it stands, and who said so."""

    text: str
    subject: str
    by: str | None
    at: str | None


class HeadReport(Struct, frozen=True, kw_only=True):
    """The journal's last entry when this was written; ``hash`` null where it cannot be told."""

    seq: int | None
    hash: str | None
    place: str
    text: str


class HandoverDocument(Struct, frozen=True, kw_only=True):
    """Thirteen parts; what could not be known stands in ``unknown`` as sentences.

    ``due_at`` is when the shift ends by the configuration, null where nobody says.
    ``fleet_known`` and ``record_known`` say whether models and journal could be read: while one
    could not, an empty part that rests on it means nothing.
    """

    schema: Literal["midwatch.handover/1"]
    environment: str
    taken_at: str
    since: str
    by: str
    account: str
    to: str | None
    due_at: str | None
    previous: PreviousReport | None
    state: str
    unknown: tuple[str, ...]
    fleet_known: bool
    record_known: bool
    incidents: tuple[OpenIncidentReport, ...]
    in_force: tuple[ForceReport, ...]
    held: tuple[HeldReport, ...]
    watch: tuple[WatchReport, ...]
    notices: int
    changes_made: tuple[ChangeReport, ...]
    changes_coming: tuple[ChangeReport, ...]
    decisions_taken: tuple[DecisionReport, ...]
    decisions_due: tuple[DecisionReport, ...]
    pages: PagesReport
    cost: MoneyReport
    exceptions: tuple[ExceptionReport, ...]
    follow_ups: tuple[FollowUpReport, ...]
    journal: HeadReport
