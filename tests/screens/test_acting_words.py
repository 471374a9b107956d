"""The log of what was sent, NEXT, and typed commands: words without a screen."""

from dataclasses import replace
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.actions.availability import Outlook
from console.actions.keymap import keymap
from console.domain.action import ActionRequest, Blast, Guard, Measure, Outcome, OutcomeKind
from console.domain.severity import Breaker, BreakerState, Route
from console.engine.client import Refused
from console.screens.dialogs.confirm_text import end_choices
from console.screens.flows.control import Words, read_words
from console.screens.operations import EFFECT_SECONDS, ActionLog
from console.screens.panels.suggestions import next_runs
from console.screens.row_view import RowView
from tests.support.prepared import prepared_action
from tests.support.snapshots import SAMPLE_NOW, sample_snapshot
from themes.glyphs import ASCII, UNICODE

FALLBACK = ActionRequest("fallback", "fraud-scorer", "shed", 3600.0, "fraud-small")


def said(log: ActionLog, now: float, width: int = 120) -> str:
    return "".join(run.text for run in log.line(now, width, UNICODE, "nothing sent yet"))


def test_the_log_follows_an_action_to_its_effect() -> None:
    snapshot, now = sample_snapshot(), SAMPLE_NOW
    log = ActionLog()
    assert said(log, now) == "nothing sent yet"
    prepared = prepared_action(FALLBACK)
    log.begin(prepared, snapshot, now, "→")
    assert "fallback fraud-scorer → fraud-small" in said(log, now)
    assert log.busy("fraud-scorer") is not None
    log.stage(prepared.op_id, "intent", "written down")
    log.stage(prepared.op_id, "sent", "http://fraud-0 answered 200")
    assert "written → sent → accepted" in said(log, now + 1)
    log.stage(prepared.op_id, "observed", "now fraud-small")
    log.finish(prepared.op_id, Outcome(prepared.op_id, "applied", "now fraud-small"), now + 2)
    assert "watching for its effect" in said(log, now + 3)
    assert "u undoes, 29s" in said(log, now + 3)
    row = snapshot.index["fraud-scorer"]
    moved = replace(
        snapshot,
        taken_at=now + 5,
        routes={**snapshot.routes, row: Route("fraud-small", "L2", "eu")},
    )
    log.watch(moved, now + 5)
    assert "seen in the metrics after 5s" in said(log, now + 5)
    assert "bad 412 → 412/min" in said(log, now + 5)
    assert log.busy("fraud-scorer") is None


def test_no_effect_is_said_after_a_minute() -> None:
    snapshot, now = sample_snapshot(), SAMPLE_NOW
    log = ActionLog()
    prepared = prepared_action(FALLBACK)
    log.begin(prepared, snapshot, now)
    log.finish(prepared.op_id, Outcome(prepared.op_id, "applied", "now fraud-small"), now)
    log.watch(replace(snapshot, taken_at=now + 30), now + 30)
    assert "no effect seen" not in said(log, now + 30)
    late = now + EFFECT_SECONDS + 1
    log.watch(replace(snapshot, taken_at=late), late)
    assert "no effect seen in 60 s" in said(log, late)


@pytest.mark.parametrize("kind", ["rejected", "failed", "unverified", "superseded"])
def test_what_went_wrong_stands_in_the_line(kind: OutcomeKind) -> None:
    log = ActionLog()
    prepared = prepared_action(FALLBACK)
    log.begin(prepared, None, SAMPLE_NOW)
    outcome = Outcome(prepared.op_id, kind, "it [/x] \x1b[2J did not")
    log.finish(prepared.op_id, outcome, SAMPLE_NOW)
    text = said(log, SAMPLE_NOW)
    assert kind.upper() in text
    assert "\x1b" not in text
    assert (log.last_undoable(SAMPLE_NOW) is not None) == (kind == "unverified")


def test_a_refusal_and_a_fault_are_not_the_same() -> None:
    log = ActionLog()
    prepared = prepared_action(FALLBACK)
    log.begin(prepared, None, SAMPLE_NOW)
    log.finish(prepared.op_id, Refused(("somebody else acts on it",)), SAMPLE_NOW)
    assert "REFUSED: somebody else acts on it" in said(log, SAMPLE_NOW)
    again = prepared_action(FALLBACK, number=2)
    log.begin(again, None, SAMPLE_NOW)
    log.finish(again.op_id, Refused(("a fault",), "fault"), SAMPLE_NOW)
    assert "UNVERIFIED" in said(log, SAMPLE_NOW), "it may have been sent"


@given(st.integers(20, 200), st.text(max_size=40))
def test_the_line_fits_its_room_whatever_was_answered(width: int, answer: str) -> None:
    log = ActionLog()
    prepared = prepared_action(FALLBACK)
    log.begin(prepared, sample_snapshot(), SAMPLE_NOW)
    log.stage(prepared.op_id, "sent", answer)
    log.finish(prepared.op_id, Outcome(prepared.op_id, "applied", answer), SAMPLE_NOW)
    text = said(log, SAMPLE_NOW, width)
    assert not any(ord(one) < 32 or 127 <= ord(one) < 160 for one in text)


# NEXT


