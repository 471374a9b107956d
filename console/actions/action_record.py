"""Writes an action's intent, outcome and details as journal drafts, and reads them back."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, cast

from console.actions.verbs import slot_of
from console.domain.action import Step
from console.domain.entry import EntryDraft

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from console.domain.action import (
        ActionRequest,
        Blast,
        Confirmation,
        Measure,
        Outcome,
        Override,
        PreparedAction,
    )
    from console.domain.control import PreparedChange, SendResult
    from console.domain.entry import ConfirmClass, Entry, EntryKind, Json

HOLDING = ("ack", "snooze")


def care_json(drafts: Sequence[EntryDraft], place: str) -> dict[str, Json]:
    """Return what an intent keeps of the entries that follow it, so that a crash loses none.

    ``place`` names the alert sources that are told.
    """
    return {
        "place": place,
        "entries": [
            {
                "kind": each.kind,
                "op_id": each.op_id,
                "why": each.why,
                "details": dict(each.details),
            }
            for each in drafts
        ],
    }


def care_entries(intent: Entry, outcome: Outcome) -> tuple[EntryDraft, ...]:
    """Return the entries about an incident that an outcome makes true.

    What an alert source refused is held here alone: whoever took it has it all the same. What was
    never sent, because somebody acted meanwhile, leaves nothing.
    """
    if outcome.kind == "superseded":
        return ()
    kept = cast("Mapping[str, Json]", intent.details.get("care"))
    listed = kept.get("entries")
    place = str(kept.get("place") or "")
    return tuple(
        _draft(cast("Mapping[str, Json]", each), place, intent, outcome)
        for each in (listed if isinstance(listed, list) else [])
        if isinstance(each, dict)
    )


def _draft(each: Mapping[str, Json], place: str, intent: Entry, outcome: Outcome) -> EntryDraft:
    kind, told = str(each.get("kind")), each.get("details")
    details: dict[str, Json] = dict(told) if isinstance(told, dict) else {}
    if kind in HOLDING and details.get("step") in ("taken", "renewed"):
        there = outcome.in_force or outcome.kind == "no_op"
        details |= {"place": place if there else "", "certain": outcome.kind != "unverified"}
    if kind == "escalate":
        details |= {
            "through": place,
            "became": _became(outcome),
            "said": outcome.sentence,
        }
    return EntryDraft(
        kind=cast("EntryKind", kind),
        at=outcome.at,
        action=kind,
        target=intent.target,
        op_id=str(each.get("op_id") or intent.op_id),
        why=str(each.get("why") or intent.why),
        confirm_class=cast("ConfirmClass", intent.confirm_class),
        incident=intent.incident,
        details=details,
    )


def _became(outcome: Outcome) -> str:
    """Return what became of a call: the receiver took it, refused it, or nobody knows."""
    if outcome.kind in ("rejected", "failed"):
        return "refused"
    return "taken" if outcome.kind == "applied" or outcome.done else "unclear"


def digest_of(request: ActionRequest, steps: Sequence[Step]) -> str:
    """Return SHA-256 over what is asked for; the same wish gives the same digest."""
    said = {
        "verb": request.verb,
        "target": request.target,
        "reason": request.reason,
        "ttl_seconds": request.ttl_seconds,
        "to": request.to,
        "value": request.value,
        "steps": [step_json(step) for step in steps],
    }
    text = json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def step_json(step: Step) -> dict[str, Json]:
    """Return a step as the journal keeps it."""
    return {
        "control": step.control,
        "action": step.action,
        "variables": cast("Json", dict(step.variables)),
        "targets": list(step.targets),
        "shown": step.shown,
    }


def measure_json(measure: Measure) -> Json:
    """Return a number with unit, age in seconds and n; without a value, why it is unknown."""
    if measure.value is None:
        return {"value": None, "unit": measure.unit, "unknown": measure.unknown}
    return {
        "value": round(measure.value, 6),
        "unit": measure.unit,
        "age_seconds": _rounded(measure.age_seconds),
        "n": _rounded(measure.n),
    }


def blast_json(blast: Blast) -> dict[str, Json]:
    """Return a blast radius as the journal and ``--json`` show it."""
    return {
        "models": list(blast.models),
        "moved_per_minute": measure_json(blast.moved_per_minute),
        "fleet_share": measure_json(blast.fleet_share),
        "tier": blast.tier,
        "tier_share": measure_json(blast.tier_share),
        "dependants": list(blast.dependants),
        "effect": blast.effect,
        "bad_per_minute": measure_json(blast.bad_per_minute),
        "room_name": blast.room_name,
        "room_per_minute": measure_json(blast.room_per_minute),
        "room_enough": blast.room_enough,
        "room_health": blast.room_health,
        "review_arrivals_per_minute": measure_json(blast.review_arrivals_per_minute),
        "review_capacity_per_minute": measure_json(blast.review_capacity_per_minute),
        "review_rho": _rounded(blast.review_rho),
        "cost_per_hour": measure_json(blast.cost_per_hour),
        "region_from": blast.region_from,
        "region_to": blast.region_to,
        "region_allowed": blast.region_allowed,
        "consent": blast.consent,
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def intent_of(
    prepared: PreparedAction, confirmation: Confirmation, now: float, *, holds: bool
) -> EntryDraft:
    """Return the entry that stands before anything is sent; it holds all that recovery needs.

    ``holds`` tells that the change begins an override once it is in force.
    """
    request = prepared.request
    return EntryDraft(
        kind="intent",
        at=now,
        action=request.verb,
        target=request.target,
        op_id=prepared.op_id,
        why=request.reason,
        confirm_class=prepared.confirm_class,
        incident=request.incident,
        before=prepared.before,
        wanted=prepared.wanted,
        blast=blast_json(prepared.blast),
        details={
            "digest": prepared.digest,
            "changes": [_change_json(change) for change in prepared.changes],
            "guards": [
                {"id": each.id, "level": each.level, "text": each.sentence}
                for each in prepared.guards
            ],
            "holds": holds,
            "ttl_seconds": prepared.ttl_seconds,
            "enforced_by": prepared.enforced_by,
            "end": [step_json(step) for step in prepared.end],
            "undo": [step_json(step) for step in prepared.undo],
            "purpose": request.purpose,
            "ends_op": request.ends_op,
            "drill": request.drill,
            "decision": request.decision,
            "to": request.to,
            "value": request.value,
            **({"care": prepared.care} if prepared.care else {}),
            "confirmed": {
                "typed": bool(confirmation.typed),
                "by_yes": confirmation.by_yes,
                "approved_by": confirmation.approved_by,
                "break_glass": confirmation.break_glass,
                "approved_as": confirmation.together.op_id if confirmation.together else "",
            },
        },
    )


def _change_json(change: PreparedChange) -> Json:
    return {
        "control": change.control,
        "action": change.action,
        "label": change.label,
        **({} if change.readable else {"readable": False}),
        "desired": list(change.desired),
        "targets": [
            {
                "target": call.target,
                "before": call.seen.text if call.seen.known else None,
                "etag": call.seen.etag,
                "request": call.shown,
                "sent": not call.already,
            }
            for call in change.calls
        ],
    }


def outcome_of(intent: Entry, outcome: Outcome, answers: Sequence[SendResult]) -> EntryDraft:
    """Return the entry that closes an operation; ``answers`` is what the services said."""
    return EntryDraft(
        kind="outcome",
        at=outcome.at,
        action=intent.action,
        target=intent.target,
        op_id=intent.op_id,
        why=intent.why,
        confirm_class=_class(intent),
        incident=intent.incident,
        before=intent.before,
        wanted=intent.wanted,
        after=dict(outcome.after),
        details={
            **outcome_json(outcome),
            "purpose": intent.details.get("purpose"),
            "ends_op": intent.details.get("ends_op"),
            "drill": intent.details.get("drill"),
            "answers": [
                {
                    "target": result.target,
                    "verdict": result.verdict,
                    "status": result.status,
                    "sent": result.sent,
                    "text": result.sentence,
                }
                for answer in answers
                for result in answer.results
            ],
        },
    )


def _class(entry: Entry) -> ConfirmClass:
    return cast("ConfirmClass", entry.confirm_class)


def outcome_json(outcome: Outcome) -> dict[str, Json]:
    """Return an outcome as the journal keeps it."""
    return {
        "outcome": outcome.kind,
        "text": outcome.sentence,
        "done": outcome.done,
        "total": outcome.total,
        "unknown_targets": list(outcome.unknown_targets),
        **({} if outcome.watch_until is None else {"watch_until": outcome.watch_until}),
    }


def override_of(intent: Entry, outcome: Outcome) -> EntryDraft:
    """Return the entry that begins an override; times in Unix seconds."""
    kept = intent.details
    changes = [each for each in _list(kept.get("changes")) if isinstance(each, dict)]
    return EntryDraft(
        kind="override",
        at=outcome.at,
        action=intent.action,
        target=intent.target,
        op_id=intent.op_id,
        why=intent.why,
        confirm_class=_class(intent),
        incident=intent.incident,
        before=intent.before,
        wanted=intent.wanted,
        after=dict(outcome.after),
        details={
            "ends_at": outcome.ends_at,
            "controls": [str(each.get("control")) for each in changes],
            "desired": [state for each in changes for state in _list(each.get("desired"))],
            "certain": outcome.kind == "applied",
            "by": intent.who.name,
            **{
                name: kept.get(name)
                for name in ("enforced_by", "end", "undo", "drill", "to", "value")
            },
        },
    )


def _list(kept: object) -> list[Json]:
    return kept if isinstance(kept, list) else []


def ended_of(override: Override, how: str, now: float, by_op: str = "") -> EntryDraft:
    """Return the entry that ends an override; ``how`` is a sentence, ``by_op`` the operation."""
    overdue = 0.0 if override.ends_at is None else round(max(0.0, now - override.ends_at), 3)
    return EntryDraft(
        kind="override_ended",
        at=now,
        action=override.verb,
        target=override.target,
        op_id=override.op_id,
        why=how,
        incident=override.incident,
        before=override.wanted,
        details={"by_op": by_op, "overdue_seconds": overdue},
    )


def renewed_of(override: Override, intent: Entry, ends_at: float, now: float) -> EntryDraft:
    """Return the entry that moves an override's end to ``ends_at`` (Unix seconds)."""
    return EntryDraft(
        kind="override_renewed",
        at=now,
        action=override.verb,
        target=override.target,
        op_id=override.op_id,
        why=intent.why,
        incident=override.incident,
        wanted=override.wanted,
        details={
            "ends_at": ends_at,
            "ended_at_before": override.ends_at,
            "enforced_by": intent.details.get("enforced_by"),
            "by_op": intent.op_id,
        },
    )


