"""A benchmark's outcome, and the shape every benchmark has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: a figure, its budget, and the gate that decides.

    ``gate`` compares ``ratio`` (figure against a baseline measured in the same run) with
    ``limit``; absolute budgets are printed beside it because a busy machine bends them.
    """

    what: str
    figure: str
    budget: str
    ratio: float | None = None
    limit: float | None = None
    baseline: str = ""

    @property
    def holds(self) -> bool:
        """Tell whether the gate holds; a row without a gate is a figure only."""
        return self.ratio is None or self.limit is None or self.ratio <= self.limit


@dataclass(frozen=True, slots=True)
class Benchmark:
    """A named measurement; ``run(True)`` slows its subject by 0.1 s, to prove the gate can fail."""

    name: str
    run: Callable[[bool], list[Row]]
    timed: bool = True
    """Whether a slower subject must break a gate; a count of bytes or queries does not care."""


def table(rows: list[Row]) -> str:
    """Return the rows as aligned text."""
    head = ("what", "figure", "budget", "ratio", "limit", "", "against")
    cells = [head]
    for row in rows:
        cells.append(
            (
                row.what,
                row.figure,
                row.budget,
                "" if row.ratio is None else f"{row.ratio:.2f}",
                "" if row.limit is None else f"{row.limit:.2f}",
                "ok" if row.holds else "OVER",
                row.baseline,
            )
        )
    widths = [max(len(line[column]) for line in cells) for column in range(len(head))]
    return "\n".join(
        "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
        for line in cells
    )
