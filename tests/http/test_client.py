"""The client against real servers that behave badly."""

import asyncio
import gzip
import time

import pytest

from console.http import Endpoint, Wire, WireError, endpoint_of, endpoint_of_target
from console.settings.endpoint_tables import AuthSettings, SourceSettings
from tests.conftest import free_port
from tests.http.serving import Asked, Behaviour, Handler, hang, ok, serving, status


def wire_to(*urls: str, timeout_seconds: float = 5.0, **options: object) -> Wire:
    endpoint = Endpoint(urls=urls, timeout_seconds=timeout_seconds)
    return Wire(endpoint, random=lambda: 0.0, **options)  # type: ignore[arg-type]


async def failure(wire: Wire, path: str = "/api/v1/query") -> WireError:
    with pytest.raises(WireError) as caught:
        await wire.post_form(path, {"query": "up"})
    return caught.value


async def test_fields_travel_in_the_body() -> None:
    query = 'sum by (model) (rate(x{model="a&b"}[5m]))'
    with serving(ok) as server:
        wire = wire_to(server.url + "/prom/")
        answer = await wire.post_form("/api/v1/query", {"query": query, "time": "1"})
        await wire.aclose()
    (asked,) = server.asked
    assert (answer.status, answer.body) == (200, b"{}")
    assert asked.path == "/prom/api/v1/query"
    assert b"query=sum+by" in asked.body
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert answer.headers["content-length"] == "2"
    assert 0 < answer.elapsed_seconds < 5
    assert wire.requests_sent == 1


async def test_get_with_parameters_headers_and_whole_urls() -> None:
    with serving(ok) as server:
        wire = wire_to(server.url + "/metrics?kind=all")
        await wire.get("", headers={"Accept": "text/plain"})
        await wire.get(server.url + "/other", {"match[]": "up"})
        await wire.aclose()
    assert [asked.path for asked in server.asked] == ["/metrics?kind=all", "/other?match%5B%5D=up"]
    assert server.asked[0].headers["accept"] == "text/plain"


async def test_compressed_answers_are_unpacked() -> None:
    def packed(handler: Handler, _asked: Asked) -> None:
        handler.answer(200, gzip.compress(b"x" * 5000), Content_Encoding="gzip")

    with serving(packed) as server:
        wire = wire_to(server.url)
        assert (await wire.get("/")).body == b"x" * 5000
        await wire.aclose()


@pytest.mark.parametrize("path", ["query", "/a/../b", "/a\nb", "http://127.0.0.1:1/x", "https://h"])
async def test_paths_that_stray_are_refused_before_anything_is_sent(path: str) -> None:
    with serving(ok) as server:
        wire = wire_to(server.url)
        with pytest.raises(WireError, match="no request was sent") as caught:
            await wire.get(path)
    assert caught.value.kind == "protocol"
    assert server.asked == []
    assert wire.requests_sent == 0


@pytest.mark.parametrize(
    ("code", "word"), [(400, "bad_data"), (401, "no secret is declared"), (422, "")]
)
async def test_refusals_carry_status_and_body(code: int, word: str) -> None:
    with serving(status(code, b'{"errorType":"bad_data"}')) as server:
        wire = wire_to(server.url)
        error = await failure(wire)
        await wire.aclose()
    assert (error.kind, error.status) == ("http", code)
    assert error.body == b'{"errorType":"bad_data"}'
    assert word in error.sentence
    assert str(code) in error.sentence
    assert str(wire.breaker.state) == "closed"
    assert len(server.asked) == 1


async def test_500_is_not_retried_and_503_once() -> None:
    with serving(status(500)) as server:
        wire = wire_to(server.url)
        assert (await failure(wire)).status == 500
        assert len(server.asked) == 1
        server.behave = status(503)
        assert (await failure(wire)).status == 503
        assert len(server.asked) == 3
        await wire.aclose()


async def test_a_503_that_passes_is_an_answer() -> None:
    codes = [503, 200]
    with serving(lambda handler, _asked: handler.answer(codes.pop(0))) as server:
        wire = wire_to(server.url)
        assert (await wire.get("/")).status == 200
        await wire.aclose()
    assert wire.requests_sent == 2
    assert wire.breaker.failures == 0


async def test_bodies_of_errors_are_harmless_and_bounded() -> None:
    hostile = b"\x1b[2J[/foo]\xff " + b"A" * 200_000
    with serving(status(500, hostile)) as server:
        wire = wire_to(server.url)
        error = await failure(wire)
        await wire.aclose()
    assert "\x1b" not in error.sentence
    assert "␛[2J[/foo]" in error.sentence
    assert len(error.sentence) < 400
    assert len(error.body) == 64 * 1024


