"""The scrape source against real HTTP services that live, lie and die."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
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
from console.sources.scrape import ScrapeSource
from tests.conftest import free_port
from tests.sources.expositions import HOSTILE_NAMES, service_text
from tests.support.web import Reply, Request, page, web_server

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.domain.samples import Answer
    from console.sources.exposition import Labels

START = 1_763_869_200.0


def source_for(
    *urls: str, interval_seconds: float = 5.0, patience_seconds: float = 2.0
) -> ScrapeSource:
    """Return a source whose breakers pause for the shortest time they may."""
    wires = {url: Wire(Endpoint((url,), timeout_seconds=1.0), random=lambda: 0.0) for url in urls}
    return ScrapeSource(
        "svc", wires, interval_seconds=interval_seconds, patience_seconds=patience_seconds
    )


def queries(*columns: str, now: float = START) -> list[Query]:
    rows = [ModelRow(model="fraud-scorer", profile="midwatch")]
    found = {query.column: query for query in plan(["midwatch"], rows, {}, now)}
    return [found[column] for column in columns]


def by_key(answer: Answer) -> dict[str, float]:
    return {key[0]: value for key, value in zip(answer.keys, answer.values.tolist(), strict=True)}


def always(body: bytes, _: Request) -> Reply:
    return Reply(body)


async def ticks(
    source: ScrapeSource, asked: Sequence[Query], first: int, last: int
) -> list[Answer]:
    answers: list[Answer] = []
    for tick in range(first, last + 1):
        answers = await source.ask(asked, START + 5.0 * tick)
    return answers


async def test_rates_and_gauges_of_real_services_hostile_names_included() -> None:
    asked = queries("requests_rate", "error_ratio", "latency_mean", "review_depth")
    with ExitStack() as stack:
        names = ("fraud-scorer", *HOSTILE_NAMES)
        pages = [stack.enter_context(page("")) for _ in names]
        source = source_for(*(f"{s.url}/metrics" for s in pages), interval_seconds=30.0)
        answers: list[Answer] = []
        for tick in range(12):
            for index, (name, server) in enumerate(zip(names, pages, strict=True), 1):
                requests = 300.0 * index * tick
                text = service_text(name, requests=requests, errors=requests / 10)
                server.answer = partial(always, text.encode())
            answers = await source.ask(asked, START + 30.0 * tick)
        found = await source.discover(profiles(), START + 330.0)
        await source.aclose()
        agents = {request.headers["Accept"] for server in pages for request in server.requests}

    rate, errors, mean, depth = answers
    assert {seen.series_value for seen in found.models} == set(names)
    assert found.profiles == ("midwatch",)
    assert all("\x1b" not in seen.model for seen in found.models)
    for index, name in enumerate(names, 1):
        assert by_key(rate)[name] == pytest.approx(10.0 * index)
        assert by_key(errors)[name] == pytest.approx(0.1)
        assert by_key(mean)[name] == pytest.approx(0.1)
        assert by_key(depth)[name] == 7.0
    assert rate.at == START + 330.0
    assert rate.infos == ()
    assert source.status().state == "up"
    assert agents == {
        "text/plain;version=0.0.4, application/openmetrics-text;version=1.0.0;q=0.5, */*;q=0.1"
    }


async def test_a_dead_target_leaves_the_others_alone_and_its_models_end_by_steps() -> None:
    asked = queries("requests_rate", "review_depth")
    port = free_port()
    with page(service_text("alive", requests=1.0)) as alive:
        with web_server(lambda _: Reply(service_text("dying", requests=1).encode()), port) as dying:
            source = source_for(f"{alive.url}/metrics", f"{dying.url}/metrics")
            await ticks(source, asked, 0, 5)
        hiccup = (await ticks(source, asked, 6, 6))[1]
        status = source.status()
        gone = await ticks(source, asked, 7, 9)
        spared = source.status()
        much_later = await ticks(source, asked, 70, 71)
        with web_server(lambda _: Reply(service_text("dying", requests=9).encode()), port):
            give_up_at = time.monotonic() + 10.0
            tick = 72
            back: list[Answer] = []
            while time.monotonic() < give_up_at:
                tick += 1
                back = await source.ask(asked, START + 5.0 * tick)
                if "dying" in by_key(back[1]):
                    break
                time.sleep(0.2)
        await source.aclose()

    assert set(by_key(hiccup)) == {"alive", "dying"}
    assert status.state == "up"
    assert "cannot be reached" in status.warnings[0]
    assert "(last answer 5s ago)" in status.warnings[0]
    assert "cannot be reached" in spared.warnings[0]
    assert set(by_key(gone[1])) == {"alive"}
    assert set(by_key(gone[0])) == {"alive", "dying"}, "a rate lives on its window"
    assert set(by_key(much_later[0])) == {"alive"}
    assert set(by_key(back[1])) == {"alive", "dying"}
    assert source.status().warnings == ()


async def test_the_scrape_of_this_very_moment_counts() -> None:
    asked = queries("review_depth")
    with page(service_text("a", requests=1)) as server:
        source = source_for(server.url)
        for tick, fraction in enumerate((0.0006, 0.0004, 0.99951, 0.12345678)):
            now = START + 5.0 * tick + fraction
            server.answer = partial(
                always, f'model_review_queue_depth{{model="a"}} {tick}\n'.encode()
            )
            (answer,) = await source.ask(asked, now)
            assert by_key(answer) == {"a": tick}
        await source.aclose()


async def test_a_series_that_is_not_in_the_next_scrape_is_gone_at_once() -> None:
    asked = queries("review_depth")
    with page(service_text("a", requests=1) + 'model_review_queue_depth{model="b"} 3\n') as server:
        source = source_for(server.url)
        (before,) = await ticks(source, asked, 0, 0)
        server.answer = lambda _: Reply(service_text("a", requests=2).encode())
        (after,) = await ticks(source, asked, 1, 1)
        await source.aclose()

    assert set(by_key(before)) == {"a", "b"}
    assert set(by_key(after)) == {"a"}


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(b"<html>no metrics here</html>", 200, "text/html"), "line 1 is not a metric"),
        (Reply(b"\x1b[2J[/foo] broke", 503), "answered 503"),
        (Reply(b'model_requests_total{model="a"} 1\n' * 50, cut_to=99), "broke"),
        (Reply(b"\xff\xfe"), "not UTF-8"),
    ],
)
async def test_a_source_without_any_answering_target_is_down_with_words(
    reply: Reply, said: str
) -> None:
    with web_server(lambda _: reply) as server:
        source = source_for(f"{server.url}/metrics")
        with pytest.raises(SourceDown, match=said) as caught:
            await source.ask(queries("requests_rate"), START)
        with pytest.raises(SourceDown):
            await source.discover(profiles(), START)
        await source.aclose()

    assert "\x1b" not in caught.value.sentence
    assert source.status().state == "down"
    assert source.status().error == caught.value.sentence


async def test_a_slow_target_slows_nobody_and_is_never_asked_twice_at_once() -> None:
    asked, let_go = queries("review_depth"), threading.Event()

    def slowly(_: object) -> Reply:
        let_go.wait(20.0)
        return Reply(service_text("slow", requests=1).encode())

    with page(service_text("quick", requests=1)) as quick, web_server(slowly) as slow:
        source = source_for(quick.url, slow.url, patience_seconds=1.0)
        began = time.monotonic()
        (first,) = await source.ask(asked, START)
        took = time.monotonic() - began
        await source.ask(asked, START + 5.0)
        assert len(slow.requests) == 1
        let_go.set()
        for tick in range(2, 40):
            (last,) = await source.ask(asked, START + 5.0 * tick)
            if len(by_key(last)) > 1:
                break
        await source.aclose()

    assert took < 10.0
    assert set(by_key(first)) == {"quick"}
    assert set(by_key(last)) == {"quick", "slow"}


async def test_the_first_round_waits_for_the_first_answer_beyond_its_patience() -> None:
    def slowly(_: object) -> Reply:
        time.sleep(0.5)
        return Reply(service_text("slow", requests=1).encode())

    with web_server(slowly) as slow:
        source = source_for(slow.url, patience_seconds=0.05)
        (first,) = await source.ask(queries("review_depth"), START)
        await source.aclose()

    assert set(by_key(first)) == {"slow"}


async def test_two_asks_of_one_tick_scrape_once_and_keys_stay_identical() -> None:
    asked = queries("requests_rate", "review_depth")
    with page(service_text("a", requests=1)) as server:
        source = source_for(server.url)
        await source.discover(profiles(), START)
        await source.ask(asked, START)
        first = await source.ask(asked, START + 5.0)
        assert len(server.requests) == 2
        second = await source.ask(asked, START + 10.0)
        await source.aclose()

    assert first[0].keys == (("a",),)
    assert second[0].keys is first[0].keys
    assert second[1].keys is first[1].keys


async def test_a_clock_that_goes_back_is_said_and_waited_for() -> None:
    asked = queries("review_depth")
    with page(service_text("a", requests=1)) as server:
        source = source_for(server.url)
        await source.ask(asked, START)
        with pytest.raises(SourceDown, match="clock of this machine went back"):
            await source.ask(asked, START - 60.0)
        (after,) = await source.ask(asked, START + 5.0)
        await source.aclose()

    assert set(by_key(after)) == {"a"}


async def test_a_target_with_too_many_series_fails_alone() -> None:
    flood = "".join(f'model_review_queue_depth{{model="{i}"}} 1\n' for i in range(20_001))
    asked = queries("review_depth")
    with page(service_text("a", requests=1)) as good, page(flood) as bad:
        # Reading so much takes a slow machine longer than a round waits.
        source = source_for(good.url, bad.url, patience_seconds=30.0, interval_seconds=30.0)
        (answer,) = await source.ask(asked, START)
        await source.aclose()

    assert set(by_key(answer)) == {"a"}
    assert "more than 20000 series" in source.status().warnings[0]


async def test_raw_promql_needs_a_server_and_says_so() -> None:
    (query,) = queries("requests_rate")
    raw = replace(query, expression=None, promql="vector(1)")
    with page(service_text("a", requests=1)) as server:
        source = source_for(server.url)
        (answer,) = await source.ask([raw], START)
        series = await source.series(raw, "a", START - 60.0, START, 10.0)
        await source.aclose()

    assert "needs a Prometheus server" in (answer.error or "")
    assert "needs a Prometheus server" in (series.error or "")
    assert source.status().failed_queries == 1


@dataclass(frozen=True)
class Block:
    """History as the demo hands it over."""

    step_seconds: float
    times: np.ndarray[tuple[int], np.dtype[np.float64]]
    series: list[tuple[str, str, Labels]]
    values: np.ndarray[tuple[int, int], np.dtype[np.float64]]


def history(url: str, end: float) -> list[Block]:
    """Thirty days of two requests a second, each tier as the demo hands it over."""
    series: list[tuple[str, str, Labels]] = [
        (url, "model_requests_total", (("model", "a"), ("outcome", "success"))),
        (url, "model_unknown_total", (("model", "a"),)),
        ("http://elsewhere/metrics", "model_requests_total", (("model", "z"),)),
    ]
    blocks = []
    for step, span in ((300.0, 30 * 86400.0), (60.0, 6 * 3600.0), (10.0, 900.0)):
        times = end - np.arange(span / step, -1, -1) * step
        values = np.tile(2.0 * (times - end + 40 * 86400.0), (3, 1))
        blocks.append(Block(step, times, series, values))
    return blocks


async def test_history_is_there_from_the_first_second() -> None:
    columns = ("requests_rate", "requests_count@1h", "requests_count@1d", "requests_count@30d")
    with page("") as server:
        source = source_for(server.url)
        source.preload(history(server.url, START - 1.0))
        total = 2.0 * (40 * 86400.0 + 1.0)
        text = f'model_requests_total{{model="a",outcome="success"}} {total}\n'
        server.answer = lambda _: Reply(text.encode())
        answers = await source.ask(queries(*columns), START)
        found = await source.discover(profiles(), START)
        series = await source.series(queries("requests_rate")[0], "a", START - 3600, START, 60.0)
        before = await source.series(
            queries("requests_rate")[0], "a", START - 40 * 86400, START - 39 * 86400, 3600.0
        )
        days = await source.series(
            queries("requests_rate")[0], "a", START - 7 * 86400, START, 86400.0 / 4
        )
        await source.aclose()

    np.testing.assert_allclose(days.values, 2.0, rtol=0.02)
    assert [seen.model for seen in found.models] == ["a"]
    wanted = [2.0, 7200.0, 2.0 * 86400, 2.0 * 30 * 86400]
    live, *amounts = (by_key(answer)["a"] for answer in answers)
    # Three samples ten seconds apart and a fourth one second later: a server says 1.63 too.
    assert live == pytest.approx(wanted[0], rel=0.2)
    assert amounts == pytest.approx(wanted[1:], rel=0.02)
    assert all(answer.infos == () for answer in answers)
    # Requests a second are looked at over half a minute where scrapes are five seconds apart.
    windows = [30.0, 3600.0, 86400.0, 30 * 86400.0]
    assert [answer.window_seconds for answer in answers] == windows
    assert source.samples.series_count == 1
    np.testing.assert_allclose(series.values, 2.0, rtol=0.01)
    assert series.times[-1] == START
    assert np.isnan(before.values).all()


async def test_a_window_longer_than_the_history_has_no_data_and_says_why() -> None:
    asked = queries("versions", "error_ratio@1h", "cost_month", "review_depth")
    with page(service_text("a", requests=5)) as server:
        source = source_for(server.url)
        rate, hour, month, depth = await ticks(source, asked, 0, 12)
        await source.aclose()

    assert rate.values.tolist() == [0.0]
    assert rate.infos == ("history 1m, the window is 5m",)
    assert hour.keys == ()
    assert hour.error is None
    assert hour.infos == ("history 1m, the window is 1h",)
    assert month.keys == ()
    assert source.status().infos == ("history 1m: no data for windows of 1h and longer",)
    assert depth.infos == ()


async def test_minutes_after_the_start_a_rate_is_that_of_the_time_so_far() -> None:
    asked = queries("requests_rate", "error_ratio", "latency_mean", "requests_count@5m")
    with page("") as server:
        source = source_for(server.url)
        for tick in range(4):
            text = service_text("a", requests=50.0 * tick, errors=10.0 * tick)
            server.answer = partial(always, text.encode())
            rate, errors, mean, count = await source.ask(asked, START + 5.0 * tick)
            if tick == 0:
                assert rate.keys == (), "one sample is no rate"
        series = await source.series(asked[0], "a", START - 15.0, START + 15.0, 5.0)
        await source.aclose()

    assert by_key(rate) == {"a": pytest.approx(10.0)}
    assert rate.infos == ("history 15s, the window is 30s",)
    assert errors.infos == ("history 15s, the window is 5m",)
    assert [each.window_seconds for each in (rate, errors, mean, count)] == [15.0] * 4
    assert by_key(errors) == {"a": pytest.approx(0.2)}
    assert by_key(mean) == {"a": pytest.approx(0.1)}
    assert by_key(count) == {"a": pytest.approx(150.0, rel=0.2)}
    assert np.isnan(series.values[:4]).all()
    np.testing.assert_allclose(series.values[4:], 10.0)


async def test_built_from_settings_and_refused_without_an_address() -> None:
    with page(service_text("a", requests=1)) as server:
        settings = SourceSettings(name="direct", kind="scrape", targets=(f"{server.url}/metrics",))
        source = build_source(settings, interval_seconds=1.0)
        found = await source.discover(profiles(), START)
        await source.aclose()
        assert server.requests[0].path == "/metrics"

    assert [seen.source for seen in found.models] == ["direct"]
    assert found.models[0].server == "direct"
    with pytest.raises(ValueError, match="no targets"):
        build_source(SourceSettings(name="direct", kind="scrape"))
    with pytest.raises(ValueError, match="no url"):
        build_source(SourceSettings(name="prom", kind="prometheus"))
