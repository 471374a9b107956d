"""One incident in the shell: everything is told, what is unknown says why, no terminal moves."""

from __future__ import annotations

import json
from dataclasses import replace

from console.facts.action import Measure
from console.facts.incident_view import IncidentClock, IncidentImpact
from console.reports.incident_view import view_document, view_text
from console.reports.status import as_json
from tests.support.incident_views import sample_incident_view
from tests.support.snapshots import SAMPLE_NOW

VIEW = sample_incident_view(SAMPLE_NOW)


def test_it_reads_from_the_condition_to_what_is_left() -> None:
    lines = view_text(VIEW).splitlines()
    assert lines[0].startswith("incident 4b1c9e07 S1 firing since 2026-10-22T02:03:43Z: dependency")
    assert lines[1].startswith("Condition  fraud-scorer and churn-ranker fail")
    heads = [line for line in lines if line.isupper() or line.startswith(("TIMELINE", "IMPACT"))]
    assert heads == [
        "TIMELINE, 2026-10-22 UTC",
        "IMPACT, counted over its own span",
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
