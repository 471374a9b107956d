"""A row of which nothing can be judged is never ok, and no alarm either."""

from dataclasses import replace

import pytest

from console.domain.model import ModelRow
from console.domain.severity import Severity
from console.reports.status import EXIT_OK, EXIT_UNKNOWN, exit_code
from tests.evaluation.scenes import Watch, rules_of, text_of
from tests.support.columns import NO_TRAFFIC, Entry

ROW = ModelRow("chat", source="prom")
IDLE: dict[str, Entry] = {
    "requests_rate": 0.0,
    "error_ratio": NO_TRAFFIC,
    "error_ratio@5m": NO_TRAFFIC,
    "requests_count@5m": 0.0,
    "error_ratio@1h": NO_TRAFFIC,
    "requests_count@1h": 0.0,
}
FEW: dict[str, Entry] = {
    "requests_rate": 0.01,
    "error_ratio": 1.0,
    "error_ratio@5m": 1.0,
    "requests_count@5m": 2.0,
    "error_ratio@1h": 1.0,
    "requests_count@1h": 2.0,
}
BUSY: dict[str, Entry] = {
    "requests_rate": 5.0,
    "error_ratio": 0.0,
    "error_ratio@5m": 0.0,
    "requests_count@5m": 1500.0,
    "error_ratio@1h": 0.0,
    "requests_count@1h": 18000.0,
}


def _seen(entries: dict[str, Entry], row: ModelRow = ROW, *, beside: bool = False):
    rows = (row, ModelRow("other", source="prom")) if beside else (row,)
    watch = Watch(rows)
    world = {row.model: entries, "other": BUSY}
    watch.see(world)
    return watch.see(world)


def test_an_idle_model_is_not_judged_and_leaves_the_exit_code_alone() -> None:
    snapshot = _seen(IDLE, beside=True)
    assert snapshot.severity(0) is Severity.UNJUDGED
    assert snapshot.severity(0).label == "unjudged"
    assert text_of(snapshot, "no_traffic") == "no traffic, not judged"
    assert exit_code(snapshot) == EXIT_OK


def test_a_fleet_of_which_no_row_is_judged_is_not_known() -> None:
    assert exit_code(_seen(IDLE)) == EXIT_UNKNOWN


def test_two_failures_of_two_are_too_few_to_judge_and_not_ok() -> None:
    snapshot = _seen(FEW, beside=True)
    assert snapshot.severity(0) is Severity.UNJUDGED
    assert text_of(snapshot, "unjudged") == "2 requests in 1h, 2 bad: too few to judge"
    assert exit_code(snapshot) == EXIT_UNKNOWN


@pytest.mark.parametrize(("tier", "code"), [(1, EXIT_UNKNOWN), (2, EXIT_OK)])
def test_a_tier_1_model_that_lost_its_traffic_is_not_known(tier: int, code: int) -> None:
    entries = {**IDLE, "requests_count@6h": 5000.0}
    snapshot = _seen(entries, replace(ROW, tier=tier), beside=True)
    assert rules_of(snapshot) == {"lost_traffic"}
    assert text_of(snapshot, "lost_traffic") == "no request for an hour, 5,000 in 6h: not judged"
    assert exit_code(snapshot) == code


def test_a_busy_model_is_ok() -> None:
    assert _seen(BUSY).severity(0) is Severity.OK


def test_latency_judges_a_server_that_counts_no_errors() -> None:
    entries: dict[str, Entry] = {"requests_rate": 2.0, "latency_p95": 0.3}
    assert _seen(entries).severity(0) is Severity.OK


def test_a_gauge_alone_judges_nothing() -> None:
    snapshot = _seen({"queue_depth": 3.0})
    assert rules_of(snapshot) == {"unjudged"}
    assert "neither errors nor latency nor confidence" in text_of(snapshot, "unjudged")


def test_unjudged_rows_stand_under_unknown_and_above_s3() -> None:
    assert Severity.UNKNOWN < Severity.UNJUDGED < Severity.S3


def test_a_sparse_model_is_judged_by_its_day() -> None:
    entries: dict[str, Entry] = {
        **FEW,
        "error_ratio": 0.0,
        "error_ratio@5m": 0.0,
        "error_ratio@1h": 0.0,
        "error_ratio@1d": 0.0,
        "requests_count@1d": 72.0,
    }
    assert _seen(entries).severity(0) is Severity.OK
