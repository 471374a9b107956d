"""Distributions of a model's scores: the frozen reference and the current one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]


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
