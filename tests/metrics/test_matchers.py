"""Outside text in a question stays a value: it cannot end a matcher, a string or a pattern."""

from __future__ import annotations

import json
import urllib.parse
import urllib.request

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.metrics.expressions import Rate, Scope, duration
from console.metrics.labels import (
    ExpressionError,
    Matcher,
    bucket_edge,
    conditions,
    exactly,
    filled,
    one_of,
    pattern_of,
    quoted,
    selector,
)

HOSTILE = (
    '"}',
    '\\"} or vector(1) #',
    "\\",
    "a\nb\r\tc",
    "\x00\x1b[2J\x7f\x9f",
    "\ufffd",
    "\u202e\u2028\ufeff",
    "$window$$",
    "{{.}}",
    "日本 🚨",
    "[/foo]",
    "a|b.*",
    "'`",
    "x" * 10_000,
)
SIMPLE_ESCAPES = {"\\": "\\", '"': '"'}
any_text = st.text(max_size=40) | st.sampled_from(HOSTILE)


def read_literal(text: str) -> tuple[str, str]:
    """Read a PromQL string literal as its lexer does; return the value and what follows."""
    assert text[0] == '"'
    value = []
    place = 1
    while text[place] != '"':
        character = text[place]
        assert character != "\n"
        if character != "\\":
            value.append(character)
            place += 1
            continue
        kind = text[place + 1]
        digits = {"x": 2, "u": 4}.get(kind)
        if digits is None:
            value.append(SIMPLE_ESCAPES[kind])
            place += 2
        else:
            value.append(chr(int(text[place + 2 : place + 2 + digits], 16)))
            place += 2 + digits
    return "".join(value), text[place + 1 :]


@given(any_text)
def test_a_value_comes_out_as_it_went_in(value: str) -> None:
    assert read_literal(quoted(value)) == (value, "")


@given(any_text, any_text)
def test_a_matcher_ends_where_it_should(first: str, second: str) -> None:
    text = selector("m", exactly({"a": first, "b": second}))
    assert text.startswith("m{a=")
    value, rest = read_literal(text[4:])
    assert value == first
    assert rest.startswith(",b=")
    assert read_literal(rest[3:]) == (second, "}")


@given(st.lists(any_text, min_size=1, max_size=4), any_text)
def test_one_of_means_exactly_these(values: list[str], other: str) -> None:
    matcher = one_of("a", tuple(values))
    assert all(matcher.holds(value) for value in values)
    assert matcher.holds(other) == (other in values)


@given(any_text, any_text)
def test_a_quoted_pattern_matches_only_itself(value: str, other: str) -> None:
    matcher = Matcher("a", "=~", pattern_of(value))
    assert matcher.holds(value)
    assert matcher.holds(other) == (other == value)


def test_an_unpaired_surrogate_cannot_break_the_encoding() -> None:
    assert quoted("a\ud800b") == '"a\\ufffdb"'


def test_a_real_server_reads_every_value_back(prometheus: str) -> None:
    @settings(max_examples=40, deadline=None)
    @given(st.lists(any_text.filter(bool), min_size=8, max_size=8))
    def round_trip(values: list[str]) -> None:
        labels = {f"l{place}": value for place, value in enumerate(values)}
        # absent() answers with the labels that equality matchers name.
        promql = f"absent({selector('nothing_at_all', exactly(labels))})"
        body = urllib.parse.urlencode({"query": promql}).encode()
        with urllib.request.urlopen(f"{prometheus}/api/v1/query", data=body, timeout=10) as answer:
            found = json.load(answer)["data"]["result"]
        assert [series["metric"] for series in found] == [labels]

    round_trip()


@pytest.mark.parametrize("name", ["", "a-b", "1a", 'a"', "a b", "é", "a:b", "a\n"])
def test_label_names_that_cannot_be_spelled_are_refused(name: str) -> None:
    with pytest.raises(ExpressionError, match="is not a label name"):
        exactly({name: "x"})


def test_metric_names_may_have_colons() -> None:
    assert Rate("vllm:x_total").promql(Scope(by=("m",))) == "sum by (m) (rate(vllm:x_total[5m]))"
    with pytest.raises(ExpressionError, match="is not a metric name"):
        Rate("x{").promql(Scope(by=("m",)))


def test_conditions_of_a_profile() -> None:
    found = conditions({"d": "=~a|b", "c": ("x", "y.z"), "b": "!=", "a": "plain", "e": "!~/m.*"})
    assert [matcher.text() for matcher in found] == [
        'a="plain"',
        'b!=""',
        'c=~"x|y\\\\.z"',
        'd=~"a|b"',
        'e!~"/m.*"',
    ]


@pytest.mark.parametrize(
    ("edge", "same", "other"),
    [
        (0.6, ("0.6", "0.60", "6e-01", ".6"), ("0.61", "0.06", "6", "10.6", "06")),
        (1.0, ("1", "1.0", "1.00", "1e+00", "1.0E0"), ("10", "1.01", "0.1", "1e+01", "+Inf")),
        (0.0, ("0", "0.0"), ("00.1", "0.01", "10")),
        (10.0, ("10", "10.0", "1e+01", "1e1", "1.0E1"), ("1", "100", "1e+10", "1e-1", "1e11")),
        (1e6, ("1000000", "1e+06", "1000000.0", "1e6"), ("1e+07", "100000", "1e-06")),
        (5e-05, ("5e-05", "0.00005", "5.0E-5"), ("5e-5.0", "5e-15", "0.000005")),
        (-2.5, ("-2.5", "-2.50"), ("2.5", "-2.05")),
        (2.5, ("2.5", "2.50"), ("2x5", "-2.5", "12.5")),
    ],
)
def test_an_edge_has_many_spellings(
    edge: float, same: tuple[str, ...], other: tuple[str, ...]
) -> None:
    matcher = bucket_edge(edge)
    assert [text for text in same if not matcher.holds(text)] == []
    assert [text for text in other if matcher.holds(text)] == []


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_an_edge_knows_its_own_shortest_spelling(edge: float) -> None:
    edge += 0.0  # -0.0 is written as 0
    assert bucket_edge(edge).holds(repr(edge))


@pytest.mark.parametrize("edge", [float("nan"), float("inf")])
def test_an_edge_is_a_finite_number(edge: float) -> None:
    with pytest.raises(ExpressionError, match="finite"):
        bucket_edge(edge)


def test_placeholders_are_filled_once() -> None:
    values = {"match": 'a="$window"', "window": "5m"}
    assert filled("m{$match}[$window] $$1", values) == 'm{a="$window"}[5m] $1'
    for text in ("$by", "$", "$ window", "$windows"):
        with pytest.raises(ExpressionError, match=r"\$match, \$window and \$\$"):
            filled(text, values)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(300, "5m"), (3600, "1h"), (5400, "90m"), (86400, "1d"), (30 * 86400, "30d"), (15, "15s")],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_fractions_of_a_second_and_nothing() -> None:
    assert duration(0.25) == "250ms"
    with pytest.raises(ExpressionError, match="longer than nothing"):
        duration(0)
