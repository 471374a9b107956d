"""The incident of the sample night as a whole, with every part filled."""

from __future__ import annotations

from console.domain.action import Measure
from console.domain.alert import Alert, Incident
from console.domain.incident import (
    Care,
    CloseCheck,
    Earlier,
    Escalation,
    Hold,
    IncidentClock,
    IncidentImpact,
    IncidentNote,
    IncidentView,
    SameBefore,
    TimelineEvent,
    UpdateDue,
)
from console.domain.severity import Severity
from tests.support.overrides import fallback

SAMPLE_INCIDENT = "4b1c9e07"
"""The id of the sample incident."""

_UNMEASURED = Measure(unknown="fraud-scorer has no cost metric")


def sample_incident(now: float) -> Incident:
    """Return the incident: feature-store-eu fails, two models suffer; it began 2610 s ago."""
    page = Alert(
        "a1", "midwatch", "burn_page", "firing", Severity.S1, now - 2490.0,
        labels=(("alertname", "burn_page"), ("model", "fraud-scorer")),
        summary="burn 69x over 1h and 833x over 5m, budget gone in 26m",
        runbook="https://runbooks.example.net/fs-timeout", model="fraud-scorer",
        severity_text="S1",
    )  # fmt: skip
    lost = Alert(
        "a2", "am", "FeatureStoreTimeouts", "firing", Severity.S2, now - 2610.0,
        labels=(("alertname", "FeatureStoreTimeouts"), ("dependency", "feature-store-eu")),
        summary="38% of calls time out", dependency="feature-store-eu", severity_text="warning",
    )  # fmt: skip
    return Incident(
        SAMPLE_INCIDENT, "dependency feature-store-eu", "firing", Severity.S1, now - 2610.0,
        dependency="feature-store-eu", models=("churn-ranker", "fraud-scorer"),
        summary=page.summary, runbook=page.runbook, sources=("am", "midwatch"),
        acked_by="ana", acked_until=now + 900.0, alerts=(page, lost), starts_per_hour=2.0,
    )  # fmt: skip


def sample_care(now: float) -> Care:
    """Return what ana and the others did about it."""
    return Care(
        SAMPLE_INCIDENT,
        now - 2610.0,
        hold=Hold(
            op_id="01K84D0Q7V0000000000000411", seq=411, incident=SAMPLE_INCIDENT, kind="ack",
            by="ana", account="ana", reason="looking at fs-eu", began_at=now - 2255.0,
            ends_at=now + 900.0, next_check_at=now + 900.0, place="am",
        ),
        notes=(IncidentNote(now - 1930.0, "ana", "TODO why no page at device_nulls 22%?"),),
        escalations=(
            Escalation(now - 1915.0, "ana", ("tom", "feature-platform"), "owns feature-store-eu"),
        ),
    )  # fmt: skip


def _events(now: float) -> tuple[TimelineEvent, ...]:
    def at(seconds: float) -> float:
        return now - seconds

    return (
        TimelineEvent(
            at(3250.0), "change", "feature-store-eu config #8812", "maria", "#10402"
        ),
        TimelineEvent(
            at(2610.0), "alert", "FeatureStoreTimeouts begins: 38% of calls time out", "", "am"
        ),
        TimelineEvent(
            at(2580.0), "impact", "fraud-scorer: bad requests begin, 412 a minute", "", "prom-eu"
        ),
        TimelineEvent(
            at(2490.0), "detect", "fraud-scorer S1 burn_page: burn 69x over 1h and 833x over 5m",
            "", "midwatch",
        ),
        TimelineEvent(
            at(2465.0), "auto",
            "fraud-scorer's breaker opened; nothing answers for it; 412 requests a minute fail",
            "", "prom-eu",
        ),
        TimelineEvent(
            at(2255.0), "ack", 'taken until 03:40 "looking at fs-eu"', "ana", "#411",
            "01K84D0Q7V0000000000000411",
        ),
        TimelineEvent(
            at(2163.0), "action", "fallback fraud-scorer to fraud-small for 1h (C1)", "ana", "#412",
            "01K84D0Q7V0000000000000412", "primary (L0), 414 requests a minute",
            "fraud-small (L2)", "applied, read back after 38s: bad requests 412 to 5 a minute",
        ),
        TimelineEvent(
            at(1930.0), "note", "TODO why no page at device_nulls 22%?", "ana", "#415"
        ),
        TimelineEvent(
            at(1915.0), "page", "called tom, feature-platform: owns feature-store-eu", "ana", "#416"
        ),
        TimelineEvent(
            at(1580.0), "change", "feature-store-eu config #8812 reverted", "tom", "#417"
        ),
        TimelineEvent(
            at(600.0), "impact", "fraud-scorer: bad requests end", "", "prom-eu"
        ),
    )  # fmt: skip


