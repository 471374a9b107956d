"""All rules, worst level first; within a level, the order in which they are told."""

from __future__ import annotations

from console.evaluation.rules import burn, presence, protection, quality, spend
from console.evaluation.rules import holds as acks
from console.evaluation.rules import holds as decided
from console.evaluation.rules import holds as held
from console.evaluation.rules import presence as alerts
from console.evaluation.rules import presence as notice

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
