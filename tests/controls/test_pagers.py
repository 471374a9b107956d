"""Contract tests: PagerDuty's and Grafana's odd cases, on servers made from their published API."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from console.controls.alertmanager import AlertmanagerControl
from console.controls.protocol import ControlError
from console.controls.template import reached
from console.settings.endpoint_tables import AlertSettings
from tests.controls.acting import prepared, preset, settled
from tests.support.web import Reply, Request, web_server

if TYPE_CHECKING:
    from console.domain.control import JsonValue

LABELS = {"alertname": "ModelDrift", "model": "fraud-v3"}
UNTIL = "2099-11-23T03:27:21Z"
JSON = "application/json"


class PagerDuty:
    """PagerDuty's ``GET`` and ``PUT /incidents/{id}`` (openapiv3.json); one incident.

    As documented, acknowledging what is resolved opens it again and assigns it to whoever asks.
    """

    def __init__(self, status: str = "triggered") -> None:
        self.status = status
        self.assigned: list[str] = []

    def answer(self, request: Request) -> Reply:
        if request.path != "/incidents/PT4KHLK":
            return self._said(404, {"error": {"code": 2100, "message": "Not Found"}})
        if request.method == "PUT":
            headers = {name.lower(): value for name, value in request.headers.items()}
            if "from" not in headers:
                return self._said(
                    400, {"error": {"code": 1008, "message": "Requester User Not Found"}}
                )
            wanted = json.loads(request.body)["incident"]
            assert wanted["type"] == "incident_reference"
            if self.status == "resolved" and wanted["status"] == "acknowledged":
                self.assigned.append(headers["from"])
            self.status = wanted["status"]
        return self._said(200, {"incident": {"id": "PT4KHLK", "status": self.status}})

    def _said(self, status: int, document: object) -> Reply:
        return Reply(json.dumps(document).encode(), status, JSON)


def pager(url: str, incident: str = "PT4KHLK") -> Any:
    return preset("pagerduty", url, kind="ack", incident_id=incident, **{"from": "ana@example.net"})


async def test_pagerduty_acknowledges_and_resolves_and_reads_it_back() -> None:
    duty = PagerDuty()
    with web_server(duty.answer) as server:
        control = pager(server.url)
        for action, state in (("ack", "acknowledged"), ("resolve", "resolved")):
            _, change = await prepared(control, action)
            answer = await control.send(change, time.time())
            assert answer.verdict == "accepted"
            seen, got = await settled(control, change, 5.0)
            assert (seen.value, got) == (state, ["wanted"])
        _, again = await prepared(control, "resolve")
        assert again.already
    assert duty.assigned == []


async def test_a_resolved_pagerduty_incident_is_never_opened_again() -> None:
    duty = PagerDuty("resolved")
    with web_server(duty.answer) as server:
        control = pager(server.url)
        _, change = await prepared(control, "ack")
        assert change.calls[0].impossible
        answer = await control.send(change, time.time())
        assert (answer.verdict, answer.results[0].sent) == ("rejected", False)
        assert [each.method for each in server.requests] == ["GET"]
    assert (duty.status, duty.assigned) == ("resolved", [])


async def test_a_misspelt_pagerduty_incident_is_not_acted_on() -> None:
    with web_server(PagerDuty().answer) as server:
        _, change = await prepared(pager(server.url, "PNOPE"), "ack")
        assert change.calls[0].objection


class Grafana:
    """Grafana's Alertmanager paths: 202 for what is made, 200 with a message for what is ended."""

    prefix = "/api/alertmanager/grafana/api/v2"

    def __init__(self, made: int = 202) -> None:
        self.made = made
        self.renames = False
        self.silences: dict[str, dict[str, Any]] = {}

    def answer(self, request: Request) -> Reply:
        if not request.path.startswith(self.prefix):
            return Reply(b'{"message":"Not found"}', 404, JSON)
        path = request.path.removeprefix(self.prefix)
        match request.method, path:
            case "GET", "/silences":
                return Reply(json.dumps(list(self.silences.values())).encode(), 200, JSON)
            case "POST", "/silences":
                told = json.loads(request.body)
                key = told.get("id") or f"s{len(self.silences)}"
                if self.renames and key in self.silences:
                    self.silences[key]["status"]["state"] = "expired"
                    key = f"s{len(self.silences)}"
                self.silences[key] = {**told, "id": key, "status": {"state": "active"}}
                return Reply(json.dumps({"silenceID": key}).encode(), self.made, JSON)
            case "DELETE", _:
                self.silences[path.rpartition("/")[2]]["status"]["state"] = "expired"
                return Reply(b'{"message":"silence deleted"}', 200, JSON)
        return Reply(b"", 405)


def alerts_at(url: str, **more: object) -> AlertmanagerControl:
    declared = AlertSettings(name="am", kind="alertmanager", url=url, **more)  # type: ignore[arg-type]
    return AlertmanagerControl("alertmanager:am", declared, None)


def who(**more: JsonValue) -> dict[str, JsonValue]:
    return {
        "op_id": "01KB2ACK", "by": "ana", "reason": "looking", "incident": "f1f1f1f1",
        "until": UNTIL, "alerts": [dict(LABELS)], **more,
    }  # fmt: skip


