"""Folds journal entries into what proves readiness: attestations, drills, use, sign-offs."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from console.domain.entry import number_of
from console.domain.proof import (
    NO_PROOFS,
    Attested,
    CheckResult,
    ClosedIncident,
    Exercised,
    HandedOver,
    Proofs,
    SignOff,
)
from console.journal.identity import is_shared_login, same_person

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from console.domain.entry import Entry, EntryKind, Who

PROOF_KINDS: tuple[EntryKind, ...] = (
    "readiness",
    "approval",
    "drill",
    "outcome",
    "close",
    "handover",
    "handover_accepted",
)
"""The kinds of entry that prove something about a model's readiness."""

USED_FOR_REAL = {"fallback": "fallback", "human": "human"}
"""Actions whose use counts as an exercise, and of what; a breaker or a rollback has to be drilled,
because only a drill sees the way back."""

DRILL_OF_VERB = {"trip": "breaker"}
"""What was drilled, where the entry of an older version names only the verb."""


class _Kept(msgspec.Struct, frozen=True):
    """Who wrote what may be approved or accepted: no second person is the first."""

    signers: dict[str, Who] = {}
    handed: Who | None = None


class ProofLog(msgspec.Struct, frozen=True):
    """The proofs of a journal as far as it was read, to be folded on."""

    proofs: Proofs = NO_PROOFS
    kept: _Kept = _Kept()


def digest_of_checks(checks: Sequence[CheckResult]) -> str:
    """Return SHA-256 over every check of a sign-off, so that an approval is of exactly this."""
    said = json.dumps(
        msgspec.to_builtins(checks), sort_keys=True, separators=(",", ":"), ensure_ascii=True
    )
    return hashlib.sha256(said.encode()).hexdigest()


def fold_proofs(entries: Iterable[Entry], before: ProofLog | None = None) -> ProofLog:
    """Return what is proven after ``entries`` (oldest first) of one environment.

    An approval counts where it names the same digest and comes from another login than the
    signer's that is one person's own. What this version cannot read proves nothing.
    """
    log = before or ProofLog()
    for entry in entries:
        match entry.kind:
            case "readiness":
                log = _readiness(log, entry)
            case "approval" if entry.details.get("step") == "given":
                log = _approved(log, entry)
            case "drill":
                log = _exercised(log, _drilled(entry))
            case "outcome" if _used(entry):
                log = _exercised(log, _real_use(entry))
            case "close":
                log = _closed(log, entry)
            case "handover" | "handover_accepted":
                log = _handover(log, entry)
            case _:
                continue
    return log


def _account(entry: Entry) -> str:
    return f"{entry.who.person}@{entry.who.host}"


def _text(entry: Entry, name: str) -> str:
    kept = entry.details.get(name)
    return kept if isinstance(kept, str) else ""


def _readiness(log: ProofLog, entry: Entry) -> ProofLog:
    step = entry.details.get("step")
    if step in ("attested", "withdrawn"):
        until = number_of(entry.details.get("until"))
        check = _text(entry, "check")
        made = Attested(
            check=check,
            target=entry.target,
            by=entry.who.name,
            account=_account(entry),
            at=entry.at,
            until=entry.at if until is None else until,
            note=entry.why,
            evidence=_text(entry, "evidence"),
            sha256=_text(entry, "sha256"),
            version=_text(entry, "version"),
            not_applicable=entry.details.get("not_applicable") is True,
            withdrawn=step == "withdrawn",
            entry=entry.seq,
            entry_hash=entry.hash,
        )
        attested = {**log.proofs.attested, (entry.target, check): made}
        return replace(log, proofs=replace(log.proofs, attested=attested))
    return _signed(log, entry) if step == "signed" else log


