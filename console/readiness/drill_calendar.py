"""The calendar of drills: which kinds a model can do, when each was done, when it is due."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from console.readiness.subject import DAY_SECONDS, DRILL_DAYS

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from console.domain.proof import Exercised, Proofs
    from console.settings.schema import ModelSettings, Settings

DrillState = Literal["never", "failed", "overdue", "due", "ok"]

DUE_BEFORE_SECONDS = 7 * DAY_SECONDS
"""How long before its end a proof counts as due."""

HYPOTHESES: Mapping[str, str] = {
    "breaker": "with the breaker forced open the console shows it, and once it may probe it closes",
    "fallback": "the next rung answers, the console shows it, and the model itself answers again",
    "rollback": "the version before serves, and the one of now serves again afterwards",
    "human": "people get every request, the console shows it, and the model answers again",
    "source-away": "without its source the console says unknown and never ok, and sees it return",
    "handover": "somebody else accepts the handover from a login of their own",
}
"""What each kind of drill expects, where nobody writes another hypothesis."""


class DrillDue(Struct, frozen=True, kw_only=True):
    """One kind of drill of one model; ``due_at`` (Unix seconds) None: it never passed."""

    target: str
    tier: int
    what: str
    state: DrillState
    last: Exercised | None = None
    due_at: float | None = None


def calendar(settings: Settings, proofs: Proofs, now: float) -> tuple[DrillDue, ...]:
    """Return every drill the declared models can do, tier 1 first, then what is due first."""
    found = [
        drill_due(target, model.tier, what, proofs, now)
        for target, model in settings.models.items()
        for what in kinds_of(model)
    ]
    return tuple(
        sorted(found, key=lambda each: (each.tier, each.due_at or 0.0, each.target, each.what))
    )


def kinds_of(model: ModelSettings) -> Iterator[str]:
    """Yield the kinds of drill that make sense for a model, by what is declared of it."""
    controls = model.controls
    if "breaker" in controls:
        yield "breaker"
    if "route" in controls:
        if model.fallbacks:
            yield "fallback"
        yield "rollback"
    if "human" in controls:
        yield "human"
    yield "source-away"
    yield "handover"


def drill_due(target: str, tier: int, what: str, proofs: Proofs, now: float) -> DrillDue:
    """Return when a drill is due: the newest one decides, and one that failed is due at once."""
    last = proofs.exercised.get((target, what))
    if last is None:
        return DrillDue(target=target, tier=tier, what=what, state="never")
    due_at = last.at + DRILL_DAYS[what] * DAY_SECONDS
    state: DrillState = "ok"
    if not last.passed:
        state, due_at = "failed", last.at
    elif due_at <= now:
        state = "overdue"
    elif due_at - now <= DUE_BEFORE_SECONDS:
        state = "due"
    return DrillDue(target=target, tier=tier, what=what, state=state, last=last, due_at=due_at)
