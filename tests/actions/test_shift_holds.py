"""What a person holds is let go with the shift, or is the next shift's once it was handed over."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from console.actions.ack_renewal import Holding
from tests.actions.cared import care, two, wish
from tests.actions.support import actor, write_config
from tests.actions.test_caring import Clock
from tests.actions.world import config_toml

if TYPE_CHECKING:
    from pathlib import Path

    from console.actions.executor import ActionExecutor

SHIFT = '[shift]\nends = ["06:00", "14:00", "22:00"]\nzone = "UTC"\n'


def at(hour: int, minute: int) -> float:
    return datetime(2026, 11, 23, hour, minute, tzinfo=UTC).timestamp()


BEGUN = two(at(12, 30))


async def let_go(acting: ActionExecutor, clock: Clock, moment: float) -> list[str]:
    clock.now = moment
    told: list[str] = []
    await Holding(acting, told.append).look()
    return told


@pytest.mark.parametrize("declared", [True, False])
async def test_a_hold_of_the_shift_before_is_let_go_where_shifts_are_declared(
    tmp_path: Path, declared: bool
) -> None:
    clock = Clock()
    text = config_toml(tmp_path / "j.db", ["http://127.0.0.1:9"]) + (SHIFT if declared else "")
    with actor(write_config(tmp_path / "c.toml", text), clock=clock) as ana:
        clock.now = at(12, 30)
        assert (await wish(ana, "ack", snapshot=BEGUN, ttl_seconds=4 * 3600.0)).kind == "applied"
        assert await let_go(ana, clock, at(13, 59)) == []
        told = await let_go(ana, clock, at(14, 0) + 1.0)
        hold = care(ana, snapshot=BEGUN).hold
        if declared:
            assert hold is None
            assert "ana's shift ended at 14:00" in told[0]
        else:
            assert hold is not None
            assert told == []


async def test_what_is_taken_late_or_taken_again_is_the_next_shifts(tmp_path: Path) -> None:
    clock = Clock()
    text = config_toml(tmp_path / "j.db", ["http://127.0.0.1:9"]) + SHIFT
    with actor(write_config(tmp_path / "c.toml", text), clock=clock) as ana:
        clock.now = at(12, 30)
        await wish(ana, "ack", snapshot=BEGUN, ttl_seconds=4 * 3600.0)
        clock.now = at(13, 45)
        await wish(ana, "ack", snapshot=BEGUN, ttl_seconds=4 * 3600.0)
        assert await let_go(ana, clock, at(14, 5)) == []
        hold = care(ana, snapshot=BEGUN).hold
        assert hold is not None
        assert hold.by == "ana"
