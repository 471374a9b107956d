"""A high-availability pair writes every series twice into one store: no number is doubled."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from console.domain.model import ModelRow
from console.metrics.profile import profiles
from console.metrics.query_plan import plan
from console.settings.endpoint_tables import SourceSettings
from console.sources.factory import build_source
from console.sources.prometheus import PrometheusSource
from tests.sources.expositions import Timeline, openmetrics
from tests.support.prometheus_server import running_prometheus

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.domain.samples import Answer

Labels = tuple[tuple[str, str], ...]
HOURS = 2.5
STEP_SECONDS = 15


@pytest.fixture(scope="module")
def now() -> float:
    return float(int(time.time()))


def timelines(model: str, now: float, extra: Labels, late_seconds: float = 0.0) -> list[Timeline]:
    """Return a pod's traffic, latency, queue and money, seen ``late_seconds`` after the step."""
    count = int(HOURS * 3600 / STEP_SECONDS)
    times = tuple(now - STEP_SECONDS * back - late_seconds for back in range(count, -1, -1))
    base = (("job", "svc"), ("instance", "pod-0:8000"), ("model", model), *extra)

    def grows(name: str, a_second: float, *labels: tuple[str, str]) -> Timeline:
        values = tuple(a_second * (at - times[0]) for at in times)
        return Timeline(name, (*base, *labels), times, values)

    buckets = (("0.1", 5.0), ("0.5", 9.0), ("+Inf", 10.0))
    return [
        grows("model_requests_total", 9.0, ("outcome", "success")),
        grows("model_requests_total", 1.0, ("outcome", "error")),
        grows("model_cost_usd_total", 0.01, ("use", "serving")),
        grows("model_request_duration_seconds_count", 10.0),
        grows("model_request_duration_seconds_sum", 2.0),
        *(grows("model_request_duration_seconds_bucket", rate, ("le", le)) for le, rate in buckets),
        Timeline("model_review_queue_depth", base, times, (4.0,) * len(times)),
    ]


def source_to(url: str, drop_labels: tuple[str, ...] = ()) -> PrometheusSource:
    source = build_source(
        SourceSettings(name="store", kind="prometheus", url=url, drop_labels=drop_labels)
    )
    assert isinstance(source, PrometheusSource)
    return source


async def everything(source: PrometheusSource, model: str, now: float) -> dict[str, Answer]:
    """Return the answer to every question of the plan that has one, by column."""
    queries = plan(["midwatch"], [ModelRow(model=model, profile="midwatch")], {}, now)
    answers = await source.ask(queries, now)
    return {
        query.column: answer
        for query, answer in zip(queries, answers, strict=True)
        if answer.keys and (model,) in answer.keys
    }


def value(answer: Answer, model: str) -> float:
    return float(dict(zip(answer.keys, answer.values.tolist(), strict=True))[model,])


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, now: float) -> Iterator[str]:
    """One store: `single` seen by one server, `pair` by two."""
    series = [
        *timelines("single", now, ()),
        *timelines("pair", now, (("prometheus_replica", "a"),)),
        *timelines("pair", now, (("prometheus_replica", "b"),), late_seconds=4.0),
    ]
    with running_prometheus(tmp_path_factory.mktemp("store"), blocks=openmetrics(series)) as url:
        yield url


async def test_copies_count_once_in_every_number_money_included(store: str, now: float) -> None:
    source = source_to(store)
    found = await source.discover(profiles(), now)
    single = await everything(source, "single", now)
    pair = await everything(source, "pair", now)
    infos = source.status().infos
    await source.aclose()

    assert found.dropped == ("prometheus_replica",)
    assert found.warnings == ()
    assert any("copies that differ only in prometheus_replica count once" in i for i in infos)
    assert value(single["requests_rate"], "single") == pytest.approx(10.0, rel=0.01)
    assert value(single["cost_increase@1h"], "single") == pytest.approx(36.0, rel=0.01)
    assert {"requests_rate", "cost_per_hour", "latency_p95", "review_depth"} <= set(pair)
    assert set(pair) == set(single)
    for column, answer in single.items():
        expected = value(answer, "single")
        assert value(pair[column], "pair") == pytest.approx(expected, rel=0.03), column


async def test_a_chart_and_a_question_aside_count_copies_once(store: str, now: float) -> None:
    source = source_to(store)
    await source.discover(profiles(), now)
    queries = plan(["midwatch"], [ModelRow(model="pair", profile="midwatch")], {}, now)
    rate = next(query for query in queries if query.column == "requests_rate")
    line = await source.series(rate, "pair", now - 900.0, now - 60.0, 60.0)
    aside = await source.ask_aside(rate, now)
    await source.aclose()

    assert line.values[-1] == pytest.approx(10.0, rel=0.05)
    assert value(aside, "pair") == pytest.approx(10.0, rel=0.05)


async def test_a_label_a_model_server_may_write_too_is_only_warned_of(tmp_path, now: float) -> None:
    copies = [
        *timelines("twin", now, (("replica", "0"),)),
        *timelines("twin", now, (("replica", "1"),), late_seconds=4.0),
    ]
    with running_prometheus(tmp_path, blocks=openmetrics(copies)) as url:
        source = source_to(url)
        found = await source.discover(profiles(), now)
        doubled = value((await everything(source, "twin", now))["requests_rate"], "twin")
        await source.aclose()
        told = source_to(url, ("replica",))
        again = await told.discover(profiles(), now)
        right = value((await everything(told, "twin", now))["requests_rate"], "twin")
        await told.aclose()

    assert found.dropped == ()
    assert 'drop_labels = ["replica"]' in found.warnings[0]
    assert doubled == pytest.approx(20.0, rel=0.05)
    assert (again.dropped, again.warnings) == (("replica",), ())
    assert right == pytest.approx(10.0, rel=0.05)


async def test_replicas_that_share_the_traffic_are_no_copies(tmp_path, now: float) -> None:
    quiet = [
        Timeline(t.name, t.labels, t.times, tuple(v / 3 for v in t.values))
        for t in timelines("shared", now, (("replica", "1"),))
    ]
    series = [*timelines("shared", now, (("replica", "0"),)), *quiet]
    with running_prometheus(tmp_path, blocks=openmetrics(series)) as url:
        source = source_to(url)
        found = await source.discover(profiles(), now)
        rate = value((await everything(source, "shared", now))["requests_rate"], "shared")
        await source.aclose()

    assert (found.dropped, found.warnings) == ((), ())
    assert rate == pytest.approx(13.3, rel=0.05)
