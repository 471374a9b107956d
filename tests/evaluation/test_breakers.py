"""Breakers live per process: four replicas have four, and the worst of them is shown."""

import pytest

from console.domain.model import ModelRow
from console.domain.severity import BreakerState
from console.domain.snapshot import Snapshot
from tests.evaluation.scenes import CALM, Facts, Watch, rules_of, text_of

REFUSING = {**CALM, "bad_rate": 6.87, "error_ratio": 0.4}
CLOSED, OPEN, HALF_OPEN, DISABLED, FORCED_OPEN, METRICS_ONLY = map(float, range(6))


def _replicas(*values: float, dependency: str = "") -> Facts:
    labels = [("m", dependency, f"m-{number}:9100") for number in range(len(values))]
    return {"breaker_state": list(zip(labels, values, strict=True))}


def _settled(facts: Facts) -> Snapshot:
    watch = Watch((ModelRow("m", source="prom", dependencies=("store",)),))
    watch.see({"m": REFUSING}, facts)
    return watch.see({"m": REFUSING}, facts)


@pytest.mark.parametrize(
    ("values", "state", "extent"),
    [
        ((OPEN, HALF_OPEN), BreakerState.OPEN, "1 of 2 replicas refusing"),
        ((HALF_OPEN, OPEN, OPEN, CLOSED), BreakerState.OPEN, "2 of 4 replicas refusing"),
        ((FORCED_OPEN, OPEN, CLOSED), BreakerState.FORCED_OPEN, "2 of 3 replicas refusing"),
        ((HALF_OPEN, DISABLED), BreakerState.HALF_OPEN, "1 of 2 replicas probing"),
        ((DISABLED, METRICS_ONLY), BreakerState.DISABLED, "1 of 2 replicas unprotected"),
        ((METRICS_ONLY, CLOSED), BreakerState.METRICS_ONLY, "1 of 2 replicas watching"),
        ((OPEN, OPEN), BreakerState.OPEN, ""),
        ((CLOSED,), BreakerState.CLOSED, ""),
    ],
)
def test_the_worst_replica_is_shown_and_those_alike_are_counted(
    values: tuple[float, ...], state: BreakerState, extent: str
) -> None:
    breaker = _settled(_replicas(*values)).breaker(0)
    assert breaker.state is state
    assert breaker.extent == extent
    assert breaker.share.replicas == len(values)


def test_a_finding_says_how_many_replicas_refuse() -> None:
    snapshot = _settled(_replicas(OPEN, HALF_OPEN, OPEN, CLOSED))
    assert (
        text_of(snapshot, "breaker_no_answer") == "breaker OPN (2 of 4 replicas refusing), nothing "
        "answers for them, 412 bad requests a minute"
    )


def test_the_say_line_tells_how_many_replicas_refuse() -> None:
    watch = Watch((ModelRow("m", source="prom"),))
    watch.see({"m": CALM}, _replicas(CLOSED, CLOSED, CLOSED, CLOSED))
    after = watch.see({"m": REFUSING}, _replicas(CLOSED, HALF_OPEN, OPEN, CLOSED))
    assert (
        "m's breaker opened (1 of 4 replicas refusing); nothing answers for them; "
        "412 requests a minute fail"
    ) in [change.text for change in after.changes]


def test_one_open_breaker_on_a_dependency_is_not_hidden_by_a_probing_one() -> None:
    snapshot = _settled(_replicas(OPEN, HALF_OPEN, CLOSED, dependency="store"))
    assert "dependency_breaker" in rules_of(snapshot)
    text = text_of(snapshot, "dependency_breaker")
    assert text == "breaker of store OPN (1 of 3 replicas refusing)"
    store = next(one for one in snapshot.dependencies if one.name == "store")
    assert store.breaker.state is BreakerState.OPEN
    assert store.breaker.extent == "1 of 3 breakers refusing"


def test_what_others_see_of_a_dependency_is_folded_the_same_way() -> None:
    seen = [(("store", "other", "a:1"), HALF_OPEN), (("store", "other", "b:1"), OPEN)]
    snapshot = _settled({"dependency_breaker": seen})
    text = text_of(snapshot, "dependency_breaker")
    assert text == "breaker of store OPN (1 of 2 breakers refusing)"
