"""What is held by hand, in words: for the FORCE line, lists, reports and rules.

Made without NumPy, so that a screen can ask at any time; ``now`` is in Unix seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from console.domain.action import WARN_SECONDS
from console.domain.severity import BreakerState, Route
from console.evaluation.dependencies import OPEN_STATES
from console.metrics.units import clock, name, span

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from console.domain.action import Override
    from console.domain.snapshot import Snapshot
    from console.evaluation.dependencies import BreakerFacts, Judged
    from console.evaluation.observations import Statics
    from console.evaluation.row_labels import RouteFacts

    Mask = NDArray[np.bool_]

_CODES = {"trip": "F-OP", "disable": "DIS", "watch": "MET", "human": "human review"}
_REASON_LIMIT = 80
_SECONDS_SHOWN = 600.0


def held_word(override: Override) -> str:
    """Return what is held in a word or two: "F-OP", "fb fraud-small", "τ .80"."""
    if override.verb == "fallback":
        return f"fb {name(override.to or override.wanted)}"
    if override.verb == "threshold" and override.value is not None:
        return f"τ {override.value:.2f}".replace("0.", ".", 1)
    return _CODES.get(override.verb, name(f"{override.verb} {override.wanted}".strip()))


def countdown(seconds: float) -> str:
    """Write a time left: 4:32 in the last ten minutes, else 12m, 3h."""
    if 0 <= seconds < _SECONDS_SHOWN:
        return f"{int(seconds // 60)}:{int(seconds % 60):02d}"
    return span(seconds)


def ends_word(override: Override, now: float) -> str:
    """Return when it ends in a word or two: "12m", "4:32", "OVERDUE 3m", "NO END due 12m"."""
    left = override.left_seconds(now)
    match override.state(now):
        case "overdue":
            return f"OVERDUE {span(-(left or 0.0))}"
        case "no end":
            return "NO END" if left is None else f"NO END due {countdown(left)}"
        case _:
            return countdown(left or 0.0)


def enforcer_word(override: Override) -> str:
    """Return who ends it now: "service", "keeper", or "NO END" where nobody does."""
    enforcer = override.enforcer()
    return enforcer if enforcer in ("service", "keeper") else "NO END"


def sentence_of(override: Override, now: float) -> str:
    """Return one override as a clause.

    'toxicity F-OP by li "provider bug" 02:39, ends in 12m → half-open'.
    """
    words = [name(override.target), held_word(override)]
    if not override.certain:
        words.append("UNVERIFIED")
    if override.lost:
        words.append(f"LOST, now {name(override.lost)},")
    if override.drill:
        words.append("(drill)")
    words.append(f"by {name(override.by)}" if override.by else "by nobody")
    if override.reason:
        words.append(f'"{_reason(override.reason)}"')
    words.append(clock(override.began_at))
    state = override.state(now)
    ends = ends_word(override, now)
    if state not in ("overdue", "no end"):
        ends = f"ends in {ends}"
    return f"{' '.join(words)}, {ends} → {name(override.ends_in)}"


def _reason(text: str) -> str:
    from console.domain.text import visible

    return visible(text, _REASON_LIMIT)


def by_urgency(overrides: Iterable[Override], now: float) -> list[Override]:
    """Return overrides with the overdue first, then those without an end, then the next to end."""

    def urgency(override: Override) -> tuple[int, float, float]:
        left = override.left_seconds(now)
        place = {"overdue": 0, "no end": 1}.get(override.state(now), 2)
        return place, float("inf") if left is None else left, override.began_at

    return sorted(overrides, key=urgency)


def overrides_of(snapshot: Snapshot, row: int) -> tuple[Override, ...]:
    """Return a row's own overrides, then those on what it depends on."""
    if not snapshot.overrides:
        return ()
    model = snapshot.rows[row]
    own = [each for each in snapshot.overrides if each.target == model.model]
    used = {f"dep:{one}" for one in model.dependencies}
    used |= {f"dep:{one.name}" for one in snapshot.dependencies if model.model in one.models}
    return (*own, *(each for each in snapshot.overrides if each.target in used))


def force(snapshot: Snapshot, row: int | None, now: float) -> str:
    """Return the FORCE line: what is in force on the row, else the most urgent of the fleet.

    Others are counted behind it. Empty when nothing is held and the record is readable.
    """
    own = () if row is None else overrides_of(snapshot, row)
    first = by_urgency(own, now) + by_urgency(
        (each for each in snapshot.overrides if each not in own), now
    )
    doubt = "" if snapshot.record.trusted else snapshot.record.summary(now)[0]
    if not first:
        return doubt
    shown = first[: max(1, len(own))][:2]
    more = len(first) - len(shown)
    text = " · ".join(sentence_of(each, now) for each in shown)
    text += f" (and {more} more: O)" if more else ""
    return f"{text}  {doubt}" if doubt else text


