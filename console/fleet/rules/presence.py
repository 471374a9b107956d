"""Is there any data, and does the model belong to somebody."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.facts.severity import Severity
from console.fleet.rules.rule import Rule
from console.fleet.truth import certain
from console.fleet.words import name, span

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from console.fleet.evidence import Evidence
    from console.fleet.truth import Truth

    Mask = NDArray[np.bool_]

ABSENT_SECONDS = 300.0


def _absent(evidence: Evidence) -> Truth:
    tier_one = evidence.statics.tier == 1
    long_enough = evidence.now - evidence.absent_since > ABSENT_SECONDS
    return certain(tier_one & ~evidence.has_data & long_enough)


def absent_too_briefly(evidence: Evidence) -> Mask:
    """Return the tier 1 rows without data, but not for as long (that is known of) as pages."""
    long_enough = evidence.now - evidence.absent_since > ABSENT_SECONDS
    mask: Mask = (evidence.statics.tier == 1) & ~evidence.has_data & ~long_enough
    return mask


def why_absent(evidence: Evidence, row: int) -> str:
    """Return why nothing is known of a row, in words."""
    model = evidence.statics.rows[row]
    if not model.source:
        return "no source has it"
    source = name(model.source)
    state = evidence.source_states.get(model.source, "up")
    if state in ("down", "stale"):
        return f"no data: {source} is {'down' if state == 'down' else 'not answering'}"
    if state == "starting":
        return f"no data yet: {source} is starting"
    if evidence.has_data[row]:
        return f"its traffic or errors have no current answer from {source}"
    if evidence.doubtful[row]:
        return f"no current answer from {source}"
    return f"no data from {source}"


def _absent_text(evidence: Evidence, row: int) -> str:
    since = evidence.now - float(evidence.absent_since[row])
    return f"{why_absent(evidence, row)}, for {span(since)}"


def _unknown(evidence: Evidence) -> Truth:
    return certain(~evidence.has_data | evidence.doubtful)


def _unowned(evidence: Evidence) -> Truth:
    return certain(evidence.statics.configured & ~evidence.statics.owned)


def _unowned_text(evidence: Evidence, row: int) -> str:
    return f"no owner is declared for {name(evidence.statics.rows[row].model)}"


RULES = (
    Rule(
        "no_data_tier1",
        Severity.S1,
        "a tier 1 model has had no data for more than 5 minutes",
        ("requests_rate", "error_ratio"),
        _absent,
        _absent_text,
    ),
    Rule(
        "no_data",
        Severity.UNKNOWN,
        "no current answer to any signal of the tick, or to traffic and errors: the row is unknown",
        ("requests_rate", "error_ratio", "error_ratio@5m", "error_ratio@1h"),
        _unknown,
        why_absent,
        immediate=True,
        implied_by=("no_data_tier1",),
    ),
    Rule(
        "no_owner",
        Severity.S3,
        "the model is in the configuration and has no owner",
        (),
        _unowned,
        _unowned_text,
        spans=True,
    ),
)
