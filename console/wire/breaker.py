"""The circuit breaker before one server: it stops asking what does not answer, and probes alone."""

from collections.abc import Callable
from typing import Literal

from console.wire.backoff import breaker_pause_seconds

FAILURES_TO_OPEN = 3

State = Literal["closed", "open", "half_open"]


class Breaker:
    """Opens after three failures in a row, lets one probe through after a pause, closes on success.

    Times are seconds of whatever monotonic clock the caller passes as ``now``.
    """

    def __init__(self, random: Callable[[], float]) -> None:
        self._random = random
        self._failures = 0
        self._openings = 0
        self._probing = False
        self._next_try_at: float | None = None

    @property
    def state(self) -> State:
        """``open`` until the next try; ``half_open`` only while a probe is under way."""
        if self._probing:
            return "half_open"
        return "closed" if self._next_try_at is None else "open"

    @property
    def next_try_at(self) -> float | None:
        """When the next probe may go, on the caller's clock; None unless open."""
        return self._next_try_at

    @property
    def failures(self) -> int:
        """Failures in a row so far."""
        return self._failures

    def admit(self, now: float) -> bool:
        """Return whether a request may go now; when open and due, that request is the one probe."""
        if self._next_try_at is None:
            return not self._probing
        if now < self._next_try_at:
            return False
        self._next_try_at = None
        self._probing = True
        return True

    def succeeded(self) -> None:
        """Note an answer; the server is there, so the breaker closes."""
        self._failures = 0
        self._openings = 0
        self._probing = False
        self._next_try_at = None

    def failed(self, now: float) -> None:
        """Note a failure; the third in a row, or a failed probe, opens for a longer pause."""
        self._failures += 1
        already_open = self._next_try_at is not None
        if self._probing or (self._failures >= FAILURES_TO_OPEN and not already_open):
            self._probing = False
            self._openings += 1
            self._next_try_at = now + breaker_pause_seconds(self._openings, self._random)

    def abandoned(self, now: float) -> None:
        """Note a request given up before it told anything; a probe may go again at once."""
        if self._probing:
            self._probing = False
            self._next_try_at = now