def _checks() -> tuple[CloseCheck, ...]:
    return (
        CloseCheck("clean", "bad requests under 0.1% for 30 min", False, "clean for 10 min"),
        CloseCheck("routes", "all routes on primary", False, "fraud-scorer on fraud-small (L2)"),
        CloseCheck("overrides", "overrides ended", False, "fraud-scorer fb fraud-small, 24 min"),
        CloseCheck("reviews", "review queue within its SLA", True, "oldest 4 min of 15 min"),
        CloseCheck("lower", "decisions made at L2 are listed", None, "8,370 served by L2 or L3"),
        CloseCheck("owner", "somebody holds it", True, "ana"),
        CloseCheck("verdict", "was the page useful?", None, "asked at closing"),
        CloseCheck("decision", "retraining decided", None, "no decision names this incident"),
    )


def sample_before(now: float) -> SameBefore:
    """Return what came before: the same dependency twice, once with something left to do."""
    day = 86400.0
    reverted = Earlier(
        id=SAMPLE_INCIDENT, since=now - 18 * day, alike="dependency", shared="feature-store-eu",
        title="dependency feature-store-eu", rule="burn_page", level=Severity.S1,
        acked_at=now - 18 * day + 240.0, mitigated_at=now - 18 * day + 1500.0,
        ended_at=now - 18 * day + 1860.0, closed_by="ben", verdict="useful",
        closing="reverted #8731; action item: contract test",
        done=("fallback fraud-scorer to fraud-small", "feature-store-eu: config #8731 reverted"),
        decided=("HOLD fraud-scorer, OVERDUE",),
        left=("reverted #8731; action item: contract test",),
    )  # fmt: skip
    slow = Earlier(
        id="9f10bb02", since=now - 20 * day, alike="model", shared="churn-ranker",
        title="churn-ranker", level=Severity.S2,
    )  # fmt: skip
    return SameBefore(
        earlier=(reverted, slow),
        begins=(slow.since, reverted.since, now - 2610.0),
        since=now - 22.5 * day,
    )


def sample_incident_view(now: float) -> IncidentView:
    """Return the whole view at ``now`` (Unix seconds): mitigated, one override in force."""
    return IncidentView(
        incident=sample_incident(now),
        care=sample_care(now),
        at=now,
        events=_events(now),
        condition=(
            "fraud-scorer and churn-ranker fail because of feature-store-eu since 02:43. "
            "Bad requests ended at 03:17; fraud-scorer is served by fraud-small (L2)."
        ),
        actions="ana switched fraud-scorer to fraud-small at 02:49. tom reverted config #8812.",
        needs="Watch until 03:47 that bad requests stay under 0.1%, then end the fallback.",
        impact=IncidentImpact(
            until=now,
            refused=Measure(2346.0, "requests", 4.0),
            failed=Measure(470.0, "requests", 4.0),
            lower_level=Measure(8370.0, "requests", 4.0),
            reviews_added=Measure(212.0, "reviews", 4.0),
            reviews_late=Measure(37.0, "reviews", 4.0),
            excess_usd=_UNMEASURED,
            budget_spent=Measure(0.16, "1", 40.0),
            regions="All traffic stayed in eu, as fraud-scorer and churn-ranker allow.",
        ),
        clock=IncidentClock(
            impact_at=now - 2580.0,
            detected_at=now - 2490.0,
            acked_at=now - 2255.0,
            mitigated_at=now - 600.0,
        ),
        people=(("ana", "holds it"), ("tom", "called"), ("maria", "told of a change")),
        overrides=(
            fallback(
                "fraud-scorer", "fraud-small", incident=SAMPLE_INCIDENT, began_at=now - 2163.0,
                ends_at=now + 1437.0,
            ),
        ),
        checks=_checks(),
        update=UpdateDue(now - 130.0, now - 1930.0, 1800.0),
        before=sample_before(now),
    )  # fmt: skip
