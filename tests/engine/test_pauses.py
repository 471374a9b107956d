"""Full passes of the collector leave a settled fleet alone."""

import gc
import sys

import pytest

from console.engine.pauses import (
    SWITCH_SECONDS,
    hold_off_collector,
    release_collector,
    settling,
    yield_often,
)
from console.facts.snapshot import Snapshot
from tests.support.snapshots import big_snapshot


@pytest.fixture(autouse=True)
def _restore():
    interval, thresholds = sys.getswitchinterval(), gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    sys.setswitchinterval(interval)
    gc.unfreeze()


def test_a_settled_fleet_is_set_aside_once() -> None:
    seen: list[Snapshot] = []
    publish = settling(seen.append)
    snapshot = big_snapshot(20, seed=1)
    gc.unfreeze()
    publish(snapshot)
    publish(snapshot)
    assert gc.get_freeze_count() == 0
    publish(snapshot)
    kept = gc.get_freeze_count()
    assert kept > 0
    publish(snapshot)
    assert gc.get_freeze_count() <= kept
    assert seen == [snapshot] * 4


def test_the_key_loop_gets_its_turn_after_a_millisecond() -> None:
    yield_often()
    assert sys.getswitchinterval() == pytest.approx(SWITCH_SECONDS)


def test_a_start_is_not_held_up_by_collecting_and_nothing_else_waits_for_long() -> None:
    usual = gc.get_threshold()
    gc.unfreeze()
    hold_off_collector()
    passes = gc.get_stats()[0]["collections"]
    kept = [[number] for number in range(50_000)]
    assert gc.get_stats()[0]["collections"] == passes
    release_collector()
    assert gc.get_threshold() == usual
    assert gc.get_freeze_count() >= len(kept)
    kept.extend([number] for number in range(50_000))
    assert gc.get_stats()[0]["collections"] > passes


def test_without_a_hold_nothing_is_set_aside() -> None:
    gc.unfreeze()
    release_collector()
    assert gc.get_freeze_count() == 0
