"""What stands before a Prometheus, or is none: proxies, gateways, front ends, big answers."""

from __future__ import annotations

import gzip
import json
import time
import tracemalloc
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from console.metrics.profile import profiles
from console.settings.endpoint_tables import SourceSettings
from console.sources.base import SourceDown
from console.sources.factory import build_source
from console.sources.prometheus import PrometheusSource
from tests.sources.expositions import Timeline, openmetrics
from tests.sources.test_prometheus import a_query
from tests.support.prometheus_server import running_prometheus
from tests.support.web import Reply, Request, WebServer, web_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

KUBERNETES = {
    "kind": "Status",
    "status": "Failure",
    "message": 'services "prom:9090" is forbidden: User "viewer" cannot create "services/proxy"',
    "reason": "Forbidden",
    "code": 403,
}
EMPTY = {"status": "success", "data": {"resultType": "vector", "result": []}}
JSON = "application/json"


def as_json(document: object, status: int = 200) -> Reply:
    return Reply(json.dumps(document).encode(), status, JSON)


@pytest.fixture(scope="module")
def now() -> float:
    return float(int(time.time()))


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory, now: float) -> Iterator[str]:
    times = tuple(now - 15 * back for back in range(40, -1, -1))
    labels = (("job", "svc"), ("model", "fraud"), ("outcome", "success"))
    values = tuple(30.0 * step for step in range(len(times)))
    lines = openmetrics([Timeline("model_requests_total", labels, times, values)])
    with running_prometheus(tmp_path_factory.mktemp("prom"), blocks=lines) as found:
        yield found


def source_to(url: str) -> PrometheusSource:
    source = build_source(SourceSettings(name="prom", kind="prometheus", url=url))
    assert isinstance(source, PrometheusSource)
    return source


def passed_on(upstream: str, request: Request) -> Reply:
    import urllib.request

    asked = urllib.request.Request(
        upstream + request.path, data=request.body or None, method=request.method
    )
    with urllib.request.urlopen(asked, timeout=20) as real:
        return Reply(real.read(), real.status, JSON)


@pytest.mark.parametrize("refused", [as_json(KUBERNETES, 403), Reply(b"Method Not Allowed", 405)])
async def test_where_posting_is_forbidden_it_is_asked_by_get(
    url: str, now: float, refused: Reply
) -> None:
    with web_server(lambda r: refused if r.method == "POST" else passed_on(url, r)) as proxy:
        source = source_to(proxy.url)
        found = await source.discover(profiles(), now)
        (answer,) = await source.ask([a_query("requests_rate", now)], now)
        posts = sum(request.method == "POST" for request in proxy.requests)
        await source.aclose()

    assert [model.model for model in found.models] == ["fraud"]
    assert answer.values.tolist() == [pytest.approx(2.0, rel=0.1)]
    # One try tells: after it every question goes by GET.
    assert posts == 1


@pytest.mark.parametrize(
    ("document", "status", "said"),
    [
        (KUBERNETES, 403, "answered 403: services .*is forbidden"),
        ({"status": "error", "message": "token expired"}, 401, "answered 401: token expired"),
        ({"status": 401, "error": "Unauthorized", "message": "jwt expired"}, 401, "jwt expired"),
        ({"status": "error", "message": "quota used up"}, 200, "it says: quota used up"),
    ],
)
async def test_what_a_gateway_says_is_not_the_servers_word(
    document: object, status: int, said: str, now: float
) -> None:
    with web_server(lambda _: as_json(document, status)) as proxy:
        source = source_to(proxy.url)
        with pytest.raises(SourceDown, match=said):
            await source.discover(profiles(), now)
        with pytest.raises(SourceDown, match=said):
            await source.ask([], now)
        assert source.status().state == "down"
        await source.aclose()


@pytest.mark.parametrize(
    "nulled",
    [
        lambda body: body.replace(b'"result":[]', b'"result":null'),
        lambda body: body.replace(
            b'"resultType":"vector","result":[]', b'"resultType":"","result":null'
        ),
        lambda body: body.replace(b'{"status"', b'{"warnings":null,"infos":null,"status"'),
    ],
)
async def test_null_is_an_empty_list(url: str, now: float, nulled) -> None:
    def answer(request: Request) -> Reply:
        reply = passed_on(url, request)
        return Reply(nulled(reply.body), reply.status, JSON)

    with web_server(answer) as proxy:
        source = source_to(proxy.url)
        found = await source.discover(profiles(), now)
        rate, depth = await source.ask(
            [a_query("requests_rate", now), a_query("review_depth", now)], now
        )
        await source.aclose()

    assert [model.model for model in found.models] == ["fraud"]
    assert len(rate.keys) == 1
    assert (depth.keys, depth.error) == ((), None)


async def test_a_server_ahead_or_behind_is_said_without_any_model(url: str, now: float) -> None:
    def behind(request: Request) -> Reply:
        fields = dict(parse_qsl(request.body.decode()))
        fields["time"] = str(float(fields["time"]) + 7200.0)
        return passed_on(url, Request("POST", request.path, {}, urlencode(fields).encode()))

    with web_server(behind) as proxy:
        source = source_to(proxy.url)
        # The samples are those of an hour ago for a console whose clock runs ahead.
        found = await source.discover(profiles(), now + 7200.0)
        await source.aclose()

    assert found.models == ()
    status = source.status()
    assert status.state == "up"
    assert "clock is" in status.warnings[0]
    assert "ahead of the server's" in status.warnings[0]


