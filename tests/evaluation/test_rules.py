"""Each rule: raised by its condition, silent beside it, and not fooled by what is not known."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from console.domain.model import Fallback, ModelRow, Objectives
from console.domain.severity import BreakerState, Severity
from console.domain.signals import ReadingState
from tests.evaluation.scenes import CALM, Facts, Watch, level_of, rules_of, settled, text_of
from tests.support.columns import Entry, Mark, too_few, too_short

TIGHT = Objectives(0.999, 0.4, 0.99, declared=True)
ROW = ModelRow(
    "m",
    source="prom",
    configured=True,
    tier=2,
    owner="team",
    objectives=TIGHT,
    allowed_regions=("eu",),
    review_sla_seconds=900.0,
    confidence_base_ratio=0.016,
    review_capacity_per_second=0.1,
    budget_month_usd=720.0,
    dependencies=("store",),
    fallbacks=(Fallback("small", "L2", "us"),),
)


def _burn(long: str, short: str, ratio: float, n: float = 5000.0) -> dict[str, Entry]:
    return {
        f"error_ratio@{long}": ratio,
        f"error_ratio@{short}": ratio,
        f"requests_count@{long}": n,
    }


def _days(usd: float, apart: float = 0.0) -> dict[str, Entry]:
    """Four weeks of days that cost ``usd``, the middle ones more by ``apart``, the others less."""
    week = (-apart, apart, apart, -apart)
    return {f"cost_day@{day}d": usd + week[(day - 1) // 7] for day in range(1, 29)}


def _own(state: BreakerState) -> Facts:
    return {"breaker_state": [(("m", ""), float(state))]}


def _route(target: str, level: str, region: str = "") -> Facts:
    return {"route": [(("m", target, level, region), 1.0)]}


DRIFT: dict[str, Entry] = {"drift_psi": 0.27, "drift_psi@prev": 0.26, "drift_samples": 5812.0}
LOW: dict[str, Entry] = {
    "low_confidence_ratio@10m": 0.062,
    "requests_count@10m": 6000.0,
}
REVIEW: dict[str, Entry] = {"review_rate": 0.2, "review_depth": 40.0, "low_confidence_ratio": 0.06}
RETRIES: dict[str, Entry] = {
    "attempts_per_request": 1.4,
    "error_ratio@5m": 0.0009,
    "error_ratio@30m": 0.0,
}


def _replicas(*p95: float) -> Facts:
    """Return four replicas with 10 requests a second each."""
    places = [(("m", "", f"10.0.0.{number}:80"), value) for number, value in enumerate(p95)]
    return {
        "replica:latency_p95": places,
        "replica:requests_rate": [(labels, 10.0) for labels, _ in places],
    }


RAISED: list[tuple[str, Severity, Mapping[str, Entry], Facts]] = [
    ("burn_page_fast", Severity.S1, _burn("1h", "5m", 0.0144), {}),
    ("burn_page_slow", Severity.S1, _burn("6h", "30m", 0.006), {}),
    ("burn_degraded", Severity.S2, _burn("1h", "5m", 0.006), {}),
    ("burn_ticket", Severity.S3, _burn("1d", "2h", 0.003, 50_000.0), {}),
    ("burn_ticket_slow", Severity.S3, _burn("3d", "6h", 0.001), {}),
    ("breaker_no_answer", Severity.S1, {"bad_rate": 6.87}, _own(BreakerState.OPEN)),
    ("breaker_no_answer", Severity.S1, {"bad_rate": 6.87}, _own(BreakerState.FORCED_OPEN)),
    ("residency", Severity.S1, {}, _route("small", "L2", "us")),
    ("residency", Severity.S1, {}, _route("small", "L2")),
    ("off_primary", Severity.S2, {}, _route("small", "L2", "eu")),
    ("off_primary", Severity.S2, {}, _route("refuse", "L5", "eu")),
    ("off_primary", Severity.S2, {}, _route("elsewhere", "")),
    ("dependency_breaker", Severity.S2, {}, {"breaker_state": [(("m", "store"), 1.0)]}),
    ("dependency_breaker", Severity.S2, {}, {"dependency_breaker": [(("store",), 4.0)]}),
    ("retry_storm", Severity.S2, {**RETRIES, "error_ratio@5m": 0.0051}, {}),
    (
        "retry_storm",
        Severity.S2,
        {"error_ratio@5m": 0.0051, "error_ratio@30m": 0.0},
        {"dependency_attempts": [(("m", "a"), 1.0), (("m", "b"), 1.3)]},
    ),
    ("low_confidence", Severity.S2, LOW, {}),
    ("review_sla", Severity.S2, {"review_oldest": 901.0}, {}),
    ("review_saturated_unsafe", Severity.S1, REVIEW, {}),
    ("drift_with_second", Severity.S2, {**DRIFT, **LOW}, {}),
    ("drift_with_second", Severity.S2, {**DRIFT, **_burn("1h", "5m", 0.001)}, {}),
    ("drift_with_second", Severity.S2, {**DRIFT, "ece": 0.11}, {}),
    ("drift_alone", Severity.S3, DRIFT, {}),
    ("drift_alone", Severity.S3, {"drift_psi": 0.27, "drift_psi@prev": 0.21}, {}),
    ("drift_watch", Severity.S4, {**DRIFT, "drift_psi@prev": 0.15}, {}),
    ("ece", Severity.S3, {"ece": 0.11}, {}),
    ("latency_base", Severity.S3, {"latency_p95": 1.9, "latency_p95@6h": 0.4}, {}),
    ("latency_base", Severity.S3, {"ttft_p95": 3.4, "ttft_p95@6h": 0.9}, {}),
    (
        "latency_base",
        Severity.S3,
        {"ttft_p95": 41.0, "ttft_p95@6h": 2.5, "slow_ratio@5m": 0.0},
        {},
    ),
    ("latency_base", Severity.S3, {"latency_mean": 1.0, "latency_mean@6h": 0.2}, {}),
    ("spend_burn_page", Severity.S1, {"cost_increase@1h": 10.0}, {}),
    ("spend_burn_page", Severity.S1, {"cost_increase@1h": 10.0, "cost_increase@5m": 1.0}, {}),
    ("spend_burn", Severity.S2, {"cost_increase@6h": 18.0}, {}),
    ("forecast_over_budget", Severity.S3, {"cost_month": 500.0, **_days(24.0)}, {}),
    ("forecast_may_exceed", Severity.S4, {"cost_month": 470.0, **_days(24.0, 6.0)}, {}),
    ("canary", Severity.S4, {}, _route("canary", "L0", "eu")),
    ("canary", Severity.S4, {}, {"versions": [(("m", "v1"), 9.0), (("m", "v2"), 1.0)]}),
    ("replica_outlier", Severity.S3, {}, _replicas(0.4, 0.4, 0.4, 0.9)),
]


@pytest.mark.parametrize(("rule", "level", "entries", "facts"), RAISED)
def test_condition_raises_its_rule(
    rule: str, level: Severity, entries: Mapping[str, Entry], facts: Facts
) -> None:
    snapshot = settled(ROW, entries, facts)
    assert rule in rules_of(snapshot)
    assert level_of(snapshot, rule) is level
    assert snapshot.severity(0) <= level


SILENT: list[tuple[str, Mapping[str, Entry], Facts]] = [
    ("burn_page_fast", {**_burn("1h", "5m", 0.0144), "error_ratio@5m": 0.001}, {}),
    ("burn_page_fast", {**_burn("1h", "5m", 0.0144), "error_ratio@1h": 0.001}, {}),
    ("burn_page_fast", _burn("1h", "5m", 0.05, n=99.0), {}),
    ("burn_page_slow", _burn("6h", "30m", 0.0059), {}),
    ("breaker_no_answer", {"bad_rate": 0.0}, _own(BreakerState.OPEN)),
    ("breaker_no_answer", {"bad_rate": None}, _own(BreakerState.OPEN)),
    ("breaker_no_answer", {"bad_rate": 6.0}, _own(BreakerState.CLOSED)),
    (
        "breaker_no_answer",
        {"bad_rate": 6.0},
        {**_own(BreakerState.OPEN), **_route("small", "L2", "eu")},
    ),
    ("residency", {}, _route("small", "L2", "eu")),
    ("residency", {"requests_rate": 0.0}, _route("small", "L2", "us")),
    ("residency", {}, _route("unheard-of", "L2")),
    ("off_primary", {}, _route("primary", "L0", "eu")),
    ("off_primary", {}, _route("canary", "L0", "eu")),
    ("off_primary", {}, _route("shadow", "", "eu")),
    ("off_primary", {}, {"route": [(("m", "small", "L2", "eu"), 0.0)]}),
    ("dependency_breaker", {}, {"breaker_state": [(("m", "store"), 2.0)]}),
    ("dependency_breaker", {}, {"breaker_state": [(("stranger", "store"), 1.0)]}),
    (
        "dependency_breaker",
        {},
        {
            "breaker_state": [(("m", "store"), 0.0), (("stranger", "store"), 1.0)],
            "dependency_breaker": [(("store",), 1.0)],
        },
    ),
    ("retry_storm", RETRIES, {}),
    ("retry_storm", {**RETRIES, "error_ratio@5m": 0.01, "error_ratio@30m": 0.02}, {}),
    (
        "retry_storm",
        {"attempts_per_request": 2.0, "error_ratio@5m": 0.01, "error_ratio@30m": 0.0},
        {"dependency_attempts": [(("m", "a"), 1.0), (("m", "b"), 1.0)]},
    ),
    ("low_confidence", {"low_confidence_ratio@10m": 0.0355}, {}),
    ("low_confidence", {"low_confidence_ratio@10m": too_few(12)}, {}),
    ("low_confidence", {**LOW, "requests_count@10m": 40.0}, {}),
    ("low_confidence", {"low_confidence_ratio@10m": 0.062}, {}),
    ("latency_base", {"requests_rate": 0.1, "latency_p95": 1.9, "latency_p95@6h": 0.4}, {}),
    ("review_sla", {"review_oldest": 900.0}, {}),
    ("review_saturated_unsafe", {**REVIEW, "review_rate": 0.05}, {}),
    ("review_saturated_unsafe", {**REVIEW, "review_depth": 0.0}, {}),
    ("drift_with_second", DRIFT, {}),
    ("drift_alone", {**DRIFT, "drift_samples": 199.0}, {}),
    ("drift_alone", {**DRIFT, "drift_psi": too_few(120)}, {}),
    ("drift_alone", {**DRIFT, "drift_psi@prev": 0.05}, {}),
    ("drift_watch", DRIFT, {}),
    ("latency_base", {"latency_p95": 0.03, "latency_p95@6h": 0.002}, {}),
    (
        "latency_base",
        {"latency_p95": 1.9, "latency_p95@6h": 0.4, "slow_ratio@5m": 0.001},
        {},
    ),
    ("spend_burn_page", {"cost_increase@1h": 10.0, "cost_increase@5m": 0.1}, {}),
    ("spend_burn", {"cost_increase@6h": 17.0}, {}),
    ("forecast_over_budget", {"cost_month": 470.0, **_days(24.0)}, {}),
    ("forecast_may_exceed", {"cost_month": 470.0, **_days(24.0)}, {}),
    ("canary", {}, {"versions": [(("m", "v1"), 9.0), (("m", "v2"), 0.0)]}),
    ("replica_outlier", {}, _replicas(0.4, 0.4, 0.4, 0.7)),
]


@pytest.mark.parametrize(("rule", "entries", "facts"), SILENT)
def test_neighbouring_condition_does_not(
    rule: str, entries: Mapping[str, Entry], facts: Facts
) -> None:
    assert rule not in rules_of(settled(ROW, entries, facts))


@pytest.mark.parametrize(
    ("rule", "level", "entries", "facts"), [case for case in RAISED if case[2]]
)
@pytest.mark.parametrize("state", [ReadingState.STALE, ReadingState.ERROR, ReadingState.NO_TRAFFIC])
def test_no_rule_is_raised_by_values_that_are_not_current(
    rule: str,
    level: Severity,
    entries: Mapping[str, Entry],
    facts: Facts,
    state: ReadingState,
) -> None:
    old = {name: Mark(state, value) for name, value in entries.items() if isinstance(value, float)}
    assert rule not in rules_of(settled(ROW, old, facts))


def test_tier_three_lowers_a_page_but_not_residency() -> None:
    third = replace(ROW, tier=3)
    burning = settled(third, _burn("1h", "5m", 0.5))
    assert level_of(burning, "burn_page_fast") is Severity.S2
    outside = settled(third, {}, _route("small", "L2", "us"))
    assert level_of(outside, "residency") is Severity.S1


def test_a_model_that_fails_closed_is_not_unsafe_when_review_is_full() -> None:
    assert "review_saturated_unsafe" not in rules_of(
        settled(replace(ROW, fails_closed=True), REVIEW)
    )
    unconfigured = replace(ROW, configured=False)
    assert "review_saturated_unsafe" not in rules_of(settled(unconfigured, REVIEW))


def test_an_owner_is_missed_only_of_configured_models() -> None:
    assert "no_owner" in rules_of(settled(replace(ROW, owner=""), {}))
    assert "no_owner" not in rules_of(settled(replace(ROW, owner="", configured=False), {}))


def test_what_a_worse_rule_implies_goes_without_saying() -> None:
    burning = rules_of(settled(ROW, _burn("1h", "5m", 0.5)))
    assert "burn_page_fast" in burning
    assert "burn_degraded" not in burning
    drifting = rules_of(settled(ROW, {**DRIFT, **LOW}))
    assert "drift_with_second" in drifting
    assert "drift_alone" not in drifting


def test_sentences_read_like_a_colleague() -> None:
    burn = settled(ROW, {**_burn("1h", "5m", 0.069), "error_ratio@5m": 0.833})
    assert text_of(burn, "burn_page_fast") == "burn 69x on 1h, 833x on 5m"
    default = settled(replace(ROW, objectives=Objectives()), _burn("1h", "5m", 0.5))
    assert text_of(default, "burn_page_fast") == "burn 50x on 1h, 50x on 5m of the default SLO ~"
    sla = settled(ROW, {"review_oldest": 1140.0})
    assert text_of(sla, "review_sla") == "oldest review 19m, SLA 15m"
    low = settled(ROW, LOW)
    assert text_of(low, "low_confidence") == "low confidence 6.2% for 10m, base 1.6%, n=6000"
    drift = settled(ROW, {**DRIFT, **LOW})
    assert (
        text_of(drift, "drift_with_second")
        == "drift PSI .27 for two windows, n=5812, and low confidence up"
    )
    refused = settled(ROW, {"bad_rate": 6.87}, _own(BreakerState.OPEN))
    assert (
        text_of(refused, "breaker_no_answer")
        == "breaker OPN (refusing), nothing answers, 412 bad requests a minute"
    )
    away = settled(ROW, {}, _route("small", "L2", "us"))
    assert text_of(away, "residency") == "small serves from us, allowed is eu"
    assert text_of(away, "off_primary") == "off primary: small (L2)"


def test_slow_answers_burn_the_latency_objective() -> None:
    slow = {"slow_ratio@1h": 0.5, "slow_ratio@5m": 0.5, "requests_count@1h": 500.0}
    snapshot = settled(ROW, slow)
    assert text_of(snapshot, "burn_page_fast") == "burn 50x on 1h, 50x on 5m"
    assert snapshot.reading("burn_1h", 0).method.startswith("slow ratio")


def test_a_new_version_is_told_for_an_hour() -> None:
    def info(version: str) -> Facts:
        return {"info": [(("m", version, "eu", "", "abc", "", ""), 1.0)]}

    watch = Watch((ROW,))
    watch.see({"m": CALM}, info("v1"))
    assert "changed" not in rules_of(watch.see({"m": CALM}, info("v1")))
    watch.see({"m": CALM}, info("v2"))
    told = watch.see({"m": CALM}, info("v2"))
    assert "changed" in rules_of(told)
    assert "m went from v1 to v2" in [change.text for change in told.changes]
    for _ in range(3):
        later = watch.see({"m": CALM}, info("v2"), after_seconds=1300.0)
    assert "changed" in rules_of(later)
    for _ in range(2):
        later = watch.see({"m": CALM}, info("v2"))
    assert "changed" not in rules_of(later)


def test_a_burn_says_when_the_history_is_too_short_for_its_longer_windows() -> None:
    burning = _burn("1h", "5m", 0.05)
    short: dict[str, Entry] = {"error_ratio@6h": too_short(4 * 3600.0), "error_ratio@30m": 0.05}
    found = settled(ROW, {**burning, **short})
    assert text_of(found, "burn_page_fast") == "burn 50x on 1h, 50x on 5m, 1h only: history 4h"
    assert "burn_page_slow" not in rules_of(found)
    assert text_of(settled(ROW, burning), "burn_page_fast") == "burn 50x on 1h, 50x on 5m"


def test_a_forecast_names_the_day_on_which_the_budget_is_reached() -> None:
    over = settled(ROW, {"cost_month": 500.0, **_days(24.0)})
    assert text_of(over, "forecast_over_budget") == (
        "month's end P50 $737 of $720, reached on 31 Oct"
    )
    assert "forecast_may_exceed" not in rules_of(over)
    few = settled(ROW, {"cost_month": 600.0, "cost_day@1d": 24.0})
    assert text_of(few, "forecast_over_budget") == (
        "month's end P50 $837 of $720, reached on 27 Oct, by the run rate of 1 days"
    )
    reading = few.reading("cost_month_p90", 0)
    assert (reading.state, reading.value, reading.n) == (ReadingState.TOO_FEW, None, 1.0)
    may = settled(ROW, {"cost_month": 470.0, **_days(24.0, 6.0)})
    assert text_of(may, "forecast_may_exceed") == "month's end P90 $800 of $720"


def test_days_that_were_asked_for_before_midnight_are_not_taken_for_todays() -> None:
    watch = Watch((ROW,))
    entries = {"cost_month": 500.0, **_days(24.0)}
    before = watch.see({"m": entries})
    old = {name: stale_by(value, 3 * 3600.0) for name, value in _days(99.0).items()}
    after = watch.see({"m": {"cost_month": 500.0, **old}})
    assert after.reading("cost_month_p50", 0).value == pytest.approx(
        before.reading("cost_month_p50", 0).value, rel=1e-3
    )


def stale_by(value: Entry, seconds: float) -> Mark:
    assert isinstance(value, float)
    return Mark(ReadingState.OK, value=value, age_seconds=seconds)
