"""Placeholders in own PromQL, written criteria, and secret references."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.settings.field_parsers import (
    CriterionError,
    PlaceholderError,
    check_placeholders,
    parse_criterion,
)
from console.settings.secret_references import BadReferenceError, parse_reference


@pytest.mark.parametrize("promql", ["rate(x{$match}[$window])", 'y{z=~"a$$"}', "up"])
def test_known_placeholders_pass(promql: str) -> None:
    check_placeholders(promql)


@pytest.mark.parametrize(
    ("promql", "found"),
    [
        ("rate(x[$windows])", "$windows"),
        ("rate(x[${window}])", "${window}"),
        ("x$", "$"),
        ("x{$$$match1}", "$match1"),
        ("", "empty"),
    ],
)
def test_other_placeholders_are_faults(promql: str, found: str) -> None:
    with pytest.raises(PlaceholderError) as caught:
        check_placeholders(promql)
    assert found in caught.value.found


def test_criterion_is_taken_apart() -> None:
    criterion = parse_criterion("error_ratio > 0.2 for 3m")
    assert (criterion.signal, criterion.comparison) == ("error_ratio", ">")
    assert (criterion.value, criterion.for_seconds) == (0.2, 180.0)
    assert criterion.holds(0.21)
    assert not criterion.holds(0.2)
    assert not criterion.holds(math.nan)


def test_criterion_without_duration_holds_at_once() -> None:
    assert parse_criterion("budget_left<=0.5").for_seconds == 0.0


@pytest.mark.parametrize(
    "text", ["", "error_ratio", "error_ratio = 1", "x > y", "x > nan", "x > 1 for ever", "x > 1 5m"]
)
def test_other_criteria_are_faults(text: str) -> None:
    with pytest.raises(CriterionError, match=r"DURATION|duration"):
        parse_criterion(text)


def test_references_are_taken_apart() -> None:
    assert parse_reference("keyring:mid/watch/ana").service_and_user == ("mid/watch", "ana")
    assert parse_reference("cmd:pass show 'a b'").argv == ("pass", "show", "a b")
    assert parse_reference("file:/run/x").text == "file:/run/x"


@pytest.mark.parametrize(
    "text",
    [
        "hunter2",
        "env:",
        "env:a b",
        "cmd:",
        "cmd:'open",
        "keyring:x",
        "keyring:/u",
        "vault:x",
        "file:",
    ],
)
def test_a_bad_reference_is_never_repeated(text: str) -> None:
    with pytest.raises(BadReferenceError) as caught:
        parse_reference(text)
    assert "hunter2" not in str(caught.value)


@given(st.text(max_size=30))
def test_references_never_break(text: str) -> None:
    try:
        reference = parse_reference(text)
    except BadReferenceError:
        return
    assert reference.text == text
