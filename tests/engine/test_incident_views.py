"""The demo's story opens an incident by itself; its view fills and its numbers are counted."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import msgspec
import pytest

from console.demo.demo_fleet import DemoFleet
from console.domain.incident import IncidentView
from console.engine.client import Refused
from console.engine.service import Engine
from console.reports.incident_text import view_document, view_text
from console.reports.markdown import markdown
from console.reports.postmortem import PostmortemFacts, postmortem
from console.reports.postmortem_text import postmortem_blocks
from console.settings.load import Flags, Loaded, load
from console.sources.factory import build_source
from console.sources.scrape import ScrapeSource
from tests.support.overrides import entry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from console.domain.entry import Entry
    from console.domain.snapshot import Snapshot
    from console.settings.schema import SourceSettings
    from console.sources.base import Source

HASTE = 4.0
"""How much faster than the wall's clock everything here lives: the story takes minutes."""

TICK_SECONDS = 1.05
LONGEST_SECONDS = 70.0
STARTED = time.time()
CULPRIT, VICTIM = "feature-store-eu", "fraud-scorer"


def hasty() -> float:
    return STARTED + HASTE * (time.time() - STARTED)


@pytest.fixture(scope="module")
def fleet() -> Iterator[DemoFleet]:
    made = DemoFleet(scenario="story", seed=3, clock=hasty)
    made.start()
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture
def engine(fleet: DemoFleet, tmp_path: Path) -> Engine:
    config = tmp_path / "config.toml"
    config.write_text(fleet.config_toml())
    config.chmod(0o600)
    found = load(Flags(config=config), {"HOME": str(tmp_path)})
    quick = msgspec.structs.replace(found.settings, refresh_seconds=HASTE)

    def make(settings: SourceSettings) -> Source:
        source = build_source(settings, None, interval_seconds=HASTE)
        assert isinstance(source, ScrapeSource)
        source.preload(fleet.history())
        return source

    return Engine(Loaded(quick, found.origins, found.path), make_source=make, clock=hasty)


def bad_requests(fleet: DemoFleet) -> float:
    """Return all requests of the victim that were refused or failed since the demo began."""
    service = next(one for one in fleet.simulation.services if one.model.name == VICTIM)
    columns = service.layout.slices["model_requests_total"]
    _success, failed, refused, _rejected = service.values[columns].tolist()
    return float(failed + refused)


async def test_the_story_opens_an_incident_whose_view_fills(
    fleet: DemoFleet, engine: Engine
) -> None:
    counted: list[tuple[float, float]] = []
    until = time.monotonic() + LONGEST_SECONDS
    view: IncidentView | Refused | None = None
    while time.monotonic() < until:
        counted.append((hasty(), bad_requests(fleet)))
        snapshot = await engine.tick()
        incident = next((one for one in snapshot.incidents if one.dependency == CULPRIT), None)
        if incident is not None and _tells_enough(snapshot):
            view = await engine.incident_view(incident.id, acknowledged(incident.id, snapshot))
            break
        await asyncio.sleep(TICK_SECONDS)
    assert isinstance(view, IncidentView), "no incident of the shared dependency within the time"
    incident = view.incident
    assert VICTIM in incident.models
    assert incident.sources == ("midwatch",)
    kinds = [event.kind for event in view.events]
    assert {"impact", "detect", "auto", "ack"} <= set(kinds)
    assert [event.at for event in view.events] == sorted(event.at for event in view.events)
    assert f"{VICTIM}'s breaker opened" in "".join(event.text for event in view.events)
    assert CULPRIT in view.condition
    hurt = view.condition.partition("Users of ")[2].partition(" are hurt since")[0]
    assert VICTIM in hurt  # others that share the dependency may be hurt before it
    assert "Somebody has to take it" in view.needs
    assert view.clock.impact_at is not None
    assert view.clock.detected_at is not None
    assert view.clock.mitigated_at is None
    _counts_what_happened(view, counted, bad_requests(fleet))
    done = {check.id: check.done for check in view.checks}
    assert (done["clean"], done["routes"], done["lower"]) == (False, True, True)
    assert view.impact.regions == "All traffic is served from eu, as allowed."
    assert "BEFORE IT IS CLOSED" in view_text(view)
    told = view_document(view).impact["refused"].value
    assert told == pytest.approx(view.impact.refused.value)
    again = await engine.incident_view("00000000")
    assert isinstance(again, Refused)
    await _is_told_after_the_fact(engine, incident.id)
    await engine.close()


def _tells_enough(snapshot: Snapshot) -> bool:
    """Tell whether the victim's breaker has opened, which is the last of what is looked for."""
    return any(one.text.startswith(f"{VICTIM}'s breaker opened") for one in snapshot.changes)


async def _is_told_after_the_fact(engine: Engine, incident: str) -> None:
    """Gather the postmortem of the same incident: its charts come from the same sources."""
    facts = await engine.postmortem_facts(incident)
    assert isinstance(facts, PostmortemFacts)
    drawn = {signal.signal for _, signal in facts.series if len(signal.values)}
    assert {"error_ratio", "latency_p95"} <= drawn
    text = markdown(postmortem_blocks(postmortem(facts)))
    assert CULPRIT in text
    assert VICTIM in text
    assert isinstance(await engine.postmortem_facts("00000000"), Refused)


def acknowledged(incident: str, snapshot: Snapshot) -> list[Entry]:
    at = snapshot.taken_at
    return [
        entry(
            1, "ack", at=at, incident=incident, target=f"inc:{incident}", why="mine",
            details={"step": "taken", "ends_at": at + 900.0},
        )
    ]  # fmt: skip


def _counts_what_happened(
    view: IncidentView, counted: list[tuple[float, float]], now: float
) -> None:
    """Compare the impact with the service's own counters over the same span."""
    refused, failed = view.impact.refused, view.impact.failed
    assert refused.value is not None
    assert failed.value is not None
    began = min(view.incident.since, view.clock.impact_at or view.incident.since)
    before = [count for at, count in counted if at <= began]
    happened = now - (before[-1] if before else 0.0)
    assert happened > 20.0
    # A scrape is a few seconds old, and a window of a minute may begin before the incident.
    assert refused.value + failed.value == pytest.approx(happened, rel=0.25, abs=12.0)
    assert view.impact.budget_spent.value is not None
    assert view.impact.budget_spent.value > 0.0
