"""Checks a change against its guards and returns objections with reasons; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.domain.action import Guard
from console.domain.control import same_value
from console.domain.severity import BreakerState
from console.domain.text import visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from console.actions.fleet_view import FleetView, Target
    from console.actions.verbs import Verb
    from console.domain.action import ActionRequest, Blast, Enforcer, GuardLevel
    from console.domain.control import ControlState, PreparedChange
    from console.domain.entry import ConfirmClass

OLD_AFTER_REFRESHES = 3.0
FAILING_RATIO = 0.2
"""Error share (0–1) above which letting everything through again is called unwise."""

CLASS_ORDER: tuple[ConfirmClass, ...] = ("", "C0", "C1", "C2", "C3")


@dataclass(frozen=True, slots=True)
class Case:
    """Everything the guards judge by. ``lenient`` marks the way back within its short
    time, ``at_once`` how many targets are acted on together.
    """

    verb: Verb
    target: Target
    request: ActionRequest
    changes: Sequence[PreparedChange]
    states: Mapping[str, ControlState]
    blast: Blast
    sight: FleetView
    enforced_by: Enforcer
    lenient: bool = False
    at_once: int = 1

    @property
    def already(self) -> bool:
        """Tell whether nothing would be sent."""
        return all(change.already for change in self.changes)

    @property
    def tier1(self) -> bool:
        """Tell whether a model of tier 1 is touched."""
        return self.target.tier == 1

    @property
    def seen(self) -> str:
        """The state of the control before."""
        return self.states[self.target.control.name].text


def guards_of(case: Case) -> tuple[Guard, ...]:
    """Return every objection, the gravest first."""
    if case.lenient:
        found = [*_control(case)]
    else:
        found = [*_control(case), *_since_seen(case), *_region(case), *_rung(case)]
        found += [*_breaker(case), *_knowledge(case), *_review(case), *_end(case)]
    order = {"forbid": 0, "refuse": 1, "warn": 2}
    return tuple(sorted(found, key=lambda guard: order[guard.level]))


def class_of(case: Case, guards: Sequence[Guard]) -> ConfirmClass:
    """Return the confirmation class of product.md; an objection that refuses makes it C3.

    What lowers risk never waits for a second person, so a trip stays below C3 whatever it touches.
    """
    if case.lenient or case.already:
        return "C1"
    if case.at_once > 1:
        return "C3"
    found = case.verb.confirm_class
    levels = {guard.level for guard in guards}
    ids = {guard.id for guard in guards}
    if (
        case.enforced_by == "nobody"
        or len(case.target.models) > 1
        or ids & {"no_room", "review_full"}
    ):
        found = highest(found, "C2")
    risky = is_risky(case)
    if "refuse" in levels or (risky and (case.tier1 or len(case.target.models) > 1)):
        found = highest(found, "C3")
    return found


def highest(one: ConfirmClass, other: ConfirmClass) -> ConfirmClass:
    """Return the stricter of two classes."""
    return max(one, other, key=CLASS_ORDER.index)


def is_risky(case: Case) -> bool:
    """Tell whether the change lets more harm through; a lower threshold sends less to people."""
    if case.verb.name == "threshold":
        seen = case.states[case.target.control.name].value
        wanted = case.request.value
        if isinstance(seen, bool) or not isinstance(seen, int | float) or wanted is None:
            return True
        return wanted < seen
    return case.verb.risky


def _control(case: Case) -> Iterator[Guard]:
    for change in case.changes:
        for call in change.calls:
            if call.impossible:
                yield Guard("impossible", "forbid", call.objection)
            elif call.objection and case.request.ends_op:
                yield Guard("from_state", "warn", call.objection)
            elif call.objection and call.seen.error:
                yield Guard("state_unknown", "warn", call.objection)
            elif call.objection and not call.already:
                yield Guard("from_state", "refuse", call.objection)
    if (
        case.tier1
        and case.target.control.kind == "breaker"
        and same_value(case.seen, BreakerState.DISABLED.name)
    ):
        yield Guard(
            "breaker_disabled",
            "warn",
            f"the breaker of {case.target.name} is DISABLED: nothing protects a tier 1 model",
        )
    if case.verb.name == "disable" and case.tier1:
        yield Guard(
            "breaker_disabled",
            "refuse",
            f"disabling the breaker of {case.target.name} leaves a tier 1 model unprotected",
        )


def _since_seen(case: Case) -> Iterator[Guard]:
    """Yield that the control says another state than the numbers on the screen."""
    if case.target.is_dependency or not case.target.models:
        return
    model, kind = case.target.models[0], case.target.control.kind
    shown = ""
    if kind == "breaker" and case.seen in BreakerState.__members__:
        state = case.sight.breaker(model).state
        shown = "" if state is BreakerState.UNKNOWN else state.name
    elif kind in ("route", "human"):
        row = case.sight.rows[model]
        known = {"primary", "human", "refuse", *(rung.name for rung in row.fallbacks)}
        target = case.sight.route(model).target
        shown = target if {target, case.seen} <= known else ""
    if shown and shown != case.seen:
        yield Guard(
            "changed_since_seen",
            "warn",
            f"the numbers show {shown}, the control says {case.seen}: it has just changed",
        )


def _region(case: Case) -> Iterator[Guard]:
    blast = case.blast
    if case.verb.name != "fallback":
        return
    place = f"{blast.room_name} serves in {blast.region_to or 'a region that is not declared'}"
    if blast.region_allowed is False:
        row = case.sight.rows[case.target.name]
        yield Guard(
            "residency",
            "refuse",
            f"{place}; {case.target.name} may be served in {', '.join(row.allowed_regions)} only",
        )
    elif blast.region_allowed is None and blast.region_to != blast.region_from:
        yield Guard(
            "residency",
            "warn",
            f"{place}; whether the data may go there is not declared (allowed_regions)",
        )
    if blast.region_to != blast.region_from and not blast.consent:
        yield Guard(
            "consent",
            "warn",
            f"no consent basis is declared for {case.target.name}, and the region changes",
        )


def _rung(case: Case) -> Iterator[Guard]:
    blast = case.blast
    if case.verb.name != "fallback":
        return
    if blast.room_health.startswith("unhealthy"):
        yield Guard("fallback_unhealthy", "refuse", f"{blast.room_name} is {blast.room_health}")
    elif blast.room_health not in ("", "healthy"):
        yield Guard("fallback_unknown", "warn", f"of {blast.room_name}: {blast.room_health}")
    if blast.room_enough is False:
        yield Guard(
            "no_room",
            "warn",
            f"{blast.room_name} has room for {blast.room_per_minute.value:,.0f} of "
            f"{blast.moved_per_minute.value:,.0f} requests a minute; the rest will be shed",
        )
    elif blast.room_enough is None:
        why = blast.room_per_minute.unknown
        if blast.room_per_minute.value is not None:
            why = f"the traffic is not known ({blast.moved_per_minute.unknown})"
        yield Guard("room_unknown", "warn", f"whether {blast.room_name} has room: {why}")


def _breaker(case: Case) -> Iterator[Guard]:
    if case.verb.name == "trip":
        yield from _behind_a_trip(case)
    if case.verb.name in ("reset", "restore"):
        yield from _failing(case)


def _behind_a_trip(case: Case) -> Iterator[Guard]:
    from console.evaluation.row_labels import is_off_primary

    for model in case.target.models:
        row = case.sight.rows.get(model)
        if case.target.is_dependency or row is None or is_off_primary(case.sight.route(model)):
            continue
        if not row.fallbacks:
            yield Guard(
                "no_fallback",
                "warn",
                f"no fallback is declared for {model}: every request is refused until it ends",
            )
        else:
            yield Guard(
                "no_fallback",
                "warn",
                f"nothing answers for {model} behind the trip; {row.fallbacks[0].name} could: "
                f"midwatch fallback {model} --to {row.fallbacks[0].name}",
            )


def _failing(case: Case) -> Iterator[Guard]:
    """Yield what says that probes fail: an open breaker, errors, or a culprit behind it."""
    model = case.target.models[0] if case.target.models else ""
    if case.verb.name == "reset" and same_value(case.seen, BreakerState.OPEN.name):
        yield Guard(
            "probes_failing",
            "refuse",
            f"the breaker of {case.target.name} opened by itself and its probes have not passed; "
            "half-open lets them decide",
        )
    if case.verb.name == "restore" and case.sight.breaker(model).state in (
        BreakerState.OPEN,
        BreakerState.FORCED_OPEN,
    ):
        yield Guard(
            "probes_failing",
            "refuse",
            f"the breaker of {model} is {case.sight.breaker(model).state.name}: "
            "restored, it would refuse",
        )
    row = case.sight.rows.get(model)
    names = row.dependencies if row is not None else ()
    if case.target.is_dependency:
        names = (case.target.name.partition(":")[2],)
    for name in names:
        seen = case.sight.dependency(name)
        if seen is None:
            continue
        ratio = seen.error_ratio
        if ratio.known and ratio.value is not None and ratio.value >= FAILING_RATIO:
            yield Guard(
                "probes_failing",
                "refuse",
                f"{visible(name, 60)} still fails: {ratio.value:.0%} of its calls",
            )


def _knowledge(case: Case) -> Iterator[Guard]:
    if not case.verb.serves:
        return
    age = case.sight.age_seconds
    limit = OLD_AFTER_REFRESHES * case.sight.settings.refresh_seconds
    if age is None:
        yield Guard("no_numbers", "warn", "no numbers were read: the blast radius is not known")
        return
    if age > limit:
        yield Guard("data_old", "refuse", f"the numbers are {age:.0f} s old; look again first")
    for model in case.target.models:
        away = case.sight.away(model)
        if away:
            level: GuardLevel = "refuse" if is_risky(case) else "warn"
            yield Guard("data_old", level, f"{away}: what is shown of {model} is old")
            return


def _review(case: Case) -> Iterator[Guard]:
    blast = case.blast
    if case.verb.name != "human":
        return
    if blast.review_rho is None:
        yield Guard(
            "review_unknown",
            "warn",
            f"whether people can take it: {blast.review_capacity_per_minute.unknown}"
            if blast.review_capacity_per_minute.value is None
            else f"whether people can take it: traffic {blast.moved_per_minute.unknown}",
        )
    elif blast.review_rho >= 1.0:
        yield Guard(
            "review_full",
            "warn",
            f"{blast.review_arrivals_per_minute.value:,.0f} a minute arrive against "
            f"{blast.review_capacity_per_minute.value:,.1f} that people clear: the queue grows",
        )


def _end(case: Case) -> Iterator[Guard]:
    if case.enforced_by == "nobody":
        yield Guard(
            "no_end",
            "warn",
            "NO END: neither the service nor a running keeper ends this; start: midwatch keep",
        )
