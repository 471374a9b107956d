"""Decisions as tests need them: taken, and as another console would have written them."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from console.actions.decision_record import digest_of_decision
from console.domain.decision import Decision, DecisionRecord, Evidence, Lineage
from console.domain.entry import EntryDraft
from tests.support.snapshots import SAMPLE_NOW

DAY = 86400.0


def decision(**changes: object) -> Decision:
    """Return a HOLD of a tier 2 model, taken a month ago, due today."""
    made = Decision(
        id="01KB2DECISION0000000000000",
        model="fraud-scorer",
        kind="HOLD",
        tier=2,
        environment="test",
        taken_at=SAMPLE_NOW - 30 * DAY,
        review_by=SAMPLE_NOW,
        author="ana",
        reason="labels are late",
        trigger="drift_alone",
        evidence=Evidence(),
        lineage=Lineage(model="fraud-scorer"),
    )
    return replace(made, **changes)


def record(**changes: object) -> DecisionRecord:
    """Return the same as read back."""
    return DecisionRecord(decision=decision(**changes), digest="d", account="ana@ops-1")


def taken(made: Decision) -> EntryDraft:
    """Return the entry that a console writes for it."""
    return EntryDraft(
        kind="decision",
        at=made.taken_at,
        action=made.kind,
        target=made.model,
        op_id=made.id,
        why=made.reason,
        details={
            "step": "taken",
            "digest": digest_of_decision(made),
            "decision": msgspec.to_builtins(made),
        },
    )
