"""Full passes of the collector leave a settled fleet alone."""

import gc
import sys
import weakref

import pytest

from console.domain.snapshot import Snapshot
from console.engine.gc_tuning import (
    LONGEST_SECONDS,
    PASS_EVERY_SECONDS,
    QUIET_SECONDS,
    SWITCH_SECONDS,
    QuietCollector,
    hold_off_collector,
    release_collector,
    settling,
    yield_often,
)
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


def full_passes() -> int:
    return int(gc.get_stats()[2]["collections"])


def test_full_passes_wait_until_nobody_types_but_not_for_ever() -> None:
    now = [1000.0]
    collector = QuietCollector(lambda: now[0])
    now[0] += LONGEST_SECONDS
    assert not collector.look(), "until it begins, passes are Python's own"
    collector.begin()
    before = full_passes()
    garbage = [[number] for number in range(200_000)]
    assert full_passes() == before, "Python makes none by itself any more"
    assert len(garbage) == 200_000

    assert collector.look()
    assert full_passes() == before + 1
    now[0] += PASS_EVERY_SECONDS - 1
    assert not collector.look()
    now[0] += 1
    collector.key_pressed()
    now[0] += QUIET_SECONDS - 0.5
    assert not collector.look(), "somebody types"
    now[0] += 0.5
    assert collector.look()
    made = []
    for _ in range(int(LONGEST_SECONDS)):
        collector.key_pressed()
        now[0] += 1.0
        made.append(collector.look())
    assert made.index(True) == LONGEST_SECONDS - 1, "garbage does not grow for ever"


def test_cycles_are_collected_by_a_quiet_pass() -> None:
    now = [0.0]
    collector = QuietCollector(lambda: now[0])
    collector.begin()

    class Knot:
        def __init__(self) -> None:
            self.me = self

    seen = weakref.ref(Knot())
    now[0] += PASS_EVERY_SECONDS
    assert collector.look()
    assert seen() is None
