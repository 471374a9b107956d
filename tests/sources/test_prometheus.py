"""The Prometheus source against a real server: healthy, killed, hung, and behind a bad proxy."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest

from console.domain.model import ModelRow
from console.http.client import Wire
from console.http.endpoint import Endpoint
from console.metrics.profile import profiles
from console.metrics.query_plan import Query, plan
from console.settings.endpoint_tables import SourceSettings
from console.sources.base import SourceDown
from console.sources.factory import build_source
from console.sources.prometheus import PrometheusSource
from tests.sources.expositions import HOSTILE_NAMES, Timeline, openmetrics
from tests.support.prometheus_server import PrometheusServer, instant, running_prometheus
from tests.support.web import Reply, faulty_proxy

if TYPE_CHECKING:
    from collections.abc import Iterator

MODELS = ("fraud-scorer", "price-opt", *HOSTILE_NAMES)
STEP_SECONDS = 15


def blocks(now: float) -> str:
    """Ten minutes of a small fleet that ends at ``now``; price-opt has no errors series."""
    times = tuple(now - STEP_SECONDS * back for back in range(40, -1, -1))
    timelines = []
    for index, model in enumerate(MODELS, 1):
        per_step = 10.0 * index
        for outcome, share in (("success", 0.9), ("error", 0.1)):
            if model == "price-opt" and outcome == "error":
                continue
            values = tuple(per_step * share * step for step in range(len(times)))
            labels = (("job", "svc"), ("model", model), ("outcome", outcome), ("version", "v1"))
            timelines.append(Timeline("model_requests_total", labels, times, values))
        bare = (("job", "svc"), ("model", model))
        depth = math.nan if model == "price-opt" else float(index)
        timelines.append(Timeline("model_review_queue_depth", bare, times, (depth,) * len(times)))
    return openmetrics(timelines)


@pytest.fixture(scope="module")
def now() -> float:
    return float(int(time.time()))


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, now: float) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("prometheus")
    with running_prometheus(directory, blocks=blocks(now)) as found:
        yield found


def source_for(url: str, timeout_seconds: float = 8.0) -> PrometheusSource:
    settings = SourceSettings(
        name="prom", kind="prometheus", url=url, timeout_seconds=timeout_seconds
    )
    source = build_source(settings)
    assert isinstance(source, PrometheusSource)
    return source


def impatient_source(url: str) -> PrometheusSource:
    """Return a source whose breaker pauses for the shortest time it may."""
    wire = Wire(Endpoint((url,), timeout_seconds=0.5), random=lambda: 0.0)
    return PrometheusSource("prom", wire, timeout_seconds=0.5)


def a_query(column: str, now: float) -> Query:
    rows = [ModelRow(model=model, profile="midwatch") for model in MODELS]
    found = {query.column: query for query in plan(["midwatch"], rows, {}, now)}
    return found[column]


async def test_one_discovery_finds_profiles_models_versions_and_hostile_names(
    url: str, now: float
) -> None:
    source = source_for(url)
    found = await source.discover(profiles(), now)
    await source.aclose()

    assert found.profiles == ("midwatch",)
    assert found.warnings == ()
    assert {seen.series_value for seen in found.models} == set(MODELS)
    assert all(seen.versions == ("v1",) and seen.server == "svc" for seen in found.models)
    for seen in found.models:
        assert "\x1b" not in seen.model
        assert "\u202e" not in seen.model


async def test_every_query_of_the_plan_gives_what_the_server_gives(url: str, now: float) -> None:
    rows = [ModelRow(model=model, profile="midwatch") for model in MODELS]
    queries = plan(["midwatch"], rows, {}, now)
    source = source_for(url)
    answers = await source.ask(queries, now)
    await source.aclose()

    assert [answer.query_id for answer in answers] == [query.id for query in queries]
    assert [answer.error for answer in answers if answer.error] == []
    filled = 0
    for query, answer in zip(queries, answers, strict=True):
        expected = {
            tuple(labels.get(label, "") for label in query.by): value
            for labels, value in instant(url, query.promql, now)
        }
        if (query.window_seconds or 0) > 900:
            # Ten minutes are no answer to a question about hours: see test_reach.
            assert answer.keys == (), query.id
            assert set(answer.withheld) == {key[0] for key in expected}, query.id
            continue
        assert set(answer.keys) == set(expected), query.id
        for key, value in zip(answer.keys, answer.values, strict=True):
            np.testing.assert_equal(value, expected[key], err_msg=query.id)
        filled += bool(expected)
    assert filled > 5
    status = source.status()
    assert (status.state, status.queries, status.failed_queries) == ("up", len(queries), 0)
    assert status.server_seconds > 0


async def test_missing_nan_and_zero_stay_three_different_things(url: str, now: float) -> None:
    source = source_for(url)
    errors, depth, drift = await source.ask(
        [a_query(name, now) for name in ("error_ratio", "review_depth", "drift_psi")], now
    )
    await source.aclose()

    assert dict(zip(errors.keys, errors.values.tolist(), strict=True))["price-opt",] == 0.0
    assert math.isnan(dict(zip(depth.keys, depth.values.tolist(), strict=True))["price-opt",])
    assert drift.keys == ()
    assert drift.error is None


async def test_clocks_that_differ_are_said(url: str, now: float) -> None:
    source = source_for(url)
    query = a_query("requests_rate", now)
    await source.ask([query], time.time())
    before = source.status().warnings
    await source.ask([query], time.time() - 600.0)
    await source.aclose()

    assert before == ()
    assert "clock is 600 s behind the server's" in source.status().warnings[0] or (
        "clock is 59" in source.status().warnings[0]
    )


async def test_keys_are_the_identical_object_while_no_series_changes(url: str, now: float) -> None:
    source = source_for(url)
    query = a_query("requests_rate", now)
    (first,) = await source.ask([query], now)
    (second,) = await source.ask([query], now - 1)
    await source.aclose()

    assert len(first.keys) == len(MODELS)
    assert second.keys is first.keys


async def test_one_bad_query_leaves_the_others_alone(url: str, now: float) -> None:
    source = source_for(url)
    good = a_query("requests_rate", now)
    bad = replace(good, id="own/bad", promql="sum by (model (", expression=None)
    matrix = replace(good, id="own/matrix", promql="model_requests_total[5m]", expression=None)
    answers = await source.ask([bad, good, matrix], now)
    await source.aclose()

    assert answers[0].error is not None
    assert "refused this query (bad_data)" in answers[0].error
    assert answers[0].keys == ()
    assert len(answers[1].keys) == len(MODELS)
    assert answers[2].error is not None
    assert source.status().failed_queries == 2


async def test_a_tick_of_bad_queries_only_does_not_mean_that_the_server_is_away(
    url: str, now: float
) -> None:
    source = source_for(url)
    bad = replace(a_query("requests_rate", now), promql="1 +", expression=None)
    for _ in range(4):
        (answer,) = await source.ask([bad], now)
        assert answer.error is not None
    await source.aclose()

    assert source.status().state == "up"


async def test_a_range_is_asked_for_one_model_on_the_grid_that_was_asked(
    url: str, now: float
) -> None:
    source = source_for(url)
    for model in ("fraud-scorer", HOSTILE_NAMES[0], HOSTILE_NAMES[1]):
        found = await source.series(a_query("requests_rate", now), model, now - 1200.0, now, 60.0)
        assert found.error is None
        assert found.times.tolist() == [now - 1200.0 + 60.0 * step for step in range(21)]
        assert np.isnan(found.values[:8]).all()
        expected = (MODELS.index(model) + 1) * 10.0 / STEP_SECONDS
        assert found.values[-1] == pytest.approx(expected, rel=0.1)
    bad = replace(a_query("requests_rate", now), promql="1 +", expression=None)
    refused = await source.series(bad, "fraud-scorer", now - 60.0, now, 10.0)
    await source.aclose()

    assert refused.error is not None
    assert np.isnan(refused.values).all()


async def test_an_own_query_that_names_no_model_is_the_one_models_series(
    url: str, now: float
) -> None:
    source = source_for(url)
    own = replace(
        a_query("requests_rate", now),
        promql="sum(rate(model_requests_total[5m]))",
        expression=None,
        exclusive=True,
    )
    found = await source.series(own, "fraud-scorer", now - 60.0, now, 30.0)
    await source.aclose()

    assert np.isfinite(found.values).all()


async def recovers(source: PrometheusSource, query: Query, now: float, seconds: float) -> None:
    """Ask again and again, as the engine does, until the source answers."""
    give_up_at = time.monotonic() + seconds
    while True:
        try:
            answers = await source.ask([query], now)
        except SourceDown:
            assert time.monotonic() < give_up_at, source.status().error
            await asyncio.sleep(0.2)
            continue
        assert answers[0].error is None
        return


async def test_killed_and_hung_it_says_so_and_recovers_alone(tmp_path, now: float) -> None:
    server = PrometheusServer(tmp_path, blocks=blocks(now)).start()
    source = impatient_source(server.url)
    queries = [a_query(name, now) for name in ("requests_rate", "error_ratio", "review_depth")]
    try:
        assert len(await source.ask(queries, now)) == 3

        server.kill()
        with pytest.raises(SourceDown, match="cannot be reached") as killed:
            await source.ask(queries, now)
        assert server.url in killed.value.sentence
        assert source.status().state == "down"
        assert source.status().answered_at == now
        server.start()
        await recovers(source, queries[0], now, 10.0)
        assert source.status().state == "up"

        server.hang()
        began = time.monotonic()
        with pytest.raises(SourceDown, match=r"in time|within"):
            await source.ask(queries, now)
        assert time.monotonic() - began < 10.0
        began = time.monotonic()
        with pytest.raises(SourceDown, match=r"(in time|within).*; next try in \d s"):
            await source.ask(queries, now)
        assert time.monotonic() - began < 4.0
        due = source.status().next_try_at
        assert due is not None
        assert due > now
        server.resume()
        await recovers(source, queries[0], now, 10.0)
    finally:
        await source.aclose()
        server.stop()


def _error(_: Reply) -> Reply:
    return Reply(b"\x1b[2J[/foo] upstream broke", 500, "text/plain")


def _truncated(reply: Reply) -> Reply:
    return replace(reply, cut_to=len(reply.body) // 2)


def _shortened(reply: Reply) -> Reply:
    return replace(reply, body=reply.body[: len(reply.body) // 2])


def _login_page(_: Reply) -> Reply:
    return Reply(b"<html>Please sign in", 200, "text/html")


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (_error, "answered 500"),
        (_truncated, "broke"),
        (_shortened, "not the Prometheus API's"),
        (_login_page, "login page"),
    ],
)
async def test_behind_a_bad_proxy_it_is_down_with_words_and_recovers(
    url: str, now: float, spoil, said: str
) -> None:
    query = a_query("requests_rate", now)
    with faulty_proxy(url) as proxy:
        source = impatient_source(proxy.url)
        (before,) = await source.ask([query], now)
        proxy.spoil = spoil
        with pytest.raises(SourceDown, match=said) as caught:
            await source.ask([query], now)
        assert "\x1b" not in caught.value.sentence
        with pytest.raises(SourceDown):
            await source.discover(profiles(), now)
        broken = await source.series(query, "fraud-scorer", now - 60.0, now, 30.0)
        assert broken.error is not None
        proxy.spoil = None
        await recovers(source, query, now, 10.0)
        (after,) = await source.ask([query], now)
        await source.aclose()

    assert after.keys is before.keys


async def test_a_server_that_refuses_every_query_for_one_reason_is_down(
    url: str, now: float
) -> None:
    said = b'{"status":"error","errorType":"execution","error":"too many samples"}'
    queries = [a_query("requests_rate", now), a_query("review_depth", now)]
    with faulty_proxy(url) as proxy:
        proxy.spoil = lambda _: Reply(said, 422, "application/json")
        source = impatient_source(proxy.url)
        with pytest.raises(SourceDown, match="too many samples"):
            await source.ask(queries, now)
        await source.aclose()


async def test_one_failing_query_among_good_ones_is_that_querys_error(url: str, now: float) -> None:
    good, bad = a_query("requests_rate", now), a_query("review_depth", now)
    with faulty_proxy(url) as proxy:
        proxy.spoil = lambda reply: _error(reply) if b"NaN" in reply.body else reply
        source = impatient_source(proxy.url)
        answers = await source.ask([good, bad], now)
        await source.aclose()

    assert answers[0].error is None
    assert "answered 500" in (answers[1].error or "")
    assert "\x1b" not in (answers[1].error or "")


async def test_a_server_that_forbids_patterns_over_names_is_asked_profile_by_profile(
    url: str, now: float
) -> None:
    def forbid(reply: Reply) -> Reply:
        if b"__name__" in reply.body:
            said = b'{"status":"error","errorType":"execution","error":"too expensive"}'
            return Reply(said, 422, "application/json")
        return reply

    with faulty_proxy(url) as proxy:
        proxy.spoil = forbid
        source = impatient_source(proxy.url)
        found = await source.discover(profiles(), now)
        await source.aclose()

    assert found.profiles == ("midwatch",)
    assert len(found.models) == len(MODELS)
    assert "too expensive" in found.warnings[0]
