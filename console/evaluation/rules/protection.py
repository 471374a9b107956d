"""Rules on breakers, routes and retries."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING

import numpy as np

from console.domain.severity import Breaker, BreakerState, Severity
from console.evaluation.dependencies import OPEN_STATES, UNJUDGED, Judged
from console.evaluation.evidence import Truth, above, certain
from console.evaluation.row_labels import served_region
from console.evaluation.rules.rule import Rule
from console.metrics.units import a_minute, name, shown

if TYPE_CHECKING:
    from console.evaluation.evidence import Evidence

RETRY_LIMIT = 1.1
RISING_FACTOR = 1.1
RISING_STEP = 0.001


def _breaker_open(evidence: Evidence) -> Truth:
    states = evidence.breakers.states
    opened = np.isin(states, [int(state) for state in OPEN_STATES])
    return certain(opened).given(states != int(BreakerState.UNKNOWN))


def _no_answer(evidence: Evidence) -> Truth:
    refused = above(evidence.lately("bad_rate"), 0.0)
    return _breaker_open(evidence) & ~certain(evidence.routes.answering) & refused


def _no_answer_text(evidence: Evidence, row: int) -> str:
    breaker = Breaker(evidence.breaker(row), share=evidence.breaker_share(row))
    live = evidence.value("bad_rate", row)
    refused = a_minute(live if live > 0 else float(evidence.lately("bad_rate")[row]))
    whom = " for them" if breaker.extent else ""
    return f"breaker {_state(breaker)}, nothing answers{whom}, {refused} bad requests a minute"


def _state(breaker: Breaker) -> str:
    return f"{breaker.state.code} ({breaker.extent or breaker.state.verb})"


def _outside_regions(evidence: Evidence) -> Truth:
    routes = evidence.routes
    idle = evidence.lately("requests_rate") == 0
    return Truth(routes.outside & ~idle, routes.judged & (~routes.outside | idle))


def _residency_text(evidence: Evidence, row: int) -> str:
    route = evidence.route(row)
    allowed = ", ".join(name(region) for region in evidence.statics.rows[row].allowed_regions)
    region = name(served_region(route, evidence.statics.rows[row]))
    return f"{name(route.target)} serves from {region}, allowed is {allowed}"


def _off_primary(evidence: Evidence) -> Truth:
    unplanned = evidence.routes.off_primary & ~evidence.held.routed
    return certain(unplanned).given(evidence.routes.known)


def _off_primary_text(evidence: Evidence, row: int) -> str:
    route = evidence.route(row)
    level = f" ({name(route.level)})" if route.level else ""
    return f"off primary: {name(route.target)}{level}"


def open_dependencies(evidence: Evidence, row: int) -> list[tuple[str, Judged]]:
    """Return the dependencies of a row whose breaker is open.

    What the row itself sees of a dependency counts before what others see of it: their breaker
    may be open while its own is closed and passing.
    """
    model = evidence.statics.rows[row]
    own = evidence.breakers.of_dependencies.get(model.model, {})
    shared = {
        dependency: evidence.dependency_breakers.get(dependency, UNJUDGED)
        for dependency in model.dependencies
    }
    found = {**shared, **own}
    opened = (pair for pair in found.items() if pair[1].state in OPEN_STATES)
    return sorted(opened, key=itemgetter(0))


def _dependency_open(evidence: Evidence) -> Truth:
    opened = evidence.breakers.dependency_open.copy()
    rows, seen = evidence.statics.rows, evidence.breakers.of_dependencies
    for dependency, judged in evidence.dependency_breakers.items():
        if judged.state in OPEN_STATES:
            for row in evidence.statics.users.get(dependency, ()):
                opened[row] |= dependency not in seen.get(rows[row].model, {})
    return certain(opened) & ~_no_answer_known(evidence)


def _no_answer_known(evidence: Evidence) -> Truth:
    """Take "nothing answers" as false unless it is proven: the dependency is open either way."""
    return certain(_no_answer(evidence).yes)


def _dependency_open_text(evidence: Evidence, row: int) -> str:
    opened = open_dependencies(evidence, row)
    if not opened:
        return "a dependency's breaker was open"
    dependency, judged = opened[0]
    state = _state(Breaker(judged.state, share=judged.share))
    more = f" and {len(opened) - 1} more" if len(opened) > 1 else ""
    return f"breaker of {name(dependency)} {state}{more}"


def worst_attempts(evidence: Evidence, row: int) -> tuple[float, str]:
    """Return attempts per request on the worst dependency, and its name if it is known.

    A model that calls two dependencies once each makes two attempts a request without any
    retry, so the sum over dependencies is judged only where nothing finer is exported.
    """
    place = int(evidence.attempts.worst_place[row])
    if place < 0:
        return evidence.value("attempts_per_request", row), ""
    return float(evidence.attempts.worst[row]), evidence.attempts.places.names[place]


def _retry_storm(evidence: Evidence) -> Truth:
    finer = evidence.attempts.worst
    attempts = np.where(np.isfinite(finer), finer, evidence.values("attempts_per_request"))
    before = evidence.values("error_ratio@30m")
    rising = above(evidence.values("error_ratio@5m"), before * RISING_FACTOR + RISING_STEP)
    return above(attempts, RETRY_LIMIT) & rising


def _retry_text(evidence: Evidence, row: int) -> str:
    attempts, dependency = worst_attempts(evidence, row)
    on = f" on {name(dependency)}" if dependency else ""
    return f"{shown(attempts, '1')} attempts a request{on}, errors rising"


RULES = (
    Rule(
        "breaker_no_answer",
        Severity.S1,
        "own breaker OPEN or FORCED_OPEN, no rung L1-L4 in force, bad requests in 5m",
        ("breaker_state", "route", "error_ratio@5m", "requests_count@5m"),
        _no_answer,
        _no_answer_text,
    ),
    Rule(
        "residency",
        Severity.S1,
        "the route's region is outside allowed_regions and it served within 5m; tier 3 is not "
        "lowered",
        ("route", "requests_count@5m"),
        _outside_regions,
        _residency_text,
        keeps_level=True,
    ),
    Rule(
        "off_primary",
        Severity.S2,
        "the route is on a rung below L0, or on a target other than the primary, and no owned, "
        "unexpired override put it there",
        ("route",),
        _off_primary,
        _off_primary_text,
    ),
    Rule(
        "dependency_breaker",
        Severity.S2,
        "the breaker of a dependency is OPEN or FORCED_OPEN while the model answers",
        ("breaker_state", "dependency_breaker", "error_ratio@5m", "requests_count@5m"),
        _dependency_open,
        _dependency_open_text,
    ),
    Rule(
        "retry_storm",
        Severity.S2,
        "attempts per request on the worst dependency > 1.1, and the error ratio of 5m is more "
        "than 1.1 times that of 30m and 0.1 points above it",
        ("attempts_per_request", "dependency_attempts", "error_ratio@5m", "error_ratio@30m"),
        _retry_storm,
        _retry_text,
    ),
)
