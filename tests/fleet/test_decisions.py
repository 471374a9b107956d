"""The rule on decisions that nobody reviewed in time."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from console.facts.decision import Decision, DecisionRecord, Evidence, Lineage
from console.facts.severity import Severity
from console.fleet.decisions import DECISION_OVERDUE, overdue_findings

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
