"""Holds on rows: who is in front of whom, and an acknowledgement that grows old."""

from dataclasses import replace

import pytest

from console.domain.incident import Care, Hold
from console.domain.severity import Severity
from tests.evaluation.scenes import rules_of, text_of
from tests.evaluation.test_alert_rules import Desk, alert, incident
from tests.support.snapshots import SAMPLE_NOW

HELD = Hold(
    "01OP", 4, "1", "ack", "ana", "ana", "looking", SAMPLE_NOW - 60, SAMPLE_NOW + 9e4,
    title="m", models=("m", "gone"),
)  # fmt: skip


def care(hold: Hold) -> dict[str, Care]:
    return {"1": Care("1", hold.began_at, hold=hold)}


@pytest.mark.parametrize(
    ("hours", "kind", "old"), [(3.9, "ack", False), (4.1, "ack", True), (4.1, "snooze", False)]
)
def test_an_acknowledgement_older_than_four_hours_is_an_s3(
    hours: float, kind: str, old: bool
) -> None:
    began_at = SAMPLE_NOW - hours * 3600.0
    hold = replace(HELD, began_at=began_at, kind="ack" if kind == "ack" else "snooze")
    desk = Desk()
    desk.see(care=care(hold))
    snapshot = desk.see(care=care(hold))
    assert ("ack_old" in rules_of(snapshot)) is old
    assert snapshot.care == care(hold)
    if old:
        assert snapshot.severity(0) is Severity.S3
        assert text_of(snapshot, "ack_old") == (
            "ana has held m for 4h: close it, release it or hand it over"
        )
        assert "ack_old" not in rules_of(snapshot, 1)


def test_unacknowledged_rows_come_first_also_by_a_hold_of_the_journal() -> None:
    desk = Desk()
    both = (incident(alert()), replace(incident(alert(model="n")), id="2", models=("n",)))
    desk.see(*both)
    assert desk.see(*both).order.tolist() == [0, 1]
    # A hold alone does not make alerts acknowledged that no incident of the tick calls so.
    assert desk.see(*both, care=care(HELD)).order.tolist() == [0, 1]


def test_a_row_without_alerts_is_acknowledged_while_its_incident_is_held() -> None:
    old = replace(HELD, began_at=SAMPLE_NOW - 5 * 3600.0, models=("m", "n"))
    desk = Desk()
    desk.see(care=care(old))
    assert desk.see(care=care(old)).order.tolist() == [0, 1]
    desk.see(incident(alert(Severity.S4)), care=care(old))
    # An alert of the row that nobody holds puts it in front of what is held.
    assert desk.see(incident(alert(Severity.S4, model="n")), care=care(old)).order.tolist() == [
        1,
        0,
    ]
