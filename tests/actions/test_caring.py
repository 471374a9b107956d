"""What people do about incidents: one durable entry each, refused with a reason, taken back."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from console.domain.action import ActionRefused, WritesNotAllowed
from console.domain.incident import CARE_VERBS, holds_of
from console.domain.severity import Severity
from console.journal.store_base import Question
from tests.actions.cared import CHAT, FRAUD, care, incident, left, seen, two, wish
from tests.actions.support import actor, do, trip, write_config
from tests.actions.world import config_toml, world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from console.actions.executor import ActionExecutor

START = 1_795_402_033.0


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path / "c.toml", config_toml(tmp_path / "j.db", ["http://127.0.0.1:9"]))


@pytest.fixture
def ana(config: Path, clock: Clock) -> Iterator[ActionExecutor]:
    with actor(config, clock=clock) as made:
        yield made


@pytest.fixture
def ben(config: Path, clock: Clock) -> Iterator[ActionExecutor]:
    with actor(config, name="ben", account="ben", clock=clock) as made:
        yield made


def kinds(acting: ActionExecutor) -> list[str]:
    entries = acting.bench.journal.entries(Question(after_seq=1))
    return [each.kind for each in entries]


async def test_an_ack_without_a_place_to_tell_is_one_entry_and_says_local(
    ana: ActionExecutor,
) -> None:
    outcome = await wish(ana, "ack", next_check_seconds=900.0)
    assert outcome.kind == "applied"
    said = "fraud-scorer is acknowledged until 03:47Z (local: it stands in the journal alone)"
    assert outcome.sentence == said
    hold = care(ana).hold
    assert hold is not None
    assert (hold.op_id, hold.by, hold.reason, hold.where) == (
        outcome.op_id, "ana", "looking", "local",
    )  # fmt: skip
    assert (hold.ends_at, hold.next_check_at) == (START + 3600.0, START + 900.0)
    assert (hold.title, hold.models, hold.level) == ("fraud-scorer", ("fraud-scorer",), "S2")
    (entry,) = ana.bench.journal.entries(Question(kinds=("ack",)))
    assert (entry.target, entry.incident, entry.confirm_class) == (f"inc:{FRAUD}", FRAUD, "C0")
    assert entry.details["since"] == START - 600.0
    assert kinds(ana) == ["ack"]
    assert [each.acked_by for each in left(ana, two(START))] == ["", "ana"]


@pytest.mark.parametrize("named", [FRAUD, FRAUD[:4], f"inc:{FRAUD}", "fraud-scorer"])
async def test_an_incident_is_named_by_id_by_its_begin_or_by_its_model(
    ana: ActionExecutor, named: str
) -> None:
    await wish(ana, "ack", named)
    assert care(ana).hold is not None


async def test_what_names_nothing_is_refused_with_what_there_is(ana: ActionExecutor) -> None:
    for named in ("nope", "", "f1", "dep:store", "\x1b[2J"):
        with pytest.raises(ActionRefused, match="names no incident") as refused:
            await wish(ana, "ack", named)
        assert f"{FRAUD} (fraud-scorer)" in str(refused.value)
        assert str(refused.value).isprintable()
    assert kinds(ana) == []


async def test_holding_longer_keeps_the_hold_and_taking_over_needs_a_reason(
    ana: ActionExecutor, ben: ActionExecutor, clock: Clock
) -> None:
    first = await wish(ana, "ack", ttl_seconds=600.0)
    clock.now += 300.0
    longer = await wish(ana, "ack")
    assert longer.sentence.startswith("fraud-scorer stays acknowledged until 03:52Z")
    hold = care(ana).hold
    assert hold is not None
    assert (hold.op_id, hold.began_at, hold.ends_at) == (first.op_id, START, clock.now + 3600.0)
    with pytest.raises(ActionRefused, match="ana has fraud-scorer until 03:52Z; give a reason"):
        await wish(ben, "ack")
    over = await wish(ben, "ack", reason="ana is on the provider")
    assert over.sentence.startswith("fraud-scorer is acknowledged until 03:52Z; ana had it")
    now = care(ana)
    assert now.hold is not None
    assert (now.hold.by, [each.by for each in now.held_before]) == ("ben", ["ana"])
    with pytest.raises(ActionRefused, match="ben has fraud-scorer; say why"):
        await wish(ana, "release")
    await wish(ana, "release", reason="ben left")
    assert care(ana).hold is None
    with pytest.raises(ActionRefused, match="nobody has fraud-scorer"):
        await wish(ana, "release")


async def test_a_snooze_of_more_than_an_hour_has_to_be_confirmed(ana: ActionExecutor) -> None:
    await wish(ana, "snooze", ttl_seconds=3600.0)
    hold = care(ana).hold
    assert hold is not None
    assert hold.kind == "snooze"
    with pytest.raises(ActionRefused, match="more than an hour"):
        await wish(ana, "snooze", ttl_seconds=3601.0)
    await wish(ana, "snooze", ttl_seconds=7200.0, confirmed=True)
    for seconds in (0.0, 86401.0):
        with pytest.raises(ActionRefused, match="it is between"):
            await wish(ana, "ack", ttl_seconds=seconds)
    with pytest.raises(ActionRefused, match="next check"):
        await wish(ana, "ack", ttl_seconds=600.0, next_check_seconds=700.0)
    over = seen(START, incident(FRAUD, "fraud-scorer", START - 60, state="resolved"))
    with pytest.raises(ActionRefused, match="is over"):
        await wish(ana, "ack", snapshot=over)


async def test_raising_is_free_and_lowering_needs_a_reason(ana: ActionExecutor) -> None:
    await wish(ana, "severity", level="s1")
    assert care(ana).level is Severity.S1
    assert (await wish(ana, "severity", level="S1")).kind == "no_op"
    again = seen(START, *left(ana, two(START)))
    assert again.incidents[0].severity is Severity.S1
    with pytest.raises(ActionRefused, match="say why it is only S3"):
        await wish(ana, "severity", snapshot=again, level="S3")
    await wish(ana, "severity", snapshot=again, level="S3", reason="a shadow model")
    with pytest.raises(ActionRefused, match="S9 is no level"):
        await wish(ana, "severity", level="S9")


async def test_merging_and_taking_it_back(ana: ActionExecutor, clock: Clock) -> None:
    done = await wish(ana, "merge", CHAT, into=FRAUD)
    (one,) = left(ana, two(START))
    assert one.models == ("chat", "fraud-scorer")
    assert care(ana).merged == (CHAT,)
    with pytest.raises(ActionRefused, match="was merged into"):
        await wish(ana, "merge", FRAUD, into=CHAT)
    for into, told in ((CHAT, "same incident"), ("zzzz", "no incident to merge into")):
        with pytest.raises(ActionRefused, match=told):
            await wish(ana, "merge", CHAT, into=into)
    clock.now += 20.0
    back = await wish(ana, "undo", "", op_id=done.op_id)
    assert back.kind == "applied"
    assert len(left(ana, two(START))) == 2


async def test_notes_and_escalations_stand_in_the_record(ana: ActionExecutor) -> None:
    await wish(ana, "note", reason="provider says 20 min")
    outcome = await wish(ana, "escalate", reason="it spreads")
    assert "call them yourself" in outcome.sentence
    await wish(ana, "escalate", to=("maria", "maria", " "), reason="it is hers")
    found = care(ana)
    assert [each.text for each in found.notes] == ["provider says 20 min"]
    assert "nobody was called, no control is declared" in outcome.sentence
    assert [each.to for each in found.escalations] == [("ana",), ("maria",)]
    with pytest.raises(ActionRefused, match="nobody further is declared"):
        await wish(ana, "escalate", CHAT, reason="who is it")
    for reason in ("", "no", "x" * 2001):
        with pytest.raises(ActionRefused, match="say what is to be noted"):
            await wish(ana, "note", reason=reason)


async def test_closing_asks_for_a_verdict_a_decision_and_a_reason_while_it_goes_on(
    ana: ActionExecutor,
) -> None:
    quiet = two(START, state="resolved")
    with pytest.raises(ActionRefused, match="useful, noise, unclear"):
        await wish(ana, "close", snapshot=quiet, decision="HOLD")
    with pytest.raises(ActionRefused, match="name the decision"):
        await wish(ana, "close", snapshot=quiet, verdict="noise")
    with pytest.raises(ActionRefused, match="is no decision"):
        await wish(ana, "close", snapshot=quiet, verdict="noise", decision="01NOPE")
    with pytest.raises(ActionRefused, match="1 of its alerts still fire; say why"):
        await wish(ana, "close", verdict="noise", decision="hold")
    await wish(ana, "ack")
    await wish(ana, "close", verdict="noise", decision="hold", reason="known, rule is wrong")
    found = care(ana)
    assert found.hold is None
    assert found.closing is not None
    assert (found.closing.verdict, found.closing.decision) == ("noise", "HOLD")
    assert [each.state for each in left(ana, two(START)) if each.id == FRAUD] == ["suppressed"]


async def test_closing_while_something_is_in_force_because_of_it_needs_a_reason(
    tmp_path: Path,
) -> None:
    with world() as service:
        config = write_config(tmp_path / "w.toml", config_toml(tmp_path / "w.db", [service.url]))
        with actor(config) as acting:
            await do(acting, trip(incident=FRAUD))
            now = acting.bench.clock()
            quiet = two(now, state="resolved")
            with pytest.raises(ActionRefused, match="trip fraud-scorer is still in force"):
                await wish(acting, "close", snapshot=quiet, verdict="useful", decision="HOLD")
            done = await wish(
                acting, "close", snapshot=quiet, verdict="useful", decision="HOLD",
                reason="it stays open until the provider answers",
            )  # fmt: skip
            assert done.kind == "applied"
            (entry,) = acting.bench.journal.entries(Question(kinds=("close",)))
            assert entry.details["despite"] == ["trip fraud-scorer is still in force because of it"]


async def test_undo_takes_back_for_thirty_seconds_what_can_be_taken_back(
    ana: ActionExecutor, ben: ActionExecutor, clock: Clock
) -> None:
    taken = await wish(ana, "ack")
    clock.now += 29.0
    assert (await wish(ana, "undo", "", op_id=taken.op_id)).kind == "applied"
    assert care(ana).hold is None
    with pytest.raises(ActionRefused, match="not taken back"):
        await wish(ana, "undo", "", op_id=taken.op_id)

    again = await wish(ana, "ack", ttl_seconds=600.0)
    clock.now += 5.0
    longer = await wish(ana, "ack", ttl_seconds=7200.0)
    await wish(ana, "undo", "", op_id=longer.op_id)
    hold = care(ana).hold
    assert hold is not None
    assert (hold.op_id, hold.ends_at) == (again.op_id, START + 29.0 + 600.0)

    level = await wish(ana, "severity", level="S1")
    await wish(ana, "undo", "", op_id=level.op_id)
    assert care(ana).level is None

    note = await wish(ana, "note", reason="a word")
    with pytest.raises(ActionRefused, match="not taken back"):
        await wish(ana, "undo", "", op_id=note.op_id)
    clock.now += 31.0
    with pytest.raises(ActionRefused, match="within 30 s"):
        await wish(ana, "undo", "", op_id=again.op_id)
    with pytest.raises(ActionRefused, match="nothing that was done about an incident"):
        await wish(ana, "undo", "", op_id="01NOPE")


async def test_a_change_of_the_world_is_noted_about_a_model_or_nothing(
    ana: ActionExecutor, clock: Clock
) -> None:
    await wish(ana, "change", "", reason="config push #8812", at=START - 900.0)
    await wish(ana, "change", "dep:features", reason="new replica")
    first, second = ana.bench.journal.entries(Question(kinds=("change",)))
    assert (first.target, first.why, first.details["at"]) == ("", "config push #8812", START - 900)
    assert (second.target, dict(second.details)) == ("dep:features", {})
    with pytest.raises(ActionRefused, match="is no model"):
        await wish(ana, "change", "nope", reason="what")
    for at in (START - 8 * 86400.0, START + 600.0):
        with pytest.raises(ActionRefused, match="within 7 days"):
            await wish(ana, "change", "", reason="what", at=at)


async def test_of_two_people_at_once_one_has_it_and_the_other_hears_of_it(
    ana: ActionExecutor, ben: ActionExecutor
) -> None:
    outcomes = await asyncio.gather(
        wish(ana, "ack", reason="mine"), wish(ben, "ack", reason="mine too")
    )
    found = care(ana)
    assert found.hold is not None
    told = {each.kind for each in outcomes}
    if told == {"applied"}:  # the second read after the first wrote, and took it over knowingly
        assert len(found.held_before) == 1
    else:
        assert told == {"applied", "superseded"}
        assert found.held_before == ()


async def test_the_second_writer_is_superseded_when_it_saw_nothing_of_the_first(
    ana: ActionExecutor, ben: ActionExecutor
) -> None:
    from console.actions.incident_executor import perform_care, prepare_care
    from console.domain.incident import CareWish

    prepared = await prepare_care(ben.bench, CareWish("ack", FRAUD, "mine"), two(START))
    await wish(ana, "ack")
    outcome = await perform_care(ben, prepared)
    assert outcome.kind == "superseded"
    assert "ana wrote ack" in outcome.sentence
    found = care(ana).hold
    assert found is not None
    assert found.by == "ana"
    noted = await prepare_care(ben.bench, CareWish("ack", FRAUD, "really mine"), two(START))
    await wish(ana, "note", reason="something else")
    assert (await perform_care(ben, noted)).kind == "applied"


async def test_held_incidents_are_listed_oldest_first(ana: ActionExecutor, clock: Clock) -> None:
    await wish(ana, "ack", CHAT)
    clock.now += 60.0
    await wish(ana, "snooze", FRAUD)
    now = two(clock.now)
    cares = {key: care(ana, key, now) for key in (FRAUD, CHAT)}
    assert [(each.incident, each.kind) for each in holds_of(cares)] == [
        (CHAT, "ack"), (FRAUD, "snooze"),
    ]  # fmt: skip


@pytest.mark.parametrize("verb", CARE_VERBS)
async def test_a_session_that_may_not_write_does_nothing(config: Path, verb: str) -> None:
    with actor(config, mode="read_only") as acting:
        with pytest.raises(WritesNotAllowed, match="read-only"):
            await wish(acting, verb, reason="because", into=CHAT, level="S1")
        assert kinds(acting) == []


async def test_another_occurrence_begins_with_nothing_done(
    ana: ActionExecutor, clock: Clock
) -> None:
    await wish(ana, "ack", ttl_seconds=7200.0)
    clock.now += 1800.0
    again = seen(clock.now, incident(FRAUD, "fraud-scorer", clock.now - 30.0))
    assert care(ana, snapshot=again).hold is None
    assert left(ana, again)[0].acked_by == ""
    assert (await wish(ana, "ack", snapshot=again)).kind == "applied"
    assert replace(again.incidents[0], acked_by="") == again.incidents[0]
