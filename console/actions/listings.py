"""Lists that a command opens: looked at, never changed."""

from __future__ import annotations

from console.actions.spec import ActionSpec

LISTINGS = (
    ActionSpec(
        "decisions",
        (),
        "Decisions",
        "Every retraining decision: what is due first, what was sent on, what came of it.",
        "Acting",
        command="decisions",
    ),
)