def _signed(log: ProofLog, entry: Entry) -> ProofLog:
    try:
        checks = msgspec.convert(entry.details.get("checks"), tuple[CheckResult, ...])
    except msgspec.ValidationError:
        return log  # a newer version wrote it: nothing here can say what was signed
    digest, tier = _text(entry, "digest"), entry.details.get("tier")
    made = SignOff(
        id=entry.op_id,
        target=entry.target,
        by=entry.who.name,
        account=_account(entry),
        at=entry.at,
        reason=entry.why,
        digest=digest,
        checks=checks,
        headline=_text(entry, "headline"),
        version=_text(entry, "version"),
        tier=tier if isinstance(tier, int) else 2,
        approver=_text(entry, "approver"),
        needs_approval=entry.details.get("needs_approval") is not False,
        intact=digest == digest_of_checks(checks),
        entry=entry.seq,
        entry_hash=entry.hash,
    )
    before = log.proofs.signed.get(entry.target, ())
    signed = {**log.proofs.signed, entry.target: (*before, made)}
    signers = {**log.kept.signers, made.id: entry.who}
    return ProofLog(replace(log.proofs, signed=signed), replace(log.kept, signers=signers))


def _approved(log: ProofLog, entry: Entry) -> ProofLog:
    signer = log.kept.signers.get(entry.op_id)
    if signer is None or same_person(entry.who, signer) or is_shared_login(entry.who):
        return log
    approved = {"approved_by": f"{entry.who.name} ({_account(entry)})", "approved_at": entry.at}
    all_signed = {
        target: tuple(
            replace(each, **approved)
            if each.id == entry.op_id
            and not each.approved_by
            and entry.details.get("digest") == each.digest
            else each
            for each in signed
        )
        for target, signed in log.proofs.signed.items()
    }
    return replace(log, proofs=replace(log.proofs, signed=all_signed))


def _drilled(entry: Entry) -> Exercised:
    details = entry.details
    states = details.get("states")
    what = _text(entry, "what") or DRILL_OF_VERB.get(entry.action, entry.action)
    return Exercised(
        what=what,
        target=entry.target,
        by=entry.who.name,
        at=entry.at,
        passed=details.get("passed") is True,
        drill=True,
        text=_text(entry, "text"),
        states=tuple(str(each) for each in states) if isinstance(states, list) else (),
        detect_seconds=number_of(details.get("detect_seconds")),
        recover_seconds=number_of(details.get("recover_seconds")),
        entry=entry.seq,
        entry_hash=entry.hash,
    )


def _used(entry: Entry) -> bool:
    return (
        entry.action in USED_FOR_REAL
        and entry.details.get("outcome") == "applied"
        and not entry.details.get("drill")
        and not entry.details.get("purpose")
    )


def _real_use(entry: Entry) -> Exercised:
    return Exercised(
        what=USED_FOR_REAL[entry.action],
        target=entry.target,
        by=entry.who.name,
        at=entry.at,
        passed=True,
        drill=False,
        text=_text(entry, "text"),
        entry=entry.seq,
        entry_hash=entry.hash,
    )


def _exercised(log: ProofLog, made: Exercised) -> ProofLog:
    key = (made.target, made.what)
    exercised = {**log.proofs.exercised, key: made}
    passed = {**log.proofs.passed, key: made} if made.passed else log.proofs.passed
    return replace(log, proofs=replace(log.proofs, exercised=exercised, passed=passed))


def _closed(log: ProofLog, entry: Entry) -> ProofLog:
    made = ClosedIncident(
        incident=entry.incident,
        title=_text(entry, "title"),
        at=entry.at,
        by=entry.who.name,
        entry=entry.seq,
        entry_hash=entry.hash,
    )
    closed = {**log.proofs.closed, entry.target: made}
    return replace(log, proofs=replace(log.proofs, closed=closed))


def _handover(log: ProofLog, entry: Entry) -> ProofLog:
    known = log.proofs.handover
    if entry.kind == "handover":
        made = HandedOver(
            op_id=entry.op_id,
            by=entry.who.name,
            at=entry.at,
            entry=entry.seq,
            entry_hash=entry.hash,
        )
        kept = replace(log.kept, handed=entry.who)
        return ProofLog(replace(log.proofs, handover=made), kept)
    author = log.kept.handed
    if (
        known is None
        or author is None
        or known.op_id != entry.op_id
        or known.accepted_at is not None
        or same_person(entry.who, author)
        or is_shared_login(entry.who)
    ):
        return log
    made = replace(
        known,
        accepted_by=entry.who.name,
        accepted_at=entry.at,
        entry=entry.seq,
        entry_hash=entry.hash,
    )
    return replace(log, proofs=replace(log.proofs, handover=made))
