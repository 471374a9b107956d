"""One measured value, or the honest reason why there is none."""

from __future__ import annotations

from enum import IntEnum

from msgspec import Struct


class ReadingState(IntEnum):
    """What a reading is worth; the number is its code in a column."""

    NO_DATA = 0
    """The source has no such series."""
    OK = 1
    """A value, zero included."""
    NO_TRAFFIC = 2
    """The series is there and says 0/0: nothing was asked of the model."""
    TOO_FEW = 3
    """There is a number, but from too few samples to mean anything; it is not shown as a value."""
    STALE = 4
    """The last known value; the source has not answered since."""
    ERROR = 5
    """The source refused or failed this one question."""

    @property
    def label(self) -> str:
        """Return the state's name in JSON."""
        return self.name.lower()


class Reading(Struct, frozen=True):
    """A value with where it comes from.

    ``value`` is set for ``OK`` and ``STALE`` only. ``at`` is Unix seconds of the measurement,
    ``window_seconds`` the span it covers (None for a gauge), ``n`` the samples behind it.
    ``history_seconds`` is set where there is no data only because the source's history is
    shorter than the window: so far back it reaches.
    """

    state: ReadingState
    value: float | None = None
    at: float | None = None
    window_seconds: float | None = None
    n: float | None = None
    method: str = ""
    history_seconds: float | None = None

    @property
    def known(self) -> bool:
        """Tell whether there is a current value to judge by."""
        return self.state is ReadingState.OK


NO_DATA = Reading(ReadingState.NO_DATA)
