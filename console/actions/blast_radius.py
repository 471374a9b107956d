"""Whom and what a change touches, before it is made; pure, and unknown stays unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.actions.fleet_view import DEPENDENCY_PREFIX
from console.domain.action import Blast, Measure
from console.domain.severity import Severity

if TYPE_CHECKING:
    from console.actions.fleet_view import FleetView, Target
    from console.actions.verbs import Verb
    from console.domain.action import ActionRequest
    from console.domain.model import Fallback, ModelRow

PER_MINUTE = "req/min"
USD_PER_HOUR = "USD/h"
TIGHT_RHO = 0.85
"""Load above which a review queue is called tight: the default of the review rules."""


def blast_of(
    target: Target, verb: Verb, request: ActionRequest, rung: Fallback | None, sight: FleetView
) -> Blast:
    """Return what ``verb`` would touch; rates a minute, shares 0–1, money USD an hour."""
    moved = sight.total(target.models, "requests_rate", PER_MINUTE, 60.0)
    row = sight.rows.get(target.models[0]) if len(target.models) == 1 else None
    room, enough, health = _room(verb, rung, moved, sight)
    arrivals, capacity, rho = _review(verb, request, moved, row, sight)
    region_from, region_to, allowed = _regions(row, verb, rung, sight)
    return Blast(
        models=target.models,
        server=""
        if target.is_dependency
        else sight.rows[target.models[0]].served_by
        if target.models and target.models[0] in sight.rows
        else "",
        moved_per_minute=moved,
        fleet_share=_share(moved, list(sight.rows), sight),
        tier=target.tier,
        tier_share=_tier_share(target, sight),
        dependants=tuple(
            dict.fromkeys(name for model in target.models for name in sight.dependants(model))
        ),
        effect=_effect(verb, target, request, moved),
        bad_per_minute=sight.total(target.models, "bad_rate", PER_MINUTE, 60.0),
        room_name=rung.name if rung is not None else "",
        room_per_minute=room,
        room_enough=enough,
        room_health=health,
        review_arrivals_per_minute=arrivals,
        review_capacity_per_minute=capacity,
        review_rho=rho,
        cost_per_hour=_cost(verb, rung, target, moved, sight),
        region_from=region_from,
        region_to=region_to,
        region_allowed=allowed,
        consent=row.consent if row is not None else "",
    )


def _share(moved: Measure, models: list[str], sight: FleetView) -> Measure:
    whole = sight.known_sum(models, "requests_rate")
    if moved.value is None or not whole:
        return Measure(unit="1", unknown=moved.unknown if moved.value is None else "no traffic")
    return Measure(moved.value / (whole * 60.0), "1", moved.age_seconds, moved.n)


def _tier_share(target: Target, sight: FleetView) -> Measure:
    tier = [each.model for each in sight.rows.values() if each.tier == target.tier]
    touched = [model for model in target.models if model in tier]
    return _share(sight.total(touched, "requests_rate", PER_MINUTE, 60.0), tier, sight)


def _effect(verb: Verb, target: Target, request: ActionRequest, moved: Measure) -> str:
    rate = "an unknown number of" if moved.value is None else f"{moved.value:,.0f}"
    if not verb.serves:
        return verb.effect
    if target.is_dependency:
        name = target.name.removeprefix(DEPENDENCY_PREFIX)
        return f"calls to {name}: {verb.effect}; {rate} requests a minute rest on it"
    match verb.name:
        case "trip":
            return f"refuses {rate} requests a minute"
        case "fallback":
            return f"{request.to} answers {rate} requests a minute"
        case "human":
            return f"people answer {rate} requests a minute"
        case "threshold":
            return f"judges {rate} requests a minute by {_threshold(request)}"
        case _:
            return f"{verb.effect}; {rate} requests a minute"


def _threshold(request: ActionRequest) -> str:
    return "?" if request.value is None else f"{request.value:g}"


def _share_unknown(request: ActionRequest) -> str:
    return f"the share under {_threshold(request)} is not measured"


def _room(
    verb: Verb, rung: Fallback | None, moved: Measure, sight: FleetView
) -> tuple[Measure, bool | None, str]:
    """Return the rung's room beside what it serves already, whether it is enough, its health."""
    if verb.name != "fallback" or rung is None:
        return Measure(unit=PER_MINUTE, unknown="not asked"), None, ""
    if rung.capacity_per_second is None:
        room = Measure(unit=PER_MINUTE, unknown="capacity is not declared")
        return room, None, _health(rung.name, sight)
    own = sight.reading(rung.name, "requests_rate")
    busy = own.value if own.known and own.value is not None else 0.0
    room = Measure((rung.capacity_per_second - busy) * 60.0, PER_MINUTE)
    if moved.value is None or room.value is None:
        return room, None, _health(rung.name, sight)
    return room, room.value >= moved.value, _health(rung.name, sight)


