"""Writes proofs of readiness: what a person attests or takes back, and the whole signed off."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, cast
from urllib.parse import urlsplit

import msgspec
from msgspec import Struct

from console.actions.approval import SHORTEST_REASON
from console.actions.write_gate import require_writable
from console.domain.action import ActionRefused
from console.domain.entry import EntryDraft
from console.domain.text import visible
from console.domain.timestamps import timestamp
from console.journal.chain import new_ulid
from console.journal.store_base import Question
from console.readiness.checks import CHECKS, check_named
from console.readiness.proofs import digest_of_checks, fold_proofs
from console.readiness.subject import DAY_SECONDS

if TYPE_CHECKING:
    from console.domain.action import Mode
    from console.domain.entry import Entry, Json, Who
    from console.domain.proof import ModelReadiness
    from console.journal.store_base import Journal
    from console.readiness.checks import Check

LARGEST_EVIDENCE_BYTES = 1 << 30
APPROVAL_DAYS = 14
"""How long a sign-off waits for its second person."""


class EvidenceNamed(Struct, frozen=True):
    """What proves something: a link, or a file's name with SHA-256 over its bytes."""

    name: str
    sha256: str = ""


class AttestWish(Struct, frozen=True, kw_only=True):
    """What somebody wants on the record about one check; ``until`` is Unix seconds, None: the most.

    ``version`` is the one that serves now, empty where nobody knows.
    """

    check: str
    target: str
    note: str
    evidence: EvidenceNamed | None = None
    until: float | None = None
    version: str = ""
    not_applicable: bool = False
    tier: int = 2


def evidence_named(text: str) -> EvidenceNamed:
    """Return a link as it is, or a file with its hash; raises `ActionRefused`. Blocks."""
    wanted = text.strip()
    parts = urlsplit(wanted)
    if parts.scheme in ("http", "https") and parts.netloc:
        if "@" in parts.netloc:
            raise _refused("evidence", "the link holds credentials; the record keeps no secrets")
        return EvidenceNamed(wanted)
    path = Path(wanted).expanduser()
    try:
        if path.stat().st_size > LARGEST_EVIDENCE_BYTES:
            raise _refused("evidence", f"{visible(path.name, 80)} is over 1 GiB; give a link")
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as fault:
        reason = visible(fault.strerror or "cannot be read").lower()
        raise _refused(
            "evidence",
            f"--evidence {visible(wanted, 120)}: {reason}; give a http(s) link or a file",
        ) from fault
    return EvidenceNamed(path.name, digest)


def check_to_attest(text: str) -> Check:
    """Return the check that a person may attest; raises `ActionRefused` for any other."""
    check = check_named(text)
    if check is None:
        names = ", ".join(each.id for each in CHECKS if each.proof != "automatic")
        raise _refused("check", f"there is no check {visible(text, 40)}; attested are {names}")
    if check.proof == "automatic":
        raise _refused(
            "automatic",
            f"{check.id} is seen by the console itself ({check.title}); nobody can attest it",
        )
    return check


def draft_of_attestation(wish: AttestWish, now: float) -> EntryDraft:
    """Return the entry that attests a check from ``now`` on; raises `ActionRefused`."""
    check = check_to_attest(wish.check)
    most = now + check.holds_days * DAY_SECONDS
    until = most if wish.until is None else wish.until
    if until <= now:
        raise _refused("until", "--until is over already; say until when the proof holds")
    if until > most:
        raise _refused(
            "until",
            f"a proof of {check.id} holds {check.holds_days} days at most, "
            f"until {timestamp(most)[:10]}",
        )
    if wish.not_applicable and check.gate and wish.tier == 1:
        raise _refused("gate", f"{check.id} is a gate of tier 1; nobody can say it does not apply")
    if wish.evidence is None and not wish.not_applicable:
        raise _refused("evidence", f"name what proves {check.ask}: --evidence LINK|FILE")
    _check_reason(wish.note)
    evidence = wish.evidence or EvidenceNamed("")
    return EntryDraft(
        kind="readiness",
        at=now,
        action="attest",
        target=wish.target,
        op_id=new_ulid(now),
        why=wish.note.strip(),
        confirm_class="C1",
        wanted="n-a" if wish.not_applicable else "manual",
        details={
            "step": "attested",
            "check": check.id,
            "until": until,
            "evidence": evidence.name,
            "sha256": evidence.sha256,
            "version": wish.version,
            "not_applicable": wish.not_applicable,
        },
    )


