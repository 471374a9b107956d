"""What leaves the machine: bodies, paths, headers, proofs, markers, and what is refused before."""

import json
import threading
import time
from pathlib import Path
from urllib.parse import unquote

import jmespath
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from console.controls.protocol import Control, ControlError
from console.controls.registry import build_control
from console.controls.template import bind, fill, fill_argument, fill_path, header_text
from console.domain.control import JsonValue
from console.settings.endpoint_tables import (
    AuthSettings,
    ControlAction,
    ControlRead,
    ControlSettings,
)
from console.settings.secret_references import SecretValue
from console.settings.secrets import SecretError, SecretResolver
from tests.controls.acting import WHO, prepared
from tests.controls.service import OWN_READ, QUICK, own, service, trip

HOSTILE = 'x", "status":"resolved", "z":"'


def built(settings: ControlSettings, resolver: object = None) -> Control:
    control = build_control("under-test", settings, resolver)  # type: ignore[arg-type]
    assert control.problem == ""
    return control


async def test_a_hostile_reason_stays_a_reason() -> None:
    with service() as world:
        control = built(own(world.url, trip=trip(headers={"X-Why": "${reason}"})))
        seen = await control.read(time.time())
        reason = HOSTILE + "\r\nEvil: 1 \x1b[2J {c.__class__} ${by} ü"
        change = control.prepare("trip", {**WHO, "reason": reason}, seen)
        await control.send(change, time.time())
        (sent,) = world.changes
        assert sent.json == {"updateState": "FORCE_OPEN", "reason": reason}
        assert "Evil" not in sent.headers
        assert sent.headers["X-Why"].isprintable()
        assert "\x1b" not in change.calls[0].shown


@pytest.mark.parametrize("name", ["a/b", "a?x=1", "a#b", "a%2Fb", "å b", "x\r\ny", "{breaker}"])
async def test_a_hostile_name_stays_one_step_of_the_path(name: str) -> None:
    with service(breakers={name: "CLOSED"}) as world:
        control = built(replace(own(world.url, trip=trip()), vars={"breaker": name}))
        _, change = await prepared(control, "trip")
        await control.send(change, time.time())
        assert world.breakers == {name: "FORCED_OPEN"}


@pytest.mark.parametrize("name", ["..", ".", ""])
async def test_a_name_that_would_leave_its_place_is_refused(name: str) -> None:
    settings = replace(own("http://127.0.0.1:1", trip=trip()), vars={"breaker": name})
    control = build_control("under-test", settings, None)
    assert "cannot stand in a path" in control.problem


@given(st.text(), st.text())
def test_a_path_keeps_its_steps_whatever_the_values(one: str, two: str) -> None:
    values: dict[str, JsonValue] = {"one": one, "two": two}
    try:
        made = fill_path("/a/{one}/b?q={two}", {"r": "${one}"}, values)
    except ControlError:
        assert one in ("", ".", "..")
        return
    path, _, query = made.partition("?")
    steps = path.split("/")
    assert (len(steps), steps[1], steps[3]) == (4, "a", "b")
    assert unquote(steps[2]) == one
    assert [part.partition("=")[0] for part in query.split("&")] == ["q", "r"]
    assert made.isascii()
    assert made.isprintable()


def test_bytes_that_are_no_text_are_refused_in_words() -> None:
    with pytest.raises(ControlError, match="no text"):
        fill_path("/a/{one}", {}, {"one": "\udc80"})


@given(st.text())
def test_an_expression_finds_exactly_the_name_it_was_given(name: str) -> None:
    document = {"all": {name: {"state": "X"}, "other": {"state": "Y"}}, "rows": [{"n": name}]}
    values: dict[str, JsonValue] = {"name": name}
    for expression in (
        'all."${name}".state',
        "contains(keys(all), '${name}') && 'X'",
        "rows[?n=='${name}'] | [0] && 'X'",
        "contains(keys(all), ${name}) && 'X'",
    ):
        assert jmespath.search(bind(expression, values), document) == "X"


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists))
def test_a_value_keeps_its_type_where_it_is_the_whole_text(value: JsonValue) -> None:
    filled = fill({"a": "${v}", "b": ["${v?}"]}, {"v": value})
    assert filled == {"a": value, "b": [] if value is None else [value]}


@given(st.text())
def test_a_header_is_one_line_of_printable_ascii(text: str) -> None:
    made = header_text(text)
    assert made.isascii()
    assert made == "" or made.isprintable()


