"""Alerts read from a real Alertmanager and a real Prometheus: states, owners, prefixes, faults."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from console.domain.alert import Alert
from console.domain.severity import Severity
from console.http.resilience import WireError
from console.incidents.feeds import AlertAnswer, AlertsUnreadable, build_reader
from console.settings.schema import AlertSettings
from tests.conftest import free_port
from tests.incidents.servers import AlertmanagerServer
from tests.support.web import Reply, Request, web_server

if TYPE_CHECKING:
    from collections.abc import Iterator

HOSTILE = "\x1b[2J[red]$(id) {x} \u202e\nnext"


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AlertmanagerServer]:
    made = AlertmanagerServer(tmp_path_factory.mktemp("manager"))
    try:
        yield made.start()
    finally:
        made.stop()


async def read(url: str, kind: str = "alertmanager", **more: object) -> AlertAnswer:
    settings = AlertSettings(name="am", kind=kind, url=url, timeout_seconds=3.0, **more)  # type: ignore[arg-type]
    reader = build_reader(settings)
    try:
        return await reader.read(time.time())
    finally:
        await reader.aclose()


async def alert(manager: AlertmanagerServer, name: str) -> Alert:
    return next(one for one in (await read(manager.origin)).alerts if one.name == name)


async def test_a_firing_alert_comes_with_all_that_it_says(manager: AlertmanagerServer) -> None:
    manager.fire(
        {"alertname": "Errors", "model": "fraud", "severity": "page"},
        summary="5% fail",
        runbook_url="https://runbooks.example.net/fraud",
    )
    found = await alert(manager, "Errors")
    assert (found.state, found.severity, found.model) == ("firing", Severity.S1, "fraud")
    assert found.summary == "5% fail"
    assert found.runbook == "https://runbooks.example.net/fraud"
    assert abs(found.since - (time.time() - 5.0)) < 5.0


async def test_silences_and_acknowledgements_are_told_apart(manager: AlertmanagerServer) -> None:
    manager.fire({"alertname": "Held", "model": "chat", "severity": "warning"})
    ack = manager.silence("Held", "ACK! looking [midwatch:01]", by="ana\x1b[31m")
    found = await alert(manager, "Held")
    assert found.state == "firing"
    assert found.acknowledgement is not None
    assert found.acknowledgement.by.startswith("ana")
    assert "\x1b" not in found.acknowledgement.by
    assert found.acknowledgement.ends == pytest.approx(time.time() + 900, abs=10)

    plain = manager.silence("Held", "maintenance", by="ben")
    assert (await alert(manager, "Held")).state == "suppressed"
    manager.expire(ack)
    silenced = await alert(manager, "Held")
    assert silenced.acknowledgement is None
    assert [one.by for one in silenced.silences] == ["ben"]
    manager.expire(plain)
    assert (await alert(manager, "Held")).state == "firing"


async def test_an_inhibited_alert_names_what_inhibits_it(manager: AlertmanagerServer) -> None:
    manager.fire({"alertname": "StoreDown", "dependency": "store"}, {"alertname": "StoreSlow"})
    give_up_at = time.monotonic() + 10
    found = await alert(manager, "StoreSlow")
    while found.state != "suppressed" and time.monotonic() < give_up_at:
        found = await alert(manager, "StoreSlow")
    assert (found.state, found.inhibited_by) == ("suppressed", ("StoreDown",))
    assert found.severity is Severity.UNKNOWN


async def test_hostile_labels_stay_data_and_their_words_are_harmless(
    manager: AlertmanagerServer,
) -> None:
    manager.fire({"alertname": HOSTILE, "model": HOSTILE, "severity": HOSTILE}, summary=HOSTILE)
    answer = await read(manager.origin)
    found = next(one for one in answer.alerts if one.model == HOSTILE)
    assert dict(found.labels)["alertname"] == HOSTILE
    for text in (found.name, found.summary, found.severity_text):
        assert text.isprintable()
        assert "id" in text
    assert found.severity is Severity.S2
    assert "ranks as S2" in answer.warnings[0]


async def test_labels_may_have_other_names(manager: AlertmanagerServer) -> None:
    manager.fire({"alertname": "Mapped", "ml_model": "rank", "prio": "critical"})
    answer = await read(manager.origin, labels={"model": "ml_model", "severity": "prio"})
    found = next(one for one in answer.alerts if one.name == "Mapped")
    assert (found.model, found.severity) == ("rank", Severity.S1)


@pytest.mark.parametrize("prefix", ["/alertmanager", "/api/alertmanager/grafana"])
async def test_mimirs_and_grafanas_paths_are_found(tmp_path: object, prefix: str) -> None:
    from pathlib import Path

    server = AlertmanagerServer(Path(str(tmp_path)), prefix=prefix)
    try:
        server.start().fire({"alertname": "Far", "model": "m", "severity": "critical"})
        server.silence("Far", "ACK! mine")
        for url in (server.origin, f"{server.origin}{prefix}"):
            (found,) = (await read(url)).alerts
            assert found.acknowledgement is not None
    finally:
        server.stop()


async def test_the_tenant_is_sent() -> None:
    with web_server(lambda _: Reply(b"[]", content_type="application/json")) as server:
        assert (await read(server.url, tenant="ml")).alerts == ()
        sent = {name.lower(): value for name, value in server.requests[0].headers.items()}
    assert sent["x-scope-orgid"] == "ml"


async def test_alerts_come_without_silences_where_those_cannot_be_read(
    manager: AlertmanagerServer,
) -> None:
    body = (
        b'[{"labels":{"alertname":"A"},"startsAt":"2026-11-23T03:00:00.123456789Z",'
        b'"status":{"state":"suppressed","silencedBy":["s1"]}},'
        b'{"labels":7},{"labels":{"alertname":"B"},"startsAt":"0001-01-01T00:00:00Z"}]'
    )

    def answer(request: Request) -> Reply:
        silences = request.path.endswith("/silences")
        return Reply(b"no", 500) if silences else Reply(body, content_type="application/json")

    with web_server(answer) as server:
        found = await read(server.url)
    assert [(one.name, one.state) for one in found.alerts] == [("A", "suppressed"), ("B", "firing")]
    assert not found.alerts[0].silences[0].known
    assert "1 of 3 alerts cannot be read" in found.warnings[0]
    assert "silences cannot be read" in found.warnings[1]


async def test_what_is_no_alertmanager_is_said_to_be_none() -> None:
    with web_server(lambda _: Reply(b"<html>login\x1b[2J</html>")) as server:
        with pytest.raises(AlertsUnreadable, match="begins with <html>login") as told:
            await read(server.url)
        assert "\x1b" not in str(told.value)
        with pytest.raises(AlertsUnreadable, match="Prometheus API"):
            await read(server.url, "prometheus")
    with web_server(lambda _: Reply(b"nothing here", 404)) as server:
        with pytest.raises(WireError, match="404"):
            await read(server.url)
        assert len(server.requests) == 3
    with pytest.raises(WireError, match="cannot be reached"):
        await read(f"http://127.0.0.1:{free_port()}")
