"""The timeline: in order, nothing twice, one event an operation, and the record alone is enough."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from console.domain.alert import OWN_SOURCE, Alert, Incident
from console.domain.entry import Entry
from console.domain.incident import Care, Closing, Hold, IncidentNote, TimelineEvent
from console.domain.severity import Severity
from console.domain.snapshot import Change
from console.incidents.clock import clock_of, hurt_spans
from console.incidents.event_log import HURT_WORDS, impact_event
from console.incidents.similar import recorded_incident
from console.incidents.timeline import timeline
from tests.support.overrides import entry

if TYPE_CHECKING:
    from collections.abc import Iterable

NOW = 1_790_000_000.0
BEGAN = NOW - 1800.0

PAGE = Alert(
    "p", OWN_SOURCE, "burn_page_fast", "firing", Severity.S1, BEGAN, summary="burn 69x",
    model="fraud",
)  # fmt: skip
TOLD = Alert(
    "t", "am", "StoreDown", "resolved", Severity.S2, BEGAN + 30.0, summary="38% fail",
    dependency="store", ends=BEGAN + 900.0,
)  # fmt: skip
INCIDENT = Incident(
    "abcd1234", "dependency store", "firing", Severity.S1, BEGAN, dependency="store",
    models=("fraud", "rank"), alerts=(PAGE, TOLD),
)  # fmt: skip


def told(
    entries: Iterable[Entry] = (),
    events: Iterable[TimelineEvent] = (),
    changes: Iterable[Change] = (),
    care: Care | None = None,
    incident: Incident = INCIDENT,
) -> tuple[TimelineEvent, ...]:
    return timeline(
        incident,
        since=BEGAN,
        until=NOW,
        entries=entries,
        events=events,
        changes=changes,
        care=care,
    )


def written(seq: int, kind: str, at: float, **more: object) -> Entry:
    return entry(seq, kind, **{"at": at, "target": "fraud", **more})


def operation(at: float, *, target: str = "fraud", incident: str = "abcd1234") -> list[Entry]:
    shared: dict[str, object] = {
        "op_id": f"OP{at:.0f}", "action": "fallback", "target": target, "incident": incident,
        "why": "timeouts", "confirm_class": "C1", "before": "primary", "wanted": "small",
    }  # fmt: skip
    place = int(at - BEGAN)
    return [
        written(place, "intent", at, details={"to": "small", "ttl_seconds": 3600.0}, **shared),
        written(place + 1, "sent", at + 1.0, **shared),
        written(
            place + 2,
            "outcome",
            at + 3.0,
            after={"fraud-0": "small", "fraud-1": "small"},
            details={"outcome": "applied", "text": "2 of 2 read back"},
            **shared,
        ),
        written(place + 3, "override", at + 3.0, **shared),
    ]


def test_an_operation_is_one_event_with_before_after_and_what_was_seen() -> None:
    at = BEGAN + 300.0
    moved = TimelineEvent(
        at + 4.0, "auto", "fraud went from primary (L0) to small (L2)", "", "midwatch"
    )
    other = TimelineEvent(at + 5.0, "auto", "rank's breaker opened", "", "midwatch")
    found = told(operation(at), [moved, other])
    (action,) = [one for one in found if one.kind == "action"]
    assert action.text == 'fallback fraud to small for 1h (C1) "timeouts"'
    assert (action.before, action.after, action.by, action.at) == ("primary", "small", "li", at)
    assert action.effect.startswith("applied: 2 of 2 read back; seen ")
    assert action.effect.endswith("fraud went from primary (L0) to small (L2)")
    assert [one.text for one in found if one.kind == "auto"] == ["rank's breaker opened"]


def test_a_move_that_nobody_asked_for_stays_one_of_its_own() -> None:
    before = TimelineEvent(BEGAN + 290.0, "auto", "fraud's breaker opened", "", "midwatch")
    late = TimelineEvent(BEGAN + 500.0, "auto", "fraud's breaker closed", "", "midwatch")
    found = told(operation(BEGAN + 300.0), [before, late])
    assert [one.text for one in found if one.kind == "auto"] == [before.text, late.text]


def test_every_kind_of_word_about_it_is_told_and_of_others_nothing() -> None:
    mine: dict[str, object] = {"incident": "abcd1234", "target": "inc:abcd1234"}
    decided = {**mine, "target": "fraud"}
    held = {"step": "taken", "ends_at": NOW}
    closed = {"verdict": "useful", "decision": "HOLD"}
    other: dict[str, object] = {"incident": "99999999", "target": "inc:99999999"}

    def at(seconds: float, kind: str, why: str, about: dict[str, object], **more: object) -> Entry:
        return written(int(seconds) + 5000, kind, BEGAN + seconds, why=why, **{**about, **more})

    entries = [
        at(60.0, "ack", "looking", mine, details=held),
        at(70.0, "note", "why no page?", mine),
        at(80.0, "escalate", "owns it", mine, details={"to": ["tom", "joel"]}),
        at(90.0, "severity", "worse", mine, details={"level": "S1"}),
        at(95.0, "merge", "same", mine, details={"into": "ffff0000"}),
        at(-1200.0, "change", "config #8812", {"target": "dep:store"}),
        at(-4000.0, "change", "long ago", {"target": "dep:store"}),
        at(99.0, "decision", "looked", decided, action="HOLD", details={"step": "taken"}),
        at(100.0, "close", "over", mine, details=closed),
        at(71.0, "note", "other", other),
        at(-600.0, "note", "of an earlier occurrence", mine),
        at(98.0, "override_ended", "it was due", {}, action="trip", op_id="X"),
    ]
    found = told(entries)
    said = [(one.kind, one.text) for one in found if one.source.startswith("#")]
    assert said == [
        ("change", "store: config #8812"),
        ("ack", f'taken until {found_clock(NOW)} "looking"'),
        ("note", "why no page?"),
        ("page", 'escalated to tom, joel (in the record alone) "owns it"'),
        ("state", 'severity given: S1 "worse"'),
        ("state", 'merged into ffff0000 "same"'),
        ("auto", 'trip fraud ended "it was due"'),
        ("decision", 'HOLD fraud "looked"'),
        ("state", 'closed, page useful, decision HOLD "over"'),
    ]


def found_clock(at: float) -> str:
    return f"{int(at % 86400) // 3600:02d}:{int(at % 3600) // 60:02d}"


def test_the_first_rule_or_alert_that_calls_is_the_detection() -> None:
    sign = TimelineEvent(BEGAN - 60.0, "signal", "fraud drift_alone: S3, PSI .3", "", OWN_SOURCE)
    found = told(events=[sign])
    assert [(one.kind, one.text) for one in found][:3] == [
        ("signal", sign.text),
        ("detect", "fraud burn_page_fast: S1, burn 69x"),
        ("alert", "StoreDown begins: 38% fail"),
    ]


def test_what_two_consoles_saw_is_told_once_and_what_one_missed_is_added() -> None:
    seen = TimelineEvent(
        BEGAN + 1.0, "impact", f"fraud{HURT_WORDS}: 3% of requests bad", "", OWN_SOURCE
    )
    other = [
        {"at": BEGAN + 5.0, "kind": "impact", "text": f"fraud{HURT_WORDS}: 4% of requests bad"},
        {"at": BEGAN + 6.0, "kind": "auto", "text": "rank's breaker opened", "source": "midwatch"},
        {"at": "soon", "kind": "auto", "text": "no time"},
        {"at": BEGAN, "kind": "made up", "text": "no kind"},
        "no event",
    ]
    ack = written(1, "ack", BEGAN + 60.0, incident="abcd1234", details={"events": other})
    found = told([ack, replace_seq(ack, 2)], [seen])
    assert [one.text for one in found if one.kind == "impact"] == [seen.text]
    assert [one.text for one in found if one.kind == "auto"] == ["rank's breaker opened"]


def replace_seq(one: Entry, seq: int) -> Entry:
    return written(seq, one.kind, one.at + 30.0, incident=one.incident, details=one.details)


def test_care_stands_in_for_entries_that_are_not_at_hand() -> None:
    hold = Hold("OP", 9, "abcd1234", "ack", "ana", "ana", "mine", BEGAN + 60.0, NOW)
    care = Care(
        "abcd1234", BEGAN, hold=hold, notes=(IncidentNote(BEGAN + 70.0, "ana", "hm"),),
        closing=Closing(BEGAN + 80.0, "ana", "noise", "nothing"),
    )  # fmt: skip
    entries = [
        written(9, "ack", BEGAN + 60.0, why="mine", incident="abcd1234", details={"step": "taken"})
    ]
    alone = [(one.kind, one.text) for one in told(care=care) if one.by == "ana"]
    assert alone == [
        ("ack", 'taken "mine"'),
        ("note", "hm"),
        ("state", 'closed, page noise "nothing"'),
    ]
    assert [one.kind for one in told(entries, care=care)].count("ack") == 1


def test_the_record_alone_tells_of_an_incident_that_is_over() -> None:
    begin = impact_event("fraud", 0.0, ratio=0.3).text
    details = {
        "step": "taken", "since": BEGAN, "title": "dependency store", "severity": "S1",
        "dependency": "store", "models": ["fraud"],
        "events": [
            {"at": BEGAN - 5.0, "kind": "impact", "text": begin},
            {"at": BEGAN + 500.0, "kind": "impact", "text": impact_event("fraud", 0.0).text},
            {"at": BEGAN, "kind": "detect", "text": "fraud burn_page_fast: S1, burn 69x"},
        ],
    }  # fmt: skip
    entries = [
        written(
            1, "ack", BEGAN - 90_000.0, incident="abcd1234", details={"since": BEGAN - 90_010.0}
        ),
        written(2, "ack", BEGAN + 60.0, incident="abcd1234", details=details),
        *operation(BEGAN + 120.0),
        written(900, "close", BEGAN + 900.0, incident="abcd1234", details={"verdict": "useful"}),
    ]
    past = recorded_incident("abcd1234", entries)
    assert past is not None
    assert (past.state, past.since, past.ends) == ("resolved", BEGAN, BEGAN + 900.0)
    assert (past.title, past.dependency, past.severity) == (
        "dependency store",
        "store",
        Severity.S1,
    )
    events = timeline(past, since=past.since, until=NOW, entries=entries)
    kinds = [one.kind for one in events]
    assert kinds == ["impact", "detect", "ack", "action", "impact", "state", "state"]
    spans = hurt_spans(events, past.since)
    clock = clock_of(past, Care("abcd1234", BEGAN), events, spans)
    seconds = [
        clock.since_impact(moment)
        for moment in (clock.detected_at, clock.acked_at, clock.mitigated_at, clock.resolved_at)
    ]
    assert seconds == [5.0, 65.0, 505.0, 905.0]
    assert recorded_incident("nobody00", entries) is None


def test_harm_that_was_over_before_the_incident_began_is_not_its_own() -> None:
    events = [
        TimelineEvent(BEGAN - 600.0, "impact", "fraud users are hurt: 2% of requests bad"),
        TimelineEvent(BEGAN - 300.0, "impact", "fraud users no longer hurt"),
        TimelineEvent(BEGAN - 20.0, "impact", "fraud users are hurt: 9% of requests bad"),
        TimelineEvent(BEGAN + 60.0, "impact", "fraud users no longer hurt"),
    ]
    (own,) = hurt_spans(events, BEGAN)
    assert (own.began_at, own.ended_at) == (BEGAN - 20.0, BEGAN + 60.0)
    (running,) = hurt_spans(events[2:3], BEGAN)
    assert running.ended_at is None


TEXTS = st.sampled_from(["fraud x: S1, a", "fraud x over", "rank's breaker opened", "\x1b[2J", ""])
EVENTS = st.lists(
    st.builds(
        TimelineEvent,
        st.integers(int(BEGAN) - 5000, int(NOW) + 50).map(float),
        st.sampled_from(["signal", "impact", "auto", "alert", "change"]),
        TEXTS,
    ),
    max_size=25,
)
ENTRIES = st.lists(
    st.builds(
        lambda place, kind, incident, target, why, details: written(
            place,
            kind,
            BEGAN - 300.0 + 10.0 * place,
            incident=incident,
            target=target,
            why=why,
            op_id=f"OP{place % 4}",
            details=details,
        ),
        st.integers(0, 180),
        st.sampled_from(
            [
                "intent", "outcome", "override", "override_ended", "observed", "ack", "note",
                "close", "change", "escalate", "merge", "severity", "decision", "approval",
                "from the future",
            ]
        ),
        st.sampled_from(["abcd1234", "", "99999999"]),
        st.sampled_from(["fraud", "dep:store", "inc:abcd1234", "other", ""]),
        st.sampled_from(["looked", "\x1b]0;title\x07", "\u202eevil", ""]),
        st.dictionaries(
            st.sampled_from(["events", "to", "ends_at", "step", "level", "at", "outcome", "by"]),
            st.one_of(
                st.none(),
                st.booleans(),
                st.floats(allow_nan=False, allow_infinity=False),
                st.text(max_size=8),
                st.lists(st.text(max_size=4), max_size=3),
                st.just([{"at": BEGAN + 1.0, "kind": "auto", "text": "\x1b[31mred"}]),
            ),
            max_size=4,
        ),
    ),
    max_size=25,
    unique_by=lambda one: one.seq,
)  # fmt: skip


@settings(max_examples=120, deadline=None)
@given(ENTRIES, EVENTS)
def test_it_is_sorted_harmless_and_tells_nothing_twice(
    entries: list[Entry], events: list[TimelineEvent]
) -> None:
    found = told(entries, [replace(one, source=OWN_SOURCE) for one in events])
    assert [one.at for one in found] == sorted(one.at for one in found)
    assert len({(one.at, one.kind, one.text, one.source) for one in found}) == len(found)
    own = [one.source for one in found if one.source.startswith("#")]
    assert len(own) == len(set(own))
    assert all(BEGAN - 3600.0 <= one.at <= NOW for one in found)
    from_record = [one for one in found if one.source.startswith("#") or one.source == ""]
    shown = "".join(f"{one.text}{one.before}{one.after}{one.by}" for one in from_record)
    assert not set(shown) & {"\x1b", "\x07", "\u202e"}
