"""A decision that nobody looked at again in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.facts.severity import Severity
from console.fleet.decisions import DECISION_OVERDUE
from console.fleet.rules.rule import Rule
from console.fleet.truth import Truth

if TYPE_CHECKING:
    from console.fleet.evidence import Evidence


def _overdue(evidence: Evidence) -> Truth:
    """Judge that a review date has passed; that none has is only known while the record is read."""
    rows = evidence.mask(evidence.overdue)
    return Truth(rows, ~rows if evidence.record_read else np.zeros_like(rows))


def _text(evidence: Evidence, row: int) -> str:
    found = evidence.overdue.get(row)
    return "a decision was overdue" if found is None else found.text


RULES = (
    Rule(
        DECISION_OVERDUE,
        Severity.S3,
        "the review date of a decision about the model has passed and nobody wrote what came of it",
        ("decisions",),
        _overdue,
        _text,
        spans=True,
        keeps_level=True,
    ),
)
