"""Grouping: no alert lost or told twice, stable ids, culprits, floods, and who is told as held."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from console.domain.alert import Alert, Silence
from console.domain.severity import Severity
from console.incidents.alert_memory import Tracks
from console.incidents.grouping import SourceTracks, group
from tests.incidents.making import AROUND, NOW, alert, grouped

NAMES = st.sampled_from(["", "fraud", "chat", "rank", "fraud-v3", "stranger", "\x1b[2J", "a\x00b"])
ALERTS = st.lists(
    st.builds(
        alert,
        name=st.sampled_from(["Errors", "Latency", "Disk", "\u202eevil"]),
        model=NAMES,
        dependency=st.sampled_from(["", "store", "gateway", "other"]),
        service=NAMES,
        instance=st.text(max_size=4),
        state=st.sampled_from(["firing", "pending", "suppressed"]),
        severity=st.sampled_from([Severity.S1, Severity.S2, Severity.S4, Severity.UNKNOWN]),
        since=st.floats(NOW - 90_000, NOW),
    ),
    max_size=40,
)


@settings(max_examples=80, deadline=None)
@given(ALERTS)
def test_every_alert_is_in_one_incident_and_order_does_not_matter(alerts: list[Alert]) -> None:
    found = grouped(alerts)
    given_labels = {one.labels for one in alerts}
    told = [one.labels for incident in found.incidents for one in incident.alerts]
    assert sorted(told) == sorted(given_labels)
    ids = [incident.id for incident in found.incidents]
    assert len(set(ids)) == len(ids)
    unique = list({one.fingerprint: one for one in alerts}.values())
    assert grouped(reversed(unique)) == grouped(unique)


@settings(max_examples=80, deadline=None)
@given(ALERTS)
def test_an_incident_is_never_milder_than_its_worst_firing_alert(alerts: list[Alert]) -> None:
    for incident in grouped(alerts).incidents:
        firing = [one.severity for one in incident.alerts if one.state == "firing"]
        assert (incident.state == "firing") == bool(firing)
        if firing:
            assert incident.severity == min(firing)


def test_alerts_of_a_model_are_one_incident_under_its_own_name() -> None:
    found = grouped([alert("Errors", "fraud"), alert("Latency", "fraud-v3"), alert("Disk", "chat")])
    assert {one.model: len(one.alerts) for one in found.incidents} == {"fraud": 2, "chat": 1}
    later = grouped([alert("Another", "fraud")])
    assert later.incidents[0].id in {one.id for one in found.incidents}


def test_a_service_label_that_names_a_model_counts_as_the_model() -> None:
    found = grouped([alert("Errors", service="chat"), alert("Errors2", service="nobody")])
    assert {one.model for one in found.incidents} == {"chat", ""}


def test_a_failing_dependency_takes_the_symptoms_of_its_callers_with_it() -> None:
    symptoms = [alert("Errors", "fraud"), alert("Errors", "rank"), alert("Errors", "chat")]
    apart = grouped(symptoms)
    assert len(apart.incidents) == 3
    together = grouped([*symptoms, alert("StoreDown", dependency="store")])
    by_name = {one.dependency or one.model: one for one in together.incidents}
    assert set(by_name) == {"store", "chat"}
    assert len(by_name["store"].alerts) == 3
    assert by_name["store"].models == ("fraud", "rank")
    observed = replace(AROUND, causes={"fraud": "store", "rank": "store"})
    assert {one.dependency for one in grouped(symptoms, observed).incidents} == {"store", ""}


def test_a_silenced_dependency_alert_blames_nobody() -> None:
    quiet = alert("StoreDown", dependency="store", state="suppressed")
    found = grouped([alert("Errors", "fraud"), quiet])
    assert {one.model or one.dependency for one in found.incidents} == {"fraud", "store"}


def test_a_flood_collapses_to_the_shared_dependencies() -> None:
    flood = [alert(f"A{number}", model) for number in range(4) for model in ("fraud", "rank")]
    lone = [alert(f"Node{number}") for number in range(3)]
    calm = grouped([*flood, *lone][:10])
    assert not calm.flood
    found = grouped([*flood, *lone])
    assert found.flood
    assert {one.dependency or one.title for one in found.incidents} == {
        "store",
        "alerts that name no model",
    }
    assert all(one.flood for one in found.incidents)
    old = [replace(one, since=NOW - 700.0) for one in [*flood, *lone]]
    assert not grouped(old).flood


def test_the_same_alert_of_two_sources_is_told_once_and_the_living_word_counts() -> None:
    told = alert("Errors", "fraud")
    held = replace(told, source="prom", fingerprint="other", state="suppressed")
    first = SourceTracks("am", Tracks().follow([told], NOW).by_fingerprint, 90.0)
    second = SourceTracks("prom", Tracks().follow([held], NOW).by_fingerprint)
    found = group([first, second], AROUND, NOW).incidents
    assert [one.state for one in found] == ["suppressed"]
    assert found[0].sources == ("am", "prom")
    assert found[0].stale_seconds is None
    alone = group([first], AROUND, NOW).incidents[0]
    assert (alone.state, alone.stale_seconds) == ("firing", 90.0)
    fresh = alert("Latency", "fraud", source="prom")
    live = SourceTracks("prom", Tracks().follow([fresh], NOW).by_fingerprint)
    mixed = group([first, live], AROUND, NOW).incidents[0]
    assert mixed.stale_seconds is None
    assert {one.name: one.stale for one in mixed.alerts} == {"Errors": True, "Latency": False}


def test_an_incident_is_acknowledged_when_all_that_fires_is() -> None:
    ack = Silence("1", "ana", "ACK! looking", NOW + 900, acknowledges=True)
    longer = replace(ack, id="2", ends=NOW + 1800)
    held = alert("Errors", "fraud", silences=(ack, longer))
    assert grouped([held]).incidents[0].acked_by == "ana"
    assert grouped([held]).incidents[0].acked_until == NOW + 1800
    partly = grouped([held, alert("Latency", "fraud")]).incidents[0]
    assert (partly.acked_by, partly.open) == ("", True)


def test_what_holds_alerts_back_is_said_in_words() -> None:
    silence = Silence("1", "ben", "maintenance", NOW + 900)
    unknown = Silence("2", known=False)
    found = grouped(
        [
            alert("Errors", "fraud", state="suppressed", silences=(silence, unknown)),
            alert("Latency", "fraud", state="suppressed", inhibited_by=("StoreDown",)),
            alert("Drift", "fraud", state="suppressed", muted_by=("weekend",)),
        ]
    ).incidents[0]
    assert found.state == "suppressed"
    assert set(found.suppressed_by) == {
        "silenced by ben: maintenance",
        "silenced by 2, of which nothing more is known",
        "inhibited by StoreDown",
        "muted by weekend",
    }


def test_an_alert_that_comes_and_goes_is_a_rate_and_not_rows() -> None:
    tracks = Tracks()
    for number in range(5):
        at = NOW - 1000 + number * 100
        tracks = tracks.follow([alert("Errors", "fraud", since=at)], at)
        tracks = tracks.follow([], at + 30)
    found = group([SourceTracks("am", tracks.by_fingerprint)], AROUND, NOW).incidents
    assert len(found) == 1
    assert found[0].state == "resolved"
    assert found[0].starts_per_hour == 5.0
    assert found[0].flapping
    assert found[0].ends == NOW - 1000 + 430


def test_a_start_that_no_poll_saw_end_is_counted_all_the_same() -> None:
    tracks = Tracks().follow([alert(since=NOW - 600)], NOW - 500)
    tracks = tracks.follow([alert(since=NOW - 600)], NOW - 400)
    tracks = tracks.follow([alert(since=NOW - 50)], NOW)
    (track,) = tracks.by_fingerprint.values()
    assert track.starts == (NOW - 600, NOW - 50)


def test_resolved_alerts_leave_after_a_while_and_pending_ones_at_once() -> None:
    tracks = Tracks().follow([alert("Errors"), alert("Wait", state="pending")], NOW)
    tracks = tracks.follow([], NOW + 5)
    seen = [SourceTracks("am", tracks.by_fingerprint)]
    assert [one.state for one in group(seen, AROUND, NOW + 10).incidents] == ["resolved"]
    assert group(seen, AROUND, NOW + 5 + 901).incidents == ()
    assert tracks.follow([], NOW + 5000).by_fingerprint == {}


def test_a_pending_alert_that_fires_begins_then() -> None:
    waiting = alert("Wait", state="pending", since=NOW - 300)
    tracks = Tracks().follow([waiting], NOW - 5)
    tracks = tracks.follow([replace(waiting, state="firing")], NOW)
    (track,) = tracks.by_fingerprint.values()
    assert track.starts == (NOW,)


def test_shared_labels_are_harmless_to_show() -> None:
    evil = alert("Errors", "\x1b[2Jm\u202e")
    found = grouped([evil]).incidents[0]
    assert found.model == "\x1b[2Jm\u202e"
    assert "\x1b" not in found.title
    assert all(value.isprintable() for pair in found.labels for value in pair)
