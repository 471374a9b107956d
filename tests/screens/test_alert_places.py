"""A place for alerts that is away is seen on the first screen, and hides no stale view."""

from __future__ import annotations

from dataclasses import replace

from console.domain.samples import SourceStatus
from console.domain.snapshot import Snapshot
from console.screens.panels.header import HeaderState, header_lines, is_stale
from console.screens.panels.sidebar import source_lines
from tests.support.snapshots import SAMPLE_NOW, sample_snapshot
from themes.glyphs import UNICODE

UP = SourceStatus("am", "alertmanager", "up", answered_at=SAMPLE_NOW)
AWAY = replace(UP, name="am\x1b[2J", state="stale", answered_at=SAMPLE_NOW - 90.0, error="refused")


def header(snapshot: Snapshot) -> str:
    state = HeaderState(SAMPLE_NOW, None, 160, "prod", problem="")
    lines = header_lines(snapshot, state, UNICODE)
    return "\n".join("".join(run.text for run in line) for line in lines)


def test_the_header_names_a_place_that_is_away() -> None:
    away = header(replace(sample_snapshot(), alert_sources=(UP, AWAY)))
    assert "!alerts am␛[2J" in away
    assert "!alerts" not in header(replace(sample_snapshot(), alert_sources=(UP,)))


def test_a_server_that_is_a_source_as_well_is_named_once() -> None:
    snapshot = sample_snapshot()
    same = replace(AWAY, name=snapshot.sources[0].name)
    assert "!alerts" not in header(replace(snapshot, alert_sources=(same,)))


def test_an_answering_place_for_alerts_makes_no_old_numbers_fresh() -> None:
    snapshot = replace(sample_snapshot(), alert_sources=(UP,))
    old = tuple(replace(one, answered_at=SAMPLE_NOW - 900.0) for one in snapshot.sources)
    assert is_stale(replace(snapshot, sources=old), SAMPLE_NOW)


def test_the_box_of_sources_lists_it_with_its_error() -> None:
    snapshot = replace(sample_snapshot(), alert_sources=(AWAY,))
    lines = source_lines(snapshot, SAMPLE_NOW, UNICODE)
    text = "\n".join(
        line if isinstance(line, str) else "".join(run.text for run in line) for line in lines
    )
    assert "error: refused" in text
    assert "\x1b" not in text
