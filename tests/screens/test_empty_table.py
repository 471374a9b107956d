"""A table without a model says why it is empty, and which keys help."""

from dataclasses import replace

import pytest

from console.domain.samples import SourceStatus
from console.screens.panels.detail import DETAIL_LINES, empty_table_lines
from tests.support.snapshots import SAMPLE_NOW, sample_snapshot
from themes.glyphs import UNICODE
from widgets.lines import Run

DOWN = SourceStatus(
    "prometheus",
    "prometheus",
    "down",
    error="http://127.0.0.1:9699/api/v1/query answered 401: Unauthorized; the secret is missing, "
    "wrong or expired",
    next_try_at=SAMPLE_NOW + 4.0,
)


def _lines(*sources: SourceStatus, width: int = 80) -> list[str]:
    empty = replace(sample_snapshot(), rows=(), sources=sources)
    lines = empty_table_lines(empty, SAMPLE_NOW, width, UNICODE)
    assert len(lines) <= DETAIL_LINES - 4
    for line in lines:
        assert sum(len(run.text) for run in line) <= width
    return ["".join(run.text for run in line) for line in lines]


def test_with_models_there_is_nothing_to_explain() -> None:
    assert empty_table_lines(sample_snapshot(), SAMPLE_NOW, 80, UNICODE) == []


def test_a_source_that_is_away_is_told_whole_with_its_reason_and_the_next_try() -> None:
    text = " ".join(" ".join(_lines(DOWN)).split())
    assert "prometheus down: http://127.0.0.1:9699/api/v1/query answered 401" in text
    assert "the secret is missing, wrong or expired" in text
    assert "asked again in 4s" in text
    assert "nothing has answered yet" in text
    assert "s the sources" in text


def test_a_source_that_answers_and_knows_nothing_is_no_failure() -> None:
    text = "\n".join(_lines(SourceStatus("lab", "scrape", "up")))
    assert "lab up: answers and knows no model" in text
    assert "midwatch lint-metrics URL" in text


@pytest.mark.parametrize("count", [2, 3, 9])
def test_several_sources_take_a_line_each_and_the_rest_is_counted(count: int) -> None:
    lines = _lines(*(replace(DOWN, name=f"p{number}") for number in range(count)))
    assert sum(line.startswith("SOURCE") for line in lines) == min(count, 3)
    assert any(f"{count - 3} more" in line for line in lines) == (count > 3)


def test_without_a_source_it_says_how_to_start_with_one() -> None:
    assert "--prometheus URL or --scrape URL" in "".join(_lines())


def test_what_a_source_says_is_text_and_not_markup() -> None:
    hostile = replace(DOWN, error="\x1b[31m[bold]x[/bold]\u202e")
    empty = replace(sample_snapshot(), rows=(), sources=(hostile,))
    runs: list[Run] = [
        run for line in empty_table_lines(empty, SAMPLE_NOW, 80, UNICODE) for run in line
    ]
    assert not any("\x1b" in run.text or "\u202e" in run.text for run in runs)