async def test_a_broken_off_answer_is_told() -> None:
    def truncated(handler: Handler, _asked: Asked) -> None:
        handler.wfile.write(b'HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"status":')
        handler.close_connection = True

    with serving(truncated) as server:
        wire = wire_to(server.url)
        error = await failure(wire)
        await wire.aclose()
    assert error.kind == "truncated"
    assert "broke off" in error.sentence


async def test_what_is_not_http_is_told() -> None:
    def nonsense(handler: Handler, _asked: Asked) -> None:
        handler.wfile.write(b"SSH-2.0-OpenSSH\r\n\r\n")
        handler.close_connection = True

    with serving(nonsense) as server:
        wire = wire_to(server.url)
        assert (await failure(wire)).kind == "protocol"
        await wire.aclose()


async def test_a_hang_ends_at_the_deadline() -> None:
    with serving(hang) as server:
        wire = wire_to(server.url)
        began = time.monotonic()
        with pytest.raises(WireError) as caught:
            await wire.get("/", deadline_seconds=0.3)
        assert time.monotonic() - began < 10.0
        await wire.aclose()
    assert caught.value.kind == "read_timeout"
    assert "0.3 s" in caught.value.sentence
    assert wire.breaker.failures == 1


async def test_a_trickle_ends_at_the_total_deadline() -> None:
    def trickle(handler: Handler, _asked: Asked) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while not handler.server.released.wait(0.05):
            handler.wfile.write(b"x")

    with serving(trickle) as server:
        wire = wire_to(server.url, timeout_seconds=0.5)
        began = time.monotonic()
        assert (await failure(wire)).kind == "read_timeout"
        assert time.monotonic() - began < 10.0
        await wire.aclose()


@pytest.mark.parametrize("packing", [None, "gzip"])
async def test_too_large_answers_are_not_read_on(packing: str | None) -> None:
    body = b"x" * 300_000

    def large(handler: Handler, _asked: Asked) -> None:
        if packing is None:
            handler.answer(200, body)
        else:
            handler.answer(200, gzip.compress(body), Content_Encoding="gzip")

    with serving(large) as server:
        wire = wire_to(server.url, max_bytes=100_000)
        error = await failure(wire)
        assert error.kind == "too_large"
        assert "100000 B" in error.sentence
        assert wire.breaker.failures == 0
        exact = wire_to(server.url, max_bytes=300_000)
        assert len((await exact.get("/")).body) == 300_000
        await wire.aclose()
        await exact.aclose()


async def test_a_refused_connection_is_told_and_tried_twice() -> None:
    wire = wire_to(f"http://127.0.0.1:{free_port()}")
    error = await failure(wire)
    await wire.aclose()
    assert error.kind == "connect"
    assert "cannot be reached: connection refused" in error.sentence
    assert wire.requests_sent == 2


async def test_an_unknown_host_is_told() -> None:
    wire = wire_to("http://no-such-host.invalid:9090")
    error = await failure(wire)
    await wire.aclose()
    # Some resolvers answer late or never; the sentence names the host either way.
    assert error.kind in ("connect", "connect_timeout")
    assert "no-such-host.invalid" in error.sentence


async def test_concurrency_is_bounded() -> None:
    running, most = 0, 0

    def slow(handler: Handler, _asked: Asked) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        time.sleep(0.03)
        running -= 1
        handler.answer()

    with serving(slow) as server:
        wire = wire_to(server.url, max_concurrency=3)
        answers = await asyncio.gather(*(wire.get("/") for _ in range(12)))
        await wire.aclose()
    assert len(answers) == 12
    assert most == 3


async def test_a_connection_closed_while_idle_is_opened_again() -> None:
    def once(handler: Handler, _asked: Asked) -> None:
        handler.answer()
        handler.close_connection = True

    with serving(once) as server:
        wire = wire_to(server.url)
        for _ in range(3):
            assert (await wire.get("/")).status == 200
            await asyncio.sleep(0.02)
        await wire.aclose()


# --- replicas -----------------------------------------------------------------------------------


async def test_another_replica_answers_and_is_kept() -> None:
    with serving(ok) as server:
        wire = wire_to(f"http://127.0.0.1:{free_port()}", server.url)
        await wire.get("/")
        assert wire.requests_sent == 2
        await wire.get("/")
        assert wire.requests_sent == 3
        await wire.aclose()


