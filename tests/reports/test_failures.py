"""Spells: begun and ended as the fleet's rules are, measured over a grid, never guessed."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.domain.samples import Series
from console.reports.episodes import Grid, Run, runs
from console.reports.failures import failures
from tests.reports.samples import FAILING, failure_facts


def masks(word: str) -> tuple[np.ndarray, np.ndarray]:
    """Take X for a hit, . for clean and ? for unknown."""
    return np.array([one == "X" for one in word]), np.array([one == "." for one in word])


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("....", ()),
        ("..X....", ()),
        (".XX...", (Run(1, 2, open=False),)),
        (".XX..X...", (Run(1, 5, open=False),)),
        (".XX", (Run(1, 2, open=True),)),
        (".X?X...", ()),
        (".XX????", (Run(1, 2, open=False),)),
        ("XX...XX...", (Run(0, 1, open=False), Run(5, 6, open=False))),
    ],
)
def test_two_hits_begin_a_spell_and_three_clean_points_end_it(word, expected) -> None:
    assert runs(*masks(word)) == expected


@given(st.text(alphabet="X.?", max_size=60))
def test_spells_are_in_order_and_begin_and_end_on_hits(word: str) -> None:
    found = runs(*masks(word))
    for run in found:
        assert word[run.first] == word[run.last] == "X"
    assert all(one.last < other.first for one, other in pairwise(found))


def test_the_outage_is_told_by_every_rule_that_would_have_held() -> None:
    found = failures(failure_facts())
    rules = {each.rule: each for each in found.spells}
    assert set(rules) == {
        "no_data_tier1", "breaker_no_answer", "burn_page_fast", "latency_slo", "low_confidence",
    }  # fmt: skip
    burn = rules["burn_page_fast"]
    assert (burn.level, burn.seconds, burn.worst) == ("S1", 600.0, "620x")
    assert burn.bad_requests == pytest.approx(4.3 * 600.0)
    assert burn.before is not None
    assert "config push #8812" in burn.before
    assert any("fallback fraud-scorer" in each for each in burn.done)
    assert rules["no_data_tier1"].bad_requests is None
    assert "burn_6h: prom-eu keeps two hours" in found.not_judged


def test_availability_is_of_what_was_measured() -> None:
    budget = failures(failure_facts()).budget
    assert budget.availability == pytest.approx(0.9448, abs=1e-3)
    assert budget.known_ratio == pytest.approx(227 / 241, abs=1e-3)
    facts = failure_facts()
    empty = replace(facts, series={name: nothing(name) for name in facts.series})
    found = failures(empty)
    assert found.budget.availability is None
    assert found.budget.requests is None
    assert not [each for each in found.spells if each.rule.startswith("no_data")]


def nothing(name: str) -> Series:
    return Series(name, np.empty(0), np.empty(0))


def test_tier_3_lowers_s1_and_absence_is_unknown_there() -> None:
    levels = {
        each.rule: each.level for each in failures(failure_facts(replace(FAILING, tier=3))).spells
    }
    assert levels["burn_page_fast"] == "S2"
    assert levels["no_data"] == "unknown"


def test_few_requests_raise_no_burn() -> None:
    facts = failure_facts()
    rare = {
        name: replace(each, values=each.values * 0.001)
        if name in ("requests_rate", "bad_rate")
        else each
        for name, each in facts.series.items()
    }
    rules = {each.rule for each in failures(replace(facts, series=rare)).spells}
    assert "burn_page_fast" not in rules


def test_a_grid_takes_the_nearest_point_and_means_of_what_is_known() -> None:
    grid = Grid(100.0, 160.0, 10.0)
    series = Series("x", np.array([101.0, 119.0, 500.0]), np.array([1.0, 3.0, 9.0]))
    values = grid.values(series)
    assert np.nan_to_num(values, nan=-1).tolist() == [1.0, -1.0, 3.0, -1.0, -1.0, -1.0, -1.0]
    assert grid.mean(values, 30.0)[2] == 2.0
    assert np.isnan(grid.mean(values, 30.0)[5])
    assert grid.total(values, 0, 2) == 40.0
    assert grid.total(values, 3, 5) is None
