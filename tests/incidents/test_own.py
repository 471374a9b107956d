"""Midwatch's own rules as a source of alerts: grouped, followed and never counted twice."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hypothesis import given, settings
from hypothesis import strategies as st

from console.domain.alert import OWN_SOURCE, Incident
from console.domain.severity import Finding, Severity
from console.domain.snapshot import Cause, Snapshot
from console.engine.outside_feeds import AlertDesk, OwnAlerts
from console.evaluation.rules.rule_list import RULES
from console.incidents.alert_memory import FRESH_TEXTS, OwnFinding, Tracks, own_alerts
from console.incidents.grouping import SourceTracks, group
from console.settings.schema import Settings
from tests.incidents.making import AROUND, NOW, alert
from tests.support.snapshots import SAMPLE_NOW, big_snapshot, sample_snapshot

if TYPE_CHECKING:
    from collections.abc import Mapping

OPENING = tuple(rule.id for rule in RULES if rule.level <= Severity.S2 and rule.opens_incident)


def finding(rule: str, level: Severity = Severity.S2, since: float = SAMPLE_NOW - 60) -> Finding:
    return Finding(rule, level, f"{rule} holds", since)


def night(
    found: Mapping[str, tuple[Finding, ...]], *, culprit: str = "", at: float = 0.0
) -> Snapshot:
    base = sample_snapshot()
    cause = Cause(culprit, "dependency", "likely")
    return replace(
        base,
        taken_at=SAMPLE_NOW + at,
        findings={base.index[model]: listed for model, listed in found.items()},
        causes={base.index[model]: cause for model in found} if culprit else {},
    )


def gathered(desk: AlertDesk, snapshot: Snapshot) -> tuple[Incident, ...]:
    return desk.gather(snapshot).incidents


def test_only_s1_and_s2_of_the_rules_that_call_open_an_incident() -> None:
    silent = ("alert_page", "alert_warning", "override_ending", "override_overdue")
    found = gathered(
        AlertDesk(Settings()),
        night(
            {
                "kyc-vision": (
                    finding("burn_ticket", Severity.S3),
                    finding("no_data", Severity.UNKNOWN),
                ),
                "doc-extract": tuple(finding(rule, Severity.S1) for rule in silent),
                "support-llm": (finding("spend_burn"), finding("drift_alone", Severity.S3)),
            }
        ),
    )
    assert [(one.model, one.severity, one.sources) for one in found] == [
        ("support-llm", Severity.S2, (OWN_SOURCE,))
    ]
    assert [each.name for each in found[0].alerts] == ["spend_burn"]
    assert found[0].summary == "spend_burn holds"


def test_a_shared_culprit_stands_above_its_symptoms_and_keeps_them_once_well() -> None:
    desk = AlertDesk(Settings())
    bad = {"fraud-scorer": (finding("retry_storm"),), "churn-ranker": (finding("retry_storm"),)}
    (first,) = gathered(desk, night(bad, culprit="feature-store-eu"))
    assert first.dependency == "feature-store-eu"
    assert {"churn-ranker", "fraud-scorer"} <= set(first.models)
    (later,) = gathered(desk, night(bad, at=5.0))
    assert later.id == first.id
    over = gathered(desk, night({}, at=10.0))
    assert [(one.id, one.state) for one in over] == [(first.id, "resolved")]
    assert gathered(desk, night({}, at=2000.0)) == ()


def test_it_resolves_comes_back_and_keeps_its_beginning_while_it_is_listed() -> None:
    desk = AlertDesk(Settings())
    states = []
    for round_number in range(5):
        at = round_number * 20.0
        on = {"support-llm": (finding("spend_burn", since=SAMPLE_NOW + at),)}
        (there,) = gathered(desk, night(on, at=at))
        (gone,) = gathered(desk, night({}, at=at + 10.0))
        states.append((there.state, gone.state, there.since, there.flapping))
    assert {(one[0], one[1]) for one in states} == {("firing", "resolved")}
    assert {one[2] for one in states} == {SAMPLE_NOW}
    assert [one[3] for one in states] == [False, False, False, True, True]


def test_a_run_without_memory_leaves_none_behind() -> None:
    desk = AlertDesk(Settings())
    once = desk.gather(night({"support-llm": (finding("spend_burn"),)}), remembers=False)
    assert len(once.incidents) == 1
    assert desk.gather(night({}, at=5.0), remembers=False).incidents == ()


def test_rows_of_one_alert_server_are_not_counted_twice_for_a_flood() -> None:
    told = ("fraud", "rank", "chat")
    own = [
        alert(rule, model, source=OWN_SOURCE, since=NOW - 5.0)
        for rule in OPENING[:4]
        for model in told
    ]
    others = [alert("Errors", model, since=NOW - 5.0) for model in told]
    tracks = [
        SourceTracks("am", Tracks().follow(others, NOW).by_fingerprint),
        SourceTracks(OWN_SOURCE, Tracks().follow(own, NOW).by_fingerprint),
    ]
    assert len(own) > 10
    found = group(tracks, AROUND, NOW)
    assert not found.flood
    both = ("am", OWN_SOURCE)
    assert {one.model: one.sources for one in found.incidents} == dict.fromkeys(told, both)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["fraud", "chat", "rank", "\x1b[2J"]),
            st.sampled_from(OPENING),
            st.sampled_from([Severity.S1, Severity.S2]),
        ),
        unique_by=lambda one: one[:2],
        max_size=20,
    ),
    st.frozensets(st.sampled_from(["store", "gateway"])),
)
def test_every_own_alert_is_in_exactly_one_incident(
    found: list[tuple[str, str, Severity]], culprits: frozenset[str]
) -> None:
    findings = [
        OwnFinding(row, model, rule, level, NOW - 30.0)
        for row, (model, rule, level) in enumerate(found)
    ]
    alerts = own_alerts(findings, lambda one: one.rule, {})
    tracks = Tracks().follow(alerts.values(), NOW)
    named = dict(zip(("fraud", "rank"), sorted(culprits), strict=False))
    around = replace(AROUND, causes=named)
    sources = [SourceTracks(OWN_SOURCE, tracks.by_fingerprint)]
    calm = group(sources, AROUND, NOW)
    assert group(sources, around, NOW, calm) == group(sources, around, NOW)
    incidents = group([SourceTracks(OWN_SOURCE, tracks.by_fingerprint)], around, NOW).incidents
    told = [(each.model, each.name) for one in incidents for each in one.alerts]
    assert sorted(told) == sorted((model, rule) for model, rule, _ in found)
    assert all(one.severity <= Severity.S2 and one.open for one in incidents)


def test_an_alert_that_did_not_change_stays_the_same_object() -> None:
    few = [OwnFinding(0, "fraud", "spend_burn", Severity.S2, NOW)]
    first = own_alerts(few, lambda _: "3x", {})
    assert (
        own_alerts(few, lambda _: "3x", first)["fraud", "spend_burn"]
        is first["fraud", "spend_burn"]
    )
    assert own_alerts(few, lambda _: "4x", first)["fraud", "spend_burn"].summary == "4x"
    many = [
        OwnFinding(row, f"m{row}", "spend_burn", Severity.S2, NOW) for row in range(FRESH_TEXTS + 1)
    ]
    begun = own_alerts(many, lambda one: f"{one.row}", {})
    assert own_alerts(many, lambda _: "else", begun) == begun


def test_what_the_rules_call_of_a_whole_fleet_is_followed() -> None:
    big = big_snapshot(400)
    tracks = OwnAlerts().take(big)
    acute = {
        (big.rows[row].model, one.rule)
        for row, listed in big.findings.items()
        for one in listed
        if one.level <= Severity.S2 and one.rule in OPENING
    }
    assert {(each.alert.model, each.alert.name) for each in tracks.tracks.values()} == acute
    assert acute
