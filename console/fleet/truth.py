"""Three-valued judgement over all rows at once: yes, no, or not known.

A comparison with a missing value is neither yes nor no, and stays that way through ``&`` and
``|`` (Kleene's strong logic), so that an unknown can never turn into "fine" on its way.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Mask = NDArray[np.bool_]
    Floats = NDArray[np.float64]

ROUNDING = 1e-9
"""Relative slack of a limit: 0.0144 / 0.001 must count as 14.4."""


@dataclass(frozen=True, slots=True, eq=False)
class Truth:
    """Masks of the rows where something holds and where it does not; neither means unknown."""

    yes: Mask
    no: Mask

    @property
    def unknown(self) -> Mask:
        """Return the rows that cannot be judged."""
        mask: Mask = ~(self.yes | self.no)
        return mask

    def __and__(self, other: Truth) -> Truth:
        return Truth(self.yes & other.yes, self.no | other.no)

    def __or__(self, other: Truth) -> Truth:
        return Truth(self.yes | other.yes, self.no & other.no)

    def __invert__(self) -> Truth:
        return Truth(self.no, self.yes)

    def given(self, known: Mask) -> Truth:
        """Return the same truth, unknown wherever ``known`` is false."""
        return Truth(self.yes & known, self.no & known)


def certain(mask: Mask) -> Truth:
    """Return a truth that is known for every row."""
    return Truth(mask, ~mask)


def at_least(values: Floats, limit: Floats | float) -> Truth:
    """Compare ``values >= limit``; NaN on either side is unknown."""
    slack = np.asarray(limit, dtype=np.float64) * (1.0 - ROUNDING)
    return Truth(values >= slack, values < slack)


def above(values: Floats, limit: Floats | float) -> Truth:
    """Compare ``values > limit``; NaN on either side is unknown."""
    return Truth(values > limit, values <= limit)
