"""What a source answers: labelled numbers, straight from the question that was asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

SourceState = Literal["starting", "up", "stale", "down"]


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to one instant query.

    ``keys[i]`` are the values of the query's group labels of series i, ``values`` (float64,
    same length) may hold NaN (0/0). A source hands out the identical ``keys`` object again
    while the set and order of series does not change, so that a reader can keep its join.
    ``error`` is a sentence when this question failed; then there are no keys.
    ``window_seconds`` is the span the values cover where that is shorter than was asked for,
    because the source has no longer history; None means as asked. ``withheld`` names models (by
    series value) that are left out because their series reach less far back than the number
    would, and how far they do, in seconds; ``history_seconds`` says so of everybody asked.
    ``young`` names those, with their history, that began within the window of an amount on a
    server that was there before: all they ever spent is in it, and their values stay.
    """

    query_id: str
    keys: tuple[tuple[str, ...], ...]
    values: Floats
    at: float
    warnings: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()
    error: str | None = None
    elapsed_seconds: float = 0.0
    window_seconds: float | None = None
    withheld: Mapping[str, float] = field(default_factory=dict)
    history_seconds: float | None = None
    young: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Series:
    """A signal of one model over time: Unix seconds and values, NaN for a gap."""

    signal: str
    times: Floats
    values: Floats
    error: str | None = None


@dataclass(frozen=True, slots=True)
class SeenModel:
    """A model that a source was found to know: the profile and the label values behind it.

    ``series_value`` is the value of the profile's model label, ``model`` the name shown.
    ``places`` are the processes that serve it, as ``job instance`` and ``namespace/pod``;
    ``namespace`` and ``cluster`` are empty where its series do not tell one.
    """

    model: str
    series_value: str
    profile: str
    source: str
    versions: tuple[str, ...] = ()
    server: str = ""
    info: tuple[tuple[str, str], ...] = ()
    namespace: str = ""
    cluster: str = ""
    places: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """How one source is doing.

    Times are Unix seconds; ``server_seconds`` is the summed time of the last tick's queries.
    ``address`` is where it is asked, without credentials; ``unread`` says which kinds of server it
    holds that have no row, and why; ``standby`` names who stands in while it is away: another
    source, or ``direct`` for its targets.
    """

    name: str
    kind: str
    state: SourceState = "starting"
    answered_at: float | None = None
    error: str | None = None
    next_try_at: float | None = None
    queries: int = 0
    failed_queries: int = 0
    server_seconds: float = 0.0
    cadence_seconds: float = 5.0
    warnings: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()
    standby: str = ""
    unread: tuple[str, ...] = ()
    address: str = ""
