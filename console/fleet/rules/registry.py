"""All rules, worst level first; within a level, the order in which they are told."""

from __future__ import annotations

from console.fleet.rules import (
    acks,
    alerts,
    burn,
    decided,
    held,
    notice,
    presence,
    protection,
    quality,
    spend,
)

RULES = tuple(
    sorted(
        (
            *burn.RULES,
            *protection.RULES,
            *held.RULES,
            *presence.RULES,
            *quality.RULES,
            *spend.RULES,
            *alerts.RULES,
            *acks.RULES,
            *decided.RULES,
            *notice.RULES,
        ),
        key=lambda rule: int(rule.level),
    )
)
"""Every rule that can be judged; the position is the rule's column in `Memory`."""

POSITION = {rule.id: number for number, rule in enumerate(RULES)}
"""The column of each rule, by id."""
