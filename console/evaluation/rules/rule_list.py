"""Lists all rules, worst level first."""

from __future__ import annotations

from console.evaluation.rules import budgets, holds, presence, protection, quality

RULES = tuple(
    sorted(
        (
            *budgets.BURN_RULES,
            *protection.RULES,
            *holds.HELD_RULES,
            *presence.PRESENCE_RULES,
            *quality.RULES,
            *budgets.SPEND_RULES,
            *presence.ALERT_RULES,
            *holds.ACK_RULES,
            *holds.DECIDED_RULES,
            *holds.PROOF_RULES,
            *presence.NOTICE_RULES,
        ),
        key=lambda rule: int(rule.level),
    )
)
"""Every rule that can be judged; the position is the rule's column in `Memory`."""

POSITION = {rule.id: number for number, rule in enumerate(RULES)}
"""The column of each rule, by id."""
