"""Scores beside their reference, drawn: every bin, both shades, and what is missing."""

import math

import pytest

from console.domain.distribution import Distribution
from console.evaluation.drift import alone, of_reference
from console.reports.plots import bin_labels, score_plot
from tests.evaluation.references import FLAT, NOW, TENTHS, reference
from themes.glyphs import to_ascii


def drawn(found: Distribution, width: int = 100, height: int = 18) -> str:
    text = score_plot(found, width=width, height=height)
    assert max(map(len, text.splitlines())) <= width
    return text


def test_both_distributions_are_drawn_with_what_they_rest_on() -> None:
    moved = [30.0 * step for step in range(1, 11)]
    text = drawn(of_reference("m", reference(), moved, window_seconds=3600, at=NOW))
    assert "█" in text
    assert "░" in text
    assert "n=1650 in 60m" in text
    assert "refs/m.json, n=41000, 2026-09-28" in text
    assert "Hellinger" in text
    assert ".9-1" in text
    plain = "\n".join(map(to_ascii, text.splitlines()))
    assert plain.isascii()
    assert "?" not in plain


@pytest.mark.parametrize(("width", "height"), [(40, 8), (160, 40)])
def test_it_fits_the_room(width: int, height: int) -> None:
    found = of_reference("m", reference(), [100.0] * 10, window_seconds=3600, at=NOW)
    assert len(drawn(found, width, height).splitlines()) <= max(height, 12)


def test_without_reference_traffic_or_answer_it_says_so() -> None:
    assert "no reference" in drawn(alone("m", TENTHS, [5.0] * 10, window_seconds=900, at=NOW))
    idle = of_reference("m", reference(), [0.0] * 10, window_seconds=3600, at=NOW)
    assert "nothing was asked" in drawn(idle)
    away = alone("m\x1b[2J", (), (), window_seconds=3600, at=None, note="refused\x1b[2J")
    assert "\x1b" not in drawn(away)
    assert "refused" in drawn(away)


def test_names_of_bins() -> None:
    assert bin_labels((0.1, 0.25, 1.0, math.inf)) == ["≤.1", ".1-.25", ".25-1", ">1"]
    assert len(bin_labels(TENTHS)) == len(FLAT)
