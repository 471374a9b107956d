"""The error budget is being spent too fast (Google SRE workbook, multi-window burn)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.domain.severity import Severity
from console.evaluation.derive import LONG_BURN_WINDOWS
from console.evaluation.evidence import at_least
from console.evaluation.rules.rule import Rule
from console.metrics.units import shown, span

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.evaluation.evidence import Evidence, Truth


def burning(limit: float, long: str, short: str) -> Callable[[Evidence], Truth]:
    """Judge that both windows burn at ``limit`` or more, with enough events in the long one."""

    def judge(evidence: Evidence) -> Truth:
        burn = evidence.derived.burn
        over_long = at_least(burn[long].values, limit)
        over_short = at_least(burn[short].values, limit)
        return (over_long & over_short).given(burn[long].enough)

    return judge


def _text(long: str, short: str) -> Callable[[Evidence, int], str]:
    def text(evidence: Evidence, row: int) -> str:
        burn = evidence.derived.burn
        first = shown(float(burn[long].values[row]), "x")
        second = shown(float(burn[short].values[row]), "x")
        default = "" if evidence.statics.declared[row] else " of the default SLO ~"
        return f"burn {first} on {long}, {second} on {short}{default}{_only(evidence, row, long)}"

    return text


def _only(evidence: Evidence, row: int, long: str) -> str:
    """Say where the next longer window is not known because the history is too short for it."""
    longer = LONG_BURN_WINDOWS[LONG_BURN_WINDOWS.index(long) + 1 :]
    if not longer:
        return ""
    history = evidence.derived.columns[f"burn_{longer[0]}"].history_seconds
    if history is None or not np.isfinite(history[row]):
        return ""
    return f", {long} only: history {span(float(history[row]))}"


def _rule(
    rule_id: str,
    level: Severity,
    limit: float,
    long: str,
    short: str,
    implied_by: tuple[str, ...] = (),
) -> Rule:
    return Rule(
        id=rule_id,
        level=level,
        when=f"burn >= {limit:g}x on {long} and {short}; >=10 bad or >=100 requests in {long}",
        needs=tuple(
            f"{column}@{window}"
            for column in ("error_ratio", "slow_ratio", "requests_count")
            for window in (long, short)
        ),
        judge=burning(limit, long, short),
        text=_text(long, short),
        spans=True,
        implied_by=implied_by,
    )


RULES = (
    _rule("burn_page_fast", Severity.S1, 14.4, "1h", "5m"),
    _rule("burn_page_slow", Severity.S1, 6.0, "6h", "30m"),
    _rule("burn_degraded", Severity.S2, 6.0, "1h", "5m", implied_by=("burn_page_fast",)),
    _rule("burn_ticket", Severity.S3, 3.0, "1d", "2h"),
    _rule("burn_ticket_slow", Severity.S3, 1.0, "3d", "6h"),
)
