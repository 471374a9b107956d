"""What an incident did to users and money, as numbers with their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.reports.postmortem_document import ImpactReport
from console.signals.units import format_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.facts.action import Measure
    from console.facts.incident_view import IncidentImpact

_MANY_TIMES = 10.0
"""From here on a share of the budget is told as how many times, not in per cent."""

_COUNTS = (
    ("refused", "requests refused"),
    ("failed", "requests failed"),
    ("lower_level", "requests served by L2 or L3"),
    ("reviews_added", "reviews added"),
    ("reviews_late", "reviews late"),
)


def impact_reports(impact: IncidentImpact) -> Iterator[ImpactReport]:
    """Return every number of an impact; what nobody measures keeps its reason."""
    for kept, name in _COUNTS:
        measure: Measure = getattr(impact, kept)
        text = "" if measure.value is None else f"{measure.value:,.0f}"
        yield _report(name, measure, text)
    excess = impact.excess_usd
    yield _report("spend above normal", excess, format_value(excess.value, "USD"))
    budget = impact.budget_spent
    many = budget.value is not None and budget.value >= _MANY_TIMES
    yield _report("error budget spent", budget, format_value(budget.value, "x" if many else "%"))


def _report(name: str, measure: Measure, text: str) -> ImpactReport:
    known = measure.value is not None
    return ImpactReport(
        name=name,
        value=measure.value,
        unit=measure.unit,
        unknown=None if known else measure.unknown,
        text=text if known else f"not known: {measure.unknown}",
    )
