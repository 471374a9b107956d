"""The ring of ticks: gaps stay gaps, rows move, bytes stay bounded."""

import numpy as np

from console.domain.snapshot import SignalColumn
from console.engine.answer_table import ColumnBuilder
from console.engine.history import BUDGET_BYTES, KEPT_SIGNALS, STEP_SECONDS, History


def columns(values: list[float], signal: str = "latency_p95") -> dict[str, SignalColumn]:
    builder = ColumnBuilder(len(values))
    builder.put(
        np.arange(len(values)),
        np.array(values, dtype=np.float64),
        at=0.0,
        window_seconds=None,
        method="",
        stale=False,
    )
    return {signal: builder.build()}


def test_ticks_come_back_oldest_first_and_missed_slots_are_nan() -> None:
    history = History()
    history.seat(["a", "b"])
    history.add(columns([1.0, 10.0]), 0.0)
    history.add(columns([2.0, 20.0]), 30.0)
    history.add(columns([4.0, 40.0]), 92.0)
    series = history.series("b", "latency_p95", 3600)
    assert series.times.tolist() == [0.0, 30.0, 60.0, 90.0]
    assert series.values[[0, 1, 3]].tolist() == [10.0, 20.0, 40.0]
    assert np.isnan(series.values[2])


def test_the_newest_tick_of_a_slot_wins_and_the_ring_forgets_after_an_hour() -> None:
    history = History()
    history.seat(["a"])
    for at in range(0, 7200, 5):
        history.add(columns([float(at)]), float(at))
    series = history.series("a", "latency_p95", 3600)
    assert len(series.times) == 120
    assert series.values[-1] == 7195.0
    assert series.times[0] == 7170 - 119 * 30
    assert history.series("a", "latency_p95", 120).times.tolist() == [7080, 7110, 7140, 7170]


def test_rows_keep_their_past_when_the_fleet_changes() -> None:
    history = History()
    history.seat(["a", "b"])
    history.add(columns([1.0, 2.0]), 0.0)
    history.seat(["b", "c"])
    history.add(columns([3.0, 4.0]), 30.0)
    assert history.series("b", "latency_p95", 60).values.tolist() == [2.0, 3.0]
    assert np.isnan(history.series("c", "latency_p95", 60).values[0])
    assert len(history.series("a", "latency_p95", 60).values) == 0


def test_a_clock_set_back_starts_anew() -> None:
    history = History()
    history.seat(["a"])
    history.add(columns([1.0]), 1000.0)
    history.add(columns([2.0]), 100.0)
    assert history.series("a", "latency_p95", 3600).values.tolist() == [2.0]


def test_five_thousand_models_stay_within_the_budget() -> None:
    history = History()
    history.seat([f"m{number}" for number in range(5000)])
    everything = {name: columns([1.0] * 5000, name)[name] for name in KEPT_SIGNALS}
    history.add(everything, 0.0)
    assert 0 < history.used_bytes <= BUDGET_BYTES
    assert history.step_seconds > STEP_SECONDS


def test_a_signal_nobody_measures_costs_nothing() -> None:
    history = History()
    history.seat(["a"])
    history.add(columns([np.nan]), 0.0)
    assert history.used_bytes == 0
    assert np.isnan(history.series("a", "latency_p95", 60).values).all()
