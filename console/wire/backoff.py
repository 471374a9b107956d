"""How long to wait before asking again; pure, so that its bounds can be proved."""

from collections.abc import Callable

RETRY_BASE_SECONDS = 0.2
RETRY_CAP_SECONDS = 2.0
BREAKER_BASE_SECONDS = 5.0
BREAKER_CAP_SECONDS = 60.0


def retry_pause_seconds(attempt: int, random: Callable[[], float]) -> float:
    """Return exponential backoff with full jitter: ``random() × min(cap, base × 2^attempt)``.

    ``attempt`` counts from 0. Full jitter spreads consoles that failed together; source: Brooker,
    "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
    """
    return random() * min(RETRY_CAP_SECONDS, RETRY_BASE_SECONDS * 2.0 ** min(attempt, 30))


def breaker_pause_seconds(openings: int, random: Callable[[], float]) -> float:
    """Return how long a breaker stays open for its ``openings``-th time in a row, from 1.

    The bound doubles from 5 s to 60 s. The pause is between half of it and all of it: a pause near
    zero, as full jitter may give, would not spare the server anything.
    """
    doubled = BREAKER_BASE_SECONDS * 2.0 ** min(max(openings, 1) - 1, 30)
    bound = min(BREAKER_CAP_SECONDS, doubled)
    return bound * (0.5 + 0.5 * random())
