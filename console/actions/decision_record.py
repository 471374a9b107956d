"""Prepares, checks and records retraining decisions."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, cast

import msgspec

from console.actions.approval import SHORTEST_REASON
from console.actions.decision_evidence import evidence_of, guards_of_decision, trigger_of
from console.actions.write_gate import require
from console.decisions.decision_log import fold_decisions
from console.domain.action import ActionRefused, Guard, NotConfirmed
from console.domain.decision import DECISION_KINDS, Decision, DecisionRecord
from console.domain.entry import EntryDraft
from console.domain.text import visible
from console.evaluation.inventory import lineage_of
from console.journal.chain import new_ulid
from console.journal.store_base import Question
from console.settings.durations import DurationError, parse_duration
from console.settings.problems import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.actions.decision_sinks import PreparedSend
    from console.actions.fleet_view import FleetView
    from console.domain.action import Mode
    from console.domain.decision import DecisionKind
    from console.domain.entry import ConfirmClass, Entry, Json, Who
    from console.journal.store_base import Journal

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MOMENT = re.compile(rf"{_DAY.pattern}[T ][0-9]{{2}}:[0-9]{{2}}(:[0-9]{{2}})?(Z|[+-][0-9:]+)?")


def parse_review_by(text: str, now: float) -> float:
    """Return a review date as Unix seconds: the end of a day in UTC, a moment, or a time from now.

    Raises `ValueError` with a sentence.
    """
    given = text.strip()
    try:
        if _DAY.fullmatch(given):
            day = datetime.fromisoformat(given).replace(tzinfo=UTC)
            return (day + timedelta(days=1)).timestamp()
        if _MOMENT.fullmatch(given):
            moment = datetime.fromisoformat(given)
            return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
        return now + parse_duration(given)
    except (ValueError, OverflowError) as fault:
        reason = "" if isinstance(fault, DurationError) else f" ({visible(str(fault), 100)})"
        raise ValueError(
            f"{visible(text, 60)}: it is a day such as 2026-12-01 (its end in UTC), "
            f"a time such as 2026-12-01T09:00Z, or a time from now such as 14d{reason}"
        ) from fault


LONGEST_TEXT = 2000
"""Characters of any one text of a decision; evidence and texts together stay one entry."""

LONGEST_REVIEW_SECONDS = 366 * 86400.0
TIER_OF_A_SECOND_PERSON = 1


@dataclass(frozen=True, slots=True)
class DecisionWish:
    """What somebody wants written; ``review_by`` is Unix seconds UTC.

    ``approver`` is a name that is asked, never a proof. ``despite`` is the reason for going
    against objections, ``to_version`` the version that is to serve. ``id`` keeps that of a decision
    that was shown already; empty takes a new one.
    """

    model: str
    kind: str
    reason: str
    review_by: float
    approver: str = ""
    reverse_if: str = ""
    expected: str = ""
    checked_by: str = ""
    trigger: str = ""
    options: tuple[str, ...] = ()
    incident: str = ""
    despite: str = ""
    to_version: str = ""
    id: str = ""


@dataclass(frozen=True, slots=True)
class PreparedDecision:
    """A decision ready to be shown and written; ``seen_seq`` is the journal's newest entry then.

    ``sends`` is what goes out once it stands.
    """

    decision: Decision
    guards: tuple[Guard, ...]
    digest: str
    seen_seq: int
    sends: tuple[PreparedSend, ...] = ()

    @property
    def refused(self) -> tuple[Guard, ...]:
        """Return the objections that still stand."""
        return tuple(
            each
            for each in self.guards
            if each.level == "forbid" or (each.level == "refuse" and not self.decision.despite)
        )


def prepare_decision(
    wish: DecisionWish,
    sight: FleetView,
    who: Who,
    standing: Sequence[DecisionRecord] = (),
    *,
    seen_seq: int = 0,
) -> PreparedDecision:
    """Return the decision as it would stand, with every objection; pure but for its fresh id.

    ``standing`` are the decisions already written. Raises `ActionRefused` where it makes no sense.
    """
    _check(wish, sight)
    now = sight.now
    row = sight.rows[wish.model]
    evidence = evidence_of(wish.model, sight)
    kind = cast("DecisionKind", wish.kind)
    draft = Decision(
        id=wish.id or new_ulid(now),
        model=wish.model,
        kind=kind,
        tier=row.tier,
        environment=sight.settings.environment,
        taken_at=now,
        review_by=wish.review_by,
        author=who.name,
        reason=wish.reason.strip(),
        trigger=wish.trigger.strip() or trigger_of(evidence),
        evidence=evidence,
        lineage=lineage_of(row, sight.registered(wish.model)),
        region=row.region,
        allowed_regions=row.allowed_regions,
        options=tuple(each.strip() for each in wish.options if each.strip()),
        expected=wish.expected.strip(),
        checked_by=wish.checked_by.strip(),
        reverse_if=wish.reverse_if.strip(),
        approver=wish.approver.strip(),
        needs_approval=row.tier == TIER_OF_A_SECOND_PERSON or bool(wish.approver.strip()),
        despite=wish.despite.strip(),
        incident=wish.incident.strip(),
        to_version=wish.to_version.strip(),
    )
    guards = guards_of_decision(draft, who, standing, now)
    against = tuple(each.sentence for each in guards if each.level == "refuse")
    decision = msgspec.structs.replace(draft, objections=against if draft.despite else ())
    return PreparedDecision(decision, guards, digest_of_decision(decision), seen_seq)


def _check(wish: DecisionWish, sight: FleetView) -> None:
    if wish.kind not in DECISION_KINDS:
        close = nearest(wish.kind, DECISION_KINDS) or f"there are {', '.join(DECISION_KINDS)}"
        raise _refused("decision", f"{visible(wish.kind, 60)} is no decision; {close}")
    if wish.model not in sight.rows:
        close = nearest(wish.model, sight.rows) or "midwatch status lists them"
        raise _refused("unknown_model", f"there is no model {visible(wish.model, 80)}; {close}")
    if len(wish.reason.strip()) < SHORTEST_REASON:
        raise _refused("reason", "say why in at least three letters; it stands in the record")
    texts = [wish.reason, wish.reverse_if, wish.expected, wish.checked_by, wish.trigger]
    texts += [wish.despite, wish.to_version, *wish.options]
    if any(len(each) > LONGEST_TEXT for each in texts):
        raise _refused("too_long", f"a text of a decision has at most {LONGEST_TEXT} characters")
    if 0 < len(wish.despite.strip()) < SHORTEST_REASON:
        raise _refused("despite", "say in at least three letters why you go against objections")
    check_review_by(wish.review_by, sight.now)


def check_review_by(review_by: float, now: float) -> None:
    """Raise `ActionRefused` unless ``review_by`` (Unix seconds) lies ahead, within a year."""
    if review_by <= now:
        raise _refused("review_by", "the review date is past; it is when you will look again")
    if review_by - now > LONGEST_REVIEW_SECONDS:
        raise _refused("review_by", "the review date is more than a year away; look again sooner")


def digest_of_decision(decision: Decision) -> str:
    """Return SHA-256 over the whole decision, so that an approval is of exactly this."""
    said = json.dumps(
        msgspec.to_builtins(decision), sort_keys=True, separators=(",", ":"), ensure_ascii=True
    )
    return hashlib.sha256(said.encode()).hexdigest()


def require_writes(mode: Mode) -> None:
    """Raise `WritesNotAllowed` unless this session may write decisions."""
    require("decide", mode)


def write_decision(
    journal: Journal, prepared: PreparedDecision, mode: Mode, *, confirmed: bool
) -> Entry:
    """Write a decision, and what asks for its second person, both or neither. Blocks.

    Raises `WritesNotAllowed`, `NotConfirmed`, `ActionRefused`, ``TargetTouchedError`` where
    somebody wrote about the model meanwhile, and any other ``JournalError``.
    """
    require_writes(mode)
    if prepared.refused:
        raise ActionRefused(prepared.refused)
    decision = prepared.decision
    if not confirmed:
        raise NotConfirmed((Guard("confirm", "forbid", "not confirmed, nothing was written"),))
    drafts = [_draft(prepared)]
    if decision.needs_approval:
        drafts.append(_asking(prepared))
    return journal.append_all(drafts, untouched_since=prepared.seen_seq)[0]


def _class(decision: Decision) -> ConfirmClass:
    return "C3" if decision.needs_approval else "C1"


def _draft(prepared: PreparedDecision) -> EntryDraft:
    decision = prepared.decision
    return EntryDraft(
        kind="decision",
        at=decision.taken_at,
        action=decision.kind,
        target=decision.model,
        op_id=decision.id,
        why=decision.reason,
        confirm_class=_class(decision),
        incident=decision.incident,
        wanted=decision.kind,
        details={
            "step": "taken",
            "digest": prepared.digest,
            "decision": cast("Json", msgspec.to_builtins(decision)),
        },
    )


def _asking(prepared: PreparedDecision) -> EntryDraft:
    decision = prepared.decision
    expected = decision.expected or "no expected effect is written"
    if decision.sends:
        # The second person says yes to what goes out as well.
        sends = ", ".join(f"{each.sink} {each.before} → {each.wanted}" for each in decision.sends)
        expected = f"{expected}; sent on once approved: {sends}"
    return EntryDraft(
        kind="approval",
        at=decision.taken_at,
        action=decision.kind,
        target=decision.model,
        op_id=decision.id,
        why=decision.reason,
        confirm_class="C3",
        incident=decision.incident,
        before="undecided",
        wanted=decision.kind,
        blast={"effect": expected},
        details={
            "step": "asked",
            "digest": prepared.digest,
            "title": f"{decision.kind} {decision.model}",
            "command": f"midwatch decisions show {decision.id}",
            "guards": [each.sentence for each in prepared.guards],
        },
    )


def _refused(guard: str, sentence: str) -> ActionRefused:
    return ActionRefused.forbidden(guard, sentence)


def close_decision(
    journal: Journal,
    record: DecisionRecord,
    outcome: str,
    mode: Mode,
    now: float,
    *,
    seen_seq: int,
) -> Entry:
    """Write what came of a decision. Blocks.

    Raises `WritesNotAllowed`, `ActionRefused` where it is closed already or nothing is said, and
    ``JournalError``; ``TargetTouchedError`` where somebody wrote about the model meanwhile.
    """
    require_writes(mode)
    check_closing(record, outcome)
    decision = record.decision
    return journal.append(
        EntryDraft(
            kind="decision",
            at=now,
            action=decision.kind,
            target=decision.model,
            op_id=decision.id,
            why=outcome.strip(),
            confirm_class="C1",
            incident=decision.incident,
            before=record.state(now),
            wanted="closed",
            details={
                "step": "closed",
                "digest": record.digest,
                "overdue_seconds": round(max(0.0, now - decision.review_by), 3),
                "was_pending": record.pending,
            },
        ),
        untouched_since=seen_seq,
    )


def check_closing(record: DecisionRecord, outcome: str) -> None:
    """Raise `ActionRefused` unless ``record`` can be closed with this outcome."""
    if record.closed_at is not None:
        raise _refuse(f"{visible(record.closed_by, 60)} has closed it already")
    if not SHORTEST_REASON <= len(outcome.strip()) <= LONGEST_TEXT:
        raise _refuse(f"say what came of it, in 3 to {LONGEST_TEXT} characters: --outcome TEXT")


def decision_waiting(journal: Journal, op_id: str, now: float) -> Entry | None:
    """Return the entry that asks for the second person of a decision, None for other operations.

    Blocks. Unlike an action, a decision waits until its review date: nobody is hurt meanwhile.
    Raises `ActionRefused` where it has been approved or closed, or where that date has passed.
    """
    found = journal.entries(Question(op_id=op_id, kinds=("decision", "approval")))
    records = fold_decisions(found).records
    asked = next((each for each in found if each.details.get("step") == "asked"), None)
    if not records or asked is None:
        return None
    (record,) = records
    if record.closed_at is not None:
        raise _refuse(f"{visible(record.closed_by, 60)} has closed that decision already")
    if record.approved_by:
        raise _refuse(f"{visible(record.approved_by, 100)} has approved that decision already")
    if record.overdue(now):
        raise _refuse("its review date has passed; close it with its outcome and decide anew")
    return asked


def _refuse(sentence: str) -> ActionRefused:
    return ActionRefused.forbidden("decision", sentence)
