"""Work in, its cost out as a multiple of a fixed piece of Python timed in the same turns."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


def pace_seconds() -> float:
    """Return the processor time of a fixed piece of plain Python; about 1 ms on a quick machine."""
    began = time.process_time()
    sum(number * number % 7 for number in range(15_000))
    return time.process_time() - began


def cost_in_paces(work: Callable[[], object], turns: int = 9) -> float:
    """Return the least processor time of ``work`` over the least of the fixed piece.

    Both are timed turn by turn, so a machine that is slow for a while is slow for both.
    """
    spent, paces = [], []
    for _ in range(turns):
        paces.append(pace_seconds())
        began = time.process_time()
        work()
        spent.append(time.process_time() - began)
        paces.append(pace_seconds())
    return min(spent) / min(paces)