def consequences(
    intent: Entry, outcome: Outcome, overrides: Sequence[Override]
) -> tuple[EntryDraft, ...]:
    """Return what an outcome does to the overrides in force: begun, renewed, ended, replaced."""
    kept = intent.details
    if isinstance(kept.get("care"), dict):
        return care_entries(intent, outcome)
    purpose, named = kept.get("purpose"), kept.get("ends_op")
    mine = next((each for each in overrides if each.op_id == named), None)
    drafts: list[EntryDraft] = []
    if purpose == "renew":
        if mine is not None and outcome.in_force and outcome.ends_at is not None:
            drafts.append(renewed_of(mine, intent, outcome.ends_at, outcome.at))
        return tuple(drafts)
    if mine is not None and outcome.kind in ("applied", "no_op"):
        drafts.append(ended_of(mine, intent.why, outcome.at, intent.op_id))
    if outcome.kind == "applied":
        drafts += [
            ended_of(each, f"replaced by {intent.action}", outcome.at, intent.op_id)
            for each in overrides
            if each is not mine
            and each.target == intent.target
            and slot_of(each.verb) == slot_of(intent.action)
        ]
    if kept.get("holds") is True and outcome.in_force:
        drafts.append(override_of(intent, outcome))
    return tuple(drafts)
