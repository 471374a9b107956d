"""Decisions on a real journal, with evidence of the demo's fleet read over HTTP."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from msgspec.structs import replace

from console.actions.approval import approve
from console.actions.decision_record import (
    LONGEST_TEXT,
    DecisionWish,
    close_decision,
    decision_waiting,
    prepare_decision,
    write_decision,
)
from console.actions.fleet_view import FleetView
from console.decisions.decision_log import decisions_in, find_decision
from console.demo.demo_fleet import DemoFleet
from console.domain.action import ActionRefused, NotConfirmed, WritesNotAllowed
from console.domain.decision import DECISION_KINDS
from console.domain.entry import EntryDraft
from console.domain.severity import Finding, Severity
from console.engine.service import Engine
from console.journal import Journal, TargetTouchedError, open_journal
from console.settings.load import Flags, load
from console.settings.secrets import SecretResolver
from console.sources.factory import plain_factory
from tests.journal.records import WHO

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from console.actions.decision_record import PreparedDecision
    from console.domain.entry import Who
    from console.domain.snapshot import Snapshot
    from console.settings.schema import Settings

BEN = replace(WHO, name="ben", os_user="ben", uid=1002, host="ops-2")
OPS = replace(WHO, name="ben", os_user="ops", uid=1003)
TIER_2, TIER_1 = "churn-ranker", "fraud-scorer"
DAY = 86400.0


def _read(scenario: str, path: Path) -> tuple[Settings, Snapshot]:
    fleet = DemoFleet(scenario=scenario, seed=5, speed=60.0 if scenario == "outage" else 1.0)
    fleet.start()
    try:
        path.write_text(fleet.config_toml())
        path.chmod(0o600)
        loaded = load(Flags(config=path), {"HOME": str(path.parent)})
        return loaded.settings, asyncio.run(_snapshot(loaded, scenario))
    finally:
        fleet.stop()


async def _snapshot(loaded, scenario: str) -> Snapshot:
    resolver = SecretResolver([], {})
    resolver.start()
    made = plain_factory(resolver, interval_seconds=1.0)
    engine = Engine(loaded, load_again=lambda: loaded, make_source=made)
    try:
        await engine.once()
        for _ in range(12):
            await asyncio.sleep(1.5)
            snapshot = await engine.once()
            sick = any(each.state == "down" for each in snapshot.dependencies)
            nulls = snapshot.reading("null_ratio", snapshot.index[TIER_2])
            whole = nulls.value == 0.0
            if nulls.known and sick != whole and sick == (scenario == "outage"):
                return snapshot
        raise AssertionError(f"the demo never was as {scenario} says")
    finally:
        await engine.close()
        resolver.close()


@pytest.fixture(scope="module")
def calm(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Snapshot]:
    return _read("calm", tmp_path_factory.mktemp("calm") / "demo.toml")


@pytest.fixture(scope="module")
def outage(tmp_path_factory: pytest.TempPathFactory) -> tuple[Settings, Snapshot]:
    return _read("outage", tmp_path_factory.mktemp("outage") / "demo.toml")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "j" / "journal.db"


def as_(who: Who, path: Path) -> Journal:
    return open_journal(f"sqlite:///{path}", who=who, environment="demo")


@pytest.fixture
def journal(path: Path) -> Iterator[Journal]:
    made = as_(WHO, path)
    yield made
    made.close()


def wish(model: str = TIER_2, kind: str = "HOLD", **changes: object) -> DecisionWish:
    given: dict[str, object] = {
        "model": model,
        "kind": kind,
        "reason": "labels are three weeks late",
        "review_by": time.time() + 14 * DAY,
        **changes,
    }
    return DecisionWish(**given)  # type: ignore[arg-type]


def prepared_of(
    wanted: DecisionWish, seen: tuple[Settings, Snapshot], journal: Journal | None = None
) -> PreparedDecision:
    sight = FleetView(seen[0], seen[1], time.time())
    if journal is None:
        return prepare_decision(wanted, sight, WHO)
    head = journal.head()
    return prepare_decision(
        wanted,
        sight,
        WHO,
        decisions_in(journal).records,
        seen_seq=0 if head is None else head.seq,
    )


def ids_of(prepared: PreparedDecision, level: str) -> set[str]:
    return {each.id for each in prepared.guards if each.level == level}


def test_evidence_is_frozen_with_n_window_method_state_and_read_back_as_it_was(
    calm, journal: Journal
) -> None:
    prepared = prepared_of(
        wish(options=("RETRAIN", " "), expected="PSI < 0.1", checked_by="next month's labels"),
        calm,
        journal,
    )
    write_decision(journal, prepared, "armed", confirmed=True)
    (record,) = decisions_in(journal, TIER_2).records
    assert record.decision == prepared.decision
    evidence = record.decision.evidence
    assert evidence.taken_at == calm[1].taken_at
    drift = evidence.signal("drift_psi")
    assert drift is not None
    assert drift.state == "ok"
    assert drift.value == calm[1].reading("drift_psi", calm[1].index[TIER_2]).value
    assert drift.n is not None
    assert drift.n > 200
    assert drift.method == "last value, max"
    nulls = evidence.signal("null_ratio")
    assert nulls is not None
    assert nulls.value == 0.0
    assert nulls.window_seconds is not None
    tokens = evidence.signal("tokens_rate")
    assert tokens is not None
    assert (tokens.state, tokens.value) == ("no_data", None)
    assert [each.name for each in evidence.dependencies] == ["feature-store-eu"]
    assert record.decision.options == ("RETRAIN",)
    assert record.state(time.time()) == "in_force"
    assert journal.verify().ok


def test_the_trigger_is_the_worst_rule_and_never_claims_that_all_is_well(calm, outage) -> None:
    assert prepared_of(wish(trigger=" a customer called "), calm).decision.trigger == (
        "a customer called"
    )
    settings, snapshot = outage
    quiet = dataclasses.replace(snapshot, findings={}, pending={})
    assert prepared_of(wish(), (settings, quiet)).decision.trigger == (
        "this look raised no rule; asked for by a person"
    )
    number = snapshot.index[TIER_2]
    worst = Finding("burn_page_fast", Severity.S1, "burn 69x on 1h", snapshot.taken_at)
    later = Finding("drift_alone", Severity.S3, "PSI .31", snapshot.taken_at)
    raised = dataclasses.replace(snapshot, findings={number: (worst, later)}, pending={})
    assert prepared_of(wish(), (settings, raised)).decision.trigger == (
        "burn_page_fast (S1): burn 69x on 1h"
    )
    unproven = dataclasses.replace(snapshot, findings={}, pending={number: (later,)})
    assert prepared_of(wish(), (settings, unproven)).decision.trigger == (
        "drift_alone (S3, not proven by one look): PSI .31"
    )


def test_lineage_names_its_gaps(calm) -> None:
    lineage = prepared_of(wish(), calm).decision.lineage
    assert lineage.version == "18"
    assert lineage.data_snapshot.endswith("-eu")
    assert lineage.code == "churn-ranker-18"
    assert lineage.gaps == ("who approved the version that serves", "the consent basis")
    consented = prepared_of(wish(TIER_1), calm).decision.lineage
    assert consented.consent == "contract-6.1.b"
    assert "the consent basis" not in consented.gaps


def test_retrain_passes_on_sound_inputs_and_misses_are_told(calm) -> None:
    prepared = prepared_of(wish(kind="RETRAIN"), calm)
    assert prepared.refused == ()
    assert {"no_reversal", "no_expectation", "inputs_brief"} <= ids_of(prepared, "warn")
    hold = prepared_of(wish(kind="HOLD"), calm)
    assert not {"no_reversal", "no_expectation"} & ids_of(hold, "warn")


def test_retrain_is_refused_while_inputs_are_bad_unless_with_a_reason(
    outage, journal: Journal
) -> None:
    prepared = prepared_of(wish(kind="RETRAIN"), outage, journal)
    assert {each.id for each in prepared.refused} == {"input_nulls", "dependency_failing"}
    with pytest.raises(ActionRefused, match="feature-store-eu is failing"):
        write_decision(journal, prepared, "armed", confirmed=True)
    assert journal.head() is None

    assert prepared_of(wish(kind="HOLD"), outage).refused == ()

    against = prepared_of(
        wish(kind="RETRAIN", despite="only data from before the outage is used"), outage, journal
    )
    write_decision(journal, against, "armed", confirmed=True)
    (record,) = decisions_in(journal).records
    assert len(record.decision.objections) == 2
    assert record.decision.despite == "only data from before the outage is used"


def test_without_numbers_retrain_waits_and_hold_says_so(calm) -> None:
    sight = FleetView(calm[0], None, time.time())
    retrain = prepare_decision(wish(kind="RETRAIN"), sight, WHO)
    assert [each.id for each in retrain.refused] == ["inputs_unknown"]
    hold = prepare_decision(wish(), sight, WHO)
    assert hold.refused == ()
    assert "no_evidence" in ids_of(hold, "warn")
    assert hold.decision.trigger == "not measured: no source was asked"
    assert hold.decision.evidence.doubt == "no source was asked"


def test_tier_1_waits_for_another_login_as_long_as_its_review_date(
    calm, journal: Journal, path: Path
) -> None:
    prepared = prepared_of(wish(TIER_1, "CANARY", reverse_if="burn > 1x"), calm, journal)
    write_decision(journal, prepared, "armed", confirmed=True)
    op_id = prepared.decision.id
    assert find_decision(decisions_in(journal), op_id[-6:].lower()).pending
    later = time.time() + 3 * DAY
    asked = decision_waiting(journal, op_id, later)
    assert asked is not None
    with pytest.raises(ActionRefused, match="review date has passed"):
        decision_waiting(journal, op_id, prepared.decision.review_by)
    with pytest.raises(ActionRefused, match="ana asked for it"):
        approve(journal, asked, replace(WHO, name="joel"), "seen", later)
    with pytest.raises(ActionRefused, match="several people use"):
        approve(journal, asked, OPS, "seen", later)
    other = as_(BEN, path)
    approve(other, asked, BEN, "seen", later)
    other.close()
    record = find_decision(decisions_in(journal), op_id)
    assert record.approved_by == "ben (ben@ops-2)"
    assert record.approved_at == pytest.approx(later)
    assert record.state(later) == "in_force"
    with pytest.raises(ActionRefused, match="has approved that decision already"):
        decision_waiting(journal, op_id, later)


@pytest.mark.parametrize(
    ("who", "digest"),
    [(WHO, None), (OPS, None), (BEN, "another decision")],
    ids=["own login", "shared login", "other digest"],
)
def test_an_approval_written_by_hand_counts_only_from_another_login_for_the_same_digest(
    calm, journal: Journal, path: Path, who: Who, digest: str | None
) -> None:
    prepared = prepared_of(wish(approver="ben"), calm, journal)
    write_decision(journal, prepared, "armed", confirmed=True)
    forged = EntryDraft(
        kind="approval",
        at=time.time(),
        target=TIER_2,
        op_id=prepared.decision.id,
        details={"step": "given", "digest": digest or prepared.digest},
    )
    other = as_(who, path)
    other.append(forged)
    other.close()
    assert decisions_in(journal).records[0].pending


def test_the_author_is_no_approver(calm) -> None:
    prepared = prepared_of(wish(approver="ana", despite="nobody else is awake"), calm)
    assert [each.id for each in prepared.refused] == ["self_approval"]


def test_the_gate_and_the_confirmation_hold_for_writing_and_closing(calm, journal: Journal) -> None:
    prepared = prepared_of(wish(), calm, journal)
    with pytest.raises(WritesNotAllowed):
        write_decision(journal, prepared, "read_only", confirmed=True)
    with pytest.raises(NotConfirmed):
        write_decision(journal, prepared, "armed", confirmed=False)
    assert journal.head() is None
    write_decision(journal, prepared, "armed", confirmed=True)
    (record,) = decisions_in(journal).records
    with pytest.raises(WritesNotAllowed):
        close_decision(journal, record, "it held", "read_only", time.time(), seen_seq=9)


def test_closing_tells_what_came_of_it_once(calm, journal: Journal) -> None:
    prepared = prepared_of(wish(), calm, journal)
    write_decision(journal, prepared, "armed", confirmed=True)
    (record,) = decisions_in(journal).records
    late = record.decision.review_by + DAY
    assert record.state(late) == "overdue"
    with pytest.raises(ActionRefused, match="say what came of it"):
        close_decision(journal, record, "  ", "armed", late, seen_seq=9)
    entry = close_decision(journal, record, "labels came, PSI .08", "armed", late, seen_seq=9)
    assert entry.details["overdue_seconds"] == pytest.approx(DAY)
    (closed,) = decisions_in(journal).records
    assert (closed.state(late), closed.closed_by) == ("closed", "ana")
    assert closed.outcome == "labels came, PSI .08"
    with pytest.raises(ActionRefused, match="ana has closed it already"):
        close_decision(journal, closed, "again", "armed", late, seen_seq=9)


def test_what_somebody_wrote_about_the_model_meanwhile_supersedes(
    calm, journal: Journal, path: Path
) -> None:
    prepared = prepared_of(wish(), calm, journal)
    other = as_(BEN, path)
    other.append(EntryDraft(kind="note", at=time.time(), target=TIER_2, why="rolled back by hand"))
    other.close()
    with pytest.raises(TargetTouchedError, match="ben wrote note"):
        write_decision(journal, prepared, "armed", confirmed=True)
    assert decisions_in(journal).records == ()
    again = prepared_of(wish(), calm, journal)
    write_decision(journal, again, "armed", confirmed=True)
    assert "other_decision" in ids_of(prepared_of(wish(kind="CANARY"), calm, journal), "warn")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"kind": "PRAY"}, "is no decision"),
        ({"model": "churn-rankr"}, 'did you mean "churn-ranker"'),
        ({"reason": " x "}, "three letters"),
        ({"reverse_if": "x" * (LONGEST_TEXT + 1)}, "at most"),
        ({"review_by": 0.0}, "is past"),
        ({"review_by": time.time() + 400 * DAY}, "more than a year"),
        ({"despite": "x"}, "three letters"),
    ],
)
def test_what_makes_no_sense_is_refused(calm, changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ActionRefused, match=said):
        prepared_of(wish(**changes), calm)


def test_what_a_newer_version_wrote_is_named_and_not_dropped_in_silence(
    calm, journal: Journal
) -> None:
    write_decision(journal, prepared_of(wish(), calm, journal), "armed", confirmed=True)
    strange = {**msgspec.to_builtins(decisions_in(journal).records[0].decision), "kind": "MERGE"}
    details: dict[str, Any] = {"step": "taken", "decision": strange}
    ours = msgspec.to_builtins(decisions_in(journal).records[0].decision)
    about_another: dict[str, Any] = {"step": "taken", "decision": {**ours, "model": TIER_1}}
    nothing: dict[str, Any] = {"step": "taken"}
    entries = [
        journal.append(
            EntryDraft(
                kind="decision", at=time.time(), op_id=ours["id"], target=TIER_2, details=each
            )
        )
        for each in (details, about_another, nothing)
    ]
    decided = decisions_in(journal)
    assert len(decided.records) == 1
    assert decided.unreadable == tuple(each.seq for each in entries)
    assert "MERGE" not in DECISION_KINDS
