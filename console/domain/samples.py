"""What a source answers: labelled numbers, straight from the question that was asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

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
    """

    model: str
    series_value: str
    profile: str
    source: str
    versions: tuple[str, ...] = ()
    server: str = ""
    info: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class SourceStatus:
    """How one source is doing.

    Times are Unix seconds; ``server_seconds`` is the summed time of the last tick's queries.
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


# Not a Struct: the settings take those for tables of the file; this is read from one of its own.
@dataclass(frozen=True, slots=True)
class DriftReference:
    """A frozen distribution that drift is measured against.

    ``edges`` are the ascending upper edges of the bins; what lies above the last one belongs to
    the last bin, and infinity may stand there. ``shares`` (one a bin, sum 1) rest on ``n``
    predictions. ``taken_at`` is Unix seconds, ``name`` the path as declared, ``sha256`` the hash
    of the file's bytes.
    """

    name: str
    model: str
    what: str
    taken_at: float
    edges: tuple[float, ...]
    shares: tuple[float, ...]
    n: float
    note: str = ""
    sha256: str = ""


class DriftMeasures(Struct, frozen=True):
    """How far two distributions are apart; see `console.evaluation.drift` for each formula.

    ``floor`` is the PSI that noise alone explains, ``ks_critical`` the 5% critical D,
    ``wasserstein_sigma`` is in standard deviations of the reference (None where it has no
    spread), ``equivalent_sigma`` the mean shift of a normal that gives this PSI
    (``sigma_is_bound``: at least that), ``floored`` how many empty shares were lifted to 1e-4.
    """

    psi: float
    floor: float
    jensen_shannon: float
    kolmogorov_smirnov: float
    ks_critical: float
    wasserstein_sigma: float | None
    hellinger: float
    equivalent_sigma: float
    sigma_is_bound: bool
    floored: int


class Distribution(Struct, frozen=True):
    """Scores of one model over a window, beside its reference where one is declared.

    ``edges`` are upper edges (the last may be infinity), ``now_shares`` and
    ``reference_shares`` one share 0-1 a bin. ``now_n`` and ``reference_n`` are predictions,
    ``taken_at`` and ``at`` Unix seconds. ``psi`` and ``measures`` are None without a reference
    or with fewer than 200 predictions. ``note`` says in plain text what is missing; it may hold
    words from outside.
    """

    model: str
    edges: tuple[float, ...]
    now_shares: tuple[float, ...]
    now_n: float
    reference_shares: tuple[float, ...] | None
    reference_n: float
    reference_name: str
    taken_at: float | None
    psi: float | None
    window_seconds: float
    at: float | None = None
    measures: DriftMeasures | None = None
    note: str = ""
