"""What is known of a shift: the fleet as it is, its journal, each open incident as a whole."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from console.domain.entry import JournalHead
from console.domain.text import visible
from console.engine.client import Refused
from console.handover.handover_document import OPEN_STATES, ShiftFacts
from console.handover.record import NEWEST
from console.journal import JournalError, Question

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from console.domain.entry import Entry, Record
    from console.domain.incident import IncidentView
    from console.domain.snapshot import Snapshot
    from console.engine.journal_tail import Records

    View = Callable[[str], Awaitable[IncidentView | Refused]]

VIEW_SECONDS = 20.0
MOST_VIEWS = 12
"""How many incidents are gathered as a whole; the rest are told from their alerts."""

MOST_ENTRIES = 5000


async def shift_facts(
    snapshot: Snapshot | None, environment: str, records: Records, view: View, since: float
) -> ShiftFacts:
    """Return what is known since ``since`` (Unix seconds); what cannot be had says why."""
    if snapshot is None:
        problem = "nothing was read yet"
        return ShiftFacts(environment, None, journal_problem=problem)
    views = await _viewed(snapshot, view)
    record = snapshot.record
    try:
        found = await records.entries(Question(since=since, newest=MOST_ENTRIES))
        handovers = await records.entries(
            Question(kinds=("handover", "handover_accepted"), newest=NEWEST)
        )
    except JournalError as fault:
        return ShiftFacts(
            snapshot.environment,
            snapshot,
            views=views,
            journal_place=record.place,
            journal_problem=visible(fault.sentence, 400),
        )
    entries = found or ()
    return ShiftFacts(
        snapshot.environment,
        snapshot,
        entries=entries,
        handovers=handovers or (),
        views=views,
        decisions=snapshot.decisions,
        head=_head(record),
        journal_place=record.place,
        journal_problem="it is not read here" if found is None and record.state == "off" else "",
        entries_from=entries[0].at if len(entries) >= MOST_ENTRIES else None,
    )


def _head(record: Record) -> JournalHead | None:
    """Return the journal's end as it was followed to; what is broken is no end."""
    newest: Entry | None = next(iter(record.entries), None)
    if newest is None or newest.seq != record.head_seq:
        return None
    return JournalHead(chain=newest.chain, seq=newest.seq, hash=newest.hash, at=newest.at)


async def _viewed(snapshot: Snapshot, view: View) -> dict[str, IncidentView]:
    """Return the open incidents as a whole, as many as can be had in time."""
    views: dict[str, IncidentView] = {}
    listed = [one.id for one in snapshot.incidents if one.state in OPEN_STATES]
    try:
        async with asyncio.timeout(VIEW_SECONDS):
            for incident in listed[:MOST_VIEWS]:
                found = await view(incident)
                if not isinstance(found, Refused):
                    views[incident] = found
    except TimeoutError:
        return views  # the handover names those that are missing
    return views
