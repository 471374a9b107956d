"""What a person holds by hand: planned, lowered by one, and loud when it ends unattended."""

from dataclasses import replace

import pytest

from console.domain.action import Override
from console.domain.entry import BrokenEntry, Record
from console.domain.model import Fallback, ModelRow
from console.domain.severity import BreakerState, Severity
from console.domain.snapshot import Snapshot
from console.evaluation.overrides import by_urgency, count, ends_word, force, held_word, sentence_of
from tests.evaluation.scenes import CALM, Facts, Watch, level_of, rules_of, text_of
from tests.support.columns import Entry
from tests.support.overrides import fallback, held
from tests.support.snapshots import SAMPLE_NOW, sample_snapshot

ROW = ModelRow(
    "m", source="prom", configured=True, owner="team", dependencies=("store",),
    allowed_regions=("eu",), review_sla_seconds=900.0, fallbacks=(Fallback("small", "L2", "eu"),),
)  # fmt: skip
OPEN = Record("open")
OFF: Facts = {"route": [(("m", "small", "L2", "eu"), 1.0)]}
FORCED: Facts = {"breaker_state": [(("m", ""), float(BreakerState.FORCED_OPEN))]}
STORE_OPEN: Facts = {"breaker_state": [(("m", "store"), 1.0)]}
LATE_REVIEW: dict[str, Entry] = {"review_oldest": 901.0}


def seen(
    *overrides: Override,
    facts: Facts | None = None,
    entries: dict[str, Entry] | None = None,
    row: ModelRow = ROW,
) -> Snapshot:
    """Two evaluations of one model with these overrides in force."""
    watch = Watch((row,))
    told = {row.model: {**CALM, **(entries or {})}}
    watch.see(told, facts, overrides=overrides, record=OPEN)
    return watch.see(told, facts, overrides=overrides, record=OPEN)


def test_a_fallback_by_hand_is_planned_and_off_primary_is_silent() -> None:
    snapshot = seen(fallback("m", "small"), facts=OFF)
    assert snapshot.planned == {0}
    assert "off_primary" not in rules_of(snapshot)
    assert snapshot.severity(0) is Severity.OK
    assert snapshot.overrides == (fallback("m", "small"),)


@pytest.mark.parametrize(
    "override",
    [
        fallback("m", "other"),
        fallback("other", "small"),
        replace(fallback("m", "small"), by=""),
        replace(fallback("m", "small"), ends_at=None),
        replace(fallback("m", "small"), ends_at=SAMPLE_NOW - 60.0),
        held("m", "trip"),
    ],
    ids=["other rung", "other model", "unowned", "without end", "expired", "other slot"],
)
def test_what_no_owned_unexpired_override_explains_is_off_primary(override: Override) -> None:
    snapshot = seen(override, facts=OFF)
    assert snapshot.planned == frozenset()
    assert level_of(snapshot, "off_primary") is Severity.S2


def test_planned_lowers_s2_by_one() -> None:
    plain = seen(facts=OFF, entries=LATE_REVIEW)
    assert level_of(plain, "review_sla") is Severity.S2
    planned = seen(fallback("m", "small"), facts=OFF, entries=LATE_REVIEW)
    assert level_of(planned, "review_sla") is Severity.S3
    assert planned.severity(0) is Severity.S3


def test_planned_never_hides_an_s1() -> None:
    snapshot = seen(held("m"), facts=FORCED, entries={"bad_rate": 6.87})
    assert snapshot.planned == {0}
    assert level_of(snapshot, "breaker_no_answer") is Severity.S1
    assert snapshot.severity(0) is Severity.S1
    abroad: Facts = {"route": [(("m", "small", "L2", "us"), 1.0)]}
    outside = seen(fallback("m", "small"), facts=abroad)
    assert outside.severity(0) is Severity.S1


def test_tier_3_does_not_lower_an_s1_twice() -> None:
    row = replace(ROW, tier=3)
    snapshot = seen(held("m"), facts=FORCED, entries={"bad_rate": 6.87}, row=row)
    assert snapshot.severity(0) is Severity.S2


def test_people_as_fallback_are_planned_too() -> None:
    people: Facts = {"route": [(("m", "review", "L4", "eu"), 1.0)]}
    assert seen(held("m", "human"), facts=people).planned == {0}


def test_an_override_of_a_dependency_explains_its_open_breaker() -> None:
    plain = seen(facts=STORE_OPEN)
    assert level_of(plain, "dependency_breaker") is Severity.S2
    planned = seen(held("dep:store"), facts=STORE_OPEN)
    assert planned.planned == {0}
    assert level_of(planned, "dependency_breaker") is Severity.S3


def test_the_route_must_be_explained_for_the_row_to_be_planned() -> None:
    both: Facts = {**OFF, **FORCED}
    assert seen(held("m"), facts=both).planned == frozenset()
    assert seen(held("m"), fallback("m", "small"), facts=both).planned == {0}