def outlook(verb: str, to: str = "", *guards: Guard) -> Outlook:
    room = Measure(522.0, "req/min")
    blast = Blast(room_per_minute=room, room_enough=True, region_to="eu", region_allowed=True)
    return Outlook(verb, "fraud-scorer", to, "L2", "C1", guards, blast if to else Blast())


def test_next_gives_why_and_why_not() -> None:
    snapshot = sample_snapshot()
    view = RowView(snapshot, snapshot.index["fraud-scorer"])
    assert view.route.level == "L5", "refusing is no answer"
    refused = Guard("residency", "refuse", "fraud-us serves in us; eu only")
    full = Guard("review_full", "warn", "414 a minute arrive against 8.0")
    found = (outlook("fallback", "fraud-us", refused), outlook("fallback", "fraud-small"),
             outlook("human", "", full), outlook("half-open"))  # fmt: skip
    text = "".join(run.text for run in next_runs(view, found, keymap(), UNICODE))
    assert text.startswith("F fallback → fraud-small (eu ok, room 522/min ✓)")
    assert "H human" in text
    assert "! 414 a minute arrive against 8.0" in text
    text = "".join(run.text for run in next_runs(view, found[:1], keymap(), UNICODE))
    assert "✗ fraud-us serves in us; eu only" in text
    assert next_runs(view, None, keymap(), ASCII)[0].text == "looking at what can be done"


def test_next_of_what_is_over_is_to_watch_to_restore_and_to_close() -> None:
    night = sample_snapshot()
    row = night.index["fraud-scorer"]
    view = RowView(replace(night, recovering=frozenset({row})), row)
    found = (outlook("fallback", "fraud-small"), outlook("human"), outlook("trip"))
    text = "".join(run.text for run in next_runs(view, found, keymap(), UNICODE))
    assert text.startswith("watch: users are no longer hurt")
    assert "close it once it stays so" in text
    assert "fallback" not in text
    assert "human" not in text


def test_next_of_a_quiet_row_suggests_nothing() -> None:
    snapshot = sample_snapshot()
    view = RowView(snapshot, snapshot.index["kyc-vision"])
    found = (outlook("fallback", "kyc-small"), outlook("trip"))
    text = "".join(run.text for run in next_runs(view, found, keymap(), UNICODE))
    assert text == "nothing needs doing"


@pytest.mark.parametrize(
    ("model", "suggests"),
    [("lead-score", True), ("kyc-vision", False)],
    ids=["nothing to blame", "its dependency times out"],
)
def test_a_forced_breaker_suggests_half_open_unless_probes_would_fail(
    model: str, suggests: bool
) -> None:
    snapshot = sample_snapshot()
    row = snapshot.index[model]
    forced = replace(
        snapshot, breakers={**snapshot.breakers, row: Breaker(BreakerState.FORCED_OPEN)}
    )
    found = (outlook("half-open"),)
    text = "".join(run.text for run in next_runs(RowView(forced, row), found, keymap(), UNICODE))
    assert text.startswith("K half-open") is suggests


# Commands


@pytest.mark.parametrize(
    ("verb", "argument", "words"),
    [
        ("trip", "", Words()),
        ("trip", "dep:feature-store-eu", Words("dep:feature-store-eu")),
        ("trip", "m --reason 'two words' --ttl 15m", Words("m", reason="two words",
                                                           ttl_seconds=900.0)),
        ("fallback", "small", Words(to="small")),
        ("fallback", "m --to small", Words("m", "small")),
        ("fallback", "m", Words("m")),
        ("threshold", "0.7", Words(value=0.7)),
        ("threshold", "m 0.7", Words("m", value=0.7)),
        ("undo", "01ABC", Words("01ABC")),
        ("trip", "m --ttl shift-end", Words("m", ttl_seconds=4000.0)),
    ],
)  # fmt: skip
def test_commands_take_the_words_of_the_command_line(
    verb: str, argument: str, words: Words
) -> None:
    assert read_words(verb, argument, ("m",), 4000.0) == words


@pytest.mark.parametrize(
    ("verb", "argument", "fault"),
    [
        ("threshold", "", "say the threshold"),
        ("threshold", "7", "from 0 to 1"),
        ("threshold", "nan", "from 0 to 1"),
        ("trip", "m --yes", "--yes is not known here"),
        ("trip", "m n", "one word too many"),
        ("trip", "m --ttl soon", "--ttl soon"),
        ("trip", "m --reason 'open", "quotation mark"),
    ],
)
def test_what_is_wrong_with_a_command_is_said(verb: str, argument: str, fault: str) -> None:
    assert fault in str(read_words(verb, argument, ("m",), 4000.0))


@given(st.text(max_size=60))
def test_nothing_typed_breaks_the_reading(argument: str) -> None:
    found = read_words("trip", argument, ("m",), 4000.0)
    assert isinstance(found, Words) or found.isprintable()


def test_the_shifts_end_is_told_on_its_own_clock() -> None:
    end = 1_795_399_200.0  # 2026-11-23T02:00Z
    found = end_choices(end - 4000.0, end, ZoneInfo("Europe/Berlin"))
    assert [word for word, _ in found] == ["15m", "1h", "4h", "shift end 03:00 CET"]
    assert found[-1][1] == 4000.0
    assert end_choices(end + 30.0, end, None)[-1][1] == 60.0  # it ended while the box was open
