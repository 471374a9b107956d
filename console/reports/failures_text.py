"""A failure report to be read: how available the model was, then every spell."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.reports.blocks import Heading, Item, Paragraph, part
from console.settings.durations import format_duration
from console.signals.units import format_value

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.reports.blocks import Block
    from console.reports.failures_document import FailuresDocument, SpellReport

_MANY_TIMES = 10.0
"""From here on a share of the budget is told as how many times, not in per cent."""


def failures_blocks(found: FailuresDocument) -> tuple[Block, ...]:
    """Return a failure report in its order of reading."""
    return tuple(_blocks(found))


def _blocks(found: FailuresDocument) -> Iterator[Block]:
    yield Heading(f"Failures of {found.model}, {found.environment}", level=1)
    version = f", version {found.version}" if found.version else ""
    yield Paragraph(
        f"Tier {found.tier}{version}. {found.since} to {found.until}, a point every "
        f"{format_duration(found.step_seconds)}. Written {found.written_at}; all times are UTC."
    )
    yield Paragraph(f"{_availability(found)}.", lead="Availability:")
    yield from part(
        "Spells",
        tuple(_spell(each) for each in found.spells),
        "no rule of S1 or S2 that could be judged held in this span.",
    )
    yield from part(
        "Not judged", tuple(Item(each) for each in found.not_judged), "everything was judged."
    )


def _availability(found: FailuresDocument) -> str:
    budget = found.budget
    own = "" if budget.declared else " (the default ~)"
    if budget.availability is None or budget.requests is None or budget.bad_requests is None:
        return f"not known: too little was measured; the objective is {budget.objective:.3%}{own}"
    said = [
        f"{budget.availability:.3%} of {budget.requests:,.0f} requests",
        f"{budget.bad_requests:,.0f} were bad",
        f"the objective is {budget.objective:.3%}{own}",
    ]
    if budget.budget_spent is not None:
        whole = budget.budget_spent < _MANY_TIMES
        spent = format_value(budget.budget_spent, "%" if whole else "x")
        said.append(f"{spent} {'of ' if whole else ''}what it allows in this span is spent")
    if budget.known_ratio < 1.0:
        said.append(f"measured for {format_value(budget.known_ratio, '%')} of the time")
    return "; ".join(said)


def _spell(each: SpellReport) -> Item:
    until = each.ended_at or "the end of the span, and still so"
    worst_at = f" at {each.worst_at}" if each.worst_at else ""
    bad = "not measured" if each.bad_requests is None else f"{each.bad_requests:,.0f}"
    below = [
        Item(f"{each.worst}{worst_at}", lead="Worst:"),
        Item(bad, lead="Bad requests:"),
        Item(each.before or "nothing known in the two hours before", lead="Changed before:"),
    ]
    below += [Item(done, lead="Done:") for done in each.done]
    if not each.done:
        below.append(Item("nothing on the record", lead="Done:"))
    lasted = format_duration(round(each.seconds))
    return Item(
        f"({each.rule}) {each.began_at} to {until}, {lasted}",
        lead=f"{each.level} {each.what}",
        below=tuple(below),
    )
