"""A model's scores beside its reference, as plain text."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from console.facts.text import visible
from console.reports.plots import distribution
from console.signals.units import format_value

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.facts.drift import Distribution

_LEAST_LINES = 8


def score_plot(found: Distribution, *, width: int = 80, height: int = 14) -> str:
    """Return bars a bin and the sentences under them, ``height`` lines of ``width`` columns.

    Without any prediction only the sentences are returned. Reference bars are ``░``, today's ``█``.
    """
    said = [line[:width] for line in _sentences(found)]
    drawn = distribution(
        f"{visible(found.model, 30)} scores, % of predictions",
        bin_labels(found.edges),
        found.now_shares,
        found.reference_shares,
        width=width,
        height=max(_LEAST_LINES, height - len(said)),
    )
    return drawn + "\n".join(said) + "\n"


def bin_labels(edges: Sequence[float]) -> list[str]:
    """Return ``≤.1``, ``.1-.2`` … ``>.9``-like names of bins with these upper edges."""
    labels: list[str] = []
    for place, edge in enumerate(edges):
        if place == 0:
            labels.append(f"≤{_edge(edge)}")
        elif math.isinf(edge):
            labels.append(f">{_edge(edges[place - 1])}")
        else:
            labels.append(f"{_edge(edges[place - 1])}-{_edge(edge)}")
    return labels


def _edge(value: float) -> str:
    shown = f"{value:.4g}"
    return shown.removeprefix("0") if 0 < value < 1 else shown


def _sentences(found: Distribution) -> list[str]:
    minutes = found.window_seconds / 60.0
    lines = [f"now: n={found.now_n:.0f} in {minutes:.0f}m"]
    if found.reference_shares is not None and found.taken_at is not None:
        day = datetime.fromtimestamp(found.taken_at, UTC).strftime("%Y-%m-%d")
        lines.append(f"reference: {found.reference_name}, n={found.reference_n:.0f}, {day}")
    elif not found.note:
        lines.append("no reference: midwatch reference MODEL -o FILE takes one")
    measured = found.measures
    if measured is not None:
        bound = "≥" if measured.sigma_is_bound else "≈"
        moved = measured.wasserstein_sigma
        lines.append(
            f"PSI {format_value(measured.psi, '1')} {bound}{measured.equivalent_sigma:.1f}σ, "
            f"noise up to {format_value(measured.floor, '1')}; "
            f"JS {format_value(measured.jensen_shannon, '1')} (base e), "
            f"KS {format_value(measured.kolmogorov_smirnov, '1')}, "
            f"Wasserstein {'?' if moved is None else format(moved, '.1f')}σ, "
            f"Hellinger {format_value(measured.hellinger, '1')}"
        )
    if found.note:
        lines.append(visible(found.note, 300))
    return lines
