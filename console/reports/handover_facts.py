"""What a handover is made from: the fleet as it is, the journal of the shift, who and when."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from console.facts.decision import DecisionRecord
    from console.facts.entry import Entry, JournalHead
    from console.facts.incident_view import IncidentView
    from console.facts.snapshot import Snapshot

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
