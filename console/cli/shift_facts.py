"""What a command knows of a shift: the fleet looked at twice, the journal, each open incident."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from console.actions.decided import decisions_in
from console.actions.handovers import handover_entries
from console.engine.handle import Refused
from console.facts.text import visible
from console.journal import BrokenEntryError, JournalError, Question
from console.reports.handover_facts import OPEN_STATES, ShiftFacts

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.cli.loading import Prepared
    from console.engine.service import Engine
    from console.facts.decision import DecisionRecord
    from console.facts.entry import Entry, JournalHead
    from console.facts.incident_view import IncidentView
    from console.facts.snapshot import Snapshot
    from console.journal import Journal

LOOK_SECONDS = 30.0
VIEW_SECONDS = 20.0
MOST_VIEWS = 12
"""How many incidents are gathered as a whole; the rest are told from their alerts."""


async def shift_facts(
    prepared: Prepared,
    journal: Journal | None,
    since: float,
    tell: Callable[[str], None],
    *,
    problem: str = "",
    instant: bool = False,
) -> ShiftFacts:
    """Return what is known since ``since`` (Unix seconds); what cannot be had says why.

    ``journal`` None has its reason in ``problem``.
    """
    snapshot, views = await _looked(prepared, tell, instant=instant)
    environment = prepared.loaded.settings.environment
    if journal is None:
        return ShiftFacts(environment, snapshot, views=views, journal_problem=problem)
    try:
        read = await asyncio.to_thread(_read, journal, since)
    except JournalError as fault:
        return ShiftFacts(
            environment,
            snapshot,
            views=views,
            journal_place=journal.place,
            journal_problem=visible(fault.sentence, 400),
        )
    entries, handovers, decisions, head, broken = read
    return ShiftFacts(
        environment,
        snapshot,
        entries=entries,
        handovers=handovers,
        views=views,
        decisions=decisions,
        head=head,
        journal_place=journal.place,
        journal_problem=broken,
    )


def _read(
    journal: Journal, since: float
) -> tuple[
    tuple[Entry, ...], tuple[Entry, ...], tuple[DecisionRecord, ...], JournalHead | None, str
]:
    listed = journal.listing(Question(since=since))
    bad = [each for each in listed if isinstance(each, BrokenEntryError)]
    entries = tuple(each for each in listed if not isinstance(each, BrokenEntryError))
    broken = f"BROKEN at entry {bad[0].seq}: {bad[0].problem}" if bad else ""
    decided = decisions_in(journal).records
    return entries, handover_entries(journal), decided, journal.head(), broken


async def _looked(
    prepared: Prepared, tell: Callable[[str], None], *, instant: bool
) -> tuple[Snapshot | None, dict[str, IncidentView]]:
    """Return the fleet after two looks a refresh apart (as `status` takes them), and incidents."""
    if not prepared.loaded.settings.sources:
        return None, {}
    engine = prepared.engine()
    engine.on_problem = tell
    try:
        async with asyncio.timeout(LOOK_SECONDS):
            snapshot = await engine.once(remembers=not instant)
            if not instant:
                await asyncio.sleep(engine.settings.refresh_seconds)
                snapshot = await engine.once()
        return snapshot, await _viewed(engine, snapshot, tell)
    except TimeoutError:
        tell(f"no numbers within {LOOK_SECONDS:.0f} s; going on with what there is")
        return engine.latest, {}
    finally:
        await engine.close()


async def _viewed(
    engine: Engine, snapshot: Snapshot, tell: Callable[[str], None]
) -> dict[str, IncidentView]:
    views: dict[str, IncidentView] = {}
    listed = [one.id for one in snapshot.incidents if one.state in OPEN_STATES]
    try:
        async with asyncio.timeout(VIEW_SECONDS):
            for incident in listed[:MOST_VIEWS]:
                found = await engine.incident_view(incident)
                if isinstance(found, Refused):
                    tell("; ".join(found.sentences))
                else:
                    views[incident] = found
    except TimeoutError:
        tell(f"incidents took more than {VIEW_SECONDS:.0f} s; {len(views)} are told as a whole")
    return views
