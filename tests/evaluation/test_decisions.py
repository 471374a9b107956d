"""The rule on decisions that nobody reviewed in time."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from console.domain.entry import Record
from console.domain.model import ModelRow
from console.domain.severity import Severity
from console.evaluation.rules.holds import DECISION_OVERDUE, overdue_findings
from console.settings.schema import Settings
from tests.evaluation.scenes import CALM, Watch, rules_of, text_of
from tests.support.columns import Entry
from tests.support.decisions import DAY, record
from tests.support.snapshots import SAMPLE_NOW

NOW = SAMPLE_NOW
OPEN = Record("open", read_at=NOW)


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


def watched(*rows: ModelRow) -> tuple[Watch, dict[str, dict[str, Entry]]]:
    return Watch(rows, Settings(), now=NOW), {row.model: dict(CALM) for row in rows}


def test_an_overdue_decision_raises_what_was_well_and_hides_nothing_worse() -> None:
    watch, told = watched(ModelRow("fraud-scorer"), ModelRow("kyc-vision"), ModelRow("toxicity"))
    told["fraud-scorer"]["drift_psi"] = told["toxicity"]["drift_psi"] = 0.0
    told["toxicity"] |= {"error_ratio@1h": 1.0, "error_ratio@5m": 1.0, "requests_count@1h": 9e4}
    late = [
        record(model=name, review_by=NOW - DAY) for name in ("fraud-scorer", "toxicity", "gone")
    ]
    watch.see(told, decisions=late, record=OPEN)
    seen = watch.see(told, decisions=late, record=OPEN)
    assert seen.severity(0) is Severity.S3
    assert seen.severity(1) is Severity.OK
    assert seen.severity(2) is Severity.S1
    assert DECISION_OVERDUE in rules_of(seen, 0) & rules_of(seen, 2)
    assert text_of(seen, DECISION_OVERDUE) == "HOLD by ana was to be reviewed 1d ago"
    assert [seen.rows[row].model for row in seen.order] == [
        "toxicity",
        "fraud-scorer",
        "kyc-vision",
    ]
    assert seen.decisions == tuple(late)
    closed = [replace(each, closed_at=watch.now) for each in late]
    for _ in range(3):
        seen = watch.see(told, decisions=closed, record=OPEN)
    assert seen.severity(0) is Severity.OK


def test_one_look_proves_it_and_a_record_nobody_can_read_does_not_clear_it() -> None:
    watch, told = watched(ModelRow("fraud-scorer"))
    late = [record(review_by=NOW - DAY)]
    once = watch.see(told, decisions=late, record=OPEN, remembers=False)
    assert DECISION_OVERDUE in rules_of(once)
    watch.see(told, decisions=late, record=OPEN)
    watch.see(told, decisions=late, record=OPEN)
    for _ in range(4):
        away = watch.see(told, record=Record("unreadable"))
    assert DECISION_OVERDUE in rules_of(away)
    for _ in range(3):
        read = watch.see(told, record=OPEN)
    assert DECISION_OVERDUE not in rules_of(read)
