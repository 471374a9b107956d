"""How far back a real server's series reach, and that no number is older than they are."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest

from console.domain.model import ModelRow
from console.domain.samples import Answer
from console.metrics.query_plan import plan
from console.settings.endpoint_tables import SourceSettings
from console.sources.factory import build_source
from console.sources.history_depth import Begin, Reach, ReachUnknown
from console.sources.prometheus import PrometheusSource
from tests.sources.expositions import Timeline, openmetrics
from tests.support.prometheus_server import instant, running_prometheus

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from console.metrics.queries import Query

MINUTE, HOUR, DAY = 60.0, 3600.0, 86400.0
WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d", "30d")


def moments(now: float, begin: float, hole: tuple[float, float] = (0.0, 0.0)) -> tuple[float, ...]:
    """Quarters of an hour from ``begin`` seconds ago, half minutes in the last hour."""
    early = np.arange(now - begin, now - HOUR, 15 * MINUTE)
    late = np.arange(now - min(begin, HOUR), now + MINUTE, 30.0)
    times = np.concatenate([early, late])
    return tuple(times[(times < now - hole[0]) | (times > now - hole[1])].tolist())


def counter(name: str, model: str, times: tuple[float, ...], rate: float, **more: str) -> Timeline:
    labels = (("job", "svc"), ("model", model), *more.items())
    return Timeline(name, labels, times, tuple(rate * (at - times[0]) for at in times))


def service(model: str, times: tuple[float, ...], cost: tuple[float, ...]) -> list[Timeline]:
    return [
        counter("model_requests_total", model, times, 2.0, outcome="success"),
        counter("model_requests_total", model, times, 0.2, outcome="error"),
        counter("model_request_duration_seconds_count", model, times, 2.2),
        counter("model_request_duration_seconds_bucket", model, times, 2.0, le="0.4"),
        counter("model_request_duration_seconds_bucket", model, times, 2.2, le="+Inf"),
        counter("model_cost_usd_total", model, cost, 0.001, use="useful"),
    ]


@pytest.fixture(scope="module")
def now() -> float:
    """Now, or two hours ago where midnight was less than an hour ago.

    The window of what is counted since midnight would be among the short ones.
    """
    moment = int(time.time())
    return float(moment if moment % 86400 > HOUR else moment - 2 * HOUR)


@pytest.fixture(scope="module")
def old_server(tmp_path_factory: pytest.TempPathFactory, now: float) -> Iterator[str]:
    """A month and more of data, and models that began later."""
    whole = moments(now, 40 * DAY)
    fleet = [
        *service("old", whole, whole),
        *service("new", moments(now, 40 * MINUTE), moments(now, 40 * MINUTE)),
        *service("cost-later", whole, moments(now, 3 * HOUR)),
        *service("was-away", moments(now, 40 * DAY, (7 * HOUR, 5 * HOUR)), whole),
    ]
    directory = tmp_path_factory.mktemp("old")
    with running_prometheus(directory, blocks=openmetrics(fleet)) as url:
        yield url


@pytest.fixture(scope="module")
def young_server(tmp_path_factory: pytest.TempPathFactory, now: float) -> Iterator[str]:
    times = moments(now, 12 * MINUTE)
    directory = tmp_path_factory.mktemp("young")
    with running_prometheus(directory, blocks=openmetrics(service("old", times, times))) as url:
        yield url


def source_for(url: str) -> PrometheusSource:
    source = build_source(SourceSettings(name="prom", kind="prometheus", url=url))
    assert isinstance(source, PrometheusSource)
    return source


def planned(now: float, *models: str) -> dict[str, Query]:
    rows = [ModelRow(model=model, profile="midwatch") for model in models]
    return {query.column: query for query in plan(["midwatch"], rows, {}, now)}


async def asked(url: str, queries: Mapping[str, Query], now: float) -> dict[str, Answer]:
    source = source_for(url)
    answers = await source.ask(tuple(queries.values()), now)
    await source.aclose()
    return dict(zip(queries, answers, strict=True))


async def test_a_young_server_gives_no_number_over_more_than_its_minutes(
    young_server: str, now: float
) -> None:
    queries = planned(now, "old")
    source = source_for(young_server)
    answers = dict(zip(queries, await source.ask(tuple(queries.values()), now), strict=True))
    assert answers["error_ratio@5m"].keys == (("old",),)
    for window in WINDOWS[1:]:
        answer = answers[f"error_ratio@{window}"]
        assert (answer.keys, answer.error) == ((), None), window
        # The beginning is told to within a minute, and never too early.
        assert 11 * MINUTE <= answer.withheld["old"] <= 12 * MINUTE
        assert answer.infos == (f"history 11m, the window is {window}",)
    assert instant(young_server, queries["error_ratio@3d"].promql, now), "the server itself does"
    assert source.status().infos == ("history 11m of old: no data for windows of 30m and longer",)
    await source.aclose()


async def test_a_new_model_on_an_old_server_is_told_apart_from_the_others(
    old_server: str, now: float
) -> None:
    queries = planned(now, "cost-later", "new", "old", "was-away")
    answers = await asked(old_server, queries, now)
    everybody = {"cost-later", "new", "old", "was-away"}
    assert set(first(answers["error_ratio@30m"])) == everybody
    for window in WINDOWS[2:]:
        assert set(first(answers[f"error_ratio@{window}"])) == everybody - {"new"}, window
        assert 0.95 * 40 * MINUTE <= answers[f"error_ratio@{window}"].withheld["new"] <= 40 * MINUTE
    # Cost is its own series, which began later than the requests of the same model.
    assert set(first(answers["cost_increase@1h"])) == everybody - {"new"}
    assert set(first(answers["cost_increase@6h"])) == {"old", "was-away"}
    assert 0.95 * 3 * HOUR <= answers["cost_increase@6h"].withheld["cost-later"] <= 3 * HOUR


async def test_the_days_spend_is_asked_for_day_by_day(old_server: str, now: float) -> None:
    queries = {
        column: query
        for column, query in planned(now, "cost-later", "old").items()
        if column.startswith("cost_day@")
    }
    assert len(queries) == 36
    assert {query.cadence for query in queries.values()} == {"rare"}
    answers = await asked(old_server, queries, now)
    spent = [first(answer)["old"] for answer in answers.values()]
    # A tenth of a cent a second, seen through samples a quarter of an hour apart.
    assert spent == pytest.approx([86.4] * 36, rel=0.02)
    assert all("cost-later" not in first(answer) for answer in answers.values())


async def test_with_a_full_history_every_number_is_the_servers_own(
    old_server: str, now: float
) -> None:
    queries = planned(now, "old", "was-away")
    answers = await asked(old_server, queries, now)
    compared = 0
    for column, query in queries.items():
        expected = {
            labels.get("model", ""): value
            for labels, value in instant(old_server, query.promql, now)
        }
        found = first(answers[column])
        for model in ("old", "was-away"):
            if model not in expected:
                continue
            assert found[model] == pytest.approx(expected[model], rel=1e-9, nan_ok=True), column
            compared += query.window_seconds is not None and query.window_seconds >= HOUR
    assert compared >= 30


async def test_what_was_learnt_is_not_asked_again_until_it_is_old(
    old_server: str, now: float
) -> None:
    queries = {
        column: query
        for column, query in planned(now, "old").items()
        if column.startswith(("error_ratio@", "requests_count@", "cost_"))
    }
    asked_for: list[str] = []

    async def ask(promql: str, at: float) -> list[dict[str, str]]:
        asked_for.append(promql)
        return [labels for labels, _ in instant(old_server, promql, at)]

    reach = Reach(ask)
    keys = (("old",),)
    answers = [Answer(query.id, keys, np.ones(1), now) for query in queries.values()]
    await reach.honest(tuple(queries.values()), answers, now)
    families = {text.split(" offset")[0] for text in asked_for}
    assert len(asked_for) == len(families) == 2, "a full history is one question a family"
    asked_for.clear()
    await reach.honest(tuple(queries.values()), answers, now + 60)
    assert asked_for == []
    await reach.honest(tuple(queries.values()), answers, now + 7 * HOUR)
    assert len(asked_for) >= len(families)


async def test_a_chart_begins_where_its_numbers_are_honest(old_server: str, now: float) -> None:
    source = source_for(old_server)
    query = planned(now, "new")["error_ratio@30m"]
    found = await source.series(query, "new", now - HOUR, now, 60.0)
    await source.aclose()
    first_known = found.times[~np.isnan(found.values)][0]
    assert now - 13 * MINUTE - 90 <= first_known <= now - 11 * MINUTE
    raw = instant(old_server, query.promql, now - 30 * MINUTE)
    assert raw, "the server answers earlier, out of less"


async def test_where_the_server_does_not_say_the_number_is_an_error() -> None:
    async def refuse(promql: str, now: float) -> list[dict[str, str]]:
        raise ReachUnknown("the server refused this query")

    query = planned(1e9, "old")["error_ratio@3d"]
    answer = Answer(query.id, (("old",),), np.ones(1), 1e9)
    (found,) = await Reach(refuse).honest([query], [answer], 1e9)
    assert found.error == (
        "how far back its series reach is not known: the server refused this query"
    )
    assert found.keys == ()


async def test_an_operators_own_promql_is_judged_by_the_models_signature(
    old_server: str, now: float
) -> None:
    rows = [ModelRow(model=model, profile="midwatch") for model in ("new", "old")]
    text = "sum by (model) (rate(model_requests_total[$window]))"
    own = {row.model: {"error_ratio": text} for row in rows}
    queries = {q.column: q for q in plan(["midwatch"], rows, own, now) if q.exclusive}
    answers = await asked(old_server, {"3d": queries["error_ratio@3d"]}, now)
    found = answers["3d"]
    assert ("old",) in found.keys
    assert ("new",) not in found.keys
    assert "was-away" not in found.withheld


def test_a_beginning_is_narrowed_by_what_was_seen() -> None:
    begin = Begin(1000.0)
    assert begin.covers(1000.0, 1000.0) is True
    assert begin.covers(900.0, 1000.0) is None
    begin = begin.seen(500.0, present=False)
    assert begin.covers(500.0, 1000.0) is False
    assert begin.covers(700.0, 1000.0) is None
    begin = begin.seen(700.0, present=True).seen(650.0, present=False)
    assert begin == Begin(700.0, 650.0)
    assert begin.is_narrow(1000.0)
    # A hole further back than what is known to be there says nothing.
    assert begin.seen(800.0, present=False) == begin


def first(answer: Answer) -> dict[str, float]:
    return {key[0]: value for key, value in zip(answer.keys, answer.values, strict=True)}


async def test_questions_at_once_learn_once(old_server: str, now: float) -> None:
    queries = planned(now, "old")
    source = source_for(old_server)
    both = await asyncio.gather(
        source.ask([queries["error_ratio@3d"]], now),
        source.ask_aside(queries["error_ratio@1d"], now),
    )
    await source.aclose()
    assert first(both[0][0]).keys() >= {"old"}
    assert first(both[1]).keys() >= {"old"}
