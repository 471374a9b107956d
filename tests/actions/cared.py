"""Incidents to care for: a snapshot with a few, and wishes done as a console does them."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from console.actions.acknowledge import read_log
from console.actions.incident_executor import care_for
from console.domain.alert import Alert, Incident
from console.domain.incident import Care, CareWish
from console.domain.model import ModelRow, OnCall
from console.domain.severity import Severity
from console.domain.snapshot import Snapshot
from console.incidents.state import begins_of, fold_care, with_care
from tests.support.snapshots import sample_snapshot

if TYPE_CHECKING:
    from console.actions.executor import ActionExecutor
    from console.domain.action import Outcome

FRAUD, CHAT = "f1f1f1f1", "c2c2c2c2"


def alert(name: str, model: str, since: float, source: str = "am", **more: object) -> Alert:
    labels = (("alertname", name), ("model", model))
    made = Alert(f"{name}-{model}", source, name, "firing", Severity.S2, since, labels, model=model)
    return replace(made, **more)  # type: ignore[arg-type]


def incident(key: str, model: str, since: float, **more: object) -> Incident:
    alerts = (alert("Errors", model, since),)
    made = Incident(
        key, model, "firing", Severity.S2, since, model=model, models=(model,), alerts=alerts
    )
    return replace(made, **more)  # type: ignore[arg-type]


def seen(now: float, *incidents: Incident) -> Snapshot:
    rows = (
        ModelRow("fraud-scorer", configured=True, oncall=OnCall("ana", "joel", ("#risk", "cto"))),
    )
    base = sample_snapshot(now)
    return replace(base, rows=rows, index={"fraud-scorer": 0}, incidents=tuple(incidents))


def two(now: float, **more: object) -> Snapshot:
    return seen(
        now,
        incident(FRAUD, "fraud-scorer", now - 600.0, **more),
        incident(CHAT, "chat", now - 300.0),
    )


async def wish(
    acting: ActionExecutor,
    verb: str,
    named: str = FRAUD,
    snapshot: Snapshot | None = None,
    **more: object,
) -> Outcome:
    """Wish something of an incident as somebody sees it now."""
    now = acting.bench.clock()
    asked = CareWish(verb, named, **more)  # type: ignore[arg-type]
    return await care_for(acting, asked, two(now) if snapshot is None else snapshot)


def care(acting: ActionExecutor, key: str = FRAUD, snapshot: Snapshot | None = None) -> Care:
    """What the journal tells of an incident now."""
    now = acting.bench.clock()
    log, _ = read_log(acting.bench.journal, now)
    begins = begins_of((two(now) if snapshot is None else snapshot).incidents)
    return fold_care(log, begins, now).get(key) or Care(key, now)


def left(acting: ActionExecutor, snapshot: Snapshot) -> tuple[Incident, ...]:
    """The incidents as people left them."""
    now = acting.bench.clock()
    log, _ = read_log(acting.bench.journal, now)
    return with_care(snapshot.incidents, fold_care(log, begins_of(snapshot.incidents), now))
