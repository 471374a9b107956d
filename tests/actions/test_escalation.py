"""Calling somebody for an incident, on servers made from the published APIs of the receivers."""

from __future__ import annotations

import json
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest

from console.actions.action_record import intent_of
from console.actions.incident_executor import perform_care, prepare_care
from console.actions.recovery import settle_all
from console.domain.action import ActionRefused, WritesNotAllowed
from console.domain.incident import CareWish
from console.incidents.journal_events import journal_events
from console.journal.store_base import Question
from tests.actions.cared import CHAT, FRAUD, care, two, wish
from tests.actions.support import YES, actor, write_config
from tests.actions.world import config_toml
from tests.support.web import Reply, Request, WebServer, web_server

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from console.actions.executor import ActionExecutor

KEY = "0123456789abcdef0123456789abcdef"
HOOK = "/services/T000/B000/verysecrettoken"
START = 1_795_402_033.0
WHY = "it spreads, I need you"


class PagerDutyEvents:
    """``POST /v2/enqueue`` of Events v2: alerts by their key; ``lost`` cuts the first answer off.

    Documented: 202 with status, message and dedup_key; 400 with what is missing; 429 where it is
    asked too often.
    """

    def __init__(self) -> None:
        self.alerts: dict[str, list[dict[str, Any]]] = {}
        self.lost = False
        self.status = 202

    def answer(self, request: Request) -> Reply:
        if (request.method, request.path) != ("POST", "/v2/enqueue"):
            return Reply(b"", 404)
        event = json.loads(request.body)
        payload = event.get("payload", {})
        missing = [name for name in ("summary", "source", "severity") if not payload.get(name)]
        known = payload.get("severity") in ("critical", "error", "warning", "info")
        short = len(event["dedup_key"]) <= 255 and len(payload.get("summary", "")) <= 1024
        if event.get("routing_key") != KEY or missing or not known or not short:
            return self._said(400, {"status": "invalid event", "errors": missing})
        if self.status != 202:
            return self._said(self.status, {"status": "throttled"})
        self.alerts.setdefault(event["dedup_key"], []).append(event)
        reply = self._said(
            202,
            {"status": "success", "message": "Event processed", "dedup_key": event["dedup_key"]},
        )
        if self.lost:
            self.lost = False
            reply.cut_to = 3
        return reply

    def _said(self, status: int, document: object) -> Reply:
        return Reply(json.dumps(document).encode(), status, "application/json")


class SlackHook:
    """An incoming webhook: 200 ``ok``, 403 ``invalid_token``, 404 ``no_service``, all as text."""

    def __init__(self) -> None:
        self.posted: list[str] = []
        self.lost = False

    def answer(self, request: Request) -> Reply:
        if request.path != HOOK:
            return Reply(b"no_service", 404, "text/html")
        text = json.loads(request.body).get("text")
        if not text:
            return Reply(b"no_text", 400, "text/html")
        self.posted.append(text)
        return Reply(b"ok", 200, "text/html", cut_to=1 if self.lost else None)


def control(preset: str, url: str, auth: str, more: str = "") -> str:
    return f"""
[controls.pager]
driver = "http"
preset = "{preset}"
targets = ["{url}"]
auth = {auth}
{more}
"""


def pager_toml(url: str) -> str:
    auth = '{ type = "body", header = "routing_key", secret = "env:PD_KEY" }'
    return control("pagerduty-events", url, auth)


def slack_toml(url: str) -> str:
    auth = '{ type = "path", secret = "env:SLACK_HOOK" }'
    return control("slack-webhook", url, auth, 'vars = { mention = "<!subteam^S1> " }')


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    monkeypatch.setenv("PD_KEY", KEY)

    def make(more: str, *, default: bool = True) -> Path:
        top = 'escalate = "pager"\n' if default else ""
        base = config_toml(tmp_path / "j.db", ["http://127.0.0.1:9"])
        return write_config(tmp_path / "c.toml", f"{top}{base}\n{more}")

    return make


@pytest.fixture
def duty() -> PagerDutyEvents:
    return PagerDutyEvents()


@pytest.fixture
def served(duty: PagerDutyEvents) -> Iterator[WebServer]:
    with web_server(duty.answer) as server:
        yield server


@pytest.fixture
def ana(served: WebServer, written: Callable[..., Path]) -> Iterator[ActionExecutor]:
    with actor(written(pager_toml(served.url)), clock=lambda: START) as made:
        yield made


def everything_kept(config: Path) -> str:
    with sqlite3.connect(config.parent / "j.db") as database:
        return "\n".join(database.iterdump())


