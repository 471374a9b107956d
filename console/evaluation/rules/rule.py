"""The shape of a rule: id, level, column, test, sentence."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from console.domain.severity import Severity
    from console.evaluation.evidence import Evidence, Truth

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Rule:
    """One reason to look at a model, with a stable id.

    ``when`` is the condition in words, ``needs`` the columns it is made of. ``text`` writes the
    sentence of one row. ``spans`` says that the source's own windows prove the condition, so
    that a single evaluation can decide it. ``keeps_level`` rules are not lowered for tier 3.
    ``immediate`` rules are raised by one hit and cleared by one clean evaluation. While a rule
    of ``implied_by`` is raised this one goes without saying. ``opens_incident`` is False for an
    S1 or S2 that is no incident: it repeats another system's alert, or reminds of what is held.
    ``lowered`` returns the rows for which the rule counts one level lower. ``recovers`` rules hold
    on while their windows empty: their findings have a phase. ``paced_by`` names the column whose
    new answers are counted: a look at the same answer proves nothing more. ``keeps`` returns the
    rows where a raised rule stays although it no longer holds (the limit to clear lies lower),
    ``ripe`` those where it held for long enough to be raised, given since when (Unix seconds).
    """

    id: str
    level: Severity
    when: str
    needs: tuple[str, ...]
    judge: Callable[[Evidence], Truth]
    text: Callable[[Evidence, int], str]
    spans: bool = False
    keeps_level: bool = False
    immediate: bool = False
    implied_by: tuple[str, ...] = ()
    opens_incident: bool = True
    lowered: Callable[[Evidence], Mask] | None = None
    recovers: bool = False
    paced_by: str = ""
    keeps: Callable[[Evidence], Mask] | None = None
    ripe: Callable[[Evidence, Floats], Mask] | None = None