def test_an_optional_value_leaves_its_entry_out() -> None:
    body = {"ttl_seconds": "${ttl_seconds?}", "text": "in ${ttl_seconds?} s", "n": "${n:text}"}
    assert fill(body, {"ttl_seconds": None, "n": 2}) == {"text": "in  s", "n": "2"}
    assert fill(body, {"ttl_seconds": 60, "n": True}) == {
        "ttl_seconds": 60,
        "text": "in 60 s",
        "n": "true",
    }


def test_an_argument_cannot_pose_as_an_option() -> None:
    assert fill_argument("--name=${n}", {"n": "-x"}) == "--name=-x"
    with pytest.raises(ControlError, match="read as an option"):
        fill_argument("${n}", {"n": "--force"})
    with pytest.raises(ControlError, match="NUL"):
        fill_argument("a${n}", {"n": "\0"})


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({}, "op_id must be given"),
        ({**WHO, "reason": ""}, "reason must be given"),
        ({**WHO, "breaker": "another"}, "fixed by controls.under-test.vars"),
        (WHO, "needs a value for to"),
        ({**WHO, "to": None}, "needs a value for to"),
    ],
)
async def test_a_change_without_what_it_needs_is_refused(
    variables: dict[str, JsonValue], said: str
) -> None:
    with service() as world:
        control = built(own(world.url, trip=trip(json={"to": "${to}"})))
        assert control.offers["trip"].needs == ("to",)
        seen = await control.read(time.time())
        with pytest.raises(ControlError, match=said):
            control.prepare("trip", variables, seen)
        with pytest.raises(ControlError, match="cannot explode; it can trip"):
            control.prepare("explode", WHO, seen)


def test_plain_http_beyond_this_host_is_refused() -> None:
    settings = own("http://breaker.example.net", trip=trip())
    control = build_control("c", settings, None)
    assert "plain http beyond this host" in control.problem
    allowed = replace(settings, allow_plaintext=True)
    assert build_control("c", allowed, None).problem == ""


class Vault:
    """Secrets that can be late, missing, or renewed."""

    def __init__(self, *values: str, gate: threading.Event | None = None) -> None:
        self._values = list(values)
        self._gate = gate

    def get(self, reference: str, timeout_seconds: float = 4.0) -> SecretValue:
        if self._gate is not None:
            self._gate.wait(20)
        if not self._values:
            raise SecretError(f"{reference}: no value")
        return SecretValue(self._values[0])

    def refresh(self, reference: str) -> None:
        self._values.pop(0)


def guarded(url: str, change: ControlAction) -> ControlSettings:
    auth = AuthSettings(type="bearer", secret="env:TOKEN")
    return replace(own(url, trip=change), auth=auth)


async def test_a_hanging_secret_sends_nothing_and_holds_nobody_up() -> None:
    gate = threading.Event()
    with service(token="good") as world:
        control = built(guarded(world.url, trip()), Vault("good", gate=gate))
        began = time.monotonic()
        state = await control.read(time.time())
        assert time.monotonic() - began < 10.0
        assert "nothing was sent" in state.error
        assert world.seen == []
        gate.set()


async def test_a_missing_secret_disables_with_its_reason() -> None:
    with service(token="good") as world:
        control = built(guarded(world.url, trip()), SecretResolver(["env:TOKEN"], {}))
        state = await control.read(time.time())
        assert "TOKEN" in state.error
        assert "nothing was sent" in state.error
        assert world.seen == []


async def test_a_renewed_secret_is_looked_up_again_once() -> None:
    with service(token="new-token") as world:
        control = built(guarded(world.url, trip()), Vault("old-token", "new-token"))
        _, change = await prepared(control, "trip")
        assert [each.headers["Authorization"] for each in world.seen] == [
            "Bearer old-token",
            "Bearer new-token",
        ]
        result = await control.send(change, time.time())
        assert result.verdict == "accepted"
        assert len(world.changes) == 1


async def test_a_secret_is_seen_nowhere() -> None:
    with service(token="another") as world:
        control = built(guarded(world.url, trip()), Vault("hush-hush", "hush-hush"))
        state = await control.read(time.time())
        assert "not you: Bearer [secret]" in state.error
        world.token = ""
        seen, change = await prepared(control, "trip")
        assert "Authorization: Bearer [secret]" in change.calls[0].shown
        world.answer = b"hush-hush"
        result = await control.send(change, time.time())
        assert "hush" not in repr((state, seen, change, result))


async def test_a_redirect_carries_no_secret_away() -> None:
    with service() as elsewhere, service(token="t") as world:
        world.location = f"{elsewhere.url}/breaker/risk-model"
        control = built(guarded(world.url, trip()), Vault("t"))
        assert "not followed" in (await control.read(time.time())).error
        assert elsewhere.seen == []


