"""One incident in the shell: everything is told, what is unknown says why, no terminal moves."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from console.domain.action import Measure
from console.domain.incident import IncidentClock, IncidentImpact, SameBefore, UpdateDue
from console.reports.incident_text import view_document, view_text
from console.reports.status import as_json
from tests.support.incident_views import sample_incident_view
from tests.support.snapshots import SAMPLE_NOW

VIEW = sample_incident_view(SAMPLE_NOW)
LEGEND = "a digit for each of 24 days, this one counted, the last 24 h last"


def test_it_reads_from_the_condition_to_what_is_left() -> None:
    lines = view_text(VIEW).splitlines()
    assert lines[0].startswith("incident 4b1c9e07 S1 firing since 2026-10-22T02:03:43Z: dependency")
    assert lines[1].startswith("Condition  fraud-scorer and churn-ranker fail")
    heads = [line for line in lines if line.isupper() or line.startswith(("TIMELINE", "IMPACT"))]
    assert heads == [
        "TIMELINE, 2026-10-22 UTC",
        "IMPACT, counted over its own span",
        "SAME BEFORE",
        "BEFORE IT IS CLOSED",
    ]
    text = "\n".join(lines)
    action = "ana fallback fraud-scorer to fraud-small for 1h (C1)  (#412)"
    assert f"  02:11:10  action    {action}" in text
    assert "before    primary (L0), 414 requests a minute · after fraud-small (L2)" in text
    assert "  refused             2346" in text
    assert "  error budget spent  16%" in text
    assert "  excess spend        ? fraud-scorer has no cost metric" in text
    assert "  TTM  33m     to mitigation" in text
    assert "  TTR  not known, or not yet" in text
    assert "  [ ] all routes on primary: fraud-scorer on fraud-small (L2)" in text
    assert "  [?] was the page useful?: asked at closing" in text
    said = "due 02:45, OVERDUE 2m (every 30m; the last word was at 02:15)"
    assert f"  update  {said}" in text


def test_what_came_before_is_told_in_full() -> None:
    lines = view_text(VIEW).splitlines()
    start = lines.index("SAME BEFORE")
    assert lines[start + 1 : start + 11] == [
        f"  ??0010100000000000000001  {LEGEND}",
        "  2 before, record since 29 Sep 2026",
        "  4b1c9e07  18d ago  same dependency feature-store-eu",
        "    reached S1, mitigated after 25m, closed after 31m by ben, page useful",
        '    to do   "reverted #8731; action item: contract test"',
        "    decided HOLD fraud-scorer, OVERDUE",
        "    done    fallback fraud-scorer to fraud-small; feature-store-eu: config #8731 reverted",
        "  9f10bb02  20d ago  same model churn-ranker",
        "    reached S2, nobody wrote how it ended",
        "",
    ]
    found = json.loads(as_json(view_document(VIEW)))
    before = found["before"]
    assert (before["known"], before["record_since"][:10], before["unknown"]) == (
        2, "2026-09-29", None,
    )  # fmt: skip
    assert len(before["per_day"]) == 24
    assert before["per_day"][0] is None
    assert before["earlier"][0]["seconds_to_mitigate"] == 1500.0
    assert before["earlier"][1]["verdict"] is None
    assert found["update"] == {
        "due_at": "2026-10-22T02:45:03Z", "last_word_at": "2026-10-22T02:15:03Z",
        "every_seconds": 1800.0, "overdue": True, "why": None,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (SameBefore(since=SAMPLE_NOW - 86400.0), "none in the record since 21 Oct 2026"),
        (SameBefore(), "none: nothing was ever written into the record"),
        (SameBefore(unknown="the record cannot be read: away"),
         "not known: the record cannot be read: away"),
    ],
)  # fmt: skip
def test_none_before_is_not_the_same_as_a_record_nobody_can_read(
    before: SameBefore, said: str
) -> None:
    text = view_text(replace(VIEW, before=before))
    assert f"\n  {said}\n" in text
    found = json.loads(as_json(view_document(replace(VIEW, before=before))))["before"]
    assert found["known"] == (None if before.unknown else 0)


def test_an_update_nobody_can_tell_of_is_not_overdue_and_not_well() -> None:
    found = replace(VIEW, update=UpdateDue(unknown="the record cannot be read"))
    assert "  update  due ? the record cannot be read" in view_text(found)
    assert json.loads(as_json(view_document(found)))["update"]["overdue"] is None
    over = replace(VIEW, update=UpdateDue(why="it is resolved"))
    assert "  update  none is due, it is resolved" in view_text(over)
    assert json.loads(as_json(view_document(over)))["update"]["overdue"] is False


def test_the_document_keeps_null_for_what_is_not_known() -> None:
    partly = Measure(3.0, "requests", 0.0, unknown="without kyc: no data")
    view = replace(
        VIEW, impact=IncidentImpact(SAMPLE_NOW, refused=partly), clock=IncidentClock()
    )  # fmt: skip
    found = json.loads(as_json(view_document(view)))
    assert found["schema"] == "midwatch.incident/1"
    assert found["impact"]["refused"] == {
        "value": 3.0, "unit": "requests", "unknown": "without kyc: no data",
    }  # fmt: skip
    assert found["impact"]["failed"] == {"value": None, "unit": "", "unknown": "not measured"}
    assert set(found["clock"].values()) == {None}
    assert set(found["seconds_from_impact"]) == {"ttd", "tta", "ttm", "ttr"}
    assert len(found["timeline"]) == len(VIEW.events)
    assert found["timeline"][6]["op"] == "01K84D0Q7V0000000000000412"
    assert found["checks"][4]["done"] is None
