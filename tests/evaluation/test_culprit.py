"""What is known of dependencies; which of them is named as a cause: `test_causes`."""

from console.domain.model import ModelRow
from console.domain.severity import BreakerState
from console.domain.signals import ReadingState
from console.domain.snapshot import Dependency, Snapshot
from console.settings.schema import DependencySettings, Settings
from tests.evaluation.scenes import CALM, Facts, Watch
from tests.support.columns import Entry

ROWS = (
    ModelRow("fraud", source="prom", dependencies=("features",), review_sla_seconds=60.0),
    ModelRow("kyc", source="prom"),
)
BAD: dict[str, Entry] = {**CALM, "bad_rate": 6.87, "attempts_per_request": 4.1}
SLOW: dict[str, Entry] = {**BAD, "review_oldest": 120.0}


def _failing(ratio: float, timeouts: float = 0.0) -> Facts:
    return {
        "dependency_error_ratio": [(("features",), ratio), (("vectors",), 0.0)],
        "dependency_timeout_ratio": [(("features",), timeouts)],
        "dependency_attempts": [(("fraud", "features"), 4.1), (("kyc", "features"), 1.0)],
    }


def _seen(facts: Facts, entries: dict[str, Entry], settings: Settings | None = None) -> Snapshot:
    watch = Watch(ROWS, settings or Settings())
    watch.see({"fraud": entries, "kyc": CALM}, facts)
    return watch.see({"fraud": entries, "kyc": CALM}, facts)


def _named(snapshot: Snapshot, name: str) -> Dependency:
    return next(one for one in snapshot.dependencies if one.name == name)


def test_a_failing_dependency_is_described_and_without_counts_blamed_for_nothing() -> None:
    features = _named(_seen(_failing(0.38, 0.36), SLOW), "features")
    assert not features.culprit
    assert features.state == "down"
    assert features.models == ("fraud", "kyc")
    assert features.text == "features timeouts 36% since 02:47"
    assert features.attempts_per_request.value == 4.1


def test_other_errors_are_not_called_timeouts() -> None:
    assert _named(_seen(_failing(0.06), SLOW), "features").text.startswith("features errors 6")
    assert _named(_seen(_failing(0.06), SLOW), "features").state == "degraded"


def test_an_open_breaker_is_told() -> None:
    facts: Facts = {"breaker_state": [(("fraud", "features"), 1.0), (("kyc", "features"), 0.0)]}
    features = _named(_seen(facts, SLOW), "features")
    assert features.breaker.state is BreakerState.OPEN
    assert features.text == "features breaker OPN (1 of 2 breakers refusing) since 02:47"


def test_a_dependency_nobody_measures_is_unknown_and_one_without_calls_is_idle() -> None:
    assert _named(_seen({}, SLOW), "features").state == "unknown"
    idle: Facts = {"dependency_error_ratio": [(("features",), float("nan"))]}
    found = _named(_seen(idle, SLOW), "features")
    assert found.error_ratio.state is ReadingState.NO_TRAFFIC
    assert found.state == "unknown"
    assert not found.culprit


def test_configured_names_and_owners_are_used() -> None:
    settings = Settings(
        dependencies={
            "feature-store": DependencySettings(owner="platform", match={"dependency": "features"}),
            "quiet": DependencySettings(),
        }
    )
    snapshot = _seen(_failing(0.38), SLOW, settings)
    store = _named(snapshot, "feature-store")
    assert store.owner == "platform"
    assert store.models == ("fraud", "kyc")
    assert _named(snapshot, "quiet").state == "unknown"


def test_the_worst_comes_first_and_times_are_of_the_first_sight() -> None:
    watch = Watch(ROWS)
    facts = _failing(0.38)
    first = watch.see({"fraud": SLOW, "kyc": CALM}, facts)
    watch.see({"fraud": SLOW, "kyc": CALM}, facts)
    later = watch.see({"fraud": SLOW, "kyc": CALM}, facts, after_seconds=600.0)
    assert later.dependencies[0].name == "features"
    assert later.dependencies[0].since == first.taken_at
    well = watch.see({"fraud": SLOW, "kyc": CALM}, _failing(0.01))
    assert _named(well, "features").since is None
    assert well.changes[0].text == "features is no longer failing"


def test_a_model_can_be_a_dependency() -> None:
    rows = (
        ModelRow("chat", source="prom", dependencies=("embed",)),
        ModelRow("embed", source="prom"),
    )
    watch = Watch(rows)
    failing: dict[str, Entry] = {**CALM, "error_ratio": 0.4}
    snapshot = watch.see({"chat": CALM, "embed": failing})
    assert _named(snapshot, "embed").state == "down"
