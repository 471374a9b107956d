"""Words and tables: the facts of the sample night, in order, harmless."""

from collections.abc import Callable

import pytest

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
