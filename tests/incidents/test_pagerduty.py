"""PagerDuty's open incidents read over REST v2 and acknowledged, on a server made from its API."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest

from console.domain.alert import Incident
from console.domain.severity import Severity
from console.incidents.feeds import AlertsUnreadable, build_reader
from console.settings.endpoint_tables import AlertSettings
from tests.actions.cared import care, seen, wish
from tests.actions.support import actor, write_config
from tests.actions.world import config_toml
from tests.support.web import Reply, Request, web_server

if TYPE_CHECKING:
    from pathlib import Path

    from console.domain.alert import Alert

NOW = 1_795_402_033.0
JSON = "application/json"


class PagerDuty:
    """``GET /incidents`` in pages, ``GET`` and ``PUT /incidents/{id}`` of REST v2.

    As documented, acknowledging what is resolved opens it again and assigns it to whoever asks.
    """

    def __init__(self, *incidents: dict[str, Any]) -> None:
        self.incidents = {each["id"]: each for each in incidents}
        self.reopened: list[str] = []

    def answer(self, request: Request) -> Reply:
        split = urlsplit(request.path)
        asked = parse_qs(split.query)
        if split.path == "/incidents" and request.method == "GET":
            wanted = asked["statuses[]"]
            limit, offset = int(asked["limit"][0]), int(asked["offset"][0])
            open_ones = [each for each in self.incidents.values() if each["status"] in wanted]
            more = len(open_ones) > offset + limit
            page = {"incidents": open_ones[offset : offset + limit], "more": more}
            return Reply(json.dumps(page).encode(), 200, JSON)
        one = self.incidents.get(split.path.removeprefix("/incidents/"))
        if one is None:
            return Reply(b'{"error":{"code":2100,"message":"Not Found"}}', 404, JSON)
        if request.method == "PUT":
            headers = {name.lower(): value for name, value in request.headers.items()}
            assert headers["from"] == "ana@example.net"
            if one["status"] == "resolved":
                self.reopened.append(one["id"])
            one["status"] = json.loads(request.body)["incident"]["status"]
        return Reply(json.dumps({"incident": one}).encode(), 200, JSON)


def raised(number: int = 1, **more: object) -> dict[str, Any]:
    return {
        "id": f"PT4K{number:03}",
        "type": "incident",
        "incident_number": number,
        "title": f"errors {number} on fraud",
        "status": "triggered",
        "urgency": "high",
        "created_at": "2026-11-23T03:12:21Z",
        "html_url": f"https://example.pagerduty.com/incidents/PT4K{number:03}",
        "service": {"id": "PS1", "type": "service_reference", "summary": "fraud"},
        "acknowledgements": [],
        "pending_actions": [],
        **more,
    }


async def read(url: str) -> tuple[Alert, ...]:
    reader = build_reader(AlertSettings(name="pd", kind="pagerduty", url=url))
    try:
        answer = await reader.read(NOW)
    finally:
        await reader.aclose()
    assert answer.warnings == ()
    return answer.alerts


async def test_open_incidents_are_alerts_with_who_has_them() -> None:
    acknowledged = raised(
        2,
        status="acknowledged",
        urgency="low",
        priority={"summary": "P2"},
        acknowledgements=[{"at": "2026-11-23T03:20:00Z", "acknowledger": {"summary": "Ben"}}],
        pending_actions=[{"type": "unacknowledge", "at": "2026-11-23T03:50:00Z"}],
    )
    duty = PagerDuty(raised(), acknowledged, raised(3, status="resolved"))
    with web_server(duty.answer) as server:
        first, second = await read(server.url)
    assert (first.name, first.service, first.severity) == (
        "errors 1 on fraud",
        "fraud",
        Severity.S1,
    )
    assert first.acknowledgement is None
    held = second.acknowledgement
    assert held is not None
    assert (held.by, held.ends) == ("Ben", 1_795_405_800.0)
    assert (second.state, second.severity) == ("firing", Severity.S2)


async def test_every_page_is_read_and_what_is_no_incident_is_said() -> None:
    duty = PagerDuty(*(raised(number) for number in range(230)))
    with web_server(duty.answer) as server:
        assert len(await read(server.url)) == 230
        assert len(server.requests) == 3
    with (
        web_server(lambda _: Reply(b"<html>login", 200)) as server,
        pytest.raises(AlertsUnreadable, match="PagerDuty's list of incidents"),
    ):
        await read(server.url)


def config(tmp_path: Path, url: str, user: str = 'user = "ana@example.net"') -> Path:
    own = f'\n[[alerts]]\nname = "pd"\nkind = "pagerduty"\nurl = "{url}"\n{user}\n'
    base = config_toml(tmp_path / "j.db", ["http://127.0.0.1:9"])
    return write_config(tmp_path / "c.toml", f"{base}\n{own}")


def incident_of(*alerts: Alert) -> Incident:
    return Incident("f1f1f1f1", "fraud", "firing", Severity.S1, NOW, alerts=alerts)


async def test_an_acknowledgement_is_told_and_read_back(tmp_path: Path) -> None:
    duty = PagerDuty(raised())
    with web_server(duty.answer) as server:
        snapshot = seen(NOW, incident_of(*await read(server.url)))
        with actor(config(tmp_path, server.url), clock=lambda: NOW) as ana:
            outcome = await wish(ana, "ack", snapshot=snapshot)
            assert outcome.kind == "applied", outcome
            assert duty.incidents["PT4K001"]["status"] == "acknowledged"
            hold = care(ana, snapshot=snapshot).hold
            assert hold is not None
            assert hold.place == "pd"
            released = await wish(ana, "release", snapshot=snapshot)
            assert released.kind == "applied"
        assert [each.method for each in server.requests if each.method != "GET"] == ["PUT"]


async def test_what_was_resolved_meanwhile_is_never_opened_again(tmp_path: Path) -> None:
    duty = PagerDuty(raised())
    with web_server(duty.answer) as server:
        snapshot = seen(NOW, incident_of(*await read(server.url)))
        duty.incidents["PT4K001"]["status"] = "resolved"
        with actor(config(tmp_path, server.url), clock=lambda: NOW) as ana:
            outcome = await wish(ana, "ack", snapshot=snapshot)
            assert "resolved at pd: it is not opened again" in outcome.sentence
    assert duty.reopened == []
    assert duty.incidents["PT4K001"]["status"] == "resolved"


async def test_without_a_user_it_is_held_here_alone_and_says_why(tmp_path: Path) -> None:
    duty = PagerDuty(raised())
    with web_server(duty.answer) as server:
        snapshot = seen(NOW, incident_of(*await read(server.url)))
        with actor(config(tmp_path, server.url, ""), clock=lambda: NOW) as ana:
            outcome = await wish(ana, "ack", snapshot=snapshot)
            assert "alerts.pd.user names no PagerDuty user" in outcome.sentence
    assert duty.incidents["PT4K001"]["status"] == "triggered"