def draft_of_withdrawal(check: str, target: str, note: str, now: float) -> EntryDraft:
    """Return the entry that takes a proof back; raises `ActionRefused`."""
    found = check_to_attest(check)
    _check_reason(note)
    return EntryDraft(
        kind="readiness",
        at=now,
        action="withdraw",
        target=target,
        op_id=new_ulid(now),
        why=note.strip(),
        confirm_class="C1",
        wanted="withdrawn",
        details={"step": "withdrawn", "check": found.id, "until": now},
    )


def write_proof(journal: Journal, draft: EntryDraft, mode: Mode) -> Entry:
    """Write an attestation or a withdrawal. Blocks.

    Raises `WritesNotAllowed` and ``JournalError``.
    """
    require_writable("Attesting readiness", mode)
    return journal.append(draft)


def sign_off_drafts(
    found: ModelReadiness,
    who: Who,
    reason: str,
    now: float,
    *,
    approver: str = "",
    despite: str = "",
) -> list[EntryDraft]:
    """Return the entries that freeze a model's readiness, and ask for its second person on tier 1.

    Raises `ActionRefused` where a gate is closed and no ``despite`` says why it is signed all the
    same, and where tier 1 names no other person to approve it.
    """
    _check_reason(reason)
    closed = found.closed_gates
    if closed and len(despite.strip()) < SHORTEST_REASON:
        names = ", ".join(f"{each.check} ({each.state})" for each in closed)
        raise _refused(
            "gates", f"{len(closed)} gates of tier 1 are closed: {names}; --despite TEXT says why "
            "it is signed all the same"
        )  # fmt: skip
    needs_approval = found.tier == 1 or bool(approver)
    if found.tier == 1 and not approver:
        raise _refused("approver", "tier 1 needs another person: --approver NAME")
    if approver and approver in (who.name, who.person):
        raise _refused(
            "self_approval", f"{visible(approver, 60)} signs it; another person approves"
        )
    digest, op_id = digest_of_checks(found.checks), new_ulid(now)
    signed = EntryDraft(
        kind="readiness",
        at=now,
        action="sign-off",
        target=found.target,
        op_id=op_id,
        why=reason.strip(),
        confirm_class="C3" if needs_approval else "C1",
        wanted="signed",
        details={
            "step": "signed",
            "digest": digest,
            "headline": found.headline,
            "version": found.version,
            "tier": found.tier,
            "approver": approver,
            "needs_approval": needs_approval,
            "despite": despite.strip(),
            "checks": cast("Json", msgspec.to_builtins(found.checks)),
        },
    )
    if not needs_approval:
        return [signed]
    effect = f"{found.headline}; {len(found.gaps)} gaps, {len(closed)} gates of tier 1 closed"
    asking = EntryDraft(
        kind="approval",
        at=now,
        action="sign-off",
        target=found.target,
        op_id=op_id,
        why=reason.strip(),
        confirm_class="C3",
        before="unsigned",
        wanted="signed",
        blast={"effect": effect},
        details={
            "step": "asked",
            "digest": digest,
            "title": f"sign off the readiness of {found.target}",
            "command": f"midwatch journal show {op_id}",
            "guards": [f"{each.check}: {each.state}: {each.text}" for each in found.gaps],
        },
    )
    return [signed, asking]


def write_sign_off(journal: Journal, drafts: list[EntryDraft], mode: Mode) -> Entry:
    """Write a sign-off and what asks for its second person, both or neither. Blocks.

    Raises `WritesNotAllowed` and ``JournalError``.
    """
    require_writable("Signing off readiness", mode)
    return journal.append_all(drafts)[0]


def sign_off_waiting(journal: Journal, op_id: str, now: float) -> Entry | None:
    """Return the entry that asks for the second person of a sign-off, None for other operations.

    Blocks. It waits for two weeks; raises `ActionRefused` where it was approved or is too old.
    """
    found = journal.entries(Question(op_id=op_id, kinds=("readiness", "approval")))
    asked = next((each for each in found if each.details.get("step") == "asked"), None)
    signed = [one for each in fold_proofs(found).proofs.signed.values() for one in each]
    if not signed or asked is None:
        return None
    if signed[0].approved_by:
        raise _refused("approval", f"{visible(signed[0].approved_by, 100)} has approved it already")
    if not signed[0].intact:
        raise _refused(
            "approval", "its checks are not what its digest says: midwatch journal verify"
        )
    if now - signed[0].at > APPROVAL_DAYS * DAY_SECONDS:
        raise _refused("approval", f"it waited longer than {APPROVAL_DAYS} days; sign it off anew")
    return asked


def _check_reason(text: str) -> None:
    if len(text.strip()) < SHORTEST_REASON:
        raise _refused("reason", "say it in at least three letters: --reason TEXT")


def _refused(guard: str, sentence: str) -> ActionRefused:
    return ActionRefused.forbidden(guard, sentence)