async def test_pagerduty_is_called_once_and_nobody_is_told_that_it_arrived(
    ana: ActionExecutor, duty: PagerDutyEvents, tmp_path: Path
) -> None:
    outcome = await wish(ana, "escalate", reason=WHY)
    assert (outcome.kind, outcome.done) == ("unverified", 1)
    assert "taken" in outcome.sentence
    assert "cannot be read back" in outcome.sentence
    ((key, (event,)),) = duty.alerts.items()
    assert key == f"midwatch:test:{FRAUD}" == event["dedup_key"]
    assert event["event_action"] == "trigger"
    assert event["payload"]["custom_details"]["call"] == "ana"
    assert event["payload"]["severity"] == "error"
    entries = ana.bench.journal.entries(Question(op_id=outcome.op_id))
    assert [entry.kind for entry in entries] == ["intent", "outcome", "escalate"]
    (call,) = care(ana).escalations
    assert (call.through, call.became, call.to) == ("pager", "taken", ("ana",))
    assert KEY not in everything_kept(tmp_path / "c.toml")


async def test_what_was_sent_to_whom_is_one_event_of_the_timeline(ana: ActionExecutor) -> None:
    await wish(ana, "escalate", to=("joel",), reason=WHY)
    (event,) = journal_events(ana.bench.journal.entries(Question()))
    assert (event.kind, event.by) == ("page", "ana")
    assert "called joel through pager" in event.text
    assert WHY in event.text
    assert "answered 202" in event.effect


async def test_one_call_although_the_first_answer_was_lost(
    ana: ActionExecutor, duty: PagerDutyEvents, served: WebServer
) -> None:
    duty.lost = True
    outcome = await wish(ana, "escalate", to=("joel",), reason=WHY)
    assert (outcome.kind, outcome.done) == ("unverified", 0)
    assert "may have gone out" in outcome.sentence
    assert care(ana).escalations[0].became == "unclear"
    assert len(served.requests) == 1
    # Asked for again on purpose, the same key makes it the same alert there.
    again = await wish(ana, "escalate", to=("joel",), reason=WHY)
    assert again.done == 1
    assert list(duty.alerts) == [f"midwatch:test:{FRAUD}"]
    with pytest.raises(ActionRefused, match="nothing was sent again"):
        await wish(ana, "escalate", to=("joel",), reason=WHY)
    assert len(served.requests) == 2


async def test_nothing_is_sent_twice_by_console_and_keeper(
    written: Callable[..., Path], duty: PagerDutyEvents, served: WebServer
) -> None:
    config = written(pager_toml(served.url))
    with (
        actor(config, clock=lambda: START) as ana,
        actor(config, name="ben", account="ben", clock=lambda: START) as ben,
    ):
        snapshot = two(START)
        asked = CareWish("escalate", FRAUD, reason=WHY, to=("joel",))
        both = [await prepare_care(each.bench, asked, snapshot) for each in (ana, ben)]
        first = await perform_care(ana, both[0])
        late = await perform_care(ben, both[1])
        assert (first.kind, late.kind) == ("unverified", "superseded")
        await settle_all(ben.bench)
        assert len(served.requests) == 1
        with pytest.raises(ActionRefused, match="was called at"):
            await wish(ben, "escalate", to=("joel",), reason=WHY)
        assert len(served.requests) == 1


async def test_cut_off_between_intent_and_outcome_is_closed_and_never_sent_again(
    ana: ActionExecutor, served: WebServer
) -> None:
    asked = CareWish("escalate", FRAUD, reason=WHY, to=("joel",))
    made = await prepare_care(ana.bench, asked, two(START))
    assert made.action is not None
    ana.bench.journal.append_all([intent_of(made.action, YES, START, holds=False)])
    (outcome,) = await settle_all(ana.bench)
    assert outcome.kind == "unverified"
    assert served.requests == []
    (call,) = care(ana).escalations
    assert (call.became, call.through) == ("unclear", "pager")
    assert await settle_all(ana.bench) == ()


async def test_what_is_refused_called_nobody_and_says_so(
    ana: ActionExecutor, duty: PagerDutyEvents
) -> None:
    duty.status = 429
    outcome = await wish(ana, "escalate", to=("joel",), reason=WHY)
    assert outcome.kind == "rejected"
    assert outcome.sentence.startswith("nobody was called: ")
    assert care(ana).escalations[0].words.endswith("refused, nobody was called")
    duty.status = 202
    assert (await wish(ana, "escalate", to=("joel",), reason=WHY)).done == 1


