"""What a command tells after one or two looks is what a console tells that watched all along."""

from collections.abc import Sequence
from typing import cast

import numpy as np
import pytest

from console.domain.samples import Series
from console.domain.snapshot import Snapshot
from console.engine.client import SeriesSet
from console.engine.look_back import LOOKS, LookBack
from console.engine.ranges import Ranges
from console.evaluation.evaluate import evaluate
from console.evaluation.memory import Memory, with_past
from console.settings.schema import Settings
from tests.calibration.health import failing_fleet
from tests.calibration.world import LIVE_SECONDS, START, STEP_SECONDS, UP, Fleet, Floats, Totals

HARM = 3 * 3600.0
ENDS = HARM + 900.0


class FleetRanges:
    """Range questions answered from a fleet's counters."""

    def __init__(self, fleet: Fleet) -> None:
        self.asked: list[str] = []
        self._fleet = fleet

    async def between(
        self, model: str, signals: Sequence[str], start: float, end: float, cells: int
    ) -> SeriesSet:
        self.asked.append(model)
        row = next(at for at, one in enumerate(self._fleet.rows) if one.model == model)
        times = np.linspace(start, end, cells + 1)
        counts = {"requests_rate": self._fleet.requests, "bad_rate": self._fleet.bad}
        found = tuple(
            Series(signal, times, _rates(Totals.of(counts[signal]), times, row))
            for signal in signals
        )
        return SeriesSet(model, start, end, found)


def _rates(totals: Totals, times: Floats, row: int) -> Floats:
    steps = [int((at - START) // STEP_SECONDS) for at in times.tolist()]
    return np.array([totals.over(step, LIVE_SECONDS)[row] / LIVE_SECONDS for step in steps])


def _look(fleet: Fleet, memory: Memory, at: float, *, remembers: bool) -> tuple[Snapshot, Memory]:
    return evaluate(
        fleet.rows, fleet.observed(START + at), UP, memory, START + at,
        environment="t", tick=1, settings=Settings(), remembers=remembers,
    )  # fmt: skip


def _fleet(after: float) -> Fleet:
    spans = [(HARM, 0.6), (ENDS, 0.0)] if after > 0 else [(HARM, 0.6)]
    return failing_fleet(np.random.default_rng(4), 3, 240.0, spans, 4.5, 0.999)


@pytest.mark.parametrize("after", [300.0, 0.0])
@pytest.mark.parametrize("remembers", [True, False])
async def test_one_or_two_looks_agree_with_a_console_that_watched(
    after: float, remembers: bool
) -> None:
    fleet = _fleet(after)
    at = ENDS + (after or -60.0)
    *_, watched = fleet.watched(HARM - 300.0, at, 15.0)
    first, memory = _look(fleet, Memory(), at - 5.0, remembers=remembers)
    assert not first.recovering
    ranges = FleetRanges(fleet)
    past = await LookBack().taken(memory, cast("Ranges", ranges), START + at - 5.0)
    assert past is not None
    second, _ = _look(fleet, with_past(memory, past), at, remembers=remembers)
    assert second.severities.tolist() == watched.severities.tolist()
    assert second.recovering == watched.recovering
    assert bool(second.recovering) is (after > 0)
    burning = [one for found in second.findings.values() for one in found if "burn" in one.rule]
    assert burning
    assert all(abs(one.since - (START + HARM)) <= 60.0 for one in burning)


async def test_nobody_is_asked_where_nothing_burns_or_when_the_console_has_watched() -> None:
    fleet = _fleet(0.0)
    _, calm = _look(fleet, Memory(), HARM - 60.0, remembers=True)
    ranges = FleetRanges(fleet)
    look_back = LookBack()
    assert await look_back.taken(calm, cast("Ranges", ranges), START + HARM) is None
    _, memory = _look(fleet, Memory(), ENDS - 60.0, remembers=True)
    for _ in range(LOOKS):
        await look_back.taken(memory, cast("Ranges", ranges), START + ENDS)
    assert sorted(ranges.asked) == sorted(one.model for one in fleet.rows)
