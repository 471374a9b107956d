"""Words and tables: the facts of the sample night, in order, harmless."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from console.domain.samples import SourceStatus
from console.domain.severity import Finding, Severity
from console.domain.snapshot import Snapshot
from console.reports.plain import plain, table
from console.reports.status import exit_code
from tests.support.snapshots import big_snapshot, hostile_snapshot, sample_snapshot


def test_the_worst_model_stands_first_with_its_reasons() -> None:
    lines = plain(sample_snapshot()).splitlines()
    assert lines[0].startswith("2026-10-22T02:47:13Z")
    first = next(line for line in lines if line.startswith("S1 "))
    assert first.startswith("S1 fraud-scorer tier 1 eu: ")
    assert "burn 69x" in first
    assert "bad per minute" in first
    assert lines.index(first) < lines.index(next(line for line in lines if line.startswith("S2 ")))


def test_a_source_that_is_away_is_named_in_the_first_line() -> None:
    snapshot = sample_snapshot()
    away = [status.name for status in snapshot.sources if status.state != "up"]
    assert away
    first = plain(snapshot).splitlines()[0]
    assert all(name in first for name in away)


def test_the_table_has_one_line_a_model_and_tells_states_apart() -> None:
    snapshot = sample_snapshot()
    lines = _without_sources(table(snapshot))
    assert len(lines) == 2 + len(snapshot.rows)
    assert lines[1].split()[:3] == ["S", "MODEL", "T"]
    assert "n=" in "".join(lines)


def test_a_narrow_table_keeps_owner_and_age() -> None:
    wide, narrow = table(sample_snapshot()), table(sample_snapshot(), None, 80)
    heading = next(line for line in narrow.splitlines() if line.startswith("S "))
    assert max(map(len, narrow.splitlines()[1:])) <= 80 < max(map(len, wide.splitlines()[1:]))
    assert heading.split()[-2:] == ["OWNER", "AGE"]


def test_why_a_source_is_away_stands_in_both_forms() -> None:
    down = SourceStatus("prom", "prometheus", "down", error="connection refused")
    snapshot = replace(sample_snapshot(), sources=(down,))
    for text in (table(snapshot), plain(snapshot)):
        assert "source prom down: connection refused" in text


def test_a_server_without_any_model_is_told_apart_from_a_quiet_fleet() -> None:
    nobody, up = big_snapshot(0), SourceStatus("prom", "prometheus", "up", answered_at=1.0)
    for text in (table(replace(nobody, sources=(up,))), plain(replace(nobody, sources=(up,)))):
        assert "no metric that is recognised" in text
        assert "MODEL" not in text
    assert exit_code(replace(nobody, sources=(up,))) == 3


def test_a_first_look_does_not_claim_that_nothing_is_wrong() -> None:
    assert "nothing wrong at a first look." in plain(replace(sample_snapshot(), tick=1))
    assert "at a first look" not in plain(sample_snapshot())


def _without_sources(text: str) -> list[str]:
    return [line for line in text.splitlines() if not line.startswith(("source ", "  is "))]


def test_what_one_look_cannot_decide_is_shown() -> None:
    snapshot = sample_snapshot()
    waiting = Finding("no_data_tier1", Severity.S1, "no data from demo, for 3s", snapshot.taken_at)
    row = snapshot.index["price-opt"]
    found = replace(snapshot, pending={row: (waiting,)})
    assert "pending price-opt: no data from demo, for 3s" in table(found)
    assert "pending: no data from demo, for 3s (no_data_tier1)" in plain(found)


@pytest.mark.parametrize("form", [plain, table])
def test_hostile_names_are_shown_harmlessly(form: Callable[[Snapshot], str]) -> None:
    text = form(hostile_snapshot())
    assert "\x1b" not in text
    assert "\u202e" not in text
    for line in text.splitlines():
        assert line.isprintable()
        assert len(line) < 4000


def test_chosen_rows_are_the_only_ones() -> None:
    snapshot = sample_snapshot()
    text = plain(snapshot, [snapshot.index["toxicity"]])
    assert "toxicity" in text
    assert "\nS1 fraud-scorer" not in text
