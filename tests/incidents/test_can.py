"""What is said to a colleague, and what is left before closing: unknown is not done."""

from __future__ import annotations

from dataclasses import replace

import pytest

from console.domain.action import Measure
from console.domain.alert import Incident
from console.domain.incident import (
    Care,
    CloseCheck,
    Closing,
    Escalation,
    Hold,
    IncidentClock,
    TimelineEvent,
)
from console.domain.severity import Severity
from console.incidents.checklist import (
    CanFacts,
    CloseFacts,
    ModelState,
    actions,
    close_checks,
    condition,
    needs,
    people,
)
from console.incidents.clock import HurtSpan
from tests.support.overrides import fallback
from tests.support.snapshots import SAMPLE_NOW

BEGAN = SAMPLE_NOW - 600.0
INCIDENT = Incident(
    "abcd1234", "dependency store", "firing", Severity.S1, BEGAN, dependency="store",
    models=("fraud",), summary="burn 69x",
)  # fmt: skip
CARE = Care("abcd1234", BEGAN)
HOLD = Hold("OP", 9, "abcd1234", "ack", "ana", "ana", "mine", BEGAN + 60.0, SAMPLE_NOW + 900.0)
HURT = HurtSpan("fraud", BEGAN - 30.0)
STATE = ModelState("fraud", 0.3, "", 412.0, "small", "L2", oldest=60.0, sla=900.0, has_reviews=True)


def facts(**more: object) -> CanFacts:
    made = CanFacts(SAMPLE_NOW, INCIDENT, CARE, IncidentClock(), (HURT,), (STATE,))
    return replace(made, **more)  # type: ignore[arg-type]


def test_while_it_burns_it_says_who_is_hurt_why_and_that_nobody_has_it() -> None:
    said = condition(facts(cause="store timeouts 38% since 02:37"))
    assert said == (
        "S1 on dependency store since 02:37: burn 69x. Cause: store timeouts 38% since 02:37. "
        "Users of fraud are hurt since 02:36, 412 bad requests a minute. "
        "Served below normal: fraud by small (L2)."
    )
    assert actions(facts()) == "Nothing was changed yet."
    assert needs(facts()) == (
        "Somebody has to take it. Stop the harm to users of fraud: fallback, human review or a "
        "trip. store has to recover."
    )


def test_once_mitigated_it_says_what_is_watched_and_what_still_holds() -> None:
    over = replace(HURT, ended_at=SAMPLE_NOW - 300.0)
    clock = IncidentClock(impact_at=HURT.began_at, mitigated_at=SAMPLE_NOW - 300.0)
    care = replace(CARE, hold=HOLD)
    done = TimelineEvent(BEGAN + 90.0, "action", "fallback fraud to small (C1)", "ana", "#10")
    found = facts(
        spans=(over,), clock=clock, care=care, events=(done,),
        overrides=(fallback("fraud", "small", ends_at=SAMPLE_NOW + 1800.0),),
        checks=(CloseCheck("clean", "", False),),
    )  # fmt: skip
    assert "Users are no longer hurt since 02:42." in condition(found)
    assert actions(found) == "02:38 ana: fallback fraud to small (C1). ana holds it since 02:38."
    assert needs(found) == (
        "Watch until 03:12 that bad requests stay under 0.1%. "
        "End or renew fallback fraud, it ends in 30m."
    )


def test_over_and_done_it_asks_to_be_closed() -> None:
    over = replace(INCIDENT, state="resolved", ends=SAMPLE_NOW)
    found = facts(incident=over, spans=(), models=())
    assert condition(found).startswith("S1 on dependency store is over: nothing fires any more at")
    assert needs(found) == "Close it, and say whether the page was useful."
    undecided = replace(found, checks=(CloseCheck("decision", "", False),))
    assert needs(undecided) == "Decide on retraining: HOLD where nothing needs it."


def test_people_have_their_parts_together() -> None:
    care = replace(CARE, hold=HOLD, escalations=(Escalation(BEGAN, "ana", ("tom",), "owns it"),))
    events = (
        TimelineEvent(BEGAN, "action", "x", "ana"),
        TimelineEvent(BEGAN, "note", "x", "li\x1b"),
        TimelineEvent(BEGAN, "auto", "x", ""),
    )
    assert people(INCIDENT, care, events) == (
        ("ana", "holds it, acted"),
        ("tom", "called"),
        ("li␛", "wrote notes"),
    )


def checks(**more: object) -> dict[str, bool | None]:
    clean = replace(STATE, bad_ratio=0.0, level="L0")
    made = CloseFacts(
        SAMPLE_NOW, replace(CARE, hold=HOLD), (clean,), lower_level=Measure(0.0, "requests"),
        decisions=("RD-1",),
    )  # fmt: skip
    return {one.id: one.done for one in close_checks(replace(made, **more))}  # type: ignore[arg-type]


def test_the_checklist_when_all_is_well_still_asks_for_the_verdict() -> None:
    assert checks() == {
        "clean": True, "routes": True, "overrides": True, "reviews": True, "lower": True,
        "owner": True, "verdict": None, "decision": True,
    }  # fmt: skip
    closing = Closing(SAMPLE_NOW, "ana", "useful", "", "HOLD")
    assert checks(care=replace(CARE, closing=closing), decisions=())["verdict"] is True


@pytest.mark.parametrize(
    ("check", "more", "done"),
    [
        ("clean", {"models": (STATE,)}, False),
        ("clean", {"models": (replace(STATE, bad_ratio=None, bad_unknown="away"),)}, None),
        ("clean", {"models": ()}, None),
        ("routes", {"models": (STATE,)}, False),
        ("routes", {"models": (replace(STATE, level=""),)}, None),
        ("overrides", {"overrides": (fallback(),)}, False),
        ("reviews", {"models": (replace(STATE, oldest=901.0),)}, False),
        ("reviews", {"models": (replace(STATE, sla=None),)}, None),
        ("reviews", {"models": (replace(STATE, has_reviews=False),)}, True),
        ("lower", {"lower_level": Measure(8370.0, "requests")}, None),
        ("lower", {"lower_level": Measure(unknown="no route metric")}, None),
        ("owner", {"care": CARE}, False),
        ("owner", {"care": CARE, "acked_by": "ben"}, True),
        ("decision", {"decisions": ()}, False),
    ],
)
def test_what_is_not_known_is_never_done(
    check: str, more: dict[str, object], done: bool | None
) -> None:
    assert checks(**more)[check] is done
