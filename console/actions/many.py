"""Several targets at once: a second person confirms exactly the whole set, once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.actions.confirming import ask_approval
from console.facts.action import Together
from console.facts.entry import EntryDraft

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.facts.action import PreparedAction
    from console.facts.entry import Entry, Json
    from console.journal.protocol import Journal


def ask_for(journal: Journal, actions: Sequence[PreparedAction], now: float) -> Entry:
    """Write that one operation, or a set of them, waits for its second person. Blocks."""
    if len(actions) == 1:
        return ask_approval(journal, actions[0], now)
    return _ask(journal, actions, now)


def _ask(journal: Journal, actions: Sequence[PreparedAction], now: float) -> Entry:
    together, first = Together.of(actions), actions[0]
    request = first.request
    targets = f"{len(actions)} models"
    return journal.append(
        EntryDraft(
            kind="approval",
            at=now,
            action=request.verb,
            target=targets,
            op_id=together.op_id,
            why=request.reason,
            confirm_class="C3",
            incident=request.incident,
            details={
                "step": "asked",
                "digest": together.digest,
                "title": f"{request.purpose or request.verb} {targets} together",
                "command": "",
                "guards": list(dict.fromkeys(g.sentence for one in actions for g in one.guards)),
                "members": [_member(one) for one in actions],
            },
        )
    )


def _member(action: PreparedAction) -> Json:
    return {
        "op": action.op_id,
        "digest": action.digest,
        "target": action.request.target,
        "title": action.title,
        "before": action.before,
        "wanted": action.wanted,
        "effect": action.blast.effect,
        "command": action.command_line,
    }
