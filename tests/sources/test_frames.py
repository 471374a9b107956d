"""Data frames for reports, from a real server and from servers that misbehave."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from console.domain.model import ModelRow
from console.http.endpoint import Endpoint
from console.metrics.profile import profiles
from console.metrics.query_plan import Query, plan
from console.settings.endpoint_tables import AuthSettings
from console.settings.secret_references import SecretValue
from console.sources.base import SourceDown
from console.sources.data_frames import DISCOVERY_COLUMNS, Frames
from tests.sources.expositions import HOSTILE_NAMES, Timeline, openmetrics
from tests.support.prometheus_server import running_prometheus
from tests.support.web import Reply, web_server

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.web import Request

NOW = float(int(time.time()))
MODELS = ("fraud-scorer", *HOSTILE_NAMES[:3])


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    times = tuple(NOW - 15.0 * back for back in range(40, -1, -1))
    timelines = [
        Timeline(
            "model_requests_total",
            (("job", "svc"), ("model", model), ("outcome", "success"), ("version", version)),
            times,
            tuple(30.0 * step for step in range(len(times))),
        )
        for model in MODELS
        for version in ("1", "2")
    ]
    directory = tmp_path_factory.mktemp("prometheus")
    with running_prometheus(directory, blocks=openmetrics(timelines)) as found:
        yield found


def a_query() -> Query:
    rows = [ModelRow(model=model, profile="midwatch") for model in MODELS]
    found = {query.column: query for query in plan(["midwatch"], rows, {}, NOW)}
    return found["requests_rate"]


async def test_discovery_is_one_row_a_model_and_version(url: str) -> None:
    frame = await Frames(Endpoint((url,))).discovery(profiles(), NOW)

    assert tuple(frame.columns) == DISCOVERY_COLUMNS
    assert set(frame["model"]) == set(MODELS)
    assert len(frame) == 2 * len(MODELS)
    assert set(frame["profile"]) == {"midwatch"}
    assert frame["series"].tolist() == [1.0] * len(frame)


@pytest.mark.parametrize("model", MODELS)
async def test_a_range_is_indexed_by_utc_time(url: str, model: str) -> None:
    frame = await Frames(Endpoint((url,))).ranged(a_query(), model, NOW - 300.0, NOW, 60.0)

    assert frame.columns.tolist() == ["model", "value"]
    assert str(frame.index.dtype).endswith("UTC]")
    assert frame.index[-1].timestamp() == NOW
    assert len(frame) == 6
    assert frame["value"].iloc[-1] == pytest.approx(4.0)


async def test_an_empty_range_is_an_empty_frame_and_no_keyerror(url: str) -> None:
    frame = await Frames(Endpoint((url,))).ranged(a_query(), "nobody", NOW - 300.0, NOW, 60.0)

    assert frame.empty
    assert frame.columns.tolist() == ["model", "value"]
    assert frame.index.name == "timestamp"


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(b'{"status":"error","error":"\x1b[2J[/foo]"}', 503), "refused: HTTP Status"),
        (Reply(b"<html>", 200), "not JSON"),
        (Reply(b'{"hello": 1}', 200), "not as the Prometheus API"),
        (Reply(b'{"status":"success"', cut_to=4), "cannot be reached|not JSON"),
    ],
)
async def test_what_goes_wrong_is_one_sentence_at_once(reply: Reply, said: str) -> None:
    with web_server(lambda _: reply) as server:
        began = time.monotonic()
        with pytest.raises(SourceDown, match=said) as caught:
            await Frames(Endpoint((server.url,))).ranged(a_query(), "a", NOW - 60, NOW, 10.0)

    assert time.monotonic() - began < 5.0
    assert "\x1b" not in caught.value.sentence
    assert len(server.requests) == 1


async def test_a_server_that_hangs_is_given_up_while_the_loop_lives() -> None:
    def slowly(_: Request) -> Reply:
        time.sleep(1.5)
        return Reply(b"{}")

    turns = 0

    async def other_work() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0.01)

    with web_server(slowly) as server:
        other = asyncio.create_task(other_work())
        frames = Frames(Endpoint((server.url,), timeout_seconds=0.5))
        with pytest.raises(SourceDown, match=r"within 0\.5 s"):
            await frames.ranged(a_query(), "a", NOW - 60.0, NOW, 10.0)
        other.cancel()

    assert turns > 10


class OneSecret:
    """Resolves every reference to one token."""

    def get(self, reference: str, timeout_seconds: float = 3.0) -> SecretValue:
        return SecretValue("t0ken")

    def refresh(self, reference: str) -> None:
        """Have nothing newer."""


async def test_credentials_go_in_headers_and_never_along_with_a_redirect() -> None:
    with web_server(lambda _: Reply(b"{}")) as other, web_server(lambda _: Reply()) as server:
        server.answer = lambda _: Reply(status=302, location=f"{other.url}/stolen")
        endpoint = Endpoint(
            (server.url,), auth=AuthSettings(type="bearer", secret="env:X"), tenant="ml"
        )
        with pytest.raises(SourceDown, match="redirects") as caught:
            await Frames(endpoint, OneSecret()).discovery(profiles(), NOW)

    assert server.requests[0].headers["Authorization"] == "Bearer t0ken"
    assert server.requests[0].headers["X-Scope-OrgID"] == "ml"
    assert other.requests == []
    assert "t0ken" not in caught.value.sentence


async def test_a_query_too_long_for_a_url_is_not_sent() -> None:
    with (
        web_server(lambda _: Reply(b"{}")) as server,
        pytest.raises(SourceDown, match="too long"),
    ):
        await Frames(Endpoint((server.url,))).ranged(a_query(), "x" * 10_000, NOW - 60.0, NOW, 10.0)
    assert server.requests == []


def test_the_live_path_loads_neither_pandas_nor_requests() -> None:
    code = (
        "import sys; import console.sources.factory, console.sources.prometheus, "
        "console.sources.scrape, console.sources.data_frames; "
        "print(sorted({'pandas', 'requests', 'httpx', 'prometheus_api_client'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


async def test_a_server_that_is_not_there_is_said_without_the_query() -> None:
    with pytest.raises(SourceDown, match="Connection refused") as caught:
        await Frames(Endpoint(("http://127.0.0.1:1",))).discovery(profiles(), NOW)

    assert "query" not in caught.value.sentence