async def test_a_replica_that_answers_503_hands_over() -> None:
    with serving(status(503)) as ill, serving(ok) as well:
        wire = wire_to(ill.url, well.url)
        assert (await wire.get("/")).status == 200
        await wire.get("/")
        await wire.aclose()
    assert (len(ill.asked), len(well.asked)) == (1, 2)


async def test_after_a_hang_the_next_request_goes_elsewhere() -> None:
    with serving(hang) as hung, serving(ok) as well:
        wire = wire_to(hung.url, well.url)
        with pytest.raises(WireError):
            await wire.get("/", deadline_seconds=0.2)
        assert (await wire.get("/")).status == 200
        await wire.aclose()


async def test_no_replica_at_all_is_said_with_their_number() -> None:
    wire = wire_to(f"http://127.0.0.1:{free_port()}", f"http://127.0.0.1:{free_port()}")
    assert "none of 2 replicas" in (await failure(wire)).sentence
    await wire.aclose()


# --- the breaker in use -------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


async def test_breaker_opens_spares_the_server_and_recovers() -> None:
    clock = Clock()
    with serving(status(500)) as server:
        wire = wire_to(server.url, clock=clock)
        for _ in range(3):
            await failure(wire)
        assert wire.breaker.state == "open"
        error = await failure(wire)
        assert error.kind == "breaker_open"
        assert "failed 3 times in a row; next try in 2 s; last: " in error.sentence
        assert "500" in error.sentence, "why it failed is never lost"
        assert len(server.asked) == 3
        clock.now += 2.5
        assert (await failure(wire)).kind == "http"
        assert wire.breaker.next_try_at == clock.now + 5.0
        server.behave = ok
        clock.now += 5.0
        assert (await wire.get("/")).status == 200
        assert str(wire.breaker.state) == "closed"
        await wire.aclose()


async def test_a_probe_goes_alone() -> None:
    clock = Clock()
    with serving(status(500)) as server:
        wire = wire_to(server.url, clock=clock)
        for _ in range(3):
            await failure(wire)
        clock.now += 10
        release: list[bool] = []

        def slow_ok(handler: Handler, _asked: Asked) -> None:
            time.sleep(0.15)
            release.append(True)
            handler.answer()

        server.behave = slow_ok
        results = await asyncio.gather(*(wire.get("/") for _ in range(4)), return_exceptions=True)
        await wire.aclose()
    refused = [each for each in results if isinstance(each, WireError)]
    assert len(release) == 1
    assert [each.kind for each in refused] == ["breaker_open"] * 3
    assert str(wire.breaker.state) == "closed"


async def test_hangs_open_the_breaker_but_cancelling_does_not() -> None:
    with serving(hang) as server:
        wire = wire_to(server.url)
        for _ in range(4):
            task = asyncio.create_task(wire.get("/"))
            await asyncio.sleep(0.05)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        assert (wire.breaker.state, wire.breaker.failures) == ("closed", 0)
        results = await asyncio.gather(
            *(wire.get("/", deadline_seconds=0.2) for _ in range(3)), return_exceptions=True
        )
        assert all(isinstance(each, WireError) for each in results)
        assert wire.breaker.state == "open"
        await wire.aclose()


@pytest.mark.parametrize("behave", [status(404), status(429)])
async def test_answers_of_a_live_server_close_the_breaker(behave: Behaviour) -> None:
    with serving(status(500)) as server:
        wire = wire_to(server.url)
        await failure(wire)
        await failure(wire)
        server.behave = behave
        await failure(wire)
        assert wire.breaker.failures == 0
        await wire.aclose()


def test_endpoints_come_from_the_declaration() -> None:
    declared = SourceSettings(
        name="a",
        kind="prometheus",
        url="http://h:9090",
        tenant="ml",
        timeout_seconds=3.0,
        proxy="http://p:1",
        headers={"X-Team": "ml"},
    )
    endpoint = endpoint_of(declared)
    assert endpoint.urls == ("http://h:9090",)
    assert (endpoint.tenant, endpoint.timeout_seconds, endpoint.proxy) == ("ml", 3.0, "http://p:1")
    assert endpoint.has_credentials
    assert endpoint_of_target(declared, "http://t/metrics").urls == ("http://t/metrics",)
    assert not Endpoint(urls=("http://h",), auth=AuthSettings(type="none")).has_credentials
    with pytest.raises(ValueError, match="at least one URL"):
        Wire(Endpoint(urls=()))
