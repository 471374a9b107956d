"""Which rules began to hold between two Snapshots, and which ceased."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from console.domain.severity import Severity
from console.evaluation.lazy_views import FindingsView

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from console.domain.severity import Finding
    from console.domain.snapshot import Snapshot

TOLD_TO: Final = Severity.S3
MOST_MOVES: Final = 300
"""Of one step, so many are told: when a whole fleet falls, nobody reads each row's fall."""


@dataclass(frozen=True, slots=True)
class RuleMove:
    """A rule of at least S3 that began to hold for a model, or (``ceased``) no longer does."""

    model: str
    finding: Finding
    ceased: bool = False


def rule_moves(now: Snapshot, before: Snapshot | None) -> tuple[RuleMove, ...]:
    """Return at most 300 moves, those that began first; the first Snapshot has none that ceased."""
    began = (RuleMove(model, finding) for model, finding in _new(now, before))
    ended: Iterator[RuleMove] = iter(())
    if before is not None:
        ended = (RuleMove(model, finding, True) for model, finding in _new(before, now))
    found: list[RuleMove] = []
    for move in (*began, *ended):
        if len(found) >= MOST_MOVES:
            break
        found.append(move)
    return tuple(found)


def _new(here: Snapshot, there: Snapshot | None) -> Iterator[tuple[str, Finding]]:
    """Yield what holds here and not there."""
    mine, theirs = here.findings, None if there is None else there.findings
    if isinstance(mine, FindingsView):
        rows = mine.rows_beyond(theirs if isinstance(theirs, FindingsView) else None, TOLD_TO)
    else:
        rows = list(mine)
    for row in rows[:MOST_MOVES]:
        model = here.rows[row].model
        known = _rules(model, there)
        for finding in mine.get(row, ()):
            if finding.level <= TOLD_TO and finding.rule not in known:
                yield model, finding


def _rules(model: str, there: Snapshot | None) -> frozenset[str]:
    if there is None:
        return frozenset()
    row = there.index.get(model)
    findings: Mapping[int, tuple[Finding, ...]] = there.findings
    if row is None or row not in findings:
        return frozenset()
    return frozenset(each.rule for each in findings[row] if each.level <= TOLD_TO)
