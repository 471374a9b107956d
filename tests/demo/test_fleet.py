"""The running fleet over real HTTP on loopback."""

import http.client
import json
import socket
import time
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from console.demo.demo_fleet import DemoError, DemoFleet
from console.demo.server_metrics import Labels
from console.settings.load import Flags, load
from tests.conftest import free_port
from tests.demo.helpers import parse


class Clock:
    """A clock that runs faster than the wall's."""

    def __init__(self, factor: float) -> None:
        self._begin = time.time()
        self._factor = factor

    def __call__(self) -> float:
        return self._begin + (time.time() - self._begin) * self._factor


@pytest.fixture
def fleet() -> Iterator[DemoFleet]:
    running = DemoFleet(seed=1, scenario="calm", clock=Clock(5.0))
    running.start()
    yield running
    running.stop()


def call(
    url: str, method: str = "GET", document: object = None, **headers: str
) -> tuple[int, dict[str, str], bytes]:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=5)
    body = None if document is None else json.dumps(document).encode()
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    connection.request(method, path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, dict(answer.headers), content


def scrape(url: str) -> dict[tuple[str, Labels], float]:
    status, headers, body = call(url)
    assert status == 200
    assert headers["Content-Type"].startswith("text/plain; version=0.0.4")
    return parse(body.decode())


def summed(url: str, name: str, **labels: str) -> float:
    return sum(
        value
        for (series, found), value in scrape(url).items()
        if series == name and labels.items() <= dict(found).items()
    )


def eventually(true: Callable[[], bool], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.2)
    return True


def test_nine_and_more_services_on_loopback_in_three_profiles(fleet: DemoFleet) -> None:
    profiles = [service.profile for service in fleet.services]
    assert len(profiles) == 12
    assert profiles.count("midwatch") >= 7
    assert profiles.count("vllm") == profiles.count("triton") == 1
    for service, target in zip(fleet.services, fleet.targets, strict=True):
        assert target == f"{service.url}/metrics"
        assert urlsplit(target).hostname == "127.0.0.1"
        assert len(scrape(target)) > 15
    dependencies = {name for model in fleet.models for name in model.dependencies}
    assert len(dependencies) == 3


def test_what_is_scraped_goes_on_from_the_history(fleet: DemoFleet) -> None:
    last = list(fleet.history())[-1]
    by_target: dict[str, dict[Any, float]] = {}
    for (target, name, labels), value in zip(last.series, last.values[:, -1], strict=True):
        by_target.setdefault(target, {})[name, labels] = float(value)
    assert set(by_target) == set(fleet.targets)
    for target, past in by_target.items():
        live = scrape(target)
        assert set(live) == set(past)
        for key, value in past.items():
            if key[0].endswith(("_total", "_count", "_bucket")):
                assert live[key] >= value


def test_time_runs_and_a_breaker_put_over_http_is_felt(fleet: DemoFleet) -> None:
    fraud = next(service for service in fleet.services if service.name == "fraud-scorer")
    before = summed(fraud.metrics_url, "model_requests_total", outcome="success")
    assert eventually(
        lambda: summed(fraud.metrics_url, "model_requests_total", outcome="success") > before
    )
    url = f"{fraud.url}/control/breaker"
    status, headers, body = call(url)
    assert (status, json.loads(body)["state"]) == (200, "CLOSED")
    status, _, body = call(
        url, "PUT", {"state": "FORCED_OPEN", "ttl_seconds": 600}, **{"If-Match": headers["ETag"]}
    )
    assert (status, json.loads(body)["by"]) == (200, "operator")
    assert eventually(
        lambda: summed(fraud.metrics_url, "model_requests_total", outcome="refused") > 20
    )
    assert summed(fraud.metrics_url, "model_circuit_breaker_state", dependency="") == 4
    status, _, _ = call(url, "PUT", {"state": "CLOSED"}, **{"If-Match": headers["ETag"]})
    assert status == 412
    embedder = next(service for service in fleet.services if service.profile == "triton")
    assert call(f"{embedder.url}/control/breaker")[0] == 404


def test_odd_requests_get_an_answer_and_do_no_harm(fleet: DemoFleet) -> None:
    address = urlsplit(fleet.targets[0])
    for sent, expected in (
        (b"nonsense\r\n\r\n", b"400"),
        (b"GET /metrics HTTP/1.1\r\nContent-Length: -5\r\n\r\n", b"400"),
        (b"PUT /control/route HTTP/1.1\r\nContent-Length: 999999\r\n\r\n", b"413"),
        (b"PUT /control/route HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n", b"501"),
        (b"GET / HTTP/1.1\r\nX: " + b"a" * 40_000 + b"\r\n\r\n", b"431"),
        (b"POST /metrics HTTP/1.1\r\nConnection: close\r\n\r\n", b"405"),
        (b"GET /../etc/passwd HTTP/1.0\r\n\r\n", b"404"),
    ):
        with socket.create_connection((address.hostname, address.port), timeout=5) as talk:
            talk.sendall(sent)
            assert talk.recv(200).split(b" ", 2)[1] == expected
    assert call(fleet.targets[0])[0] == 200


def test_a_connection_is_kept_for_the_next_scrape(fleet: DemoFleet) -> None:
    address = urlsplit(fleet.targets[0])
    connection = http.client.HTTPConnection("127.0.0.1", address.port, timeout=5)
    for _ in range(3):
        connection.request("GET", "/metrics")
        assert connection.getresponse().read()
    connection.close()


def test_stopping_under_a_held_connection_is_silent(
    capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    running = DemoFleet(seed=1, scenario="calm")
    running.start()
    held = http.client.HTTPConnection(urlsplit(running.services[0].url).netloc, timeout=5)
    held.request("GET", "/healthz")
    assert held.getresponse().read() == b"fraud-scorer ok\n"
    running.stop()
    held.close()
    assert capfd.readouterr().err == ""
    assert [record.getMessage() for record in caplog.records] == []


def test_ports_are_consecutive_when_asked_for_and_a_taken_one_is_said() -> None:
    first = free_port()
    fleet = DemoFleet(models=2, scenario="calm")
    try:
        fleet.start(first)
    except DemoError:
        pytest.skip("the port next to a free one is taken on this machine")
    ports = [urlsplit(target).port for target in fleet.targets]
    assert ports == [first, first + 1]
    other = DemoFleet(models=1, scenario="calm")
    with pytest.raises(DemoError, match="choose another with"):
        other.start(first)
    fleet.stop()
    other.start(first)
    other.stop()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", first), timeout=1)


def test_a_failing_simulation_is_told_to_those_who_scrape(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fleet = DemoFleet(models=1, scenario="calm")

    def broken(now: float) -> None:
        raise ValueError("no such second")

    monkeypatch.setattr(fleet.simulation, "step", broken)
    fleet.start()
    assert eventually(lambda: call(fleet.targets[0])[0] == 500)
    assert b"no such second" in call(fleet.targets[0])[2]
    fleet.stop()


def test_lead_score_is_away_at_times_in_the_story(monkeypatch: pytest.MonkeyPatch) -> None:
    fleet = DemoFleet(models=11, scenario="story")
    fleet.start()
    target = next(s.metrics_url for s in fleet.services if s.name == "lead-score")
    assert call(target)[0] == 200
    monkeypatch.setattr(fleet.simulation, "started_at", fleet.simulation.now - 420.0)
    assert call(target)[0] == 503
    fleet.stop()


def test_clones_share_services(fleet: DemoFleet) -> None:
    large = DemoFleet(models=40, scenario="calm")
    large.start()
    assert len(large.services) == 12 + 2
    assert summed(large.targets[-1], "model_info") == 3
    assert {target for target, _, _ in next(large.history()).series} == set(large.targets)
    large.stop()


def test_bad_wishes_are_refused_in_words() -> None:
    for wish, words in (
        ({"scenario": "tragedy"}, "story, calm, outage"),
        ({"speed": 0.0}, "speed"),
        ({"speed": float("nan")}, "speed"),
        ({"models": 5000}, "1 to 200"),
    ):
        with pytest.raises(ValueError, match=words):
            DemoFleet(**wish)


def test_the_configuration_describes_the_whole_fleet(fleet: DemoFleet) -> None:
    config = tomllib.loads(fleet.config_toml())
    assert config["environment"] == "demo"
    assert config["sources"] == [{"name": "demo", "kind": "scrape", "targets": list(fleet.targets)}]
    assert set(config["models"]) == {model.name for model in fleet.models}
    fraud = config["models"]["fraud-scorer"]
    assert fraud["slo"]["latency"]["under"] == "400ms"
    assert fraud["fallbacks"][0]["name"] == "fraud-small"
    assert fraud["cost"]["budget_month"] > 0
    assert "owner" not in config["models"]["price-opt"]
    assert "cost" not in config["models"]["price-opt"]
    assert config["models"]["summarizer"]["cost"]["per_1k_requests"] > 0
    for model in config["models"].values():
        assert set(model.get("dependencies", [])) <= set(config["dependencies"])
    other = tomllib.loads(fleet.config_toml(prometheus_url="http://127.0.0.1:9"))
    assert other["sources"][0]["kind"] == "prometheus"


def test_the_configuration_is_accepted_without_a_warning(fleet: DemoFleet, tmp_path: Path) -> None:
    for url in (None, "http://127.0.0.1:9090"):
        path = tmp_path / "config.toml"
        path.write_text(fleet.config_toml(prometheus_url=url))
        path.chmod(0o600)
        loaded = load(Flags(config=path), {"HOME": str(tmp_path), "USER": "ana"})
        assert loaded.warnings == ()
        assert set(loaded.settings.models) == {model.name for model in fleet.models}
        assert loaded.settings.models["fraud-scorer"].slo is not None


def test_what_is_done_to_the_demo_stands_in_a_record_of_its_own() -> None:
    fleet = DemoFleet(scenario="calm")
    fleet.start()
    try:
        declared = tomllib.loads(fleet.config_toml())
        place = Path(declared["journal"]["url"].removeprefix("sqlite:///"))
        assert place.parent.is_dir()
        controls = declared["models"]["fraud-scorer"]["controls"]
        assert set(controls) == {"breaker", "route", "threshold", "human"}
        assert all(declared["controls"][name]["preset"] == "midwatch" for name in controls.values())
        shared = declared["dependencies"]["feature-store-eu"]["controls"]["breaker"]
        assert len(declared["controls"][shared]["targets"]) == 3
    finally:
        fleet.stop()
    assert not place.parent.exists()
