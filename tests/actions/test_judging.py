"""Judging holds over every mixture of answers and reads."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.actions.readback import GOOD, Seen, judge, read_back
from console.controls.protocol import Control
from console.domain.control import (
    ControlState,
    PreparedCall,
    PreparedChange,
    Proof,
    SendResult,
    TargetResult,
    TargetState,
    VerifyPlan,
)

REACHES = st.sampled_from(["wanted", "accepted", "not", "unknown"])
VERDICTS = st.sampled_from(["accepted", "rejected", "indeterminate"])


def change(count: int) -> PreparedChange:
    calls = tuple(
        PreparedCall(f"t{number}", "", TargetState(f"t{number}", 0.0, "CLOSED"))
        for number in range(count)
    )
    return PreparedChange(
        "b", "trip", "Trip", "op", "outage", "A", ("OPEN",), VerifyPlan(), Proof("ci"), False, calls
    )


@given(st.lists(st.tuples(REACHES, VERDICTS), min_size=1, max_size=6))
def test_the_outcome_says_no_more_than_was_read(targets: list[tuple[str, str]]) -> None:
    reached = {f"t{number}": reach for number, (reach, _) in enumerate(targets)}
    results = tuple(
        TargetResult(f"t{number}", verdict, "said", True, 0.0)  # type: ignore[arg-type]
        for number, (_, verdict) in enumerate(targets)
    )
    seen = Seen(reached, dict.fromkeys(reached, "CLOSED"))  # type: ignore[arg-type]
    found = judge([change(len(targets))], [seen], [SendResult(results)])
    good = sum(reach in GOOD for reach, _ in targets)
    open_ = [1 for reach, verdict in targets if reach == "unknown" and verdict != "rejected"]
    assert (found.kind == "applied") == (good == len(targets))
    assert (found.kind == "partial") == (0 < good < len(targets))
    assert found.done == good
    assert bool(found.unknown) == bool(open_)
    late = [
        1
        for reach, verdict in targets
        if (reach == "not" and verdict != "rejected")
        or (reach == "unknown" and verdict == "rejected")
    ]
    if found.kind in ("rejected", "failed"):
        assert not good
        assert not open_, "nothing changed is said only where it is known"
        assert not late, "nothing changed is not said of what a service took"
    if found.kind == "unverified":
        assert open_ or late
    assert found.late_only == bool(late and not good and not open_)


@pytest.mark.parametrize("texts", [("CLOSED", "OPEN"), ("OPEN", "CLOSED")])
async def test_where_the_time_is_over_after_one_read_there_is_a_second(
    texts: tuple[str, str],
) -> None:
    """A state that flaps, read by a machine too slow for two reads in time: nobody knows it."""
    plan = VerifyPlan(within_seconds=0.0, every_seconds=0.001)
    asked = replace(change(1), verify=plan)

    class Flapping:
        reads = 0

        async def read(self, now: float) -> ControlState:
            self.reads += 1
            return ControlState("b", now, (TargetState("t0", now, texts[(self.reads - 1) % 2]),))

    control = Flapping()
    seen = await read_back(asked, cast("Control", control), lambda: 0.0)
    assert control.reads == 2
    assert seen.reached == {"t0": "unknown"}
