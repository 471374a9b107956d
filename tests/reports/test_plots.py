"""Charts: gaps, constants, nothing at all, and values that would end the process."""

import threading

import numpy as np
import pytest
from numpy.typing import NDArray

from console.domain.samples import Series
from console.reports.plots import chart, distribution, distribution_of, resample

Floats = NDArray[np.float64]

TIMES = 1_790_000_000.0 + np.arange(0, 21600, 30.0)


def series(values: Floats) -> Series:
    return Series("latency_p95", TIMES[: len(values)], values.astype(np.float64))


def test_a_chart_fills_its_size_and_names_model_signal_and_last_value() -> None:
    text = chart(series(1 + np.sin(TIMES / 3000)), model="fraud-scorer", width=90, height=14)
    lines = text.splitlines()
    assert len(lines) == 14
    assert max(map(len, lines)) <= 90
    assert "fraud-scorer latency p95, latest" in lines[0]
    assert "Z" in lines[-1]


def test_not_a_number_and_infinities_leave_gaps_and_no_corpse() -> None:
    values = np.ones(len(TIMES))
    values[100:200], values[300], values[301] = np.nan, np.inf, -np.inf
    assert len(chart(series(values), width=60, height=10).splitlines()) == 10


@pytest.mark.parametrize("values", [np.empty(0), np.full(5, np.nan), np.array([np.inf])])
def test_nothing_known_draws_nothing(values: Floats) -> None:
    assert chart(series(values)) == ""
    assert distribution_of(series(values)) == ""


@pytest.mark.parametrize("values", [np.zeros(3), np.array([2.0]), np.full(700, 7.5)])
def test_constants_are_drawn(values: Floats) -> None:
    assert chart(series(values), width=60, height=8)


def test_hostile_names_are_visible_and_plain() -> None:
    text = chart(series(np.ones(5)), model="[/x]\x1b[2J\u202e", width=80, height=8)
    assert all(line.isprintable() for line in text.splitlines())


def test_resampling_keeps_means_and_gaps() -> None:
    values = np.ones(len(TIMES))
    values[: len(TIMES) // 2] = np.nan
    times, means = resample(TIMES, values, 50)
    assert len(times) == len(means) == 50
    assert np.isnan(means[:24]).all()
    assert (means[26:] == 1.0).all()


def test_a_distribution_shows_both_shares() -> None:
    labels = [f".{number}" for number in range(10)]
    now, reference = np.arange(10) / 45, np.arange(10)[::-1] / 45
    text = distribution("score", labels, now.tolist(), reference.tolist())
    assert "█" in text
    assert "░" in text
    assert distribution("score", labels, [0.0] * 10) == ""
    assert distribution("score", [], []) == ""


def test_threads_do_not_draw_on_each_other() -> None:
    expected = chart(series(np.ones(50)), model="same", width=60, height=8)
    drawn: list[str] = []

    def draw() -> None:
        drawn.append(chart(series(np.ones(50)), model="same", width=60, height=8))

    threads = [threading.Thread(target=draw) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert drawn == [expected] * 6


def test_a_chart_for_an_ascii_terminal_is_ascii() -> None:
    text = chart(series(1 + np.sin(TIMES / 3000)), model="m", width=60, height=10, ascii_only=True)
    assert text.isascii()
    assert "*" in text