async def test_a_server_without_rows_has_a_heartbeat(tmp_path: Path, now: float) -> None:
    with running_prometheus(tmp_path) as empty:
        source = source_to(empty)
        await source.discover(profiles(), now)
        assert await source.ask([], now + 30.0) == []
        assert (source.status().state, source.status().answered_at) == ("up", now + 30.0)
        await source.aclose()
    source = source_to(empty)
    with pytest.raises(SourceDown, match="cannot be reached"):
        await source.ask([], now)
    await source.aclose()


async def test_a_server_that_refuses_every_question_is_down_whatever_the_words(now: float) -> None:
    count = 0

    def refuse(_: Request) -> Reply:
        nonlocal count
        count += 1
        said = f"the query exceeded the maximum number of chunks ({count})"
        return as_json({"status": "error", "errorType": "execution", "error": said}, 422)

    with web_server(refuse) as server:
        source = source_to(server.url)
        with pytest.raises(SourceDown, match="maximum number of chunks"):
            await source.ask([a_query("requests_rate", now), a_query("review_depth", now)], now)
        await source.aclose()


async def test_an_exporter_is_told_from_an_api(now: float) -> None:
    def exporter(request: Request) -> Reply:
        if request.method == "GET" and urlsplit(request.path).path == "/metrics":
            return Reply(b"# HELP up x\n# TYPE up gauge\nup 1\n")
        return Reply(b"<html><head><title>Error response</title></head>", 501, "text/html")

    with web_server(exporter) as server:
        source = source_to(server.url)
        with pytest.raises(SourceDown, match=r'titled "Error response"; it looks like /metrics'):
            await source.discover(profiles(), now)
        await source.aclose()


async def test_gzip_without_its_header_is_named(now: float) -> None:
    with web_server(lambda _: Reply(gzip.compress(json.dumps(EMPTY).encode()))) as server:
        source = source_to(server.url)
        with pytest.raises(SourceDown, match="looks gzip-compressed"):
            await source.discover(profiles(), now)
        await source.aclose()


def large(labels: dict[str, str], count: int) -> bytes:
    series = json.dumps({"metric": labels, "value": [1, "1"]}).encode()
    body = b",".join([series] * count)
    return b'{"status":"success","data":{"resultType":"vector","result":[' + body + b"]}}"


def sending(server: WebServer, size: int) -> None:
    labels = {"__name__": "model_requests_total", "model": "m", "job": "x" * 4000}
    body = large(labels, max(1, size // 4060))
    server.answer = lambda _: Reply(body, content_type=JSON)


async def test_fifty_megabytes_an_answer_are_named_and_take_no_memory(now: float) -> None:
    queries = [a_query(name, now) for name in ("requests_rate", "review_depth", "error_ratio")]
    with web_server(lambda _: as_json(EMPTY)) as server:
        source = source_to(server.url)
        sending(server, 50_000_000)
        tracemalloc.start()
        try:
            with pytest.raises(SourceDown, match=r"answers are too large: .*8 MiB; not read on"):
                await source.discover(profiles(), now)
            with pytest.raises(SourceDown, match=r"answers are too large"):
                await source.ask(queries, now)
            asked = len(server.requests)
            # The next round does not fetch all that again.
            with pytest.raises(SourceDown, match=r"answers are too large"):
                await source.discover(profiles(), now + 5.0)
            _, most = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert len(server.requests) == asked
        assert most < 64 * 1024 * 1024
        server.answer = lambda _: as_json(EMPTY)
        await source.discover(profiles(), now + 61.0)
        assert source.status().state == "up"
        await source.aclose()


async def test_one_answer_that_is_too_large_leaves_the_others_of_its_round(now: float) -> None:
    fine = large({"model": "fraud"}, 1)
    whole = large({"model": "m", "pad": "x" * 4000}, 5000)

    def answer(request: Request) -> Reply:
        return Reply(whole if b"review_queue_depth" in request.body else fine, content_type=JSON)

    with web_server(answer) as server:
        source = source_to(server.url)
        names = ("requests_rate", "review_depth", "latency_p95", "drift_psi")
        answers = await source.ask([a_query(name, now) for name in names], now)
        await source.aclose()

    assert [answer.error is None for answer in answers] == [True, False, True, True]
    assert "answers are too large: 1 of 4 not read" in source.status().warnings[0]
    assert source.status().state == "up"


async def test_a_label_of_many_kilobytes_is_cut_as_in_a_scrape(now: float) -> None:
    body = large({"model": "m" * 100_000, "job": "x"}, 1)
    with web_server(lambda _: Reply(body, content_type=JSON)) as server:
        source = source_to(server.url)
        (answer,) = await source.ask([a_query("requests_rate", now)], now)
        await source.aclose()

    ((name,),) = answer.keys
    assert len(name) < 300
    assert "…#" in name
