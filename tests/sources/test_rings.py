"""Rings and shelves: what is kept, for how long, and in how many bytes."""

from __future__ import annotations

import math

import numpy as np
import pytest

from console.metrics.labels import Matcher
from console.sources.sample_store import LONG_SECONDS, MIDDLE_SECONDS, STALE, Ring, Shelf, is_stale
from console.sources.stored_samples import Samples

NO_LABELS: tuple[tuple[str, str], ...] = ()
START = 1_763_869_200.0


def shelf(interval_seconds: float = 5.0) -> Shelf:
    extra = (("instance", "a:1"), ("job", "svc"))
    return Shelf(extra, interval_seconds, lambda name: name == "long_total")


def series(name: str, **labels: str) -> tuple[str, tuple[tuple[str, str], ...]]:
    return name, tuple(sorted(labels.items()))


def test_stale_is_another_nan_than_the_value_nan_and_survives_copies() -> None:
    values = np.array([STALE, math.nan, 1.0])

    assert np.isnan(values[:2]).all()
    assert is_stale(values).tolist() == [True, False, False]
    assert is_stale(values[np.array([0, 1])].copy()).tolist() == [True, False]
    assert is_stale(np.concatenate([values, values])).sum() == 2


def test_a_ring_keeps_the_last_columns_in_order() -> None:
    ring = Ring(10)
    ring.add_rows(2)
    for step in range(100):
        ring.append(float(step), np.array([step, -step], dtype=float))

    times, values = ring.take(np.array([1]), ring.columns(0.0, math.inf))

    assert times.tolist() == [float(step) for step in range(90, 100)]
    assert values.tolist() == [[-float(step) for step in range(90, 100)]]
    assert (ring.oldest, ring.newest) == (90.0, 99.0)
    assert ring.columns(92.0, 94.0).stop - ring.columns(92.0, 94.0).start == 3
    with pytest.raises(ValueError, match="cannot follow"):
        ring.append(99.0, np.zeros(2))


def test_rows_that_come_later_were_absent_before() -> None:
    ring = Ring(10)
    ring.add_rows(1)
    ring.append(1.0, np.array([1.0]))
    ring.add_rows(40)
    ring.append(2.0, np.full(41, 2.0))

    _, values = ring.take(np.array([0, 40]), ring.columns(0.0, 9.0))

    assert values[0].tolist() == [1.0, 2.0]
    assert is_stale(values[1]).tolist() == [True, False]


def test_six_hours_of_scrapes_stay_within_the_bytes_of_the_tiers() -> None:
    one = shelf()
    rows = one.rows_of([series("m_total", i=str(i)) for i in range(200)])
    for step in range(int(7 * 3600 / 5)):
        one.append(START + 5.0 * step, rows, np.full(200, float(step)))
    end = START + 7 * 3600 - 5.0

    span = one.span(rows, end - MIDDLE_SECONDS + 60.0, end)
    recent = one.span(rows, end - 300.0, end)

    assert np.diff(recent.times).tolist() == [5.0] * 60
    assert span.times[-1] == end
    assert set(np.diff(span.times[:-1]).tolist()) == {60.0}
    assert span.times[0] <= end - MIDDLE_SECONDS + 120.0
    assert not is_stale(span.values).any()
    # 182 + 362 columns of 8 bytes, an eighth to spare, and rows to the next doubling.
    assert one.nbytes / one.series_count < 8_000
    assert one.long.nbytes == 0


