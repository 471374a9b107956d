"""Over is over: a burn rule whose hour is not yet clean says so once users are no longer hurt."""

import random

import pytest

from console.domain.model import ModelRow
from console.domain.severity import Severity
from tests.evaluation.scenes import Watch, rules_of, text_of
from tests.support.columns import Entry

ROW = ModelRow("chat", source="prom")
WINDOWS = {"5m": 300, "30m": 1800, "1h": 3600, "2h": 7200, "6h": 21600}


class Traffic:
    """Seconds of simulated requests, and the columns a server would make of them."""

    def __init__(self, seed: int, history_seconds: int = 21600) -> None:
        self.draw = random.Random(seed)
        self.asked, self.bad = [0], [0]
        self.run(history_seconds, 0.25, 0.0)

    def run(self, seconds: int, per_second: float, bad_ratio: float) -> None:
        for _ in range(seconds):
            whole = int(per_second)
            asked = whole + (self.draw.random() < per_second - whole)
            bad = sum(self.draw.random() < bad_ratio for _ in range(asked))
            self.asked.append(self.asked[-1] + asked)
            self.bad.append(self.bad[-1] + bad)

    def _within(self, seconds: int) -> tuple[int, int]:
        begin = max(0, len(self.asked) - 1 - seconds)
        return self.asked[-1] - self.asked[begin], self.bad[-1] - self.bad[begin]

    def entries(self) -> dict[str, Entry]:
        found: dict[str, Entry] = {}
        asked, bad = self._within(60)
        found["requests_rate"], found["bad_rate"] = asked / 60.0, bad / 60.0
        for name, seconds in WINDOWS.items():
            asked, bad = self._within(seconds)
            found[f"requests_count@{name}"] = float(asked)
            found[f"error_ratio@{name}"] = bad / asked if asked else 0.0
        found["error_ratio"] = found["error_ratio@5m"]
        return found


def _watch(watch: Watch, traffic: Traffic, seconds: int, per_second: float, bad_ratio: float):
    """Yield the Snapshot of every fifth second of so much traffic."""
    for _ in range(seconds // 5):
        traffic.run(5, per_second, bad_ratio)
        yield watch.see({ROW.model: traffic.entries()})


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_an_outage_that_ended_is_told_as_over_within_two_minutes(seed: int) -> None:
    watch, traffic = Watch((ROW,)), Traffic(seed)
    during = list(_watch(watch, traffic, 300, 2.0, 0.8))[-1]
    assert during.severity(0) is Severity.S1
    assert during.recovering == frozenset()
    after = list(_watch(watch, traffic, 120, 2.0, 0.0))[-1]
    assert after.recovering == {0}
    assert after.severity(0) is Severity.S2
    burn = next(one for one in after.findings[0] if one.rule == "burn_page_fast")
    assert burn.level is Severity.S1
    assert burn.phase == "recovering"
    assert burn.text.startswith("over since ")


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_while_it_still_fails_it_never_recovers(seed: int) -> None:
    watch, traffic = Watch((ROW,)), Traffic(seed)
    snapshots = list(_watch(watch, traffic, 1200, 2.0, 0.3))
    assert not any(snapshot.recovering for snapshot in snapshots)


def test_fewer_errors_are_no_recovery_while_they_burn() -> None:
    watch, traffic = Watch((ROW,)), Traffic(1)
    list(_watch(watch, traffic, 300, 5.0, 0.9))
    after = list(_watch(watch, traffic, 600, 5.0, 0.3))
    assert not any(snapshot.recovering for snapshot in after)


def test_no_traffic_is_no_recovery() -> None:
    watch, traffic = Watch((ROW,)), Traffic(1)
    list(_watch(watch, traffic, 300, 2.0, 0.9))
    after = list(_watch(watch, traffic, 240, 0.0, 0.0))
    assert not any(snapshot.recovering for snapshot in after)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_sparse_model_takes_its_time(seed: int) -> None:
    # Two requests a minute, 30% bad: a minute without a bad one happens half the time.
    watch, traffic = Watch((ROW,)), Traffic(seed)
    during = list(_watch(watch, traffic, 2400, 1 / 30, 0.3))
    assert sum(bool(snapshot.recovering) for snapshot in during[-240:]) <= 24


def test_hurt_again_after_a_while_is_new() -> None:
    watch, traffic = Watch((ROW,)), Traffic(1)
    first = list(_watch(watch, traffic, 300, 2.0, 0.9))[-1]
    since = next(one.since for one in first.findings[0] if one.rule == "burn_page_fast")
    list(_watch(watch, traffic, 600, 2.0, 0.0))
    again = list(_watch(watch, traffic, 60, 2.0, 0.9))[-1]
    assert again.recovering == frozenset()
    assert again.severity(0) is Severity.S1
    burn = next(one for one in again.findings[0] if one.rule == "burn_page_fast")
    assert burn.since > since + 600


def test_errors_that_hover_at_the_objective_do_not_flip() -> None:
    watch, traffic = Watch((ROW,)), Traffic(1)
    list(_watch(watch, traffic, 300, 5.0, 0.2))
    flips, before = 0, None
    for snapshot in _watch(watch, traffic, 3600, 5.0, 0.01):
        flips += before is not None and snapshot.recovering != before
        before = snapshot.recovering
    assert flips <= 2


def test_what_is_over_stands_under_what_hurts_at_its_level() -> None:
    rows = (ModelRow("a", source="prom"), ModelRow("b", source="prom"))
    watch, first, second = Watch(rows), Traffic(1), Traffic(2)
    for ratio, seconds in ((0.9, 300), (0.0, 180)):
        for _ in range(seconds // 5):
            first.run(5, 2.0, ratio)
            second.run(5, 2.0, 0.12 if ratio == 0.0 else 0.0)
            snapshot = watch.see({"a": first.entries(), "b": second.entries()})
    assert snapshot.recovering == {0}
    assert snapshot.severity(0) is Severity.S2
    hurting = [row for row in snapshot.order.tolist() if row not in snapshot.recovering]
    if snapshot.severity(1) is Severity.S2:
        assert snapshot.order.tolist() == [*hurting, 0]
    assert "burn_page_fast" in rules_of(snapshot)
    assert text_of(snapshot, "burn_page_fast").startswith("over since")