def from_file(tmp_path: Path, text: str, url: str) -> Control:
    path = tmp_path / "own.toml"
    path.write_text(text)
    path.chmod(0o600)
    return built(
        ControlSettings(
            driver="http",
            preset=f"file:{path}",
            targets=(url,),
            timeouts=QUICK,
            vars={"breaker": "risk-model"},
        )
    )


OWN_PRESET = """
title = "our own"
[kinds.breaker]
needs = { breaker = "its name" }
[kinds.breaker.read]
path = "/breaker/{breaker}"
value = "state"
[kinds.breaker.actions.trip]
class = "C"
desired = ["FORCED_OPEN"]
path = "/breaker/{breaker}"
idempotency_header = "Idempotency-Key"
json = { updateState = "FORCE_OPEN" }
dry_run = { query = { dryRun = "All" } }
[kinds.breaker.actions.note]
class = "C"
desired = ["CLOSED"]
path = "/notes"
json = { op = "${op_id}", text = "${reason}" }
ok = [201]
find = { path = "/notes", query = { op = "${op_id}" }, found = "contains(@, ${op_id})" }
"""


async def test_a_dry_run_asks_and_changes_nothing(tmp_path: Path) -> None:
    with service() as world:
        control = from_file(tmp_path, OWN_PRESET, world.url)
        assert control.offers["trip"].has_dry_run
        _, change = await prepared(control, "trip")
        rehearsed = await control.dry_run(change, time.time())
        assert rehearsed.verdict == "accepted"
        assert "would" in rehearsed.results[0].excerpt
        assert world.breakers == {"risk-model": "CLOSED"}
        await control.send(change, time.time())
        assert world.breakers == {"risk-model": "FORCED_OPEN"}
        assert [each.headers["Idempotency-Key"] for each in world.changes] == [WHO["op_id"]] * 2
        with pytest.raises(ControlError, match="no dry run"):
            await control.dry_run(control.prepare("note", WHO, await control.read(0.0)), 0.0)


async def test_a_marker_is_found_after_a_lost_answer(tmp_path: Path) -> None:
    with service(breakers={"risk-model": "OPEN"}) as world:
        control = from_file(tmp_path, OWN_PRESET, world.url)
        _, change = await prepared(control, "note")
        (before,) = await control.lookup(change, time.time())
        assert before.found is False
        world.hang_up = True
        result = await control.send(change, time.time())
        assert result.verdict == "indeterminate"
        world.hang_up = False
        (after,) = await control.lookup(change, time.time())
        assert after.found is True
        assert world.notes == [WHO["op_id"]]
    (gone,) = await control.lookup(change, time.time())
    assert gone.found is None


async def test_bodies_other_than_json() -> None:
    with service(status=200) as world:
        form = trip(json=None, form={"state": "a b&c=${by}"}, content_type=None)
        control = built(own(world.url, trip=form))
        _, change = await prepared(control, "trip")
        world.applies = False
        assert change.calls[0].shown.endswith("\n\nstate=a+b%26c%3Dana")
        own_type = trip(content_type="application/merge-patch+json", method="PATCH")
        control = built(own(world.url, trip=own_type))
        _, change = await prepared(control, "trip")
        await control.send(change, time.time())
        (sent,) = world.changes
        assert (sent.method, sent.headers["Content-Type"]) == (
            "PATCH",
            "application/merge-patch+json",
        )
        assert json.loads(sent.body)["updateState"] == "FORCE_OPEN"


@pytest.mark.parametrize(
    ("read", "change", "said"),
    [
        (OWN_READ, trip(path=None), "has no path"),
        (OWN_READ, trip(form={"a": "b"}), "both json and form"),
        (OWN_READ, trip(if_match="etags"), "if_match must be"),
        (OWN_READ, trip(desired=()), "no desired states"),
        (OWN_READ, trip(accept="a =="), "is no JMESPath"),
        (ControlRead(path="/x", value="a["), trip(), "is no JMESPath"),
        (ControlRead(path="/{nothing}", value="a"), trip(), '"nothing" is not set'),
        (ControlRead(path="/x", value="a.'${nothing}'"), trip(), '"nothing" is not set'),
        (ControlRead(value="a"), trip(), "read has no path"),
    ],
)
async def test_a_faulty_declaration_is_told_at_start(
    read: ControlRead, change: ControlAction, said: str
) -> None:
    control = build_control("under-test", own("http://127.0.0.1:1", read, trip=change), None)
    assert said in control.problem
    assert (await control.read(1.0)).error == control.problem
    with pytest.raises(ControlError, match="not possible"):
        control.prepare("trip", WHO, await control.read(1.0))
