"""The rule on decisions that nobody reviewed in time."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from console.facts.decision import Decision, DecisionRecord, Evidence, Lineage
from console.facts.severity import Severity
from console.fleet.decisions import DECISION_OVERDUE, overdue_findings, with_overdue
from tests.support.snapshots import sample_snapshot

NOW = 1_795_402_033.0
DAY = 86400.0


def record(**changes: object) -> DecisionRecord:
    decision = Decision(
        id="01KB2DECISION0000000000000",
        model="fraud-scorer",
        kind="HOLD",
        tier=2,
        environment="test",
        taken_at=NOW - 30 * DAY,
        review_by=NOW,
        author="ana",
        reason="labels are late",
        trigger="drift_alone",
        evidence=Evidence(),
        lineage=Lineage(model="fraud-scorer"),
    )
    return DecisionRecord(decision=replace(decision, **changes), digest="d", account="ana@ops-1")


@pytest.mark.parametrize(
    ("distance_seconds", "state"),
    [
        (8 * DAY, "in_force"),
        (7 * DAY, "due"),
        (1.0, "due"),
        (0.0, "overdue"),
        (-DAY, "overdue"),
    ],
)
def test_a_decision_is_due_a_week_before_and_overdue_at_its_date(
    distance_seconds: float, state: str
) -> None:
    assert record(review_by=NOW + distance_seconds).state(NOW) == state


def test_waiting_for_the_second_person_does_not_hide_that_it_is_overdue() -> None:
    waiting = record(needs_approval=True, review_by=NOW + DAY)
    assert waiting.state(NOW) == "pending"
    assert waiting.state(NOW + 2 * DAY) == "overdue"
    (finding,) = overdue_findings([waiting], NOW + 2 * DAY).values()
    assert "never approved" in finding.text


def test_an_overdue_review_is_s3_once_a_model_since_the_earliest() -> None:
    found = overdue_findings(
        [
            record(review_by=NOW - DAY),
            record(review_by=NOW - 3 * DAY, kind="RETRAIN", author="li\x1b[2J"),
            record(model="toxicity", review_by=NOW + DAY),
            replace(record(model="kyc-vision", review_by=NOW - DAY), closed_at=NOW),
        ],
        NOW,
    )
    assert list(found) == ["fraud-scorer"]
    finding = found["fraud-scorer"]
    assert (finding.rule, finding.level) == (DECISION_OVERDUE, Severity.S3)
    assert finding.since == NOW - 3 * DAY
    assert finding.text == "RETRAIN by li␛[2J was to be reviewed 3d ago, and 1 more"


def test_an_overdue_decision_raises_what_was_well_and_hides_nothing_worse() -> None:
    before = sample_snapshot()
    names = [row.model for row in before.rows]
    by_level = {level: [names[n] for n in range(len(names)) if before.severity(n) is level]
                for level in Severity}  # fmt: skip
    worst, unknown, well = by_level[Severity.S1][0], by_level[Severity.UNKNOWN][0], "kyc-vision"
    assert well in by_level[Severity.OK]
    late = overdue_findings(
        [record(model=name, review_by=NOW - DAY) for name in (worst, unknown, well, "gone")], NOW
    )
    after = with_overdue(before, late)
    assert after.severity(names.index(worst)) is Severity.S1
    assert after.severity(names.index(unknown)) is Severity.UNKNOWN
    assert after.severity(names.index(well)) is Severity.S3
    assert before.severity(names.index(well)) is Severity.OK
    rules = [each.rule for each in after.findings[names.index(worst)]]
    assert rules[-1] == DECISION_OVERDUE
    assert len(rules) == 1 + len(before.findings[names.index(worst)])
    assert sorted(after.order.tolist()) == list(range(len(names)))
    levels = [int(after.severities[row]) for row in after.order]
    assert levels == sorted(levels)
    others = [name for name in names if name != well]
    places = [[names[row] for row in one.order if names[row] in others] for one in (before, after)]
    assert places[0] == places[1]
    assert with_overdue(before, {}) is before
