"""HTTP errors with one kind and one sentence each, backoff, and a circuit breaker a server."""

from collections.abc import Callable
from typing import Literal

Kind = Literal[
    "connect",
    "connect_timeout",
    "read_timeout",
    "tls",
    "http",
    "too_large",
    "truncated",
    "breaker_open",
    "secret",
    "redirect",
    "protocol",
]


class WireError(Exception):
    """No usable answer; ``sentence`` is harmless to show, and free of secrets.

    ``status`` and ``body`` (at most 64 KiB, raw) are those of an HTTP error answer, kind ``http``.
    """

    def __init__(
        self, kind: Kind, sentence: str, *, status: int | None = None, body: bytes = b""
    ) -> None:
        super().__init__(sentence)
        self.kind: Kind = kind
        self.sentence = sentence
        self.status = status
        self.body = body


class ByteBudget:
    """Bytes that several answers may take together, and each of them alone."""

    def __init__(self, together: int, each: int) -> None:
        """Allow ``together`` bytes in all and ``each`` bytes an answer."""
        self.together = together
        self.each = each
        self._left = together

    @property
    def is_spent(self) -> bool:
        """Tell whether the answers took more than is allowed together."""
        return self._left < 0

    def take(self, count: int) -> bool:
        """Note ``count`` more bytes; tell whether they are still within what is allowed."""
        self._left -= count
        return self._left >= 0


# What says nothing about the server's health must not open the breaker before it.
INNOCENT_KINDS: frozenset[Kind] = frozenset({"secret", "redirect", "too_large", "breaker_open"})


def blames_the_server(error: WireError) -> bool:
    """Return whether the failure counts for the breaker.

    A 4xx answer comes from a live server, and so does 501: it knows no such method.
    """
    if error.kind == "http":
        return error.status is not None and error.status >= 500 and error.status != 501
    return error.kind not in INNOCENT_KINDS


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
