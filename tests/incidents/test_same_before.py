"""What the record tells of incidents like one: why, how they ended, what is left; no guesses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from console.domain.decision import DecisionRecord
from console.domain.incident import BLOCK_SECONDS, Earlier, SameBefore
from console.domain.severity import Severity
from console.incidents.event_log import impact_event
from console.incidents.similar import MOST_TOLD, Past, recorded, same_before
from tests.incidents.making import NOW, alert, grouped
from tests.reports.samples import decision
from tests.support.overrides import entry
from tests.support.snapshots import HOSTILE_NAMES

if TYPE_CHECKING:
    from console.domain.entry import Entry

DAY = 86400.0
(STORE,) = grouped([alert("Slow", dependency="store"), alert("Errors", model="fraud")]).incidents
BEGAN = NOW - 18 * DAY


def word(seq: int, kind: str, after: float, since: float = BEGAN, **more: Any) -> Entry:
    """Something written about an incident, ``after`` seconds from its beginning."""
    details = {"since": since, "title": "dependency store", **more.pop("details", {})}
    fields = {"incident": STORE.id, "target": f"inc:{STORE.id}", "why": "", **more}
    return entry(seq, kind, at=since + after, details=details, **fields)


def ack(seq: int = 1, after: float = 240.0, since: float = BEGAN, **more: Any) -> Entry:
    details = {
        "step": "taken", "severity": "S2", "model": "", "dependency": "store",
        "models": ["fraud", "rank"],
        "alerts": {"am": [{"alertname": "Errors", "model": "fraud"}]}, **more.pop("details", {}),
    }  # fmt: skip
    return word(seq, "ack", after, since, details=details, **more)


def action(seq: int, kind: str, after: float, **more: Any) -> Entry:
    told = {"target": "fraud", "action": "fallback", "op_id": "01OP", "incident": STORE.id, **more}
    return entry(seq, kind, at=BEGAN + after, **told)


def whole() -> tuple[Entry, ...]:
    """One incident from its acknowledgement to its closing."""
    return (
        ack(1),
        word(2, "severity", 300.0, details={"level": "S1"}),
        action(3, "intent", 360.0, details={"to": "fraud-small", "purpose": ""}),
        action(4, "outcome", 400.0, details={"outcome": "applied", "purpose": ""}),
        entry(5, "change", at=BEGAN + 900.0, target="dep:store", why="config #8731 reverted"),
        word(6, "note", 1000.0, why="TODO contract test for device_nulls"),
        word(
            7, "close", 1860.0, why="reverted the config",
            details={"verdict": "useful", "decision": "01RD93"},
        ),
    )  # fmt: skip


def before(*entries: Entry, **more: Any) -> SameBefore:
    changes = [each for each in entries if each.kind == "change"]
    fields: dict[str, Any] = {"since": NOW - 60 * DAY, "changes": changes} | more
    return same_before(STORE, Past(NOW, recorded(entries), **fields))


def only(found: SameBefore) -> Earlier:
    (one,) = found.earlier
    return one


def test_one_is_told_from_its_beginning_to_its_end() -> None:
    found = before(*whole(), decisions=(about("01RD93", NOW - 30 * DAY),))
    one = only(found)
    assert (one.id, one.since, one.alike, one.shared) == (STORE.id, BEGAN, "dependency", "store")
    assert one.level is Severity.S1
    assert (one.took(one.acked_at), one.took(one.ended_at)) == (240.0, 1860.0)
    assert one.mitigated_at is None
    assert (one.closed_by, one.verdict, one.closing) == ("li", "useful", "reverted the config")
    assert one.done == ("fallback fraud to fraud-small", "store: config #8731 reverted")
    assert one.left == ("TODO contract test for device_nulls",)
    assert one.decided == ("HOLD fraud-scorer, OVERDUE",)
    assert (found.known, found.begins) == (1, (BEGAN, STORE.since))


def about(key: str, taken_at: float, incident: str = "", **more: Any) -> DecisionRecord:
    record = decision()
    told = msgspec.structs.replace(
        record.decision, id=key, incident=incident, taken_at=taken_at,
        review_by=taken_at + 14 * DAY, needs_approval=False,
    )  # fmt: skip
    return msgspec.structs.replace(record, decision=told, **more)


def test_decisions_belong_to_the_occurrence_they_were_taken_in() -> None:
    during = about("01A", BEGAN + 3600.0, STORE.id, closed_at=NOW, outcome="labels came")
    tonight = about("01B", NOW, STORE.id)
    other = about("01C", BEGAN + 3600.0, "0ther")
    one = only(before(*whole(), decisions=(during, tonight, other)))
    assert one.decided == (
        "HOLD fraud-scorer, closed: labels came",
        "01RD93, which is not among the decisions that were read",
    )
    closed = word(9, "close", 60.0, details={"verdict": "noise", "decision": "HOLD"})
    assert only(before(ack(), closed)).decided == ("HOLD, nothing to decide",)


def test_what_is_not_on_the_record_is_not_guessed() -> None:
    one = only(before(word(1, "note", 60.0, why="is this the store again?")))
    assert one.level is Severity.UNKNOWN
    assert (one.acked_at, one.mitigated_at, one.ended_at) == (None, None, None)
    assert (one.verdict, one.closing, one.done, one.decided, one.left) == ("", "", (), (), ())


def test_what_was_taken_back_refused_or_only_ended_was_not_done() -> None:
    refused = action(4, "outcome", 400.0, op_id="01B", details={"outcome": "rejected"})
    undone = action(
        5, "outcome", 410.0, op_id="01C",
        details={"outcome": "applied", "purpose": "undo", "ends_op": "01OP"},
    )  # fmt: skip
    silence = word(
        6, "outcome", 420.0, action="ack", op_id="01D", details={"outcome": "applied"}
    )  # fmt: skip
    assert only(before(*whole()[:4], refused, undone, silence)).done == ()
    half = action(4, "outcome", 400.0, details={"outcome": "partial"})
    assert only(before(*whole()[:3], half)).done == ("fallback fraud to fraud-small in part",)


def test_mitigation_is_told_where_a_witness_of_it_is_left() -> None:
    events = (
        impact_event("fraud", BEGAN - 30.0, ratio=0.4), impact_event("fraud", BEGAN + 1500.0),
        impact_event("chat", BEGAN, ratio=0.4), impact_event("chat", BEGAN + 9000.0),
    )  # fmt: skip
    one = only(before(ack(), seen=events))
    assert one.took(one.mitigated_at) == 1500.0
    goes_on = (*events, impact_event("rank", BEGAN + 100.0, ratio=0.1))
    assert only(before(ack(), seen=goes_on)).mitigated_at is None


def test_the_most_alike_come_first_then_the_newest_and_a_few_are_told() -> None:
    def on(key: str, days: float, **details: Any) -> Entry:
        told = {"dependency": "", "model": "fraud", "models": ["fraud"], **details}
        return ack(1, since=NOW - days * DAY, incident=key, details=told)

    found = before(
        on("m1", 3, alerts={}), on("m2", 2, alerts={}), on("r1", 30),
        on("d1", 40, dependency="store"), on("x1", 1, model="chat", models=["chat"]),
    )  # fmt: skip
    assert [one.id for one in found.earlier] == ["d1", "r1", "m2"]
    assert len(found.earlier) == MOST_TOLD
    assert found.known == 4


def test_each_occurrence_of_the_same_id_is_one_of_its_own() -> None:
    again = BEGAN + 5 * DAY
    found = before(
        *whole(), ack(8, since=again),
        word(9, "close", 600.0, again, why="closed as noise", details={"verdict": "noise"}),
    )  # fmt: skip
    assert [one.since for one in found.earlier] == [again, BEGAN]
    assert [one.verdict for one in found.earlier] == ["noise", "useful"]
    assert found.earlier[0].closing == ""  # words nobody chose are not said again


def test_words_before_anybody_told_its_beginning_are_of_the_same_occurrence() -> None:
    first = action(1, "intent", 60.0, details={"to": "small"})
    then = action(2, "outcome", 90.0, details={"outcome": "applied"})
    one = only(before(first, then, ack(3)))
    assert (one.since, one.done) == (BEGAN, ("fallback fraud to small",))
    apart = action(4, "intent", 3 * DAY, details={"to": "small"})
    assert len(before(ack(3), apart).earlier) == 2


def test_this_one_itself_is_not_before_it_nor_what_still_goes_on() -> None:
    mine = ack(1, since=STORE.since + 20.0)
    assert before(mine).known == 0
    (other,) = grouped([alert("Errors", model="fraud", since=NOW - 7200.0)]).incidents
    still = ack(2, since=other.since, incident=other.id, details={"dependency": "store"})
    assert before(still, listed=(other,)).known == 0
    assert before(still).known == 1


def test_what_was_merged_into_another_of_them_or_into_this_one_is_told_once() -> None:
    merged = word(
        8, "merge", 500.0, incident="0ther", details={"into": STORE.id, "title": "fraud"}
    )  # fmt: skip
    other = ack(2, incident="0ther", details={"dependency": "", "model": "fraud"})
    assert [one.id for one in before(*whole(), other, merged).earlier] == [STORE.id]
    elsewhere = word(8, "merge", 500.0, incident="0ther", details={"into": "ffff"})
    assert {one.merged_into for one in before(*whole(), other, elsewhere).earlier} == {"", "ffff"}
    tonight = NOW - 900.0
    begun = ack(
        2, since=tonight, incident="0ther", details={"dependency": "", "model": "fraud"}
    )  # fmt: skip
    joined = word(3, "merge", 880.0, tonight, incident="0ther", details={"into": STORE.id})
    assert before(begun, joined).known == 0


def test_outside_text_is_harmless_and_bounded() -> None:
    bad = " ".join(HOSTILE_NAMES)
    entries = (
        ack(1, details={"title": bad, "models": [bad, "fraud"]}),
        word(2, "note", 300.0, why=f"TODO {bad}", details={"title": bad}),
        action(3, "outcome", 400.0, target=bad, details={"outcome": "applied", "to": bad}),
        word(4, "merge", 420.0, details={"into": bad, "title": bad}),
        word(5, "close", 500.0, why=bad, details={"verdict": bad, "decision": bad, "title": bad}),
    )
    one = only(before(*entries))
    texts = (one.title, one.closing, one.verdict, one.merged_into, *one.left, *one.done)
    for text in (*texts, *one.decided, one.closed_by, one.shared):
        assert text.isprintable(), ascii(text)
        assert len(text) <= 300


@pytest.mark.parametrize("since", [None, NOW - 10.5 * BLOCK_SECONDS])
def test_a_day_of_which_no_record_tells_is_no_day_without_any(since: float | None) -> None:
    begins = (NOW - 30 * DAY, NOW - 5.5 * DAY, NOW - 5.2 * DAY, NOW - 60.0)
    blocks = SameBefore(begins=begins, since=since).blocks(NOW)
    assert len(blocks) == 24
    assert blocks[-1] == 1
    assert blocks[-6] == 2
    assert blocks[0] is None
    assert blocks[-2] == (None if since is None else 0)
    assert blocks[-11] is None  # the record began in the middle of that day
    assert SameBefore(begins=begins, unknown="away").blocks(NOW) == (None,) * 24


def test_a_reading_in_the_future_or_too_old_is_in_no_block() -> None:
    found = SameBefore(begins=(NOW + 60.0, NOW - 24 * DAY), since=NOW - 90 * DAY)
    assert sum(count or 0 for count in found.blocks(NOW)) == 0
