"""What a person reads before saying yes, one labelled line a fact; the same in shell and dialog."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.domain.text import visible
from console.settings.durations import format_duration

if TYPE_CHECKING:
    from console.domain.action import Blast, Measure, PreparedAction

WIDTH = 8
_ENFORCED = {
    "service": "ended by the service itself",
    "keeper": "ended by the running keeper",
    "nobody": "NO END: neither the service nor a running keeper ends it",
}
_MARKS = {"forbid": "✗✗", "refuse": "✗", "warn": "!"}


def preview_lines(prepared: PreparedAction) -> tuple[tuple[str, str], ...]:
    """Return label and fact, in the order of the confirm dialog; every text harmless to show."""
    lines = [("state", f"{prepared.before} → {prepared.wanted}"), *_blast(prepared)]
    lines += [
        ("undo", _undo(prepared)),
        ("ends", _ends(prepared)),
        ("reason", prepared.request.reason),
        ("others", "; ".join(prepared.others) or "nobody acted on it in the last 10 min"),
    ]
    lines += [("proof", sentence) for sentence in prepared.unproven]
    lines += [("note", change.note) for change in prepared.changes if change.note]
    lines += [(_MARKS[guard.level], f"{guard.sentence} [{guard.id}]") for guard in prepared.guards]
    lines.append(("class", f"{prepared.confirm_class}: {_asks(prepared)}"))
    return tuple((label, visible(text, 600)) for label, text in lines if text)


def _blast(prepared: PreparedAction) -> list[tuple[str, str]]:
    """Return what is touched; sending a decision on touches nothing that serves."""
    blast = prepared.blast
    if prepared.request.decision:
        return [("effect", blast.effect)]
    lines = [
        ("server", blast.server),
        ("moves", _moves(blast)),
        ("effect", f"{blast.effect}; bad now {measured(blast.bad_per_minute)}"),
    ]
    if blast.room_name:
        lines.append(("room", _room(blast)))
    return [
        *lines,
        ("region", _region(blast)),
        ("review", _review(blast)),
        ("cost", _cost(blast.cost_per_hour)),
    ]


def request_lines(prepared: PreparedAction) -> tuple[tuple[str, str], ...]:
    """Return the exact requests, secrets redacted, their inverses, and the command that does it."""
    lines: list[tuple[str, str]] = []
    for change in prepared.changes:
        for call in change.calls:
            lines += [("call", visible(line, 4000)) for line in call.shown.splitlines() if line]
    for step in prepared.undo:
        shown = step.shown.splitlines()[0] if step.shown else f"{step.action} on {step.control}"
        lines.append(("inverse", visible(shown, 4000)))
    for step in prepared.end:
        lines.append(("at end", visible(f"{step.action} on {step.control}", 400)))
    lines.append(("shell", visible(prepared.command_line, 4000)))
    return tuple(lines)


def preview_text(prepared: PreparedAction, *, exact: bool = False) -> str:
    """Return the whole preview as lines of text."""
    lines = [*preview_lines(prepared), *(request_lines(prepared) if exact else ())]
    body = [f"  {label:<{WIDTH}}{text}" for label, text in lines]
    return "\n".join([f"{prepared.title}   (operation {prepared.op_id})", *body, ""])


def measured(measure: Measure, digits: int = 0) -> str:
    """Return a number with its unit, age and samples; unknown says why."""
    if measure.value is None:
        return f"unknown ({measure.unknown})"
    facts = []
    if measure.age_seconds is not None:
        facts.append(f"{measure.age_seconds:.0f} s ago")
    if measure.n is not None:
        facts.append(f"n={measure.n:.0f}")
    more = f" ({', '.join(facts)})" if facts else ""
    return f"{measure.value:,.{digits}f} {measure.unit}".rstrip(" 1") + more


def _moves(blast: Blast) -> str:
    shares = []
    if blast.fleet_share.value is not None:
        shares.append(f"{blast.fleet_share.value:.1%} of fleet")
    if blast.tier_share.value is not None:
        shares.append(f"{blast.tier_share.value:.0%} of tier {blast.tier}")
    whom = f" · {', '.join(blast.models)}" if len(blast.models) > 1 else ""
    needed = f" · needed by {', '.join(blast.dependants)}" if blast.dependants else ""
    share = f" · {', '.join(shares)}" if shares else " · share of fleet unknown"
    return f"{measured(blast.moved_per_minute)}{share}{whom}{needed}"


def _room(blast: Blast) -> str:
    enough = {True: "enough", False: "NOT enough", None: "enough? unknown"}[blast.room_enough]
    return f"{blast.room_name} {measured(blast.room_per_minute)}: {enough}; {blast.room_health}"


def _region(blast: Blast) -> str:
    if not blast.region_to:
        return blast.region_from and f"{blast.region_from}, unchanged"
    allowed = {True: "allowed", False: "NOT allowed", None: "allowed? not declared"}
    consent = f"; consent {blast.consent}" if blast.consent else "; no consent basis declared"
    return (
        f"{blast.region_from or 'unknown'} → {blast.region_to} "
        f"{allowed[blast.region_allowed]}{consent}"
    )


def _review(blast: Blast) -> str:
    if len(blast.models) != 1:
        return ""
    if blast.review_capacity_per_minute.value is None:
        return blast.review_capacity_per_minute.unknown
    capacity = f"of {blast.review_capacity_per_minute.value:,.1f}/min"
    if blast.review_arrivals_per_minute.value is None:
        return f"arrivals unknown ({blast.review_arrivals_per_minute.unknown}) {capacity}"
    rho = blast.review_rho or 0.0
    word = "grows" if rho >= 1.0 else "tight" if rho >= 0.85 else "fits"
    return f"{blast.review_arrivals_per_minute.value:,.1f} {capacity}: {word}"


def _cost(cost: Measure) -> str:
    if cost.value is None:
        return f"unknown ({cost.unknown})"
    sign = "-" if cost.value < 0 else "+"
    return f"{sign}${abs(cost.value):,.2f}/h"


def _undo(prepared: PreparedAction) -> str:
    if prepared.undo_problem:
        return f"none: {prepared.undo_problem}"
    steps = ", ".join(dict.fromkeys(step.action for step in prepared.undo))
    if not steps:
        return "nothing would change"
    return f"{steps}: midwatch undo {prepared.op_id}"


def _ends(prepared: PreparedAction) -> str:
    if prepared.ttl_seconds is None:
        return "nothing is held, so nothing has to end"
    steps = ", ".join(dict.fromkeys(step.action for step in prepared.end)) or "nothing planned"
    return (
        f"in {format_duration(prepared.ttl_seconds)} → {steps}; {_ENFORCED[prepared.enforced_by]}"
    )


def _asks(prepared: PreparedAction) -> str:
    match prepared.confirm_class:
        case "C2":
            return "type the name"
        case "C3":
            return "type the name, and a second person or break-glass"
        case _:
            return "one confirmation"
