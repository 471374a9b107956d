"""The breaker and the pauses, as pure things."""

from hypothesis import given
from hypothesis import strategies as st

from console.http.resilience import (
    BREAKER_CAP_SECONDS,
    RETRY_CAP_SECONDS,
    Breaker,
    breaker_pause_seconds,
    retry_pause_seconds,
)

shares = st.floats(min_value=0, max_value=1)


@given(st.integers(min_value=0, max_value=10_000), shares)
def test_retry_pause_is_full_jitter_within_its_bound(attempt: int, share: float) -> None:
    pause = retry_pause_seconds(attempt, lambda: share)
    assert 0 <= pause <= min(RETRY_CAP_SECONDS, 0.2 * 2 ** min(attempt, 20))


@given(st.integers(min_value=0, max_value=10_000), shares)
def test_breaker_pause_doubles_to_a_minute_and_is_never_near_zero(
    openings: int, share: float
) -> None:
    pause = breaker_pause_seconds(openings, lambda: share)
    assert 2.5 <= pause <= BREAKER_CAP_SECONDS
    assert breaker_pause_seconds(openings + 1, lambda: share) >= pause


def test_opens_at_the_third_failure_in_a_row() -> None:
    breaker = Breaker(lambda: 1.0)
    breaker.failed(0)
    breaker.failed(0)
    breaker.succeeded()
    breaker.failed(1)
    breaker.failed(1)
    assert (breaker.state, breaker.admit(1)) == ("closed", True)
    breaker.failed(1)
    assert breaker.state == "open"
    assert breaker.next_try_at == 6.0
    assert not breaker.admit(5.9)


def test_one_probe_at_a_time_and_a_success_closes() -> None:
    breaker = Breaker(lambda: 1.0)
    for _ in range(3):
        breaker.failed(0)
    assert breaker.admit(5)
    assert str(breaker.state) == "half_open"
    assert not breaker.admit(5)
    breaker.succeeded()
    assert str(breaker.state) == "closed"
    assert breaker.admit(5)


def test_failed_probes_wait_5_10_20_40_60_60() -> None:
    breaker = Breaker(lambda: 1.0)
    for _ in range(3):
        breaker.failed(0)
    waits, now = [], 0.0
    for _ in range(6):
        assert breaker.next_try_at is not None
        waits.append(breaker.next_try_at - now)
        now = breaker.next_try_at
        assert breaker.admit(now)
        breaker.failed(now)
    assert waits == [5, 10, 20, 40, 60, 60]


def test_an_abandoned_probe_may_go_again_at_once() -> None:
    breaker = Breaker(lambda: 1.0)
    for _ in range(3):
        breaker.failed(0)
    assert breaker.admit(7)
    breaker.abandoned(7)
    assert breaker.state == "open"
    assert breaker.admit(7)


def test_late_failures_do_not_lengthen_the_pause() -> None:
    breaker = Breaker(lambda: 1.0)
    for now in (0, 0, 0, 1, 2, 3):
        breaker.failed(now)
    assert breaker.next_try_at == 5.0


events = st.lists(
    st.tuples(st.sampled_from(["ask", "fail", "ok", "abandon"]), st.floats(0, 30)), max_size=60
)


@given(events, shares)
def test_in_any_order_it_never_wedges(steps: list[tuple[str, float]], share: float) -> None:
    breaker, now = Breaker(lambda: share), 0.0
    for event, passed in steps:
        now += passed
        if event == "ask" and breaker.admit(now):
            assert breaker.state in ("closed", "half_open")
        elif event == "fail":
            breaker.failed(now)
        elif event == "ok":
            breaker.succeeded()
            assert str(breaker.state) == "closed"
        elif event == "abandon":
            breaker.abandoned(now)
        assert (breaker.state == "open") == (breaker.next_try_at is not None)
        if breaker.next_try_at is not None:
            assert breaker.next_try_at <= now + BREAKER_CAP_SECONDS
    # Whatever happened, after the longest pause a request goes through unless a probe is out.
    assert breaker.state == "half_open" or breaker.admit(now + BREAKER_CAP_SECONDS)
