"""The rule on decisions whose review date has passed: S3, today."""

from __future__ import annotations

from collections import ChainMap
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np

from console.facts.severity import Finding, Severity
from console.facts.text import visible
from console.settings.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, MutableMapping

    from console.facts.decision import DecisionRecord
    from console.facts.snapshot import Snapshot

DECISION_OVERDUE = "decision_overdue"
_DAY_SECONDS = 86400.0
_HOUR_SECONDS = 3600.0


def overdue_findings(records: Iterable[DecisionRecord], now: float) -> dict[str, Finding]:
    """Return the finding of each model with an overdue decision, ``now`` in Unix seconds.

    One finding a model, since the earliest review date that passed; its sentence tells how many.
    """
    late: dict[str, list[DecisionRecord]] = {}
    for record in records:
        if record.overdue(now):
            late.setdefault(record.decision.model, []).append(record)
    return {model: _finding(found, now) for model, found in late.items()}


def with_overdue(snapshot: Snapshot, late: Mapping[str, Finding]) -> Snapshot:
    """Return the Snapshot with overdue decisions among its findings, levels and order.

    A row that is worse or unknown already keeps its level. Rows that become S3 stand last among
    their new equals; all others keep their places.
    """
    added = {
        number: tuple(sorted((*snapshot.findings.get(number, ()), late[row.model]), key=_level))
        for number, row in enumerate(snapshot.rows)
        if row.model in late
    }
    if not added:
        return snapshot
    severities = snapshot.severities.copy()
    rows = list(added)
    severities[rows] = np.minimum(severities[rows], np.uint8(Severity.S3))
    by_level = np.argsort(severities[snapshot.order], kind="stable")
    known = cast("MutableMapping[int, tuple[Finding, ...]]", snapshot.findings)
    return replace(
        snapshot,
        severities=severities,
        order=snapshot.order[by_level],
        findings=ChainMap(added, known),
    )


def _level(finding: Finding) -> int:
    return int(finding.level)


def _finding(found: list[DecisionRecord], now: float) -> Finding:
    oldest = min(found, key=lambda each: each.decision.review_by)
    decision = oldest.decision
    more = f", and {len(found) - 1} more" if len(found) > 1 else ""
    approval = ", never approved" if oldest.pending else ""
    text = (
        f"{decision.kind} by {visible(decision.author, 60)} was to be reviewed "
        f"{_ago(now - decision.review_by)} ago{approval}{more}"
    )
    return Finding(DECISION_OVERDUE, Severity.S3, text, decision.review_by)


def _ago(seconds: float) -> str:
    unit = _DAY_SECONDS if seconds >= _DAY_SECONDS else _HOUR_SECONDS
    if seconds < _HOUR_SECONDS:
        return "less than 1h"
    return format_duration(seconds // unit * unit)
