"""Every figure of ``midwatch cost`` on a real Prometheus, against sums made beside it."""

from __future__ import annotations

import asyncio
import csv
import io
from typing import TYPE_CHECKING

import msgspec
import pytest

from console.engine.service import Engine
from console.evaluation.cost import DAYS
from console.reports.cost_document import CostDocument, cost_csv, cost_document, cost_table
from console.settings.schema import CostSettings, ModelSettings, Settings, SourceSettings
from console.sources.factory import plain_factory
from tests.engine.fakes import loaded
from tests.support.prometheus_server import running_prometheus
from tests.support.spending import DAY, MIDNIGHT, NOW, REQUESTS, USD, openmetrics, spenders

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.evaluation.spend import Grouping, SpendFacts

WITHIN = 1e-6
GROUPINGS: tuple[Grouping, ...] = ("model", "team", "component", "use")


class Asked:
    """What the engine said of the eight models at noon, asked once for the whole module."""

    def __init__(self, facts: SpendFacts, november: SpendFacts, environment: str) -> None:
        self.facts, self.past, self._environment = facts, november, environment
        self.models = {each.model: each for each in spenders()}
        self.known = [each for each in self.models.values() if each.model != "negative"]

    def document(self, by: Grouping = "model") -> CostDocument:
        """Return the document of the whole fleet."""
        return cost_document(self.facts, by, range(len(self.facts.rows)), self._environment)


@pytest.fixture(scope="module")
def asked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Asked]:
    """Ask a Prometheus that holds 37 days of eight models."""
    tmp_path = tmp_path_factory.mktemp("spend")
    with running_prometheus(tmp_path, blocks=openmetrics(spenders())) as url:
        settings = Settings(
            version=1,
            sources=(SourceSettings(name="prom", kind="prometheus", url=url),),
            models={
                each.model: ModelSettings(cost=CostSettings(budget_month_usd=each.budget_usd))
                for each in spenders()
                if each.budget_usd is not None
            },
        )
        yield asyncio.run(_asked(settings))


async def _asked(settings: Settings) -> Asked:
    engine = Engine(loaded(settings), make_source=plain_factory(), clock=lambda: NOW)
    try:
        await engine.once(remembers=False)
        facts, past = await engine.spend(), await engine.spend("2026-10")
        assert facts is not None
        assert past is not None
        return Asked(facts, past, settings.environment)
    finally:
        await engine.close()


def test_today_and_month_are_the_sums(asked: Asked) -> None:
    lines = {line.name: line for line in asked.document().lines}
    for model in asked.known:
        line = lines[model.model]
        assert line.month_usd == pytest.approx(model.sum(USD, "month"), rel=WITHIN)
        assert line.today_usd == pytest.approx(model.sum(USD, "today"), rel=WITHIN, abs=1e-9)


def test_costs_per_thousand_divide_one_window(asked: Asked) -> None:
    for line in asked.document().lines:
        if line.name == "negative":
            continue
        model = asked.models[line.name]
        spent, requests = model.sum(USD, "month"), model.sum(REQUESTS, "month")
        useful = model.sum(REQUESTS, "month", outcome="success")
        assert line.per_1k_usd == pytest.approx(1000 * spent / requests, rel=WITHIN)
        assert line.per_1k_useful_usd == pytest.approx(1000 * spent / useful, rel=WITHIN)


def test_waste_is_told_by_kind(asked: Asked) -> None:
    for line in asked.document().lines:
        if line.name == "negative":
            continue
        model = asked.models[line.name]
        retries = model.sum(USD, "month", use="retry")
        assert line.waste_usd["retry"] == pytest.approx(retries, rel=WITHIN, abs=1e-9)
        assert line.waste_usd["idle"] == 0.0
        assert line.waste_ratio == pytest.approx(
            retries / model.sum(USD, "month"), rel=WITHIN, abs=1e-9
        )


