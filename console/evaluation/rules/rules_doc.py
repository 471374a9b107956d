"""Writes docs/rules.md from the rules."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from console.domain.severity import Severity
from console.evaluation.memory import CLEAR_AFTER, HOLD_SECONDS, RAISE_AFTER
from console.evaluation.rules.rule_list import RULES

if TYPE_CHECKING:
    from console.evaluation.rules.rule import Rule

_LEVELS = {
    Severity.S1: ("■1", "S1, act now"),
    Severity.S2: ("▲2", "S2, degraded but answering"),
    Severity.UNKNOWN: ("?-", "unknown, sorted just under S2"),
    Severity.UNJUDGED: ("–", "unjudged: numbers arrive and say nothing of its health"),
    Severity.S3: ("◆3", "S3, today"),
    Severity.S4: ("·4", "S4, notice"),
}

_HEAD = f"""# Rules

The highest rule that holds gives a model its level; there is no weighted score, so "why is it
first?" is answered by one rule's id. Ids are never renamed. This page is made from the code by
`python -m console.evaluation.rules.rules_doc`, and a test fails when it is stale.

- A rule is raised after {RAISE_AFTER} evaluations in a row that hit, and cleared after
  {CLEAR_AFTER} clean ones in a row. `no_data` is raised and cleared at once.
- A rule that cannot be judged is neither: it breaks both runs. What is raised then stays raised,
  for {HOLD_SECONDS / 60:.0f} minutes after it last held, and keeps its last sentence.
- Too few samples, no traffic, a failed question and a source that is away make a rule unknown,
  never "fine". A missing sample count is not a low one: such a value is judged.
- Tier 3 lowers S1 to S2, but for the rules marked *kept*.
- A row is planned (`m`) while an override with an owner and an end ahead of it explains that
  the row is off primary or its breaker forced, or the open breaker of its dependency. Then
  `off_primary` is silent, S2 counts as S3 and S3 as S4, but for the rules marked *kept*. An S1
  stays an S1 and shows as one. Once past its end an override explains nothing.
- A rule that a worse one implies is not listed while that one is raised (*unless* below).
- Rules marked *one run* are proven by the source's own windows: `midwatch status --instant`
  raises them at once. It lists what the others found as pending.
- An S1 or S2 opens an incident by itself ([incidents.md](incidents.md)), but for the rules marked
  *no incident*: they repeat another system's alert or remind of what is held.
- A model without a declared objective is held to 99% availability and to its own latency of the
  last 6 hours; such findings carry `~`.
- Models of one level stand in this order: unacknowledged first, tier, bad requests a minute,
  least error budget left, oldest, name.
"""


def page() -> str:
    """Return the whole page as Markdown."""
    parts = [_HEAD]
    for level, (mark, title) in _LEVELS.items():
        rows = [
            f"| `{rule.id}` | {_cell(rule.when)} | {_needs(rule.needs)} | {_marks(rule)} |"
            for rule in RULES
            if rule.level is level
        ]
        parts.append(
            "\n".join(
                (
                    f"\n## {mark} {title}\n",
                    "| rule | holds when | made of | |",
                    "| --- | --- | --- | --- |",
                    *rows,
                    "",
                )
            )
        )
    return "".join(parts)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _needs(needs: tuple[str, ...]) -> str:
    return " ".join(f"`{need}`" for need in needs) or "the configuration"


def _marks(rule: Rule) -> str:
    acute = rule.level in (Severity.S1, Severity.S2)
    marks = (
        ("one run", rule.spans),
        ("kept", rule.keeps_level),
        ("no incident", acute and not rule.opens_incident),
    )
    words = [word for word, on in marks if on]
    return ", ".join([*words, *(f"unless `{worse}`" for worse in rule.implied_by)])


if __name__ == "__main__":
    sys.stdout.write(page())