@pytest.mark.parametrize(("left", "ending", "overdue"), [
    (301.0, False, False), (290.0, True, False), (20.0, True, False), (-20.0, False, True),
])  # fmt: skip
def test_ends_are_told_in_time(left: float, ending: bool, overdue: bool) -> None:
    override = replace(fallback("m", "small"), ends_at=SAMPLE_NOW + 10.0 + left)
    snapshot = seen(override, facts=OFF)
    assert ("override_ending" in rules_of(snapshot)) is ending
    assert ("override_overdue" in rules_of(snapshot)) is overdue
    if ending or overdue:
        assert snapshot.severity(0) is Severity.S2


def test_sentences_of_the_two_rules() -> None:
    near = replace(fallback("m", "small"), ends_at=SAMPLE_NOW + 130.0)
    assert text_of(seen(near, facts=OFF), "override_ending") == (
        "m fb small by ana ends at 02:49 with no successor, then restore"
    )
    late = replace(near, ends_at=SAMPLE_NOW - 120.0)
    assert text_of(seen(late, facts=OFF), "override_overdue") == (
        "m fb small by ana is OVERDUE since 02:45 (2m): end it"
    )


def test_a_drill_is_meant_to_end() -> None:
    drill = replace(fallback("m", "small"), ends_at=SAMPLE_NOW + 60.0, drill=True)
    assert "override_ending" not in rules_of(seen(drill, facts=OFF))


def test_changes_tell_when_overrides_begin_move_and_end() -> None:
    watch, told, one = Watch((ROW,)), {"m": CALM}, fallback("m", "small")
    watch.see(told, record=OPEN)
    begun = watch.see(told, overrides=(one,), record=OPEN)
    assert [change.text for change in begun.changes] == [
        'm fb small by ana "timeouts", ends at 03:52'
    ]
    assert begun.changes[0].subject == "m"
    later = replace(one, ends_at=SAMPLE_NOW + 7200.0)
    watch.see(told, overrides=(later,), record=OPEN)
    gone = watch.see(told, record=OPEN)
    assert [change.text for change in gone.changes][:2] == [
        "m fb small by ana is no longer in force",
        "m fb small by ana ends at 04:47 now",
    ]


def test_a_record_that_cannot_be_read_makes_no_news() -> None:
    watch, told, one = Watch((ROW,)), {"m": CALM}, fallback("m", "small")
    watch.see(told, overrides=(one,), record=OPEN)
    watch.see(told, record=Record("starting"))
    back = watch.see(told, overrides=(one,), record=OPEN)
    assert back.changes == ()


def night(*overrides: Override, record: Record = OPEN) -> Snapshot:
    return replace(sample_snapshot(), overrides=overrides, record=record)


def test_the_force_line() -> None:
    snapshot = night(held(), fallback())
    assert sentence_of(held(), SAMPLE_NOW) == (
        'toxicity F-OP by li "provider bug" 02:39, ends in 12m → half-open'
    )
    own = force(snapshot, snapshot.index["doc-extract"], SAMPLE_NOW)
    assert own.startswith('doc-extract fb doc-small by ana "timeouts" 02:39, ends in 1h → restore')
    assert own.endswith("(and 1 more: O)")
    other = force(snapshot, snapshot.index["kyc-vision"], SAMPLE_NOW)
    assert other.startswith("toxicity F-OP by li")
    assert force(night(), None, SAMPLE_NOW) == ""


def test_counts_say_when_the_next_one_ends_and_what_is_not_known() -> None:
    assert count(night(), SAMPLE_NOW) == ("", False)
    assert count(night(held(), fallback()), SAMPLE_NOW) == ("in force 2 next 12m", False)
    late = replace(held(), ends_at=SAMPLE_NOW - 60.0)
    assert count(night(late, fallback()), SAMPLE_NOW) == ("in force 2 1 OVERDUE next 1h", True)
    lost = Record("unreadable", sentence="the disk is gone", read_at=SAMPLE_NOW - 30.0)
    assert count(night(held(), record=lost), SAMPLE_NOW) == ("in force 1? next 12m", True)
    assert count(night(record=lost), SAMPLE_NOW) == ("in force ?", True)
    assert "UNREADABLE" in force(night(record=lost), None, SAMPLE_NOW)
    broken = Record("open", broken=(BrokenEntry(7, "its hash differs"),))
    assert force(night(record=broken), None, SAMPLE_NOW) == (
        "journal BROKEN at #7: its hash differs"
    )


def test_words_of_what_is_held_and_when_it_ends() -> None:
    assert held_word(held(verb="threshold", value=0.8)) == "τ .80"
    assert held_word(held(verb="human")) == "human review"
    nobody = replace(held(), enforced_by="nobody")
    assert ends_word(nobody, SAMPLE_NOW) == "NO END due 12m"
    assert ends_word(replace(held(), ends_at=SAMPLE_NOW - 190.0), SAMPLE_NOW) == "OVERDUE 3m"
    late = replace(held(), ends_at=SAMPLE_NOW - 1.0)
    assert by_urgency((fallback(), nobody, held(), late), SAMPLE_NOW) == [
        late, nobody, held(), fallback(),
    ]  # fmt: skip


def test_what_was_lost_before_its_end_explains_nothing_and_says_so() -> None:
    lost = replace(fallback("m", "small"), lost="primary")
    snapshot = seen(lost, facts=OFF)
    assert snapshot.planned == frozenset()
    assert "LOST, now primary," in sentence_of(lost, SAMPLE_NOW)