def count(snapshot: Snapshot, now: float) -> tuple[str, bool]:
    """Return the counts line's part, "in force 2 next 12m", and whether it is to be loud.

    Empty when nothing is held; loud when something is overdue, ends soon, or is not known.
    """
    known = snapshot.record.trusted
    if not snapshot.overrides:
        return ("", False) if known else ("in force ?", True)
    states = [each.state(now) for each in snapshot.overrides]
    text = f"in force {len(states)}{'' if known else '?'}"
    overdue = states.count("overdue")
    lefts = [each.left_seconds(now) for each in snapshot.overrides]
    coming = [left for left in lefts if left is not None and left >= 0]
    if overdue:
        text += f" {overdue} OVERDUE"
    if coming:
        text += f" next {countdown(min(coming))}"
    unended = states.count("no end")
    if unended:
        text += f" {unended} NO END"
    return text, bool(overdue or unended) or "ends soon" in states or not known


DEPENDENCY_PREFIX = "dep:"
HUMAN_LEVEL = "L4"

_HELD_BREAKERS = {
    "trip": OPEN_STATES,
    "disable": (BreakerState.DISABLED,),
    "watch": (BreakerState.METRICS_ONLY,),
}


@dataclass(frozen=True, slots=True, eq=False)
class HeldFacts:
    """What is held by hand, by row, oldest first; ``shared`` are those of a row's dependencies.

    ``planned`` rows have trouble that an owned, unexpired override explains and are off primary
    for no other reason; ``routed`` is that of the route alone. ``ending`` and ``overdue`` rows
    have an override that ends within 5 minutes, or should have ended.
    """

    planned: Mask
    routed: Mask
    ending: Mask
    overdue: Mask
    own: Mapping[int, tuple[Override, ...]] = field(default_factory=dict)
    shared: Mapping[int, tuple[Override, ...]] = field(default_factory=dict)

    def of_row(self, row: int) -> tuple[Override, ...]:
        """Return the row's own overrides, then those of its dependencies."""
        return (*self.own.get(row, ()), *self.shared.get(row, ()))


def dependency_of(override: Override) -> str:
    """Return the dependency an override holds, empty where it holds a model."""
    name = override.target.removeprefix(DEPENDENCY_PREFIX)
    return name if name != override.target else ""


def counts_as_planned(override: Override, now: float) -> bool:
    """Tell whether an override is owned, in force and not past its end (Unix seconds)."""
    return (
        bool(override.by)
        and not override.lost
        and override.ends_at is not None
        and override.ends_at > now
    )


def ends_unattended(override: Override, now: float) -> bool:
    """Tell whether an override ends within 5 minutes; a drill is meant to end and does not count.

    A successor takes the place of an override in the journal, so one that is still there has none.
    """
    left = override.left_seconds(now)
    return left is not None and 0 <= left < WARN_SECONDS and not override.drill


def is_overdue(override: Override, now: float) -> bool:
    """Tell whether an override should have ended and nobody ended it."""
    left = override.left_seconds(now)
    return left is not None and left < 0


def explains_route(override: Override, route: Route) -> bool:
    """Tell whether an override is why traffic goes where it goes."""
    if override.verb == "fallback":
        return override.to in ("", route.target)
    return override.verb == "human" and (route.level == HUMAN_LEVEL or route.target == "human")


def explains_breaker(override: Override, state: BreakerState) -> bool:
    """Tell whether an override is why a breaker is in its state."""
    return state in _HELD_BREAKERS.get(override.verb, ())


def held_facts(
    overrides: Sequence[Override],
    statics: Statics,
    breakers: BreakerFacts,
    dependency_breakers: Mapping[str, Judged],
    routes: RouteFacts,
    now: float,
) -> HeldFacts:
    """Fold overrides to rows and compare them with what is seen."""
    planned, routed, ending, overdue = (np.zeros(len(statics), dtype=np.bool_) for _ in range(4))
    own: dict[int, tuple[Override, ...]] = {}
    shared: dict[int, tuple[Override, ...]] = {}
    for override in overrides:
        dependency = dependency_of(override)
        rows = _rows(override, dependency, statics, breakers)
        where = shared if dependency else own
        for row in rows:
            where[row] = (*where.get(row, ()), override)
            ending[row] |= ends_unattended(override, now)
            overdue[row] |= is_overdue(override, now)
            if not counts_as_planned(override, now):
                continue
            if dependency:
                model = statics.rows[row].model
                seen = breakers.of_dependencies.get(model, {}).get(dependency)
                judged = seen or dependency_breakers.get(dependency)
                planned[row] |= judged is not None and explains_breaker(override, judged.state)
                continue
            route = routes.by_row.get(row)
            routed[row] |= route is not None and explains_route(override, route)
            planned[row] |= explains_breaker(override, BreakerState(int(breakers.states[row])))
    routed &= routes.off_primary
    planned = (planned | routed) & (routed | ~routes.off_primary)
    return HeldFacts(planned, routed, ending, overdue, own, shared)


def _rows(
    override: Override, dependency: str, statics: Statics, breakers: BreakerFacts
) -> tuple[int, ...]:
    if not dependency:
        row = statics.index.get(override.target)
        return () if row is None else (row,)
    declared = statics.users.get(dependency, ())
    calling = (statics.index.get(model) for model in breakers.callers.get(dependency, ()))
    return tuple(sorted({*declared, *(row for row in calling if row is not None)}))
