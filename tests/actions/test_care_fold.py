"""What people did about incidents, as the journal's entries tell it."""

from __future__ import annotations

import pytest

from console.domain.entry import Entry
from console.domain.incident import Care
from console.domain.severity import Severity
from console.incidents.state import care_log, fold_care, holds_in_force
from tests.support.overrides import LI, entry
from tests.support.snapshots import SAMPLE_NOW

BEGAN = SAMPLE_NOW - 1200.0
OP, NEXT = "01K84D0Q7V00000000000000AC", "01K84D0Q7V00000000000000AD"


def about(seq: int, kind: str, at: float, incident: str = "f1", **changes: object) -> Entry:
    more = {"incident": incident, "target": f"inc:{incident}", "at": at, "why": "looking"}
    return entry(seq, kind, **(more | changes))


def held(
    seq: int,
    step: str,
    at: float,
    ends_in: float = 3600.0,
    *,
    kind: str = "ack",
    op_id: str = OP,
    **more: object,
) -> Entry:
    details = {
        "step": step, "ends_at": at + ends_in, "since": BEGAN, "title": "fraud-scorer",
        "models": ["fraud-scorer"], "severity": "S1", "place": "", "certain": True, **more,
    }  # fmt: skip
    return about(seq, kind, at, op_id=op_id, details=details)


def folded(*entries: Entry, began: float = BEGAN, now: float = SAMPLE_NOW) -> Care:
    return fold_care(care_log(entries, {}), {"f1": began}, now)["f1"]


def test_an_acknowledgement_has_an_owner_an_age_and_an_end() -> None:
    care = folded(held(1, "taken", SAMPLE_NOW - 540.0))
    assert care.hold is not None
    assert (care.hold.by, care.hold.account, care.hold.where) == ("li", LI.person, "local")
    assert care.hold.age_seconds(SAMPLE_NOW) == 540.0
    assert care.hold.left_seconds(SAMPLE_NOW) == 3060.0
    assert (care.hold.title, care.hold.models, care.hold.level) == (
        "fraud-scorer", ("fraud-scorer",), "S1",
    )  # fmt: skip


def test_a_renewal_moves_the_end_and_keeps_the_begin() -> None:
    care = folded(
        held(1, "taken", SAMPLE_NOW - 540.0, 600.0), held(2, "renewed", SAMPLE_NOW - 60.0)
    )
    assert care.hold is not None
    assert care.hold.began_at == SAMPLE_NOW - 540.0
    assert care.hold.ends_at == SAMPLE_NOW + 3540.0
    assert care.held_before == ()


@pytest.mark.parametrize(
    "last",
    [
        held(2, "released", SAMPLE_NOW - 60.0),
        held(2, "released", SAMPLE_NOW - 60.0, kind="snooze"),
        about(2, "close", SAMPLE_NOW - 60.0, details={"verdict": "noise"}),
    ],
    ids=["released", "released by another kind", "closed"],
)
def test_a_hold_ends_and_is_remembered_with_its_real_end(last: Entry) -> None:
    care = folded(held(1, "taken", SAMPLE_NOW - 540.0), last)
    assert care.hold is None
    assert [each.ends_at for each in care.held_before] == [SAMPLE_NOW - 60.0]


def test_a_hold_past_its_end_holds_nothing_but_is_still_to_be_ended() -> None:
    taken = held(1, "taken", SAMPLE_NOW - 540.0, 300.0)
    assert folded(taken).hold is None
    assert [each.op_id for each in holds_in_force(care_log([taken], {}))] == [OP]
    over = held(2, "released", SAMPLE_NOW - 200.0)
    assert holds_in_force(care_log([taken, over], {})) == ()


def test_whoever_takes_it_over_holds_it_and_the_first_can_no_longer_release_it() -> None:
    care = folded(
        held(1, "taken", SAMPLE_NOW - 540.0),
        held(2, "taken", SAMPLE_NOW - 60.0, op_id=NEXT, by="ben"),
        held(3, "released", SAMPLE_NOW - 30.0),
    )
    assert care.hold is not None
    assert care.hold.by == "ben"
    assert [each.by for each in care.held_before] == ["li"]


def test_what_was_said_of_an_earlier_occurrence_does_not_count() -> None:
    before = held(1, "taken", BEGAN - 600.0, 7200.0, since=BEGAN - 700.0)
    slack = about(2, "note", BEGAN - 59.0, why="seen it coming")
    assert folded(before, slack) == Care("f1", BEGAN, notes=folded(slack).notes)
    assert folded(slack).notes[0].text == "seen it coming"


def test_an_incident_that_is_gone_is_told_as_its_last_occurrence_left_it() -> None:
    log = care_log(
        [
            held(1, "taken", BEGAN - 600.0, since=BEGAN - 700.0),
            about(2, "note", BEGAN + 10.0, details={"since": BEGAN}),
        ],
        {},
    )
    care = fold_care(log, {}, SAMPLE_NOW)["f1"]
    assert (care.since, care.hold, len(care.notes)) == (BEGAN, None, 1)


def test_levels_escalations_and_closings_are_told_with_who_and_why() -> None:
    care = folded(
        about(1, "severity", BEGAN + 5.0, details={"level": "S2"}, why="worse than it looks"),
        about(2, "escalate", BEGAN + 6.0, details={"to": ["joel", "#risk"]}, why="no idea"),
        about(3, "close", BEGAN + 9.0, details={"verdict": "useful", "decision": "HOLD"}),
    )
    assert (care.level, care.level_by, care.level_reason) == (
        Severity.S2, "li", "worse than it looks",
    )  # fmt: skip
    assert care.escalations[0].to == ("joel", "#risk")
    assert care.closing is not None
    assert (care.closing.verdict, care.closing.decision) == ("useful", "HOLD")
    again = folded(
        about(1, "severity", BEGAN + 5.0, details={"level": "S2"}),
        about(2, "severity", BEGAN + 6.0, details={"level": ""}),
    )
    assert again.level is None
    opened = folded(
        about(3, "close", BEGAN + 9.0, details={"verdict": "useful"}),
        held(4, "taken", BEGAN + 30.0),
    )
    assert opened.closing is None


def test_a_merge_is_told_on_both_sides_and_can_be_taken_back() -> None:
    log = care_log([about(1, "merge", BEGAN + 5.0, details={"into": "a7"})], {})
    care = fold_care(log, {"f1": BEGAN, "a7": BEGAN}, SAMPLE_NOW)
    assert care["f1"].merged_into == "a7"
    assert care["a7"].merged == ("f1",)
    log = care_log([about(2, "merge", BEGAN + 9.0, details={"into": ""})], log)
    assert fold_care(log, {}, SAMPLE_NOW)["f1"].merged_into == ""


def test_reading_back_later_settles_what_was_not_certain() -> None:
    taken = held(1, "taken", SAMPLE_NOW - 60.0, place="am", certain=False)
    target = "inc:f1"
    true = about(2, "observed", SAMPLE_NOW, op_id=OP, details={"outcome": "applied"})
    not_so = about(2, "resolved", SAMPLE_NOW, op_id=OP, details={"outcome": "failed"})
    for said, place in ((true, "am"), (not_so, "")):
        assert said.target == target
        hold = folded(taken, said).hold
        assert hold is not None
        assert (hold.certain, hold.place) == (True, place)
    other = about(2, "observed", SAMPLE_NOW, op_id=OP, target="fraud-scorer")
    assert care_log([other], {}) == {}
