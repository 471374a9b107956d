"""Raise after two, clear after three, exactly; and nobody inherits another row's past."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from console.domain.model import ModelRow
from console.evaluation.memory import HOLD_SECONDS, Pace, Streaks, advance, no_streaks
from tests.evaluation.scenes import CALM, Watch, rules_of

HIT, CLEAN, UNKNOWN = "hit", "clean", "unknown"
OUTCOMES = st.lists(st.sampled_from([HIT, CLEAN, UNKNOWN]), max_size=40)
NEVER = np.array([False])


def _step(
    streaks: Streaks,
    outcome: str,
    now: float,
    *,
    answered_at: float | None = None,
    keeps: bool = False,
    at_first: bool = False,
    ripe_after: float = 0.0,
) -> Streaks:
    pace = Pace(
        np.array([[now if answered_at is None else answered_at]]),
        np.array([[keeps]]),
        lambda since: now - since >= ripe_after,
        NEVER,
        np.array([at_first]),
    )
    hit, clean = np.array([[outcome == HIT]]), np.array([[outcome == CLEAN]])
    return advance(streaks, hit, clean, pace, now)


def _expected(outcomes: list[str]) -> bool:
    """Say the rule in plain Python: the last decisive run wins."""
    raised, run_of, run = False, "", 0
    for outcome in outcomes:
        run = run + 1 if outcome == run_of else 1
        run_of = outcome
        if outcome == HIT and run >= 2:
            raised = True
        if outcome == CLEAN and run >= 3:
            raised = False
    return raised


@given(OUTCOMES)
def test_counts_are_exact(outcomes: list[str]) -> None:
    streaks = no_streaks(1, 1)
    for number, outcome in enumerate(outcomes):
        streaks = _step(streaks, outcome, 1000.0 + number)
    assert bool(streaks.raised[0, 0]) is _expected(outcomes)


def test_two_hits_raise_and_date_from_the_first() -> None:
    streaks = _step(no_streaks(1, 1), HIT, 100.0)
    assert not streaks.raised.any()
    streaks = _step(streaks, HIT, 105.0)
    assert streaks.raised.all()
    assert streaks.since[0, 0] == 100.0
    for now, still in ((110.0, True), (115.0, True), (120.0, False)):
        streaks = _step(streaks, CLEAN, now)
        assert bool(streaks.raised[0, 0]) is still


def test_the_same_answer_looked_at_again_counts_once() -> None:
    streaks = no_streaks(1, 1)
    for now in (100.0, 105.0, 110.0):
        streaks = _step(streaks, HIT, now, answered_at=100.0)
        assert not streaks.raised.any()
    streaks = _step(streaks, HIT, 160.0, answered_at=160.0)
    assert streaks.raised.all()
    assert streaks.since[0, 0] == 100.0
    for answered in (220.0, 220.0, 280.0, 280.0):
        streaks = _step(streaks, CLEAN, answered + 1.0, answered_at=answered)
        assert streaks.raised.all()
    assert not _step(streaks, CLEAN, 340.0, answered_at=340.0).raised.any()


def test_what_keeps_a_rule_is_not_clean_and_does_not_let_it_expire() -> None:
    streaks = _step(no_streaks(1, 1), HIT, 0.0, at_first=True)
    assert streaks.raised.all()
    for number in range(1, 8):
        streaks = _step(streaks, CLEAN, number * HOLD_SECONDS / 3.0, keeps=True)
        assert streaks.raised.all()
    assert not _step(no_streaks(1, 1), CLEAN, 0.0, keeps=True).raised.any()


def test_what_is_not_ripe_waits() -> None:
    streaks = no_streaks(1, 1)
    for now in (0.0, 60.0, 120.0):
        streaks = _step(streaks, HIT, now, ripe_after=150.0)
        assert not streaks.raised.any()
    assert _step(streaks, HIT, 180.0, ripe_after=150.0).raised.all()


def test_many_hits_do_not_wrap_around() -> None:
    streaks = no_streaks(1, 1)
    for number in range(600):
        streaks = _step(streaks, HIT, float(number))
        assert bool(streaks.raised[0, 0]) is (number >= 1)
    assert streaks.since[0, 0] == 0.0


def test_what_cannot_be_judged_any_more_is_held_for_a_while_and_then_let_go() -> None:
    streaks = _step(_step(no_streaks(1, 1), HIT, 0.0), HIT, 5.0)
    held = _step(streaks, UNKNOWN, 5.0 + HOLD_SECONDS)
    assert held.raised.all()
    assert not _step(held, UNKNOWN, 6.0 + HOLD_SECONDS).raised.any()


BAD = {**CALM, "review_oldest": 1200.0}


def _row(model: str) -> ModelRow:
    return ModelRow(model, source="prom", review_sla_seconds=900.0)


def test_a_rising_model_takes_its_past_along_when_rows_come_and_go() -> None:
    watch = Watch((_row("b"), _row("c")))
    watch.see({"b": CALM, "c": BAD})
    watch.rows = (_row("a"), _row("c"))
    second = watch.see({"a": BAD, "c": BAD})
    assert rules_of(second, 1) == {"review_sla"}
    assert rules_of(second, 0) == set()
    watch.rows = (_row("a"), _row("b"), _row("c"))
    third = watch.see({"a": BAD, "b": CALM, "c": BAD})
    assert [rules_of(third, row) for row in range(3)] == [{"review_sla"}, set(), {"review_sla"}]
    assert third.findings[2][0].since < third.findings[0][0].since


@settings(max_examples=30, deadline=None)
@given(st.permutations(["a", "b", "c", "d"]), st.lists(st.booleans(), min_size=4, max_size=4))
def test_another_order_of_rows_does_not_change_anybodys_level(
    order: list[str], bad: list[bool]
) -> None:
    models = ["a", "b", "c", "d"]
    entries = {model: (BAD if is_bad else CALM) for model, is_bad in zip(models, bad, strict=True)}
    straight = Watch(tuple(_row(model) for model in models))
    mixed = Watch(straight.rows)
    straight.see(entries)
    mixed.see(entries)
    mixed.rows = tuple(_row(model) for model in order)
    one, other = straight.see(entries), mixed.see(entries)
    assert [one.rows[row].model for row in one.order] == [
        other.rows[row].model for row in other.order
    ]
    for model in models:
        assert rules_of(one, one.index[model]) == rules_of(other, other.index[model])
        assert one.severity(one.index[model]) is other.severity(other.index[model])
