"""Words and tables: the facts of the sample night, in order, harmless."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from console.facts.severity import Finding, Severity
from console.facts.snapshot import Snapshot
from console.reports.plain import plain, table
from tests.support.snapshots import hostile_snapshot, sample_snapshot


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
    lines = table(snapshot).splitlines()
    assert len(lines) == 2 + len(snapshot.rows)
    assert lines[1].split()[:3] == ["S", "MODEL", "T"]
    assert "n=" in "".join(lines)


def test_a_narrow_table_keeps_owner_and_age() -> None:
    wide, narrow = table(sample_snapshot()), table(sample_snapshot(), None, 80)
    heading = narrow.splitlines()[1]
    assert max(map(len, narrow.splitlines()[1:])) <= 80 < max(map(len, wide.splitlines()[1:]))
    assert heading.split()[-2:] == ["OWNER", "AGE"]


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
