"""The harm as a source counts it: what is not measured says so; the record tells of the past."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from console.domain.incident import IncidentView
from console.domain.model import ModelRow, Objectives
from console.domain.severity import UNKNOWN_ROUTE, Route
from console.engine.client import Refused
from console.engine.impact import Part, Seen, Span, measure_impact, regions_sentence
from console.engine.service import Engine
from console.metrics.profile import profiles
from console.metrics.queries import OneModel
from tests.engine.fakes import FakeSource, loaded, seen
from tests.engine.test_records import VALUES, reading, settings_with, writer

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_795_402_033.0
ROW = ModelRow(
    "alpha", objectives=Objectives(0.99), allowed_regions=("eu",), review_sla_seconds=900.0
)
COUNTED = {
    "refused_rate": 2.0, "failed_rate": 0.5, "bad_rate": 2.5, "served_rate": 4.0,
    "requests_rate": 10.0, "review_rate": 0.1, "review_outcomes": 0.05, "cost_rate": 0.01,
    "review_oldest": 1200.0, "lower_level": 1.0,
}  # fmt: skip
HOUR = Span(NOW - 3600.0, NOW, NOW)


def model(source: FakeSource, row: ModelRow = ROW, profile: str = "midwatch") -> Seen:
    asked = OneModel(profiles()[profile], "alpha")
    return Seen(row, source, asked, Route("small", "L2", "eu"))


def counting(values: dict[str, float], **more: object) -> FakeSource:
    return FakeSource(models=seen("alpha"), values=values, **more)  # type: ignore[arg-type]


async def test_counts_are_rates_times_the_span_and_budget_is_a_share_of_thirty_days() -> None:
    found = await measure_impact([model(counting(COUNTED))], [], HOUR)
    assert found.refused.value == pytest.approx(2.0 * 3600)
    assert found.failed.value == pytest.approx(0.5 * 3600)
    assert found.lower_level.value == pytest.approx(4.0 * 3600)
    assert found.reviews_added.value == pytest.approx(0.1 * 3600)
    assert found.reviews_late.value == pytest.approx(0.05 * 3600)
    assert found.excess_usd.value == pytest.approx(0.0)
    allowed = 0.01 * 10.0 * 30 * 86400.0
    assert found.budget_spent.value == pytest.approx(2.5 * 3600 / allowed)
    assert found.regions == "All traffic is served from eu, as allowed."
    assert found.refused.unknown == ""


async def test_what_one_model_does_not_count_is_said_beside_what_the_others_do() -> None:
    other = model(counting(COUNTED), ModelRow("chat"), "kserve")
    found = await measure_impact([model(counting(COUNTED)), other], [("gone", "no source")], HOUR)
    assert found.refused.value == pytest.approx(7200.0)
    assert found.refused.unknown == (
        "without chat: its server does not count refused requests; gone: no source"
    )
    assert found.reviews_late.unknown.startswith("without chat: no review SLA is declared")


async def test_a_source_that_is_away_makes_everything_unknown_and_nothing_zero() -> None:
    away = counting(COUNTED, down="connection refused")
    found = await measure_impact([model(away)], [], HOUR)
    for measure in (found.refused, found.failed, found.lower_level, found.budget_spent):
        assert measure.value is None
        assert measure.unknown == "alpha: connection refused"
    nobody = await measure_impact([], [("beta", "no source has it")], HOUR)
    assert (nobody.failed.value, nobody.failed.unknown) == (None, "beta: no source has it")


@pytest.mark.parametrize(
    ("route", "said"),
    [
        (Route("small", "L2", "us"), "alpha is served from us, which is not allowed."),
        (UNKNOWN_ROUTE, "Nobody says from which region alpha is served."),
    ],
)
def test_regions_are_only_well_when_somebody_says_so(route: Route, said: str) -> None:
    assert regions_sentence([(ROW, route)]) == said
    assert regions_sentence([(ModelRow("x"), route)]) == (
        "No model of it declares allowed regions."
    )
    assert Part(None, "x").unknown == "x"


def engine_at(path: Path, now: float) -> Engine:
    source = counting({**VALUES, **COUNTED})
    settings = settings_with(path)
    return Engine(loaded(settings), sources=[source], clock=lambda: now, open_record=reading)


async def test_an_incident_that_is_over_is_told_from_the_journal(tmp_path: Path) -> None:
    path = tmp_path / "j" / "journal.db"
    mine: dict[str, object] = {"incident": "abcd1234", "target": "inc:abcd1234"}
    details = {
        "step": "taken", "since": NOW - 3600.0, "title": "alpha", "severity": "S1",
        "model": "alpha", "models": ["alpha"],
    }  # fmt: skip
    with writer(path) as other:
        other.write(kind="ack", at=NOW - 3500.0, why="mine", details=details, **mine)
        other.write(kind="change", at=NOW - 3000.0, why="config #8812", target="alpha")
        other.write(
            kind="close", at=NOW - 1800.0, why="over", details={"verdict": "useful"}, **mine
        )
    engine = engine_at(path, NOW)
    snapshot = await engine.tick()
    assert [one.text for one in snapshot.changes if one.kind == "written"] == [
        "alpha: config #8812 (ana)"
    ]
    view = await engine.incident_view("abcd1234")
    assert isinstance(view, IncidentView), view
    assert (view.incident.state, view.incident.ends) == ("resolved", NOW - 1800.0)
    assert [one.kind for one in view.events if one.source.startswith("#")] == [
        "ack", "change", "state",
    ]  # fmt: skip
    assert view.impact.until == NOW - 1800.0
    assert view.impact.refused.value is not None
    assert view.impact.refused.value >= 2.0 * 1800.0
    assert view.condition.startswith("S1 on alpha is over")
    unknown = await engine.incident_view("\x1b[2J")
    assert isinstance(unknown, Refused)
    assert "\x1b" not in unknown.sentences[0]
    await engine.close()


async def test_before_the_first_look_and_after_a_fault_whoever_asked_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = engine_at(tmp_path / "journal.db", NOW)
    assert await engine.incident_view("abcd1234") == Refused(("nothing was read yet",))
    await engine.tick()

    def broken(*_: object) -> None:
        raise KeyError("\x1b[2J")

    monkeypatch.setattr("console.engine.incident_view.recorded_incident", broken)
    answer = await engine.incident_view("abcd1234")
    assert isinstance(answer, Refused)
    assert answer.kind == "fault"
    assert "\x1b" not in answer.sentences[0]
    await engine.close()
