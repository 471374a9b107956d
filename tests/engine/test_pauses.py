"""Full passes of the collector leave a settled fleet alone."""

import gc
import sys

import pytest

from console.engine.pauses import SWITCH_SECONDS, settling, yield_often
from console.facts.snapshot import Snapshot
from tests.support.snapshots import big_snapshot


@pytest.fixture(autouse=True)
def _restore():
    interval = sys.getswitchinterval()
    yield
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
