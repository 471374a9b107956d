"""The 30 checks on the sample night, their proofs under a moved clock, and who may sign."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from console.actions.approval import approve
from console.actions.readiness_record import (
    AttestWish,
    EvidenceNamed,
    draft_of_attestation,
    draft_of_withdrawal,
    evidence_named,
    sign_off_drafts,
    sign_off_waiting,
)
from console.domain.action import ActionRefused
from console.domain.entry import EntryDraft, Record
from console.domain.proof import CHECK_GROUPS, Proofs
from console.journal import Question, open_journal
from console.readiness.checks import CHECKS, assess, check_named
from console.readiness.proofs import fold_proofs
from console.readiness.subject import DAY_SECONDS, Past, Subject
from console.settings.schema import ModelSettings, Settings
from tests.journal.records import WHO, opened, url_of
from tests.support.snapshots import SAMPLE_NOW, sample_snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.domain.entry import Json
    from console.domain.proof import CheckResult, ModelReadiness
    from console.domain.snapshot import Snapshot
    from console.journal import Journal

MODEL = "fraud-scorer"
CONTROLS = {"breaker": "b", "route": "r", "human": "h"}
SETTINGS = Settings(models={MODEL: ModelSettings(tier=1, controls=CONTROLS)})
BEN = structs.replace(WHO, name="ben", os_user="ben", uid=1002)
EVIDENCE = EvidenceNamed("report.pdf", "ab" * 32)
GATES = {6, 9, 11, 12, 14, 22, 27}


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    made = opened(tmp_path / "journal.db")
    yield made
    made.close()


def proofs_of(journal: Journal) -> Proofs:
    return fold_proofs(journal.entries(Question())).proofs


def judged(
    proofs: Proofs | None = None,
    *,
    now: float = SAMPLE_NOW,
    snapshot: Snapshot | None = None,
    past: Past | None = None,
) -> ModelReadiness:
    found = replace(snapshot or sample_snapshot(), record=Record("open", read_at=now))
    return assess(
        Subject(
            snapshot=found,
            row=found.index[MODEL],
            settings=SETTINGS,
            proofs=proofs or Proofs(),
            now=now,
            past=past or Past(),
        )
    )


def of(found: ModelReadiness, name: str) -> CheckResult:
    return next(each for each in found.checks if each.check == name)


def attest(
    journal: Journal, check: str, *, at: float = SAMPLE_NOW, days: float = 10, version: str = "v41"
) -> None:
    wish = AttestWish(
        check=check,
        target=MODEL,
        note="seen on the bench",
        evidence=EVIDENCE,
        until=at + days * DAY_SECONDS,
        version=version,
    )
    journal.append(draft_of_attestation(wish, at))


def drilled(
    journal: Journal, action: str, *states: str, at: float = SAMPLE_NOW, passed: bool = True
) -> None:
    details: dict[str, Json] = {
        "passed": passed,
        "text": "back was failed: look at it",
        "states": list(states),
    }
    journal.append(
        EntryDraft(kind="drill", at=at, action=action, target=MODEL, why="monthly", details=details)
    )


def test_the_table_has_thirty_checks_whose_numbers_and_gates_are_promises() -> None:
    assert [each.number for each in CHECKS] == list(range(1, 31))
    assert len({each.id for each in CHECKS}) == 30
    assert {each.number for each in CHECKS if each.gate} == GATES
    assert {each.group for each in CHECKS} == set(CHECK_GROUPS)
    for each in CHECKS:
        assert (each.judge is None) == (each.proof == "manual"), each.id
        assert bool(each.ask) == (each.proof != "automatic"), each.id
    assert check_named("20") is check_named("load-test")


def test_what_the_console_sees_of_a_bad_night() -> None:
    found = judged(past=Past(peak_per_second=10.1, oldest_review_seconds=60.0, span_seconds=6e5))
    assert of(found, "signals").state == "pass"
    assert of(found, "drift-reference").state == "fail"
    assert of(found, "fallback-capacity").text.endswith("10.1/s")
    assert of(found, "fallback-capacity").state == "fail"
    assert of(found, "review-queue").state == "fail", "the queue is at 3.3 of its capacity"
    assert of(found, "retries").state == "fail", "4.1 attempts a request"
    assert of(found, "intervention").state == "pass"
    assert "fraud-small, rules-v9" in of(found, "fallback-allowed").text
    assert {each.check for each in found.closed_gates} >= {"fallback", "rollback", "on-call"}
    assert found.lowest.share == min(each.share for each in found.scores)
    gates_first = [each.gate for each in found.gaps]
    assert gates_first == sorted(gates_first, reverse=True)


def test_what_is_not_known_is_no_pass() -> None:
    found = judged()
    assert of(found, "fallback-capacity").state == "unknown"
    assert of(found, "journal").state == "unknown", "the chain was not verified"
    short = judged(past=Past(peak_per_second=1.0, span_seconds=60.0))
    assert of(short, "fallback-capacity").state == "unknown", "a minute has no week's peak"

    snapshot = replace(sample_snapshot(), record=Record("unreadable"))
    unread = assess(
        Subject(
            snapshot=snapshot,
            row=snapshot.index[MODEL],
            settings=SETTINGS,
            proofs=Proofs(),
            now=SAMPLE_NOW,
        )
    )
    for name in ("breaker-drill", "load-test", "handover", "decisions", "alert-proven"):
        assert of(unread, name).state == "unknown", name


def test_a_proof_ends_with_its_time_and_with_another_version(journal: Journal) -> None:
    assert of(judged(), "load-test").state == "fail"
    attest(journal, "load-test", days=10)
    proofs = proofs_of(journal)
    proven = of(judged(proofs), "load-test")
    assert (proven.state, proven.by, proven.sha256) == ("manual", "ana", EVIDENCE.sha256)
    assert proven.entry_hash == journal.entries(Question(kinds=("readiness",)))[0].hash

    before, after = (SAMPLE_NOW + days * DAY_SECONDS for days in (9.9, 10.1))
    assert of(judged(proofs, now=before), "load-test").state == "manual"
    assert of(judged(proofs, now=after), "load-test").state == "expired"

    snapshot = sample_snapshot()
    rows = tuple(
        replace(row, version="v42") if row.model == MODEL else row for row in snapshot.rows
    )
    newer = of(judged(proofs, snapshot=replace(snapshot, rows=rows)), "load-test")
    assert newer.state == "expired"
    assert "v42 serves now" in newer.text

    journal.append(draft_of_withdrawal("load-test", MODEL, "the rig was wrong", SAMPLE_NOW))
    assert of(judged(proofs_of(journal)), "load-test").state == "fail"


def test_a_person_adds_to_what_is_seen_and_never_speaks_against_it(journal: Journal) -> None:
    attest(journal, "on-call")
    attest(journal, "retries")
    found = judged(proofs_of(journal))
    assert of(found, "on-call").state == "manual"
    assert "ana, joel" in of(found, "on-call").text
    assert of(found, "retries").state == "fail", "4.1 attempts a request are seen"


def test_a_drill_proves_until_it_is_old_or_a_later_one_fails(journal: Journal) -> None:
    drilled(journal, "trip", "CLOSED", "FORCED_OPEN")
    assert of(judged(proofs_of(journal)), "breaker-drill").state == "fail", "no way back was seen"
    drilled(journal, "trip", "CLOSED", "FORCED_OPEN", "HALF_OPEN", "CLOSED")
    proofs = proofs_of(journal)
    assert of(judged(proofs), "breaker-drill").state == "pass"
    late = SAMPLE_NOW + 91 * DAY_SECONDS
    assert of(judged(proofs, now=late), "breaker-drill").state == "expired"
    drilled(journal, "trip", "CLOSED", "FORCED_OPEN", passed=False)
    failed = of(judged(proofs_of(journal)), "breaker-drill")
    assert failed.state == "fail"
    assert "FAILED" in failed.text


def test_the_last_handover_counts_once_somebody_else_accepted_it(
    journal: Journal, tmp_path: Path
) -> None:
    written = journal.append(
        EntryDraft(kind="handover", at=SAMPLE_NOW, target="handover", op_id="H1", why="a calm one")
    )
    accepts = EntryDraft(kind="handover_accepted", at=SAMPLE_NOW, target="handover", op_id="H1")
    assert of(judged(proofs_of(journal)), "handover").state == "fail"
    journal.append(accepts)
    assert of(judged(proofs_of(journal)), "handover").state == "fail", "one's own proves nothing"
    url = url_of(tmp_path / "journal.db")
    with_ben = open_journal(url, who=BEN, environment="prod")
    with_ben.append(accepts)
    with_ben.close()
    found = of(judged(proofs_of(journal)), "handover")
    assert (found.state, found.by) == ("pass", "ben")
    assert written.seq < (found.entry or 0)


@pytest.mark.parametrize(
    ("wish", "says"),
    [
        (AttestWish(check="signals", target=MODEL, note="fine"), "seen by the console itself"),
        (AttestWish(check="nonsense", target=MODEL, note="fine"), "there is no check"),
        (AttestWish(check="load-test", target=MODEL, note="fine"), "--evidence LINK|FILE"),
        (
            AttestWish(check="load-test", target=MODEL, note="fine", evidence=EVIDENCE, until=5.0),
            "over already",
        ),
        (
            AttestWish(
                check="on-call",
                target=MODEL,
                note="fine",
                evidence=EVIDENCE,
                until=SAMPLE_NOW + 91 * DAY_SECONDS,
            ),
            "90 days at most",
        ),
        (
            AttestWish(check="on-call", target=MODEL, note="none", not_applicable=True, tier=1),
            "gate of tier 1",
        ),
        (AttestWish(check="load-test", target=MODEL, note="", evidence=EVIDENCE), "three letters"),
    ],
)
def test_what_cannot_be_attested_is_refused_with_a_sentence(wish: AttestWish, says: str) -> None:
    with pytest.raises(ActionRefused) as refused:
        draft_of_attestation(wish, SAMPLE_NOW)
    assert says in str(refused.value)


def test_evidence_is_a_link_without_secrets_or_a_file_with_its_hash(tmp_path: Path) -> None:
    file = tmp_path / "load test.txt"
    file.write_bytes(b"2x peak")
    found = evidence_named(str(file))
    assert found.name == "load test.txt"
    assert found.sha256 == hashlib.sha256(b"2x peak").hexdigest()
    assert evidence_named("https://wiki.example.net/x").sha256 == ""
    with pytest.raises(ActionRefused, match="credentials"):
        evidence_named("https://me:secret@wiki.example.net/x")
    with pytest.raises(ActionRefused, match="no such file"):
        evidence_named(str(tmp_path / "absent.pdf"))


def test_a_sign_off_freezes_the_evidence_and_says_later_what_changed(
    journal: Journal, tmp_path: Path
) -> None:
    attest(journal, "load-test")
    found = judged(proofs_of(journal))
    with pytest.raises(ActionRefused, match="gates of tier 1 are closed"):
        sign_off_drafts(found, WHO, "release 41", SAMPLE_NOW, approver="ben")
    with pytest.raises(ActionRefused, match="another person"):
        sign_off_drafts(found, WHO, "release 41", SAMPLE_NOW, despite="drills on Thursday")
    with pytest.raises(ActionRefused, match="another person approves"):
        sign_off_drafts(
            found, WHO, "release 41", SAMPLE_NOW, approver="ana", despite="drills on Thursday"
        )
    drafts = sign_off_drafts(
        found, WHO, "release 41", SAMPLE_NOW, approver="ben", despite="drills on Thursday"
    )
    signed, _ = journal.append_all(drafts)
    waits = judged(proofs_of(journal))
    assert waits.signed is None
    assert waits.waiting is not None

    asked = sign_off_waiting(journal, signed.op_id, SAMPLE_NOW)
    assert asked is not None
    with pytest.raises(ActionRefused, match="another login"):
        approve(journal, asked, WHO, "agreed", SAMPLE_NOW)
    with_ben = open_journal(url_of(tmp_path / "journal.db"), who=BEN, environment="prod")
    approve(with_ben, asked, BEN, "agreed", SAMPLE_NOW)
    with_ben.close()

    proofs = proofs_of(journal)
    stands = judged(proofs)
    assert stands.signed is not None
    assert stands.signed.approved_by.startswith("ben")
    assert stands.changed == ()
    later = judged(proofs, now=SAMPLE_NOW + 11 * DAY_SECONDS)
    assert [line for line in later.changed if line.startswith("load-test: manual -> expired")]
    with pytest.raises(ActionRefused, match="has approved it already"):
        sign_off_waiting(journal, signed.op_id, SAMPLE_NOW)


def test_a_sign_off_whose_checks_are_not_what_was_signed_does_not_count(journal: Journal) -> None:
    found = judged()
    (draft,) = sign_off_drafts(
        structs.replace(found, tier=2), WHO, "release 41", SAMPLE_NOW, despite="a drill is booked"
    )
    forged = structs.replace(draft, details={**draft.details, "digest": "00" * 32})
    journal.append(forged)
    assert judged(proofs_of(journal)).signed is None
    journal.append(draft)
    assert judged(proofs_of(journal)).signed is not None


def test_the_page_of_the_manual_lists_every_check_as_the_table_has_it() -> None:
    page = (Path(__file__).parents[2] / "docs" / "readiness.md").read_text()
    for each in CHECKS:
        star = "\\*" if each.gate else ""
        row = f"| {each.number}{star} | `{each.id}` | {each.group} | {each.proof} | {each.title} |"
        assert row in page, row
