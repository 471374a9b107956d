"""Firing alerts on rows: which count, which do not, and what is not known stays unknown."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from console.domain.alert import Alert, Incident, Silence
from console.domain.model import ModelRow
from console.domain.severity import Severity
from console.domain.snapshot import Snapshot
from console.evaluation.evaluate import evaluate
from console.evaluation.memory import Memory
from console.settings.schema import Settings
from tests.evaluation.scenes import CALM, observe, rules_of, text_of
from tests.support.snapshots import SAMPLE_NOW

ROW = ModelRow("m", source="prom", configured=True, owner="team")
OTHER = ModelRow("n", source="prom", configured=True, owner="team")
ACK = Silence("1", "ana", "ACK! looking", SAMPLE_NOW + 900.0, acknowledges=True)


def alert(severity: Severity = Severity.S1, **more: Any) -> Alert:
    values: dict[str, Any] = {"name": "Errors", "state": "firing", "since": SAMPLE_NOW - 60.0}
    values |= {"model": "m"} | more
    return Alert("f", "am", severity=severity, **values)


def incident(*alerts: Alert, **more: Any) -> Incident:
    worst = min(alerts, key=lambda one: int(one.severity))
    values: dict[str, Any] = {"state": worst.state, "models": ("m",), "alerts": alerts} | more
    return Incident("1", "m", severity=worst.severity, since=worst.since, **values)


class Desk:
    """Two rows, one evaluation after another."""

    def __init__(self, tier: int = 2) -> None:
        self.rows = (replace(ROW, tier=tier), replace(OTHER, tier=tier))
        self.memory = Memory()
        self.now = SAMPLE_NOW

    def see(self, *incidents: Incident, whole: bool = True, **options: Any) -> Snapshot:
        self.now += 5.0
        seen = observe(self.rows, {"m": CALM, "n": CALM}, now=self.now)
        snapshot, self.memory = evaluate(
            self.rows,
            replace(seen, incidents=incidents, alerts_whole=whole),
            (),
            self.memory,
            self.now,
            environment="test",
            tick=1,
            settings=Settings(),
            **options,
        )
        return snapshot


@pytest.mark.parametrize(
    ("severity", "rule"), [(Severity.S1, "alert_page"), (Severity.S2, "alert_warning")]
)
def test_a_firing_alert_raises_its_own_row_after_two_looks(severity: Severity, rule: str) -> None:
    desk = Desk()
    assert rule not in rules_of(desk.see(incident(alert(severity))))
    raised = desk.see(incident(alert(severity)))
    assert rule in rules_of(raised)
    assert raised.severity(0) is severity
    assert raised.severity(1) is Severity.OK
    for _ in range(3):
        cleared = desk.see()
    assert rule not in rules_of(cleared)


def test_one_look_is_enough_because_the_alert_has_its_own_for() -> None:
    assert "alert_page" in rules_of(Desk().see(incident(alert()), remembers=False))


@pytest.mark.parametrize(
    "found",
    [
        incident(alert(state="suppressed")),
        incident(alert(state="pending")),
        incident(alert(state="resolved")),
        incident(alert(stale=True), stale_seconds=90.0),
        incident(alert(model="", dependency="m")),
        incident(alert(model="stranger")),
        incident(alert(Severity.S4)),
        incident(alert(Severity.UNKNOWN)),
    ],
)
def test_what_does_not_fire_for_the_model_raises_nothing(found: Incident) -> None:
    desk = Desk()
    desk.see(found)
    assert not rules_of(desk.see(found)) & {"alert_page", "alert_warning"}


def test_an_acknowledged_alert_still_counts_and_stands_behind_the_others() -> None:
    desk = Desk()
    held, free = alert(silences=(ACK,)), alert(model="n")
    for _ in range(2):
        seen = desk.see(incident(held), incident(free, models=("n",)))
    assert "acknowledged by ana" in text_of(seen, "alert_page")
    assert [seen.rows[int(row)].model for row in seen.order] == ["n", "m"]


def test_tier_3_is_lowered() -> None:
    desk = Desk(tier=3)
    desk.see(incident(alert()))
    assert desk.see(incident(alert())).severity(0) is Severity.S2


def test_a_place_that_is_away_clears_nothing() -> None:
    desk = Desk()
    for _ in range(2):
        desk.see(incident(alert()))
    for _ in range(6):
        seen = desk.see(incident(alert(stale=True), stale_seconds=5.0), whole=False)
    assert "alert_page" in rules_of(seen)


def test_hostile_names_are_harmless_in_the_sentence() -> None:
    evil = alert(name="A\u202e\x1b[2J", summary="ok", silences=(replace(ACK, by="ana"),))
    desk = Desk()
    desk.see(incident(evil, alert()))
    text = text_of(desk.see(incident(evil, alert())), "alert_page")
    assert text.isprintable()
    assert "and 1 more" in text
