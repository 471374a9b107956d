"""Incidents as words: exit codes, what is unknown is never none, and no terminal that moves."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from console.domain.alert import Alert, Incident
from console.domain.samples import SourceStatus
from console.domain.severity import Severity
from console.domain.snapshot import Snapshot
from console.reports.incident_document import incidents_document
from console.reports.plain import incidents_exit_code, incidents_plain, incidents_table
from console.reports.status import as_json, document
from tests.support.snapshots import SAMPLE_NOW, sample_snapshot

UP = SourceStatus("am", "alertmanager", "up", answered_at=SAMPLE_NOW - 1.0)
DOWN = SourceStatus("am2", "alertmanager", "down", error="cannot be reached")
SILENT = SourceStatus("pd", "pagerduty", infos=("offers no alerts",))


def incident(**more: Any) -> Incident:
    values: dict[str, Any] = {
        "id": "0a1b2c3d",
        "title": "fraud-scorer",
        "state": "firing",
        "severity": Severity.S1,
        "since": SAMPLE_NOW - 240.0,
        "model": "fraud-scorer",
        "models": ("fraud-scorer",),
        "summary": "5% fail",
        "alerts": (
            Alert(
                "f", "am", "Errors", "firing", Severity.S1, SAMPLE_NOW - 240.0, summary="5% fail"
            ),
        ),
    }
    return Incident(**(values | more))


def snapshot(
    *incidents: Incident,
    places: tuple[SourceStatus, ...] = (UP,),
    sources: tuple[SourceStatus, ...] | None = None,
) -> Snapshot:
    well = tuple(replace(one, state="up") for one in sample_snapshot().sources)
    found = replace(sample_snapshot(), incidents=incidents, alert_sources=places)
    return replace(found, sources=well if sources is None else sources)


@pytest.mark.parametrize(
    ("found", "places", "code"),
    [
        ((incident(),), (UP, DOWN), 2),
        ((incident(severity=Severity.S2),), (UP, DOWN), 1),
        ((incident(severity=Severity.S2, acked_by="ana"),), (UP,), 1),
        ((incident(severity=Severity.UNKNOWN),), (UP,), 3),
        ((incident(severity=Severity.S4),), (UP, SILENT), 0),
        ((incident(state="suppressed"),), (UP,), 0),
        ((incident(state="resolved"), incident(state="pending")), (UP,), 0),
        ((), (UP,), 0),
        ((), (UP, DOWN), 3),
        ((), (replace(UP, warnings=("1 of 2 alerts cannot be read",)),), 3),
        ((), (SILENT,), 0),
        ((), (), 0),
    ],
)
def test_exit_codes(
    found: tuple[Incident, ...], places: tuple[SourceStatus, ...], code: int
) -> None:
    assert incidents_exit_code(snapshot(*found, places=places)) == code


def test_without_a_source_and_a_place_for_alerts_nothing_is_known() -> None:
    assert incidents_exit_code(snapshot(places=(), sources=())) == 3
    away = SourceStatus("prom", "prometheus", "down", error="connection refused")
    blind = snapshot(sources=(away,))
    assert incidents_exit_code(blind) == 3
    assert "source prom down: connection refused" in incidents_plain(blind)


PARTLY = "sources and places for alerts did not answer in full"
PROM = SourceStatus("prom", "prometheus", "up", answered_at=SAMPLE_NOW - 1.0)


@pytest.mark.parametrize(
    ("places", "sources", "said"),
    [
        ((UP,), (PROM,), "none"),
        ((SILENT,), (PROM,), "none"),
        ((), (PROM,), "none"),
        ((replace(PROM, infos=("it offers no alerts",)),), (PROM,), "none"),
        ((UP, DOWN), (PROM,), f"none is known, and 1 of 3 {PARTLY}"),
        ((UP,), (replace(PROM, state="stale"),), f"none is known, and 1 of 2 {PARTLY}"),
        ((SILENT,), (), "not known, nothing is read"),
    ],
)  # fmt: skip
def test_none_is_only_said_when_everybody_says_so(
    places: tuple[SourceStatus, ...], sources: tuple[SourceStatus, ...], said: str
) -> None:
    found = snapshot(places=places, sources=sources)
    for text in (incidents_table(found), incidents_plain(found)):
        assert text.splitlines()[0].partition("Z: ")[2] == said


def test_a_line_says_who_has_it_and_what_is_odd_about_it() -> None:
    text = incidents_table(
        snapshot(incident(acked_by="ana", flapping=True, starts_per_hour=6.0, stale_seconds=90.0))
    )
    row = text.splitlines()[-1]
    assert row.split()[:6] == ["0a1b2c3d", "S1", "firing", "4m", "ana", "1"]
    assert "flapping 6/h" in row
    assert "stale 1m" in row
    assert row.endswith("5% fail")


def test_plain_says_everything_in_sentences() -> None:
    held = incident(
        state="suppressed",
        suppressed_by=("silenced by ben: deploy",),
        runbook="https://runbooks.example.net/x",
        model="",
        dependency="store",
        models=tuple(f"m{number}" for number in range(12)),
        flood=True,
    )
    text = incidents_plain(snapshot(held, places=(UP, DOWN, SILENT)))
    assert "FLOOD" in text.splitlines()[0]
    assert "alerts am2 down: cannot be reached" in text
    assert "alerts pd: offers no alerts" in text
    assert "  silenced by ben: deploy" in text
    assert "m7 and 4 more" in text
    assert "  runbook: https://runbooks.example.net/x" in text


def test_the_status_document_names_open_incidents_at_their_models() -> None:
    over = incident(id="ffffffff", state="resolved", ends=SAMPLE_NOW)
    found = json.loads(as_json(document(snapshot(incident(), over, places=(UP, DOWN, SILENT)))))
    model = next(one for one in found["models"] if one["model"] == "fraud-scorer")
    assert model["incidents"] == ["0a1b2c3d"]
    assert [one["id"] for one in found["incidents"]] == ["0a1b2c3d", "ffffffff"]
    assert [one["name"] for one in found["sources"]][-2:] == ["am", "am2"]


def test_hostile_names_move_no_terminal() -> None:
    evil = "\x1b[2J\u202e\n\x9b"
    alert = Alert(
        "f", "am", "n", "firing", Severity.S1, SAMPLE_NOW, labels=(("x", evil),), model=evil
    )
    found = snapshot(
        incident(model=evil, models=(evil,), dependency=evil, alerts=(alert,)),
        places=(replace(UP, name=evil, warnings=(evil,)),),
    )
    for text in (
        incidents_table(found),
        incidents_plain(found),
        as_json(incidents_document(found)),
        as_json(document(found)),
    ):
        assert all(each == "\n" or each.isprintable() for each in text)
    told = json.loads(as_json(incidents_document(found)))
    assert told["incidents"][0]["alerts"][0]["labels"] == {"x": evil}
