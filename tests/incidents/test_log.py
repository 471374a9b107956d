"""The log of a day: changes once, alerts from begin to end, harm after two looks, in bounds."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from console.domain.alert import Alert, Incident
from console.domain.severity import Severity
from console.domain.signals import ReadingState
from console.domain.snapshot import Change, SignalColumn, Snapshot
from console.incidents.clock import HurtSpan, hurt_spans, with_recoveries
from console.incidents.event_log import (
    KEPT_SECONDS,
    MOST_EVENTS,
    IncidentLog,
    Noted,
    rule_event,
    subjects_of,
)
from tests.support.snapshots import SAMPLE_NOW, sample_snapshot

BASE = replace(sample_snapshot(), changes=(), incidents=())
FRAUD = BASE.index["fraud-scorer"]


def look(tick: int, ratio: float | None = 0.0, n: float = 2000.0, **more: object) -> Snapshot:
    size = len(BASE.rows)
    values, states = np.full(size, np.nan), np.zeros(size, dtype=np.uint8)
    if ratio is not None:
        values[FRAUD], states[FRAUD] = ratio, int(ReadingState.OK)
    nothing = np.full(size, np.nan)
    column = SignalColumn(
        values, states, nothing, np.full(size, n), nothing, np.zeros(size, dtype=np.uint8)
    )
    made = replace(BASE, taken_at=SAMPLE_NOW + 5.0 * tick, columns={"error_ratio": column})
    return replace(made, **more)  # type: ignore[arg-type]


def all_of(log: IncidentLog, *subjects: str) -> list[tuple[float, str, str]]:
    found = log.about(subjects or ("fraud-scorer",), 0.0, SAMPLE_NOW * 2)
    return [((one.at - SAMPLE_NOW) / 5.0, one.kind, one.text) for one in found]


def test_harm_begins_after_two_looks_and_ends_after_three_clean_ones_that_are_known() -> None:
    log = IncidentLog()
    ratios = (0.0, 0.5, 0.0, 0.4, 0.4, 0.0005, 0.3, 0.0, None, 0.0, 0.0, 0.0)
    for tick, ratio in enumerate(ratios):
        log.take(look(tick, ratio))
    assert all_of(log) == [
        (3.0, "impact", "fraud-scorer users are hurt: 40% of requests bad"),
        (7.0, "impact", "fraud-scorer users no longer hurt"),
    ]
    (span,) = hurt_spans(log.about(("fraud-scorer",), 0.0, SAMPLE_NOW * 2), 0.0)
    assert (span.began_at, span.ended_at) == (SAMPLE_NOW + 15.0, SAMPLE_NOW + 35.0)


def test_harm_has_ended_where_the_counts_since_show_it() -> None:
    spans = (HurtSpan("fraud", 100.0, None), HurtSpan("chat", 120.0, None))
    fraud, chat = with_recoveries(spans, {"fraud": 160.0})
    assert (fraud.ended_at, chat.ended_at) == (160.0, None)


def test_a_few_requests_and_what_the_objective_allows_hurt_nobody() -> None:
    log = IncidentLog()
    for tick in range(6):
        log.take(look(tick, 0.5, n=12.0))
        log.take(look(tick, 0.0009))
    assert all_of(log) == []


def test_errors_that_hover_at_the_objective_are_one_line_at_most() -> None:
    log = IncidentLog()
    allowed = 0.001
    for tick in range(240):
        hovering = allowed * (1.6 if tick % 8 < 4 else 0.85)
        log.take(look(tick, hovering))
    assert all_of(log) == []
    for tick in range(240, 480):
        log.take(look(tick, allowed * (9.0 if tick % 8 < 4 else 0.85)))
    assert [text.split(":")[0] for _, _, text in all_of(log)] == ["fraud-scorer users are hurt"]


def test_changes_are_noted_once_and_only_those_no_other_witness_tells() -> None:
    log = IncidentLog()
    opened = Change(SAMPLE_NOW, "fraud-scorer", "fraud-scorer's breaker opened", "breaker")
    changes = (
        opened,
        Change(SAMPLE_NOW - 1.0, "fraud-scorer", "fraud-scorer went from v1 to v2"),
        Change(SAMPLE_NOW - 2.0, "fraud-scorer", "fraud-scorer S1: bad", "level"),
        Change(SAMPLE_NOW - 2.0, "fraud-scorer", "fraud-scorer fb x by ana", "override"),
        Change(SAMPLE_NOW - 2.0, "fraud-scorer", "fraud-scorer: config (ana)", "written"),
        Change(SAMPLE_NOW - 3.0, "prom-eu", "source prom-eu is down", "source"),
    )
    for tick in range(3):
        log.take(look(tick, None, changes=changes))
    assert all_of(log, "fraud-scorer", "prom-eu") == [
        (-0.2, "change", "fraud-scorer went from v1 to v2"),
        (0.0, "auto", "fraud-scorer's breaker opened"),
    ]


def test_alerts_of_others_begin_and_end_and_our_own_are_rules() -> None:
    log = IncidentLog()
    told = Alert("t", "am", "Errors", "firing", Severity.S1, SAMPLE_NOW, model="fraud-scorer")
    own = replace(told, source="midwatch", fingerprint="o")
    for tick, alert in enumerate(
        (told, told, replace(told, state="resolved", ends=SAMPLE_NOW + 10.0))
    ):
        incident = Incident("1", "x", alert.state, Severity.S1, SAMPLE_NOW, alerts=(alert, own))
        log.take(look(tick, None, incidents=(incident,)))
    assert all_of(log) == [
        (0.0, "alert", "Errors on fraud-scorer begins"),
        (2.0, "alert", "Errors on fraud-scorer ends"),
    ]


def test_it_keeps_a_day_and_no_more_than_fits() -> None:
    log = IncidentLog()
    for tick in range(2 * MOST_EVENTS // 1000):
        rules = [
            Noted(f"m{number}", rule_event(f"m{number}", "x", "y", "S2", SAMPLE_NOW))
            for number in range(1000)
        ]
        log.take(look(tick, None), rules)
    everybody = tuple(f"m{number}" for number in range(1000))
    assert len(all_of(log, *everybody)) == MOST_EVENTS
    late = look(int(KEPT_SECONDS), None)
    log.take(late, [Noted("m0", rule_event("m0", "x", "y", "S2", late.taken_at))])
    assert len(all_of(log, *everybody)) == 1


def test_the_subjects_of_an_incident_leave_out_a_fleet_that_only_calls_the_dependency() -> None:
    alert = Alert("t", "am", "Errors", "firing", Severity.S1, SAMPLE_NOW, model="m1")
    few = Incident(
        "1", "x", "firing", Severity.S1, SAMPLE_NOW, dependency="store", models=("m1", "m2"),
        alerts=(alert,),
    )  # fmt: skip
    assert subjects_of(few) == ("store", "m1", "m2", "inc:1")
    many = replace(few, models=tuple(f"m{number}" for number in range(100)))
    assert subjects_of(many) == ("store", "m1", "inc:1")
