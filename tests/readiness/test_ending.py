"""Proofs that end call somebody in time, and gates that close after a sign-off do."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from console.domain.entry import Record
from console.domain.proof import Attested, Exercised, Proofs, SignOff
from console.evaluation.evidence import ProofFacts
from console.readiness.checks import assess
from console.readiness.ending import proof_facts
from console.readiness.subject import DAY_SECONDS, Subject
from console.settings.schema import Settings
from tests.support.snapshots import SAMPLE_NOW, sample_snapshot

if TYPE_CHECKING:
    from console.domain.snapshot import Snapshot

MODEL = "fraud-scorer"


def night() -> Snapshot:
    return replace(sample_snapshot(), record=Record("open"))


def facts(proofs: Proofs, now: float, snapshot: Snapshot | None = None) -> ProofFacts:
    latest = snapshot or night()
    return proof_facts(latest, proofs, Settings(), latest.rows, now)


def attested(days: float) -> Proofs:
    proof = Attested(
        check="load-test",
        target=MODEL,
        by="ana",
        account="ana@ops-1",
        at=SAMPLE_NOW,
        until=SAMPLE_NOW + days * DAY_SECONDS,
        note="2x peak",
    )
    return Proofs(attested={(MODEL, "load-test"): proof})


@pytest.mark.parametrize(
    ("days_later", "says"),
    [(0, ""), (82, ""), (84, "ends in 6d"), (89.5, "ends in 12h"), (93, "ended 3d ago")],
)
def test_an_attestation_is_called_a_week_before_it_ends(days_later: float, says: str) -> None:
    row = night().index[MODEL]
    found = facts(attested(90), SAMPLE_NOW + days_later * DAY_SECONDS).ending.get(row)
    assert (found is None) == (not says)
    if found is not None:
        assert (found.rule, found.level.label) == ("readiness_expired", "S3")
        assert says in found.text
        assert "load-test of ana" in found.text


def test_a_short_proof_is_not_called_from_its_first_day() -> None:
    row = night().index[MODEL]
    assert row not in facts(attested(5), SAMPLE_NOW + 3.9 * DAY_SECONDS).ending
    assert row in facts(attested(5), SAMPLE_NOW + 4.1 * DAY_SECONDS).ending


def test_only_drills_end_and_what_was_taken_back_is_over() -> None:
    def used(*, drill: bool) -> Proofs:
        done = Exercised(
            what="fallback",
            target=MODEL,
            by="ben",
            at=SAMPLE_NOW,
            passed=True,
            drill=drill,
            text="",
        )
        return Proofs(exercised={(MODEL, "fallback"): done})

    late = SAMPLE_NOW + 31 * DAY_SECONDS
    assert facts(used(drill=True), late).ending
    assert not facts(used(drill=False), late).ending, "a real fallback is no promise of another"
    (key, proof), *_ = attested(1).attested.items()
    taken_back = Proofs(attested={key: structs.replace(proof, withdrawn=True)})
    assert not facts(taken_back, late).ending
    assert facts(Proofs(), late) == ProofFacts()


def test_a_gate_that_closed_after_the_sign_off_is_called_and_one_never_open_is_not() -> None:
    snapshot = night()
    row = snapshot.index[MODEL]
    now = assess(
        Subject(snapshot=snapshot, row=row, settings=Settings(), proofs=Proofs(), now=SAMPLE_NOW)
    )
    was_open = tuple(
        structs.replace(each, state="pass") if each.check == "fallback" else each
        for each in now.checks
    )
    signed = SignOff(
        id="S1",
        target=MODEL,
        by="ana",
        account="ana@ops-1",
        at=SAMPLE_NOW,
        reason="release 41",
        digest="",
        checks=was_open,
        tier=1,
    )
    found = facts(Proofs(signed={MODEL: (signed,)}), SAMPLE_NOW)
    assert "gate fallback was open when signed off" in found.closed[row].text
    assert "on-call" not in found.closed[row].text, "it was closed when it was signed"
    pending = structs.replace(signed, needs_approval=True)
    assert not facts(Proofs(signed={MODEL: (pending,)}), SAMPLE_NOW).closed
    blind = replace(snapshot, record=Record("unreadable"))
    assert facts(Proofs(signed={MODEL: (signed,)}), SAMPLE_NOW, blind).unknown == {row}
