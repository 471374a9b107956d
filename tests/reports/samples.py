"""One made-up shift, one incident and one day of a model, with the clock standing still."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from console.domain.decision import Decision, DecisionRecord, Evidence, Lineage
from console.domain.entry import Entry, JournalHead, Record, Who
from console.domain.incident import Care
from console.domain.model import ModelRow, Objectives
from console.domain.samples import Series, SourceStatus
from console.domain.snapshot import Change, Snapshot
from console.handover.handover_document import Shift, ShiftFacts
from console.reports.failures import FailureFacts
from console.reports.postmortem import PostmortemFacts
from tests.support.incident_views import SAMPLE_INCIDENT, sample_incident, sample_incident_view
from tests.support.overrides import entry, fallback, held
from tests.support.snapshots import SAMPLE_NOW, sample_snapshot

HOUR = 3600.0
ANA = Who(name="ana", name_source="operator.name", os_user="ana", uid=1001, host="ops-1", pid=42)
BEN = Who(name="ben", name_source="operator.name", os_user="ben", uid=1003, host="ops-2", pid=43)
SHIFT = Shift(SAMPLE_NOW - 8 * HOUR, SAMPLE_NOW, "ana", "ana@ops-1", to="ben")
SINCE = SAMPLE_NOW - 2610.0


def shift_facts() -> ShiftFacts:
    """Return a shift in which every part of the handover has something in it."""
    view = sample_incident_view(SAMPLE_NOW)
    return ShiftFacts(
        "prod",
        shift_snapshot(),
        entries=shift_entries(),
        handovers=(
            entry(380, "handover", op_id="01HO", who=BEN, at=SAMPLE_NOW - 9 * HOUR),
            entry(381, "handover_accepted", op_id="01HO", who=ANA, at=SAMPLE_NOW - 8.9 * HOUR),
        ),
        views={SAMPLE_INCIDENT: view},
        decisions=(decision(), late_decision()),
        head=JournalHead(chain="c", seq=10482, hash="ab" * 32, at=SAMPLE_NOW),
        journal_place="postgresql://db.example.net/midwatch",
    )


def shift_snapshot() -> Snapshot:
    """Return the sample night with an open incident that ana holds, and three overrides."""
    snapshot = sample_snapshot()
    view = sample_incident_view(SAMPLE_NOW)
    ended = replace(
        _hold(view.care), incident="77aa", by="li", account="li", ends_at=SAMPLE_NOW - 60, place="",
        certain=False, kind="snooze", began_at=SAMPLE_NOW - 5 * HOUR, next_check_at=None,
    )  # fmt: skip
    return replace(
        snapshot,
        incidents=(sample_incident(SAMPLE_NOW),),
        care={SAMPLE_INCIDENT: view.care, "77aa": Care("77aa", SINCE, hold=ended)},
        overrides=(
            held(),
            fallback(),
            held("kyc-vision", "threshold", op_id="01K8NOEND", ends_at=None, value=0.85),
        ),
        record=Record("open", head_seq=10482),
        alert_sources=(SourceStatus("am", "alertmanager", "down", SAMPLE_NOW - 240, "refused"),),
        changes=(
            *snapshot.changes,
            Change(SAMPLE_NOW - 900.0, "support-llm", "support-llm went from v8 to v9"),
            Change(SAMPLE_NOW - 800.0, "embedder", "embedder is S4", kind="level"),
        ),
    )


def _hold(care: Care):
    assert care.hold is not None
    return care.hold


def shift_entries() -> tuple[Entry, ...]:
    """Return what was written in the shift: an action, its exception, notes, a closed page."""
    mine = {"incident": SAMPLE_INCIDENT, "who": ANA}
    begun = {"since": SINCE, "severity": "S1", "title": "feature-store-eu"}
    return (
        entry(
            10401, "close", at=SAMPLE_NOW - 4 * HOUR, incident="51c3",
            why="disk alarm, no user hurt",
            details={"since": SAMPLE_NOW - 5 * HOUR, "severity": "S2", "verdict": "noise"},
        ),
        entry(
            10402, "change", at=SAMPLE_NOW - 3000.0, target="feature-store-eu",
            why="config push #8812", details={"at": SAMPLE_NOW - 3250.0},
        ),
        entry(10411, "ack", at=SAMPLE_NOW - 2255.0, why="looking at fs-eu", details=begun, **mine),
        entry(
            10412, "break_glass", at=SAMPLE_NOW - 2170.0, target="fraud-scorer", action="fallback",
            why="nobody else is awake", **mine,
        ),
        entry(
            10413, "outcome", at=SAMPLE_NOW - 2163.0, target="fraud-scorer", action="fallback",
            op_id="01K84D0Q7V0000000000000412", wanted="fraud-small",
            why="feature-store-eu timeouts",
            details={"outcome": "applied", "to": "fraud-small"}, **mine,
        ),
        entry(
            10415, "note", at=SAMPLE_NOW - 1930.0, why="TODO why no page at device_nulls 22%?",
            details=begun, **mine,
        ),
        entry(
            10420, "intent", at=SAMPLE_NOW - 1200.0, target="doc-extract", action="rollback",
            op_id="01K8LOST", blast={"region_allowed": False, "region_to": "us"}, why="try v6",
            details={"to": "v6"},
        ),
        entry(
            10422, "change", at=SAMPLE_NOW - 60.0, target="support-llm", why="provider maintenance",
            details={"at": SAMPLE_NOW + 2 * HOUR},
        ),
    )  # fmt: skip


def decision() -> DecisionRecord:
    """Return a HOLD taken in the shift, against an objection."""
    made = Decision(
        id="01RD93", model="fraud-scorer", kind="HOLD", tier=1, environment="prod",
        taken_at=SAMPLE_NOW - HOUR, review_by=SAMPLE_NOW + 14 * 24 * HOUR, author="ana",
        reason="inputs were broken, not the model", trigger="burn", evidence=Evidence(),
        lineage=Lineage(model="fraud-scorer"), needs_approval=True, incident=SAMPLE_INCIDENT,
        despite="labels are three weeks late",
    )  # fmt: skip
    return DecisionRecord(decision=made, digest="d" * 64, account="ana@ops-1")


def late_decision() -> DecisionRecord:
    """Return one whose review date has passed."""
    made = Decision(
        id="01RD74", model="churn-ranker", kind="RECALIBRATE-THRESHOLD", tier=2,
        environment="prod", taken_at=SAMPLE_NOW - 30 * 24 * HOUR,
        review_by=SAMPLE_NOW - 2 * 24 * HOUR, author="joel", reason="too many reviews",
        trigger="review", evidence=Evidence(), lineage=Lineage(model="churn-ranker"),
    )  # fmt: skip
    return DecisionRecord(decision=made, digest="e" * 64, account="joel@ops-1")


def empty_facts() -> ShiftFacts:
    """Return a shift of which nothing could be read."""
    return ShiftFacts("prod", None, journal_problem="the database does not answer")


def postmortem_facts(*, named: bool = False) -> PostmortemFacts:
    """Return the sample incident half an hour after it was over, with the one before it."""
    view = sample_incident_view(SAMPLE_NOW)
    over = replace(view.incident, state="resolved", ends=SAMPLE_NOW - 600.0)
    view = replace(view, incident=over, clock=replace(view.clock, resolved_at=SAMPLE_NOW - 600.0))
    before = entry(
        377, "close", at=SAMPLE_NOW - 18 * 24 * HOUR, incident=SAMPLE_INCIDENT, who=BEN,
        why="reverted; contract test is still open",
        details={"since": SAMPLE_NOW - 18 * 24 * HOUR - 1860.0, "verdict": "useful"},
    )  # fmt: skip
    return PostmortemFacts(
        environment="prod",
        view=view,
        now=SAMPLE_NOW + 1800.0,
        entries=(before, *(each for each in shift_entries() if each.incident == SAMPLE_INCIDENT)),
        decisions=(decision(),),
        series=(
            ("fraud-scorer", _curve("error_ratio", 0.001, 0.62)),
            ("fraud-scorer", Series("latency_p95", np.empty(0), np.empty(0), "prom-eu is down")),
        ),
        named=named,
    )


def _curve(signal: str, calm: float, bad: float) -> Series:
    times = np.arange(SINCE - 600.0, SAMPLE_NOW, 30.0)
    hurt = (times > SAMPLE_NOW - 2580.0) & (times < SAMPLE_NOW - 2100.0)
    return Series(signal, times, np.where(hurt, bad, calm))


FAILING = ModelRow(
    "fraud-scorer", "prom-eu", "midwatch", "v41", configured=True, tier=1, region="eu",
    objectives=Objectives(0.999, 0.4, 0.99, declared=True), dependencies=("feature-store-eu",),
    confidence_base_ratio=0.016,
)  # fmt: skip


def failure_facts(row: ModelRow = FAILING) -> FailureFacts:
    """Return two hours with one outage of ten minutes and seven minutes without any data."""
    start, end, step = SAMPLE_NOW - 2 * HOUR, SAMPLE_NOW, 30.0
    times = np.asarray(start + step * np.arange(int((end - start) / step) + 1))
    outage = (times >= SAMPLE_NOW - 2580.0) & (times < SAMPLE_NOW - 1980.0)
    away = (times >= SAMPLE_NOW - 6000.0) & (times < SAMPLE_NOW - 5580.0)

    def series(name: str, calm: float, bad: float) -> Series:
        return Series(name, times, np.where(away, np.nan, np.where(outage, bad, calm)))

    return FailureFacts(
        environment="prod",
        row=row,
        start=start,
        end=end,
        step=step,
        now=SAMPLE_NOW + 60.0,
        series={
            each.signal: each
            for each in (
                series("requests_rate", 6.9, 6.9),
                series("bad_rate", 0.002, 4.3),
                series("error_ratio", 0.0003, 0.62),
                series("latency_p95", 0.31, 1.9),
                series("low_confidence_ratio", 0.016, 0.062),
                series("burn_5m", 0.3, 620.0),
                series("burn_1h", 0.4, 71.0),
                series("burn_30m", 0.3, 5.0),
                Series("burn_6h", np.empty(0), np.empty(0), "prom-eu keeps two hours"),
            )
        },
        breakers={"": series("breaker_state", 0.0, 1.0)},
        entries=tuple(
            each for each in shift_entries() if each.target in ("fraud-scorer", "feature-store-eu")
        ),
    )
