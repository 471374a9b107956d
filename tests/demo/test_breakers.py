"""The breaker that simulated services carry."""

from hypothesis import given
from hypothesis import strategies as st

from console.demo.scenario import BreakerRules
from console.demo.service_breaker import Breaker, BreakerState

RULES = BreakerRules(minimum_calls=10, window_seconds=30, wait_seconds=20, probes=5)


def state(breaker: Breaker) -> BreakerState:
    return breaker.state


def opened() -> Breaker:
    breaker = Breaker(RULES, 0.0)
    breaker.record(1.0, 20, 15)
    assert state(breaker) is BreakerState.OPEN
    return breaker


def test_opens_only_with_enough_calls() -> None:
    breaker = Breaker(RULES, 0.0)
    breaker.record(1.0, 9, 9)
    assert state(breaker) is BreakerState.CLOSED
    breaker.record(2.0, 1, 1)
    assert state(breaker) is BreakerState.OPEN


def test_old_calls_leave_the_window() -> None:
    breaker = Breaker(RULES, 0.0)
    breaker.record(0.0, 9, 9)
    breaker.record(40.0, 9, 0)
    assert breaker.window == (9, 0)


def test_probes_close_it_when_they_pass_and_open_it_when_they_fail() -> None:
    for failures, expected in ((0, BreakerState.CLOSED), (5, BreakerState.OPEN)):
        breaker = opened()
        breaker.tick(20.0)
        assert state(breaker) is BreakerState.OPEN
        breaker.tick(21.0)
        assert state(breaker) is BreakerState.HALF_OPEN
        assert breaker.admit(100) == RULES.probes
        assert breaker.admit(100) == 0
        breaker.record(22.0, RULES.probes, failures)
        assert state(breaker) is expected


def test_forced_open_ends_in_half_open_and_disabled_in_closed() -> None:
    for forced, after in (
        (BreakerState.FORCED_OPEN, BreakerState.HALF_OPEN),
        (BreakerState.DISABLED, BreakerState.CLOSED),
        (BreakerState.METRICS_ONLY, BreakerState.CLOSED),
    ):
        breaker = Breaker(RULES, 0.0)
        breaker.force(forced, 10.0, 60.0)
        assert breaker.by == "operator"
        breaker.tick(69.0)
        assert state(breaker) is forced
        breaker.tick(70.0)
        assert state(breaker) is after
        assert breaker.until is None


def test_a_forced_state_does_not_trip_by_itself() -> None:
    for forced in (BreakerState.DISABLED, BreakerState.METRICS_ONLY):
        breaker = Breaker(RULES, 0.0)
        breaker.force(forced, 0.0, None)
        breaker.record(1.0, 100, 100)
        assert state(breaker) is forced
        assert breaker.admit(7) == 7


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0, 1)), max_size=60))
def test_never_admits_more_than_asked_and_counts_what_is_in_the_window(
    seconds: list[tuple[int, float]],
) -> None:
    breaker = Breaker(RULES, 0.0)
    for now, (calls, share) in enumerate(seconds):
        breaker.tick(float(now))
        admitted = breaker.admit(calls)
        assert 0 <= admitted <= calls
        if breaker.refusing:
            assert admitted == 0
        revision = breaker.revision
        breaker.record(float(now), admitted, round(admitted * share))
        counted, failed = breaker.window
        assert 0 <= failed <= counted
        if breaker.revision != revision:
            assert (counted, failed) == (0, 0)
