"""docs/rules.md is what the code says, and the ids are a promise."""

from pathlib import Path

from console.domain.severity import Severity
from console.domain.signals import SIGNALS
from console.evaluation.rules.rule_list import POSITION, RULES
from console.evaluation.rules.rules_doc import page

DOCS = Path(__file__).parents[2] / "docs" / "rules.md"

PROMISED = {
    Severity.S1: "burn_page_fast burn_page_slow breaker_no_answer residency no_data_tier1"
    " burn_page_short review_saturated_unsafe spend_burn_page alert_page",
    Severity.S2: "burn_degraded off_primary dependency_breaker retry_storm low_confidence"
    " review_sla drift_with_second spend_burn override_ending override_overdue alert_warning",
    Severity.UNKNOWN: "no_data",
    Severity.UNJUDGED: "unjudged lost_traffic no_traffic",
    Severity.S3: "burn_ticket burn_ticket_slow burn_ticket_short latency_base replica_outlier"
    " drift_alone ece"
    " no_owner ack_old decision_overdue forecast_over_budget readiness_expired readiness_gate",
    Severity.S4: "drift_watch canary changed forecast_may_exceed cost_counter_falls drift_shift",
}


def test_the_page_is_fresh() -> None:
    assert DOCS.read_text(encoding="utf-8") == page(), (
        "run: python -m console.evaluation.rules.rules_doc > docs/rules.md"
    )


def test_ids_and_levels_are_kept() -> None:
    for level, ids in PROMISED.items():
        assert {rule.id for rule in RULES if rule.level is level} == set(ids.split())
    assert len(POSITION) == len(RULES)


def test_rules_are_made_of_signals_that_exist() -> None:
    labelled = {"breaker_state", "route", "versions", "info", "dependency_breaker"}
    labelled |= {"alerts", "overrides", "incidents", "decisions", "readiness"}
    inputs = {
        "slow_ratio",
        "requests_count",
        "cost_increase",
        "cost_day",
        "cost_least",
        "cost_resets",
        "review_capacity",
        "drift_ks",
        "drift_samples",
    }
    for rule in RULES:
        for need in rule.needs:
            base = need.partition("@")[0]
            assert base in SIGNALS or base in labelled | inputs | {"dependency_attempts"}, need
