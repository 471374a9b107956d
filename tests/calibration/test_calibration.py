"""The short form of the table, with fixed seeds: every line holds its goal."""

import numpy as np
import pytest

from console.domain.severity import Severity
from tests.calibration.health import unsure_fleet
from tests.calibration.measures import KNOWN, Measured, causes, dead, recovery, unsure
from tests.calibration.world import Fleet, row


def _held(lines: list[Measured]) -> None:
    assert not [str(line) for line in lines if not line.holds]


def test_a_constant_share_pages_nobody() -> None:
    random = np.random.default_rng(3)
    fleets = [unsure_fleet(random, 8, a_minute, 0.03, 1.0, 60.0) for a_minute in (1, 2, 5, 12, 60)]
    joined = Fleet(
        rows=tuple(row(f"m{number:02d}") for number in range(40)),
        requests=np.hstack([one.requests for one in fleets]),
        bad=np.hstack([one.bad for one in fleets]),
        unsure=np.hstack([one.unsure for one in fleets if one.unsure is not None]),
    )
    for snapshot in joined.watched(KNOWN, KNOWN + 3600.0, 60.0):
        assert (snapshot.severities > int(Severity.S2)).all()


def test_a_share_that_rose_is_told_in_time() -> None:
    _held(unsure(np.random.default_rng(5), 20))


def test_what_fails_wholly_is_told_in_time() -> None:
    _held(dead(np.random.default_rng(5), 4))


def test_what_is_over_is_told_as_over_and_nothing_flaps() -> None:
    _held(recovery(np.random.default_rng(5), 4))


@pytest.mark.parametrize("seed", [11, 12])
def test_causes_are_right(seed: int) -> None:
    _held(causes(np.random.default_rng(seed), 5))