@pytest.mark.parametrize("by", GROUPINGS[1:])
def test_teams_components_and_uses_are_the_sums(asked: Asked, by: Grouping) -> None:
    lines = {line.name: line for line in asked.document(by).lines}
    names = {
        each.labels[by] for model in asked.known for each in model.counters if by in each.labels
    }
    assert names <= set(lines)
    for name in names - {"fallback"}:
        for span in ("month", "today"):
            whole = sum(model.sum(USD, span, **{by: name}) for model in asked.known)
            found = getattr(lines[name], f"{span}_usd")
            assert found == pytest.approx(whole, rel=WITHIN)


def test_the_month_of_a_young_model_is_its_own_days(asked: Asked) -> None:
    line = next(each for each in asked.document().lines if each.name == "young")
    assert line.history_seconds == pytest.approx(NOW - (MIDNIGHT - 12 * DAY + 6 * 3600), rel=0.06)
    assert line.unknown == ""


def test_known_days_are_the_sums(asked: Asked) -> None:
    assert asked.facts.days is not None
    for row, known in enumerate(asked.facts.rows):
        model = asked.models[known.model]
        if known.model == "negative":
            continue
        for back in range(1, DAYS + 1):
            begin = MIDNIGHT - back * DAY
            whole = sum(
                each.between(begin, begin + DAY) for each in model.counters if each.metric == USD
            )
            found = asked.facts.days[back - 1, row]
            if known.model == "young" and back > 11:
                # Its first day began at six, and before it there was none.
                assert found != found
            else:
                assert found == pytest.approx(whole, rel=WITHIN, abs=1e-9)


def test_the_month_end_of_a_pattern_is_the_pattern(asked: Asked) -> None:
    lines = {line.name: line for line in asked.document().lines}
    # Half of Wednesday, Thursday to Monday 30 November: 12 days, of which eight are worked.
    weekday, weekend = 24 * 5.0 * 1.1, 24 * 2.0 * 1.1
    left = 0.5 * weekday + 8 * weekday + 4 * weekend
    found = lines["weekdays"].forecast_p50_usd
    assert found == pytest.approx(asked.models["weekdays"].sum(USD, "month") + left, rel=WITHIN)
    step = 12.5 * 24 * 2.0 * 1.1
    found = lines["step"].forecast_p50_usd
    assert found == pytest.approx(asked.models["step"].sum(USD, "month") + step, rel=0.01)
    assert lines["step"].forecast_note == "level changed 5 d ago"


def test_the_largest_change_has_its_cause(asked: Asked) -> None:
    changes = asked.document().changes
    assert [change.model for change in changes][:1] == ["step"]
    first = changes[0]
    model = asked.models["step"]
    assert first.after_usd == pytest.approx(model.sum(USD, "day"), rel=WITHIN)
    assert first.before_usd == pytest.approx(model.sum(USD, "day_before"), rel=WITHIN)
    assert first.cause == "price"
    assert sum(first.parts_usd.values()) == pytest.approx(first.change_usd, abs=0.02)


def test_a_month_gone_by_has_sums_and_no_forecast(asked: Asked) -> None:
    assert set(asked.past.usd) == {"month"}
    document = cost_document(asked.past, "model", range(len(asked.past.rows)), "prod")
    assert document.month == "2026-10"
    # The history begins on 12 October: most of the month is not known, and that is said.
    assert all(line.month_usd is None and line.unknown for line in document.lines)


def test_the_csv_holds_the_same_numbers(asked: Asked) -> None:
    document = asked.document()
    rows = list(csv.DictReader(io.StringIO(cost_csv(document))))
    assert [row["name"] for row in rows] == [line.name for line in document.lines]
    for row, line in zip(rows, document.lines, strict=True):
        assert row["month_usd"] == ("" if line.month_usd is None else repr(line.month_usd))
    assert msgspec.json.decode(msgspec.json.encode(document), type=CostDocument) == document
    assert "weekdays" in cost_table(document)


def test_a_counter_that_falls_is_named_and_not_multiplied(asked: Asked) -> None:
    line = next(each for each in asked.document().lines if each.name == "negative")
    assert line.month_usd is None
    assert line.today_usd is None
    assert "counter" in line.unknown
    assert asked.document().total.month_usd == pytest.approx(
        sum(model.sum(USD, "month") for model in asked.known), rel=WITHIN
    )
