"""A short history is not health: the longest window there is decides, by counts."""

import pytest

from console.domain.model import ModelRow
from console.domain.severity import Severity
from tests.evaluation.scenes import CALM, level_of, rules_of, settled, text_of
from tests.support.columns import Entry, too_short

ROW = ModelRow("chat", source="prom")
SECONDS = {"30m": 1800.0, "1h": 3600.0, "2h": 7200.0, "6h": 21600.0, "1d": 86400.0, "3d": 259200.0}


def _young(history_seconds: float, ratio: float, requests: float) -> dict[str, Entry]:
    """Return the columns of a model whose source has so much history and no more."""
    entries: dict[str, Entry] = {"error_ratio": ratio, "error_ratio@5m": ratio}
    entries["requests_count@5m"] = requests
    for window, seconds in SECONDS.items():
        known = history_seconds >= 0.9 * seconds
        entries[f"error_ratio@{window}"] = ratio if known else too_short(history_seconds)
        entries[f"requests_count@{window}"] = requests if known else too_short(history_seconds)
    return entries


@pytest.mark.parametrize("history_seconds", [60.0, 150.0, 17 * 60.0, 40 * 60.0])
def test_a_model_that_fails_wholly_is_an_s1_however_short_the_history(
    history_seconds: float,
) -> None:
    snapshot = settled(ROW, _young(history_seconds, 1.0, 60.0))
    assert snapshot.severity(0) is Severity.S1
    assert "burn_page_short" in rules_of(snapshot)
    text = text_of(snapshot, "burn_page_short")
    assert text.startswith("100% of requests bad, burn 100x on ")
    assert "history" in text
    assert "the 1h is not known yet" in text


def test_under_half_bad_it_is_one_level_lower() -> None:
    snapshot = settled(ROW, _young(17 * 60.0, 0.2, 600.0))
    assert level_of(snapshot, "burn_page_short") is Severity.S2


@pytest.mark.parametrize(
    ("ratio", "requests"),
    [(1.0, 4.0), (0.4, 10.0), (0.02, 100.0), (0.015, 1000.0)],
    ids=["4 of 4", "4 of 10", "2 of 100", "15 of 1,000, 10 allowed"],
)
def test_a_few_bad_requests_prove_nothing(ratio: float, requests: float) -> None:
    snapshot = settled(ROW, _young(17 * 60.0, ratio, requests))
    assert not rules_of(snapshot) & {"burn_page_short", "burn_ticket_short"}


def test_five_of_five_must_be_told() -> None:
    snapshot = settled(ROW, _young(17 * 60.0, 1.0, 5.0))
    assert snapshot.severity(0) is Severity.S1


def test_with_the_hour_known_its_own_rule_judges() -> None:
    snapshot = settled(ROW, _young(2 * 3600.0, 1.0, 500.0))
    assert "burn_page_short" not in rules_of(snapshot)
    assert "burn_page_fast" in rules_of(snapshot)


def test_a_slow_leak_on_a_young_server_is_a_ticket_and_then_some() -> None:
    # 4% of 5,000 within two hours is four times what 99% allows; the day is not known.
    snapshot = settled(ROW, _young(2 * 3600.0, 0.04, 5000.0))
    assert level_of(snapshot, "burn_ticket_short") is Severity.S4
    assert snapshot.severity(0) is not Severity.OK


def test_a_healthy_young_model_raises_nothing() -> None:
    assert not rules_of(settled(ROW, {**CALM, **_young(17 * 60.0, 0.001, 600.0)}))


def test_a_model_with_three_requests_an_hour_is_told_by_its_fifth_bad_one() -> None:
    entries: dict[str, Entry] = {
        "error_ratio": 1.0,
        "error_ratio@5m": 1.0,
        "requests_count@5m": 1.0,
        "error_ratio@30m": 1.0,
        "requests_count@30m": 2.0,
        "error_ratio@1h": 1.0,
        "requests_count@1h": 3.0,
        "error_ratio@2h": 5 / 6,
        "requests_count@2h": 6.0,
        "error_ratio@6h": 5 / 18,
        "requests_count@6h": 18.0,
    }
    assert "burn_page_slow" in rules_of(settled(ROW, entries))
