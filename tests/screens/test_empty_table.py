"""A table without a model says in its own place why it is empty, what helps, and which keys."""

from dataclasses import replace

import pytest

from console.domain.samples import SourceStatus
from console.screens.panels.empty_table import empty_table_lines
from tests.support.snapshots import SAMPLE_NOW, sample_snapshot
from themes.glyphs import UNICODE

DOWN = SourceStatus(
    "prometheus",
    "prometheus",
    "down",
    error="http://127.0.0.1:9699/api/v1/query answered 401: Unauthorized; it wants to know who "
    "asks and no secret is declared: give it auth = {…}",
    next_try_at=SAMPLE_NOW + 4.0,
    address="http://127.0.0.1:9699",
)
UP = SourceStatus("lab", "scrape", "up", address="http://127.0.0.1:8000/metrics")


def _text(*sources: SourceStatus, width: int = 80) -> str:
    empty = replace(sample_snapshot(), rows=(), sources=sources)
    lines = empty_table_lines(empty, SAMPLE_NOW, width, UNICODE)
    for line in lines:
        assert sum(len(run.text) for run in line) <= width
    return " ".join(" ".join("".join(run.text for run in line) for line in lines).split())


def test_with_models_there_is_nothing_to_explain() -> None:
    assert empty_table_lines(sample_snapshot(), SAMPLE_NOW, 80, UNICODE) == []


def test_a_source_that_is_away_is_told_whole_with_address_reason_and_the_next_try() -> None:
    text = _text(DOWN)
    assert "SOURCE prometheus down" in text
    assert "asked again in 4s · http://127.0.0.1:9699" in text
    assert "answered 401: Unauthorized" in text
    assert "give it auth = {…}" in text
    assert "TO DO write a configuration" in text
    assert "KEYS ctrl+r ask again now s the sources" in text


def test_a_source_that_answers_and_knows_nothing_is_no_failure() -> None:
    text = _text(UP)
    assert "lab up" in text
    assert "holds nothing of a model server" in text
    assert "LOOKED for the metrics of every model server" in text
    assert "midwatch lint-metrics URL" in text


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (replace(DOWN, error="http://x cannot be reached: connection refused"), "see that it runs"),
        (replace(DOWN, error="it says: an HTML page titled Sign in"), "a page for people"),
        (replace(UP, warnings=("this machine's clock is 600 s ahead",)), "set the clock"),
        (replace(UP, unread=("LiteLLM: m is there, but no series has label x",)), "that label"),
    ],
)
def test_each_reason_has_its_own_way_out(source: SourceStatus, said: str) -> None:
    text = _text(source)
    assert said in text
    assert (source.error or (*source.warnings, *source.unread)[0]) in text


@pytest.mark.parametrize("count", [2, 9])
def test_each_of_several_sources_is_told(count: int) -> None:
    text = _text(*(replace(DOWN, name=f"p{number}") for number in range(count)))
    assert text.count("SOURCE p") == count


def test_without_a_source_it_says_how_to_start_with_one() -> None:
    assert "--prometheus URL or --scrape URL" in _text()
