"""What is held by hand and ends with nobody looking."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.facts.severity import Severity
from console.fleet.force import held_word
from console.fleet.held import ends_unattended, is_overdue
from console.fleet.rules.rule import Rule
from console.fleet.truth import Truth, certain
from console.fleet.words import clock, name, span

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.facts.override import Override
    from console.fleet.evidence import Evidence


def _ending(evidence: Evidence) -> Truth:
    return certain(evidence.held.ending)


def _overdue(evidence: Evidence) -> Truth:
    return certain(evidence.held.overdue)


def _first(
    evidence: Evidence, row: int, holds: Callable[[Override, float], bool]
) -> Override | None:
    found = (each for each in evidence.held.of_row(row) if holds(each, evidence.now))
    return min(found, key=lambda each: each.ends_at or 0.0, default=None)


def _ending_text(evidence: Evidence, row: int) -> str:
    override = _first(evidence, row, ends_unattended)
    if override is None or override.ends_at is None:
        return "an override ended with no successor"
    return (
        f"{_what(override)} ends at {clock(override.ends_at)} with no successor, "
        f"then {name(override.ends_in)}"
    )


def _overdue_text(evidence: Evidence, row: int) -> str:
    override = _first(evidence, row, is_overdue)
    if override is None or override.ends_at is None:
        return "an override was overdue"
    late = span(evidence.now - override.ends_at)
    return f"{_what(override)} is OVERDUE since {clock(override.ends_at)} ({late}): end it"


def _what(override: Override) -> str:
    whose = name(override.by) or "nobody"
    return f"{name(override.target)} {held_word(override)} by {whose}"


RULES = (
    Rule(
        "override_overdue",
        Severity.S2,
        "an override of the model or of what it depends on is past its end and still in force",
        ("overrides",),
        _overdue,
        _overdue_text,
        spans=True,
        keeps_level=True,
        opens_incident=False,
    ),
    Rule(
        "override_ending",
        Severity.S2,
        "an override of the model or of what it depends on ends in less than 5 minutes and "
        "nothing follows it; a drill does not count",
        ("overrides",),
        _ending,
        _ending_text,
        spans=True,
        keeps_level=True,
        opens_incident=False,
    ),
)
