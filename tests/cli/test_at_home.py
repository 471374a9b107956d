"""``midwatch`` with nothing configured finds what this host runs, on loopback."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pytest

from console.cli import bootstrap, host_look
from console.cli.command_line import CommandError
from console.http.loopback import Place
from console.settings.load import Flags
from tests.conftest import free_port
from tests.support.prometheus_server import running_prometheus, wait_for_series
from tests.support.web import Reply, Request, web_server

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXTS = Path(__file__).parent.parent / "reach" / "texts"
SOON_ENOUGH_SECONDS = 60.0


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[int, int]]:
    """Serve two model servers; the usual ports are theirs for this test."""

    def page(name: str) -> bytes:
        return (TEXTS / name).read_bytes()

    def moved(request: Request) -> Reply:
        if request.path == "/metrics":
            return Reply(status=307, location="/metrics/")
        return Reply(page("litellm.txt"))

    with ExitStack() as stack:
        urls = [
            stack.enter_context(web_server(lambda request: Reply(page("vllm.txt")))).url,
            stack.enter_context(web_server(moved)).url,
            stack.enter_context(web_server(lambda request: Reply(b"go_goroutines 3\n"))).url,
        ]
        found = [urlsplit(url).port or 0 for url in urls]
        monkeypatch.setattr(host_look, "METRICS_PORTS", (*found, free_port()))
        monkeypatch.setattr(host_look, "PROMETHEUS", Place(free_port(), host_look.PROMETHEUS.path))
        monkeypatch.setattr(host_look, "ALERTMANAGER", Place(free_port(), "/api/v2/status"))
        monkeypatch.setattr(host_look, "LIMIT_SECONDS", SOON_ENOUGH_SECONDS)
        yield found[0], found[1]


def test_model_servers_are_found_and_named_and_nothing_else(ports: tuple[int, int]) -> None:
    found = host_look.look_around({}, SOON_ENOUGH_SECONDS)
    assert found.scrape == tuple(f"http://127.0.0.1:{port}/metrics" for port in ports)
    assert f"vLLM on {ports[0]}, LiteLLM proxy on {ports[1]}" in found.sentence
    assert found.prometheus == ()


def test_a_server_that_prometheus_reads_is_read_through_it(
    ports: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_prometheus(tmp_path, targets=[f"127.0.0.1:{ports[0]}"]) as url:
        wait_for_series(url, "up", seconds=SOON_ENOUGH_SECONDS)
        port = urlsplit(url).port or 0
        monkeypatch.setattr(host_look, "PROMETHEUS", Place(port, host_look.PROMETHEUS.path))
        found = host_look.look_around({}, SOON_ENOUGH_SECONDS)
    assert found.prometheus == (f"http://127.0.0.1:{port}",)
    assert found.scrape == (f"http://127.0.0.1:{ports[1]}/metrics",)
    assert f"vLLM on {ports[0]} (read through Prometheus)" in found.sentence


def test_what_was_found_counts_only_where_nothing_is_configured(
    ports: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MIDWATCH_DISCOVERY", "1")
    monkeypatch.setattr(host_look.look_around, "__defaults__", (SOON_ENOUGH_SECONDS, ()))
    prepared = bootstrap.prepare(Flags())
    (source,) = prepared.loaded.settings.sources
    assert source.kind == "scrape"
    assert len(source.targets) == 2
    assert "found on this host" in {each.where for each in prepared.loaded.origins.values()}
    assert "found on this host in" in prepared.notice
    named = bootstrap.prepare(Flags(scrape=("http://127.0.0.1:1/metrics",)))
    assert named.notice == ""
    assert named.loaded.settings.sources[0].targets == ("http://127.0.0.1:1/metrics",)
    with pytest.raises(CommandError, match="there is nothing to read"):
        bootstrap.prepare(Flags(discovery=False))


def test_a_prometheus_of_the_environment_is_believed(ports: tuple[int, int]) -> None:
    found = host_look.look_around({"PROMETHEUS_URL": "http://prom:9090"}, SOON_ENOUGH_SECONDS)
    assert found.prometheus == ("http://prom:9090",)
    assert "Prometheus at http://prom:9090 (PROMETHEUS_URL)" in found.sentence
