"""Judging holds over every mixture of answers and reads."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from console.actions.readback import GOOD, Seen, judge
from console.domain.control import (
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
