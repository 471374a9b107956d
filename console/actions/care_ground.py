"""What a wish about an incident stands on: the incident, its care, and who is meant."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.actions.care import CARE_KINDS, CARE_LOOKBACK_SECONDS, begin_of, care_log, fold_care
from console.actions.confirming import SHORTEST_REASON
from console.actions.decisions import LONGEST_TEXT
from console.actions.refusal import ActionRefused
from console.facts.care import INCIDENT_PREFIX, Care
from console.facts.text import visible
from console.incidents.cared import begins_of
from console.journal.protocol import Question

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.actions.care import CareLog
    from console.actions.preparing import Bench
    from console.facts.alert import Incident
    from console.facts.snapshot import Snapshot
    from console.journal.protocol import Journal

SHORTEST_ID = 4
"""Letters at the begin of an id that are enough to name an incident, where one alone begins so."""

_SHOWN_IDS = 8
_DEPENDENCY_PREFIX = "dep:"


@dataclass(frozen=True, slots=True)
class Ground:
    """One incident as it stands: ``incident`` is None where it is in the record alone.

    ``seq`` is the newest entry of the journal when it was read, ``now`` Unix seconds.
    """

    id: str
    care: Care
    log: CareLog
    seq: int
    now: float
    incident: Incident | None = None

    @property
    def target(self) -> str:
        """Return the incident as the target of journal entries and leases."""
        return f"{INCIDENT_PREFIX}{self.id}"

    @property
    def title(self) -> str:
        """Return what it is called, safe to show."""
        if self.incident is not None:
            return self.incident.title
        hold = self.care.hold
        return visible(hold.title, 60) if hold is not None and hold.title else self.id

    @property
    def over(self) -> bool:
        """Tell whether nothing of it goes on any more, as far as anybody can see."""
        return self.incident is not None and self.incident.state == "resolved"


async def ground_of(bench: Bench, named: str, snapshot: Snapshot | None) -> Ground:
    """Return the incident that ``named`` means: an id, its first letters, a model or dep:NAME.

    Raises `ActionRefused` where nothing or several are meant, and ``JournalError``.
    """
    now = bench.clock()
    log, seq = await asyncio.to_thread(read_log, bench.journal, now)
    there = () if snapshot is None else snapshot.incidents
    incident = find_incident(named, there)
    key = incident.id if incident is not None else _recorded(named, log)
    if not key:
        raise _unknown(named, there)
    begins = begins_of(there)
    care = fold_care(log, begins, now).get(key) or Care(key, begins.get(key, now))
    return Ground(key, care, log, seq, now, incident)


def read_log(journal: Journal, now: float) -> tuple[CareLog, int]:
    """Return what was written about incidents, and the newest entry's number. Blocks."""
    head = journal.head()
    entries = journal.entries(Question(kinds=CARE_KINDS, since=now - CARE_LOOKBACK_SECONDS))
    return care_log(entries, {}), 0 if head is None else head.seq


def find_incident(named: str, there: Sequence[Incident]) -> Incident | None:
    """Return the incident that is meant, None for none; the most urgent one of a model."""
    wanted = named.strip().removeprefix(INCIDENT_PREFIX)
    exact = next((each for each in there if each.id == wanted), None)
    if exact is not None:
        return exact
    going = [each for each in there if each.state != "resolved"]
    dependency = wanted.removeprefix(_DEPENDENCY_PREFIX)
    if dependency != wanted:
        return next((each for each in going if each.dependency == dependency), None)
    own = next((each for each in going if each.model == wanted), None)
    touching = own or next((each for each in going if wanted in each.models), None)
    if touching is not None:
        return touching
    close = [each for each in there if len(wanted) >= SHORTEST_ID and each.id.startswith(wanted)]
    return close[0] if len(close) == 1 else None


def _recorded(named: str, log: CareLog) -> str:
    wanted = named.strip().removeprefix(INCIDENT_PREFIX)
    return wanted if wanted in log else ""


def _unknown(named: str, there: Sequence[Incident]) -> ActionRefused:
    shown = ", ".join(f"{each.id} ({each.title})" for each in there[:_SHOWN_IDS])
    more = f" and {len(there) - _SHOWN_IDS} more" if len(there) > _SHOWN_IDS else ""
    return ActionRefused.forbidden(
        "unknown_incident",
        f"{visible(named, 60) or 'nothing'} names no incident, nor a model that has one; "
        f"there are: {shown or 'none'}{more}",
    )


def reason_for(reason: str, what: str, *, default: str = "") -> str:
    """Return why something is done; raises `ActionRefused` where that says too little or much."""
    said = reason.strip() or default
    if len(said) < SHORTEST_REASON:
        raise ActionRefused.forbidden("reason", f"say {what}, in at least three letters")
    if len(said) > LONGEST_TEXT:
        raise ActionRefused.forbidden("reason", f"say {what} in {LONGEST_TEXT:,} characters")
    return said


def since_of(ground: Ground) -> float:
    """Return when the occurrence began that is acted on (Unix seconds)."""
    if ground.incident is not None:
        return ground.incident.since
    return begin_of(ground.log, ground.id) or ground.care.since
