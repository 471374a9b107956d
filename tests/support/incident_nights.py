"""The sample night with its incidents and what people did about them; also many, and hostile."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from console.domain.action import Measure
from console.domain.alert import Alert, Incident
from console.domain.entry import Record
from console.domain.incident import (
    Care,
    CloseCheck,
    Closing,
    Earlier,
    Escalation,
    EventKind,
    Hold,
    IncidentNote,
    IncidentView,
    SameBefore,
    TimelineEvent,
    UpdateDue,
)
from console.domain.samples import SourceStatus
from console.domain.severity import Severity
from tests.support.incident_views import sample_care, sample_incident, sample_incident_view
from tests.support.snapshots import HOSTILE_NAMES, SAMPLE_NOW, hostile_snapshot, sample_snapshot

if TYPE_CHECKING:
    from console.domain.snapshot import Snapshot

UNHELD, OLD, LATE, QUIET, OVER, MERGED = (
    "9f10aa01", "9f10aa02", "9f10aa03", "9f10aa04", "9f10aa05", "9f10aa06",
)  # fmt: skip


def alert_place(now: float, **changes: object) -> SourceStatus:
    return replace(SourceStatus("am", "alertmanager", "up", now - 2.0), **changes)  # type: ignore[arg-type]


def incident(key: str, model: str, severity: Severity, since: float, **changes: object) -> Incident:
    told = Alert(
        f"f-{key}", "am", "BurnRateHigh", "firing", severity, since, summary="budget burns",
        model=model, severity_text=severity.label,
    )  # fmt: skip
    made = Incident(
        key, f"model {model}", "firing", severity, since, model=model, models=(model,),
        summary=f"{model}: budget burns", sources=("am",), alerts=(told,),
        runbook=f"https://runbooks.example.net/{key}",
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def hold(key: str, by: str, began_at: float, ends_at: float, **changes: object) -> Hold:
    made = Hold(
        op_id=f"01HOLD{key:>020}", seq=500, incident=key, kind="ack", by=by, account=by,
        reason="looking", began_at=began_at, ends_at=ends_at,
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


def incident_night(now: float = SAMPLE_NOW) -> Snapshot:
    """Nobody has one, ana and ben hold three, one is quiet, one over, one merged."""
    since = now - 1320.0
    held = incident(OLD, "doc-extract", Severity.S2, now - 7800.0, acked_by="ben")
    late = incident(LATE, "kyc-vision", Severity.S3, now - 17_000.0, acked_by="li")
    quiet = incident(
        QUIET, "embedder", Severity.S4, now - 90_000.0, state="suppressed",
        suppressed_by=("silenced by ben until 06:00: rollout",),
    )  # fmt: skip
    over = incident(OVER, "toxicity", Severity.S2, now - 5000.0, state="resolved", ends=now - 400.0)
    care = {
        sample_incident(now).id: replace(sample_care(now), merged=(MERGED,)),
        OLD: Care(OLD, now - 7800.0, hold=hold(OLD, "ben", now - 7000.0, now + 1800.0)),
        LATE: Care(
            LATE,
            now - 17_000.0,
            hold=hold(LATE, "li", now - 16_000.0, now + 600.0, next_check_at=now - 240.0),
            level=Severity.S3,
            level_by="li",
            level_reason="nobody is hurt",
        ),
        MERGED: Care(MERGED, now - 2000.0, merged_into=sample_incident(now).id),
    }
    return replace(
        sample_snapshot(now),
        incidents=(
            incident(
                UNHELD, "support-llm", Severity.S2, since, flapping=True, starts_per_hour=6.0,
                summary="TTFT 3.4s, KV .97, spend 3.2x",
            ),
            sample_incident(now),
            held,
            late,
            quiet,
            over,
        ),
        care=care,
        alert_sources=(alert_place(now),),
        record=Record(state="open", read_at=now, head_seq=43, followed_from=1),
    )  # fmt: skip


def many_incidents(count: int, now: float = SAMPLE_NOW) -> Snapshot:
    """So many at once, in flood mode."""
    found = tuple(
        incident(f"{number:08x}", f"model-{number}", Severity.S1, now - number, flood=True)
        for number in range(count)
    )
    return replace(incident_night(now), incidents=found, care={})


def quiet_night(now: float = SAMPLE_NOW) -> Snapshot:
    """Nothing fires and nothing is held, and every place has said so."""
    night = incident_night(now)
    sources = tuple(one for one in night.sources if one.state == "up")
    return replace(night, incidents=(), care={}, sources=sources)


def hostile_night(now: float = SAMPLE_NOW) -> Snapshot:
    """Every text of every incident wants to be obeyed."""
    base = hostile_snapshot(now)
    found, care = [], {}
    for number, name in enumerate(HOSTILE_NAMES):
        key = f"{number:08x}"
        found.append(
            incident(
                key, name, Severity.S1, now - 600.0, title=f"model {name}", summary=name,
                models=(name, base.rows[0].model), runbook=name, sources=(name,), acked_by=name,
                suppressed_by=(name,), dependency=name if number % 2 else "",
            )
        )  # fmt: skip
        care[key] = Care(
            key,
            now - 600.0,
            hold=hold(key, name, now - 500.0, now + 500.0, reason=name, place=name, title=name)
            if number % 3
            else None,
            level=Severity.S2,
            level_by=name,
            merged=(name,),
            notes=(IncidentNote(now - 100.0, name, name),),
            escalations=(Escalation(now - 90.0, name, (name,), name),),
            closing=Closing(now - 10.0, name, "noise", name),
        )
    places = (alert_place(now, name=HOSTILE_NAMES[2], state="down"),)
    return replace(base, incidents=tuple(found), care=care, alert_sources=places)


def hostile_view(now: float = SAMPLE_NOW) -> IncidentView:
    """The whole of one incident with such texts everywhere."""
    view = sample_incident_view(now)
    kinds: tuple[EventKind, ...] = ("change", "action", "note", "page", "alert")
    events = tuple(
        TimelineEvent(
            now - 900.0 + number, kinds[number % 5], name, name, name, name, name, name, name
        )
        for number, name in enumerate(HOSTILE_NAMES)
    )
    bad = " ".join(HOSTILE_NAMES[:8])
    lost = Measure(unknown=bad)
    return replace(
        view,
        incident=hostile_night(now).incidents[0],
        care=next(iter(hostile_night(now).care.values())),
        events=events,
        condition=bad,
        actions=bad,
        needs=bad,
        impact=replace(view.impact, refused=lost, excess_usd=lost, regions=bad),
        people=tuple((name, name) for name in HOSTILE_NAMES),
        overrides=tuple(
            replace(view.overrides[0], target=name, by=name, reason=name, to=name)
            for name in HOSTILE_NAMES[:4]
        ),
        checks=tuple(CloseCheck(name, name, None, name) for name in HOSTILE_NAMES[:8]),
        update=UpdateDue(unknown=bad),
        before=SameBefore(
            earlier=tuple(_hostile_earlier(name, now) for name in HOSTILE_NAMES[:3]),
            begins=(now - 86400.0, float("-inf"), float("inf"), now),
            since=float("-inf"),
            doubt=bad,
        ),
    )


def _hostile_earlier(name: str, now: float) -> Earlier:
    return Earlier(
        id=name, since=now - 86400.0, alike="model and rule", shared=name, title=name, rule=name,
        ended_at=now, closed_by=name, verdict=name, closing=name, merged_into=name,
        done=(name, name), decided=(name,), left=(name, name),
    )  # fmt: skip
