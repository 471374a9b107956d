"""Acting on many targets at once: each prepared, shown and sent by itself, together class C3."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.actions.pipeline import Actor
    from console.facts.action import ActionRequest, Confirmation, Outcome, PreparedAction
    from console.facts.snapshot import Snapshot


async def prepare_all(
    actor: Actor, requests: Sequence[ActionRequest], snapshot: Snapshot | None
) -> tuple[PreparedAction, ...]:
    """Return every action as it would be done now; raises as `Actor.prepare` does."""
    return tuple(
        [await actor.prepare(request, snapshot, at_once=len(requests)) for request in requests]
    )


async def perform_all(
    actor: Actor, prepared: Sequence[PreparedAction], confirmations: Sequence[Confirmation]
) -> tuple[Outcome, ...]:
    """Do one after the other and stop behind the first that is neither applied nor already so.

    What goes wrong on one target would go wrong on the next; fewer outcomes than actions say so.
    """
    done: list[Outcome] = []
    for action, confirmation in zip(prepared, confirmations, strict=True):
        done.append(await actor.perform(action, confirmation))
        if done[-1].kind not in ("applied", "no_op"):
            break
    return tuple(done)
