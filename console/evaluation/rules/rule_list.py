"""All rules, worst level first; within a level, the order in which they are told."""

from __future__ import annotations

from console.evaluation.rules import burn, holds, presence, protection, quality, spend

RULES = tuple(
    sorted(
        (
            *burn.RULES,
            *protection.RULES,
            *holds.HELD_RULES,
            *presence.PRESENCE_RULES,
            *quality.RULES,
            *spend.RULES,
            *presence.RULES,
            *holds.RULES,
            *holds.DECIDED_RULES,
            *presence.NOTICE_RULES,
        ),
        key=lambda rule: int(rule.level),
    )
)
"""Every rule that can be judged; the position is the rule's column in `Memory`."""

POSITION = {rule.id: number for number, rule in enumerate(RULES)}
"""The column of each rule, by id."""