def test_only_named_counters_reach_thirty_days() -> None:
    one = shelf(300.0)
    names = [series("long_total", m="a"), series("other_total", m="a")]
    rows = one.rows_of(names)
    for step in range(int(31 * 86400 / 300)):
        one.append(START + 300.0 * step, rows, np.array([step, step], dtype=float))
    end = START + 31 * 86400.0 - 300.0

    long = one.span(rows[:1], end - LONG_SECONDS, end)
    other = one.span(rows[1:], end - LONG_SECONDS, end)
    hour = one.span(rows[:1], end - 3600.0, end)

    assert long.times[0] == end - LONG_SECONDS
    assert np.all(np.diff(long.values) == 1.0)
    assert hour.times.size == 13
    assert not is_stale(other.values).any()
    assert other.times[0] >= end - 31 * 3600
    assert one.history_start(rows[:1]) < one.history_start(rows[1:])
    # 8,642 columns of 8 bytes and an eighth for the one, and what both have in the other tiers.
    assert one.nbytes < 180_000


def test_a_series_that_is_gone_for_long_is_forgotten_and_rows_are_renumbered() -> None:
    one = shelf(60.0)
    old, kept = series("m_total", i="old"), series("m_total", i="kept")
    both = one.rows_of([old, kept])
    one.append(START, both, np.array([1.0, 2.0]))
    layout = one.layout
    for step in range(1, 8 * 60):
        row = both[1:] if one.layout == layout else both[:1]
        one.append(START + 60.0 * step, row, np.array([5.0]))

    assert one.series_count == 1
    assert one.rows_of([kept]).tolist() == [0]
    assert one.layout > layout
    span = one.span(np.array([0]), START, START + 8 * 3600.0)
    assert span.values[0, -1] == 5.0


def test_the_scrapers_labels_are_added_and_a_services_own_are_kept_aside() -> None:
    one = shelf()
    one.rows_of([series("m", instance="mine", job="mine", model="a")])

    assert dict(one.labels[0]) == {
        "exported_instance": "mine",
        "exported_job": "mine",
        "instance": "a:1",
        "job": "svc",
        "model": "a",
    }


def test_latest_leaves_out_what_ended_and_what_is_older_than_five_minutes() -> None:
    one, two = shelf(), shelf()
    rows = one.rows_of([series("g", i="1"), series("g", i="2")])
    one.append(START, rows, np.array([1.0, 2.0]))
    one.append(START + 5.0, rows[:1], np.array([3.0]))
    two.append(START, two.rows_of([series("g", i="3")]), np.array([math.nan]))
    samples = Samples([one, two])

    now = samples.latest("g", (), START + 5.0)
    then = samples.latest("g", (), START + 1.0)
    late = samples.latest("g", (), START + 302.0)

    assert [dict(labels)["i"] for labels in now.labels] == ["1", "3"]
    assert now.values[0] == 3.0
    assert math.isnan(now.values[1])
    assert [dict(labels)["i"] for labels in then.labels] == ["1", "2", "3"]
    assert [dict(labels)["i"] for labels in late.labels] == ["1"]
    assert samples.latest("g", (), START + 306.0).labels == ()
    assert (
        samples.latest("g", (), START + 302.0).labels
        is samples.latest("g", (), START + 303.0).labels
    )


def test_windows_of_targets_with_other_times_are_packed_left_without_stale_marks() -> None:
    one, two = shelf(), shelf()
    rows = one.rows_of([series("c_total", i="1"), series("c_total", i="2")])
    one.append(START, rows, np.array([1.0, 10.0]))
    one.append(START + 5.0, rows[:1], np.array([2.0]))
    one.append(START + 10.0, rows, np.array([3.0, 30.0]))
    two.append(START + 7.0, two.rows_of([series("c_total", i="3")]), np.array([7.0]))
    samples = Samples([one, two])

    window = samples.window("c_total", (), START, START + 10.0)

    assert window.counts.tolist() == [3, 2, 1]
    assert window.values[1, :2].tolist() == [10.0, 30.0]
    assert window.times[1, :2].tolist() == [START, START + 10.0]
    assert window.times[2, 0] == START + 7.0
    only = samples.window("c_total", (Matcher("i", "=~", "[13]"),), START, START + 10.0)
    assert only.counts.tolist() == [3, 1]
    assert samples.window("c_total", (), START, START + 10.0) is window
    assert samples.window("no_total", (), START, START + 10.0).labels == ()
