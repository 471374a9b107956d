"""Incidents as people left them: held, given another level, merged, closed."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from console.domain.incident import Care, Closing, Hold
from console.domain.severity import Severity
from console.incidents.state import with_care
from tests.incidents.making import NOW, alert, grouped

if TYPE_CHECKING:
    from console.domain.alert import Incident

FRAUD, CHAT = grouped(
    [alert(model="fraud"), alert("Slow", model="chat", severity=Severity.S2)]
).incidents


def hold(incident: Incident = FRAUD, **more: object) -> Hold:
    made = Hold("01OP", 4, incident.id, "ack", "ana\x1b", "ana", "looking", NOW - 60, NOW + 3600)
    return replace(made, **more)  # type: ignore[arg-type]


def only(incidents: tuple[Incident, ...], like: Incident) -> Incident:
    return next(each for each in incidents if each.id == like.id)


def test_a_hold_counts_as_an_acknowledgement_of_every_firing_alert() -> None:
    done = with_care((FRAUD, CHAT), {FRAUD.id: Care(FRAUD.id, NOW - 60, hold=hold())})
    held = only(done, FRAUD)
    assert held.acked_by.startswith("ana")
    assert held.acked_by.isprintable()
    assert (held.acked_until, held.state) == (NOW + 3600, "firing")
    found = held.alerts[0].acknowledgement
    assert found is not None
    assert found.by == held.acked_by
    assert only(done, CHAT) == CHAT


def test_the_acknowledged_one_stands_behind_others_of_its_level() -> None:
    same = replace(CHAT, severity=Severity.S1, since=FRAUD.since + 30)
    care = {FRAUD.id: Care(FRAUD.id, NOW - 60, hold=hold())}
    assert [each.id for each in with_care((FRAUD, same), {})] == [FRAUD.id, CHAT.id]
    assert [each.id for each in with_care((FRAUD, same), care)] == [CHAT.id, FRAUD.id]


def test_a_person_gives_a_level() -> None:
    (raised,) = with_care((CHAT,), {CHAT.id: Care(CHAT.id, NOW, level=Severity.S1)})
    assert raised.severity is Severity.S1


def test_merged_incidents_stand_in_the_one_they_were_merged_into() -> None:
    care = {
        CHAT.id: Care(CHAT.id, NOW, merged_into=FRAUD.id),
        FRAUD.id: Care(FRAUD.id, NOW, hold=hold()),
    }
    done = with_care((CHAT, FRAUD), care)
    assert done == with_care((FRAUD, CHAT), care)
    (one,) = done
    assert {each.model for each in one.alerts} == {"fraud", "chat"}
    assert one.models == ("chat", "fraud")
    assert all(each.acknowledgement is not None for each in one.alerts)
    assert with_care(done, care) == done
    over = {CHAT.id: Care(CHAT.id, NOW, merged_into="gone")}
    assert with_care((CHAT,), over) == (CHAT,)


def test_merges_in_a_circle_hide_nothing() -> None:
    care = {
        CHAT.id: Care(CHAT.id, NOW, merged_into=FRAUD.id),
        FRAUD.id: Care(FRAUD.id, NOW, merged_into=CHAT.id),
    }
    assert {each.id for each in with_care((CHAT, FRAUD), care)} == {CHAT.id, FRAUD.id}


def test_a_closed_incident_is_not_open_until_something_of_it_begins_again() -> None:
    closing = Closing(NOW, "ana", "noise", "deploy")
    care = {FRAUD.id: Care(FRAUD.id, NOW - 60, closing=closing)}
    (closed,) = done = with_care((FRAUD,), care)
    assert not closed.open
    assert closed.suppressed_by == ("closed by ana as noise: deploy",)
    assert closed.alerts[0].state == "suppressed"
    assert with_care(done, care) == done
    again = replace(FRAUD, alerts=(replace(FRAUD.alerts[0], since=NOW + 5),))
    assert with_care((again,), care)[0].open
    of_findings = replace(FRAUD, alerts=())
    assert not with_care((of_findings,), care)[0].open
    assert with_care((replace(of_findings, since=NOW + 5),), care)[0].open