async def test_slack_is_posted_to_once_its_address_nowhere_and_its_signs_escaped(
    written: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = SlackHook()
    with web_server(hook.answer) as server:
        monkeypatch.setenv("SLACK_HOOK", f"{server.url}{HOOK}")
        config = written(slack_toml(server.url))
        with actor(config, clock=lambda: START) as ana:
            reason = "<!channel> & all"
            plan = await prepare_care(
                ana.bench, CareWish("escalate", FRAUD, reason=reason), two(START)
            )
            assert plan.action is not None
            shown = plan.action.changes[0].calls[0].shown
            assert "/[secret]" in shown
            assert "verysecrettoken" not in shown
            outcome = await perform_care(ana, plan)
            assert (outcome.kind, outcome.done) == ("unverified", 1)
            (text,) = hook.posted
            assert text.startswith("<!subteam^S1> ana: ana calls you to ")
            assert "&lt;!channel&gt; &amp; all" in text
            hook.lost = True
            lost = await wish(ana, "escalate", to=("joel",), reason=WHY)
            assert (lost.kind, lost.done) == ("unverified", 0)
            with pytest.raises(ActionRefused, match="whether it arrived is not known"):
                await wish(ana, "escalate", to=("joel",), reason=WHY)
            assert len(hook.posted) == 2
        assert "verysecrettoken" not in everything_kept(config)


async def test_a_secret_address_elsewhere_and_a_gone_hook_are_told(
    written: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    with web_server(SlackHook().answer) as server:
        for value, told in (
            ("https://hooks.example.net/services/x", "not at http://127.0.0.1"),
            ("/services/T000/B000/gone", "no_service"),
        ):
            monkeypatch.setenv("SLACK_HOOK", value)
            with actor(written(slack_toml(server.url)), clock=lambda: START) as ana:
                outcome = await wish(ana, "escalate", reason=WHY)
                assert outcome.kind == "rejected"
                assert told in outcome.sentence
                assert "B000" not in outcome.sentence
        assert [each.path for each in server.requests] == ["/services/T000/B000/gone"]


async def test_a_webhook_gets_the_fields_that_three_services_read(
    written: Callable[..., Path],
) -> None:
    with web_server(lambda _: Reply(b"{}", 202, "application/json")) as server:
        auth = '{ type = "bearer", secret = "env:PD_KEY" }'
        target = f"{server.url}/v2/alert_events/http/01H"
        with actor(written(control("webhook", target, auth)), clock=lambda: START) as ana:
            assert (await wish(ana, "escalate", reason=WHY)).done == 1
        (request,) = server.requests
        assert request.path == "/v2/alert_events/http/01H"
        body = json.loads(request.body)
        keys = {body["alias"], body["alert_uid"], body["deduplication_key"]}
        assert keys == {f"midwatch:test:{FRAUD}"}
        assert (body["status"], body["state"]) == ("firing", "alerting")
        assert len(body["message"]) <= 130


async def test_a_program_is_called_with_words_of_its_own(
    written: Callable[..., Path], tmp_path: Path
) -> None:
    program = tmp_path / "call"
    program.write_text(f'#!/bin/sh\nprintf "%s|" "$@" >> {tmp_path}/called\n')
    program.chmod(0o700)
    own = f"""
[controls.pager]
driver = "exec"
kind = "escalate"
[controls.pager.actions.escalate]
argv = ["{program}", "--to", "${{to}}", "${{summary}}"]
"""
    with actor(written(own), clock=lambda: START) as ana:
        outcome = await wish(ana, "escalate", to=("joel",), reason="two words; $(reboot)")
        assert (outcome.kind, outcome.done) == ("unverified", 1)
    assert (tmp_path / "called").read_text().startswith("--to|joel|S2 fraud-scorer: two words; $(")


async def test_a_model_may_have_its_own_and_without_any_nobody_is_called(
    written: Callable[..., Path], duty: PagerDutyEvents, served: WebServer
) -> None:
    own = pager_toml(served.url) + '[models.chat.controls]\nescalate = "pager"\n'
    with actor(written(own, default=False), clock=lambda: START) as ana:
        told = await wish(ana, "escalate", CHAT, to=("joel",), reason=WHY)
        assert told.done == 1
        alone = await wish(ana, "escalate", FRAUD, to=("joel",), reason=WHY)
        assert alone.kind == "applied"
        assert "nobody was called" in alone.sentence
        assert "call them yourself" in alone.sentence
        assert care(ana).escalations[0].words == "escalated to joel (in the record alone)"
        # What stands in the record alone keeps nobody from being called.
        assert (await wish(ana, "escalate", FRAUD, to=("joel",), reason=WHY)).kind == "applied"
    assert len(duty.alerts) == 1


async def test_nothing_is_sent_where_writes_are_not_allowed(
    written: Callable[..., Path], served: WebServer
) -> None:
    config = written(pager_toml(served.url))
    with (
        actor(config, mode="read_only", clock=lambda: START) as ana,
        pytest.raises(WritesNotAllowed),
    ):
        await wish(ana, "escalate", reason=WHY)
    assert served.requests == []