@pytest.mark.parametrize("made", [202, 201])
async def test_grafana_says_202_or_201_and_its_path_is_found(made: int) -> None:
    grafana = Grafana(made)
    with web_server(grafana.answer) as server:
        control = alerts_at(server.url, tenant="ml")
        now = time.time()
        change = control.prepare("ack", who(), await control.read(now))
        assert change.proof.unproven
        assert f"POST {server.url}{grafana.prefix}/silences" in change.calls[0].shown
        assert "X-Scope-OrgID: ml" in change.calls[0].shown
        assert (await control.send(change, now)).verdict == "accepted"
        state = (await control.read(now)).of(change.calls[0].target)
        assert state is not None
        assert reached(change.calls[0], change.desired, state) == "wanted"
        over = control.prepare("unack", who(), await control.read(now))
        assert (await control.send(over, now)).verdict == "accepted"
        assert (await control.read(now)).marks == {}
        sent = {name.lower(): value for name, value in server.requests[-1].headers.items()}
        assert sent["x-scope-orgid"] == "ml"


async def test_a_silence_is_looked_for_before_one_is_made() -> None:
    """Two of the same wish, as after an answer that came too late: one silence, same id."""
    grafana = Grafana()
    with web_server(grafana.answer) as server:
        control = alerts_at(server.url)
        now = time.time()
        unseen = await control.read(now)
        first = control.prepare("ack", who(), unseen)
        second = control.prepare("ack", who(op_id="01KB2NEXT"), unseen)
        await control.send(first, now)
        await control.send(second, now)
        assert len(grafana.silences) == 1
        assert "01KB2NEXT" in grafana.silences["s0"]["comment"]
        assert [each.found for each in await control.lookup(second, now)] == [True]
        assert [each.found for each in await control.lookup(first, now)] == [False]


async def test_a_silence_that_gets_a_new_id_when_it_is_changed_is_told_and_followed() -> None:
    grafana = Grafana()
    with web_server(grafana.answer) as server:
        control = alerts_at(server.url)
        now = time.time()
        await control.send(control.prepare("ack", who(), await control.read(now)), now)
        grafana.renames = True
        later = who(until="2099-11-23T04:00:00Z")
        change = control.prepare("ack", later, await control.read(now))
        answer = await control.send(change, now)
        assert "its silence was made anew as s1" in answer.sentence
        assert [each.id for each in (await control.read(now)).marks.values()] == ["s1"]


async def test_what_others_silence_and_what_cannot_be_read_is_left_alone() -> None:
    grafana = Grafana()
    mark = "ACK! mine [midwatch:01KB2ACK inc:f1f1f1f1]"
    matchers = [{"name": "alertname", "value": "ModelDrift", "isRegex": False}]
    base = {"startsAt": "2026-11-23T03:12:21Z", "endsAt": UNTIL, "status": {"state": "active"}}
    grafana.silences = {
        "karma": {**base, "id": "karma", "comment": "ACK! by karma", "matchers": matchers},
        "plain": {**base, "id": "plain", "comment": mark[5:], "matchers": matchers},
        "regex": {
            **base, "id": "regex", "comment": mark, "matchers": [{**matchers[0], "isRegex": True}],
        },
        "over": {
            **base, "id": "over", "comment": mark, "matchers": matchers,
            "status": {"state": "expired"},
        },
        "broken": {"id": 7},
    }  # fmt: skip
    with web_server(grafana.answer) as server:
        control = alerts_at(server.url)
        assert (await control.read(time.time())).marks == {}


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        (Reply(b'{"code":602,"message":"comment in body is required"}', 422, JSON), "rejected"),
        (Reply(b'"Failed to create silence: \\u001b[2J"', 400, JSON), "rejected"),
        (Reply(b'{"message":"no"}', 403, JSON), "rejected"),
        (Reply(b"oops", 500), "indeterminate"),
        (Reply(b"", 302, location="http://elsewhere.example.net/"), "indeterminate"),
    ],
    ids=["schema", "text", "role", "fault", "redirect"],
)
async def test_what_an_alert_source_answers_is_told_and_never_more_than_it_says(
    reply: Reply, verdict: str
) -> None:
    grafana = Grafana()
    with web_server(
        lambda request: reply if request.method == "POST" else grafana.answer(request)
    ) as server:
        control = alerts_at(server.url)
        now = time.time()
        change = control.prepare("ack", who(), await control.read(now))
        answer = await control.send(change, now)
        assert answer.verdict == verdict
        assert answer.sentence.isprintable()
        assert str(reply.status) in answer.sentence


async def test_a_change_needs_what_it_rests_on() -> None:
    with web_server(Grafana().answer) as server:
        control = alerts_at(server.url)
        seen = await control.read(time.time())
        for missing in ("op_id", "by", "reason", "incident", "until", "alerts"):
            with pytest.raises(ControlError, match=missing):
                control.prepare("ack", who(**{missing: None}), seen)
        with pytest.raises(ControlError, match="cannot trip"):
            control.prepare("trip", who(), seen)
    away = await control.read(time.time())
    assert away.error
    with pytest.raises(ControlError, match="has not been read"):
        control.prepare("ack", who(), away)