def _health(name: str, sight: FleetView) -> str:
    """Return what is measured of a rung that is a model of its own."""
    if sight.snapshot is None or name not in sight.rows:
        return "health not measured"
    row = [each.model for each in sight.snapshot.rows].index(name)
    severity = sight.snapshot.severity(row)
    if severity is Severity.UNKNOWN:
        return "health unknown"
    if severity is Severity.UNJUDGED:
        return "health not judged: too little traffic"
    return "healthy" if severity > Severity.S2 else f"unhealthy: {severity.label}"


def _review(
    verb: Verb, request: ActionRequest, moved: Measure, row: ModelRow | None, sight: FleetView
) -> tuple[Measure, Measure, float | None]:
    """Return arrivals at the review queue once in force, its capacity, and rho = lambda/(k mu)."""
    if row is None or row.review_capacity_per_second is None:
        none = Measure(unit="1/min", unknown="no review capacity is declared")
        return none, none, None
    capacity = Measure(row.review_capacity_per_second * 60.0, "1/min")
    now = sight.measure(sight.reading(row.model, "review_rate"), "1/min", 60.0)
    if verb.name == "human":
        now = Measure(moved.value, "1/min", moved.age_seconds, moved.n, moved.unknown)
    elif verb.name == "threshold":
        now = Measure(unit="1/min", unknown=_share_unknown(request))
    elif verb.name in ("fallback", "restore"):
        now = Measure(unit="1/min", unknown="how sure the other is, is not measured")
    elif verb.name == "trip":
        now = Measure(0.0, "1/min", now.age_seconds, now.n)
    if now.value is None or not capacity.value:
        return now, capacity, None
    return now, capacity, now.value / capacity.value


def _cost(
    verb: Verb, rung: Fallback | None, target: Target, moved: Measure, sight: FleetView
) -> Measure:
    """Return the change of cost an hour; with a price a thousand requests on both sides only."""
    if verb.name == "trip":
        spent = sight.total(target.models, "cost_per_hour", USD_PER_HOUR, -1.0)
        return spent if spent.value is not None else Measure(unit=USD_PER_HOUR, unknown="no data")
    if verb.name != "fallback" or rung is None or moved.value is None:
        return Measure(unit=USD_PER_HOUR, unknown="not measured")
    there = sight.reading(rung.name, "cost_per_1k")
    here = sight.reading(target.models[0], "cost_per_1k")
    if there.value is None or here.value is None:
        return Measure(unit=USD_PER_HOUR, unknown=f"the price of {rung.name} is not measured")
    hourly = (there.value - here.value) * moved.value * 60.0 / 1000.0
    return Measure(hourly, USD_PER_HOUR, moved.age_seconds)


def _regions(
    row: ModelRow | None, verb: Verb, rung: Fallback | None, sight: FleetView
) -> tuple[str, str, bool | None]:
    """Return from and to region, and whether the model may be served there."""
    if row is None or verb.name not in ("fallback", "restore"):
        return (row.region if row is not None else ""), "", None
    from console.evaluation.row_labels import served_region

    begin = served_region(sight.route(row.model), row) or row.region
    end = row.region if verb.name == "restore" else rung.region if rung is not None else ""
    if not row.allowed_regions or not end:
        return begin, end, None
    return begin, end, end in row.allowed_regions
