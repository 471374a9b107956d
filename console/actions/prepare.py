"""Reads and checks the world for a requested action and plans its calls and ways back."""

from __future__ import annotations

import asyncio
import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from console.actions.action_record import digest_of
from console.actions.blast_radius import blast_of
from console.actions.fleet_view import (
    DEPENDENCY_PREFIX,
    FleetView,
    Target,
    find_rung,
    find_target,
    subject_of,
)
from console.actions.guards import Case, class_of, guards_of
from console.actions.target_state import standing_of
from console.actions.verbs import (
    DEFAULT_TTL_SECONDS,
    LONGEST_TTL_SECONDS,
    SENDS,
    SHORTEST_TTL_SECONDS,
    VERBS,
    Verb,
    slot_of,
    verb_of_action,
)
from console.controls.protocol import ControlError
from console.domain.action import ActionRefused, Guard, PreparedAction, Step
from console.domain.control import same_value
from console.domain.severity import BreakerState
from console.journal.chain import new_ulid
from console.settings.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from console.actions.target_state import TargetRecord
    from console.controls.protocol import Control
    from console.domain.action import ActionRequest, Enforcer, Override
    from console.domain.control import ControlState, JsonValue, PreparedChange
    from console.domain.entry import Who
    from console.domain.model import Fallback
    from console.domain.snapshot import Snapshot
    from console.journal.store_base import Journal
    from console.settings.schema import Settings

RESET, HALF_OPEN = "reset", "half-open"


def step_of(verb: Verb, request: ActionRequest, control: Control) -> Step:
    """Return the one step of a verb, with the variables that the request gives."""
    variables: tuple[tuple[str, JsonValue], ...] = ()
    if verb.name == "fallback" or (verb.name == "rollback" and request.to):
        variables = (("to", request.to),)
    elif verb.name == "threshold":
        variables = (("value", request.value),)
    return Step(control.name, verb.action, variables)


def change_of(
    step: Step,
    control: Control,
    state: ControlState,
    *,
    op_id: str,
    by: str,
    request: ActionRequest,
    ttl_seconds: float | None,
    now: float,
) -> PreparedChange:
    """Render a step from the state seen; raises ``ControlError``."""
    variables: dict[str, JsonValue] = {
        **dict(step.variables),
        "op_id": op_id,
        "by": by,
        "reason": request.reason,
        "incident": request.incident or None,
    }
    if ttl_seconds is not None:
        whole = ttl_seconds.is_integer()
        variables["ttl_seconds"] = int(ttl_seconds) if whole else ttl_seconds
        end = datetime.fromtimestamp(now + ttl_seconds, UTC)
        variables["until"] = end.isoformat(timespec="seconds").replace("+00:00", "Z")
    return control.prepare(step.action, variables, state, targets=step.targets or None)


def undo_steps(
    changes: Sequence[PreparedChange], controls: Mapping[str, Control]
) -> tuple[tuple[Step, ...], str]:
    """Return the way back to the state seen, target by target, and why there is none if so.

    A breaker that was not closed before is never closed by going back: half-open lets it decide.
    """
    steps: list[Step] = []
    problems: list[str] = []
    for change in changes:
        for call in change.calls:
            if call.already:
                continue
            if call.inverse is None:
                problems.append(call.inverse_problem or "no way back is known")
                continue
            action, variables = call.inverse.action, call.inverse.variables
            shown = call.inverse.shown
            closed = same_value(call.seen.value, BreakerState.CLOSED.name)
            if action == RESET and not closed and HALF_OPEN in controls[change.control].offers:
                action, variables, shown = HALF_OPEN, (), ""
            steps.append(Step(change.control, action, variables, (call.target,), shown))
    return joined(steps), "; ".join(dict.fromkeys(problems))


def end_steps(
    verb: Verb,
    target: str,
    changes: Sequence[PreparedChange],
    undo: tuple[Step, ...],
    overrides: Sequence[Override],
) -> tuple[Step, ...]:
    """Return how a held state ends: safely, and where an override lay under it, as that would."""
    held = (target, slot_of(verb.name))
    under = next((each for each in overrides if (each.target, slot_of(each.verb)) == held), None)
    if under is not None and under.end:
        return under.end
    if verb.safe_end:
        steps = [
            Step(change.control, verb.safe_end, (), tuple(call.target for call in change.calls))
            for change in changes
        ]
        return tuple(steps)
    return undo


def possible_end(steps: tuple[Step, ...], controls: Mapping[str, Control]) -> bool:
    """Tell whether every step of an end is one its control can take."""
    return bool(steps) and all(
        step.control in controls and step.action in controls[step.control].offers for step in steps
    )


def joined(steps: Sequence[Step]) -> tuple[Step, ...]:
    """Return the steps with those that differ by target alone made one."""
    made: dict[tuple[str, str, str], Step] = {}
    for step in steps:
        key = (step.control, step.action, repr(step.variables))
        before = made.get(key)
        targets = (*before.targets, *step.targets) if before is not None else step.targets
        shown = before.shown if before is not None else step.shown
        made[key] = Step(step.control, step.action, step.variables, targets, shown)
    return tuple(made.values())


def verb_of_steps(steps: Sequence[Step]) -> Verb:
    """Return the verb that steps back stand for; raises ``ControlError`` where there are none.

    A control may have actions of its own that lead back, which no command is named after.
    """
    if not steps:
        raise ControlError("no way back is known for this; look at the control itself")
    action = steps[0].action
    known = verb_of_action(action)
    return known or Verb(action, f"{action.capitalize()} on", (), action, "C2", for_dependency=True)


@dataclass(frozen=True, slots=True)
class ActionEnvironment:
    """What preparing and performing work with; ``clock`` gives Unix seconds UTC."""

    settings: Settings
    controls: Mapping[str, Control]
    journal: Journal
    who: Who
    clock: Callable[[], float]


async def prepare(
    bench: ActionEnvironment,
    request: ActionRequest,
    snapshot: Snapshot | None,
    *,
    steps: Sequence[Step] = (),
    lenient: bool = False,
    at_once: int = 1,
) -> PreparedAction:
    """Return the action as it would be done now; raises `ActionRefused` and ``JournalError``.

    ``steps`` replace the verb's own step: a way back planned earlier. ``lenient`` marks such a way
    back within its short time, which is confirmed as C1. ``at_once`` is how many targets are
    acted on together: more than one is C3.
    """
    now = bench.clock()
    sight = FleetView(bench.settings, snapshot, now)
    verb = _verb(request, steps)
    by = steps[0].control if steps else ""
    target = find_target(request.target, verb, sight, bench.controls, by)
    rung = _rung(verb, request, sight)
    ttl_seconds = _ttl(verb, request, steps)
    op_id = new_ulid(now)
    standing = await asyncio.to_thread(standing_of, bench.journal, request.target, now)
    steps = tuple(steps) or (step_of(verb, request, target.control),)
    states = await _read(bench, steps, now)
    try:
        changes = tuple(
            change_of(
                step,
                bench.controls[step.control],
                states[step.control],
                op_id=op_id,
                by=bench.who.name,
                request=request,
                ttl_seconds=ttl_seconds,
                now=now,
            )
            for step in steps
        )
    except ControlError as fault:
        raise ActionRefused.forbidden("cannot_prepare", fault.sentence) from fault
    lost: tuple[Guard, ...] = ()
    if request.purpose == "renew":
        lost = _lost(changes)
        changes = tuple(_sent_again(change) for change in changes)
    blast = blast_of(target, verb, request, rung, sight)
    enforced_by = _enforcer(ttl_seconds, changes, standing)
    case = Case(
        verb,
        target,
        request,
        changes,
        states,
        blast,
        sight,
        enforced_by,
        lenient=lenient,
        at_once=at_once,
    )
    guards = (*_standing_guards(standing), *lost, *guards_of(case))
    undo, undo_problem = undo_steps(changes, bench.controls)
    end = _end(verb, target, changes, undo, standing, bench) if ttl_seconds is not None else ()
    to = f" to {request.to}" if request.to else ""
    return PreparedAction(
        op_id=op_id,
        request=request,
        title=f"{verb.title} {_shown(request.target)}{to}",
        prepared_at=now,
        seen_seq=standing.seq,
        changes=changes,
        before=", ".join(dict.fromkeys(states[step.control].text for step in steps)),
        wanted=", ".join(dict.fromkeys(change.desired[0] for change in changes)),
        confirm_class=class_of(case, guards),
        guards=guards,
        blast=blast,
        others=standing.others(now),
        ttl_seconds=ttl_seconds,
        enforced_by=enforced_by,
        end=end,
        undo=undo,
        undo_problem=undo_problem,
        command_line=command_line(request, ttl_seconds),
        digest=digest_of(request, steps),
    )


def _shown(target: str) -> str:
    """Return a target as titles name it; ``dep:`` stays, because a model may have that name too."""
    return target if target.startswith(DEPENDENCY_PREFIX) else subject_of(target)


def _verb(request: ActionRequest, steps: Sequence[Step]) -> Verb:
    if request.decision and not request.purpose:
        return SENDS[request.verb]
    if steps:
        try:
            return verb_of_steps(steps)
        except ControlError as fault:
            raise ActionRefused.forbidden("no_way_back", fault.sentence) from fault
    return VERBS[request.verb]


def _rung(verb: Verb, request: ActionRequest, sight: FleetView) -> Fallback | None:
    """Return the rung of the ladder that is meant; a way back may lead to one that is gone."""
    if verb.name != "fallback":
        return None
    if not request.purpose:
        return find_rung(request.target, request.to, sight)
    row = sight.rows.get(subject_of(request.target))
    rungs = () if row is None else row.fallbacks
    return next((rung for rung in rungs if rung.name == request.to), None)


def _ttl(verb: Verb, request: ActionRequest, steps: Sequence[Step]) -> float | None:
    """Return how long the state is held, in seconds; None where nobody has to hold it."""
    if not verb.holds or request.purpose == "end":
        return None
    if request.purpose == "undo" and verb.name == "threshold":
        return None
    wanted = DEFAULT_TTL_SECONDS if request.ttl_seconds is None else request.ttl_seconds
    if not SHORTEST_TTL_SECONDS <= wanted <= LONGEST_TTL_SECONDS:
        raise ActionRefused.forbidden(
            "ttl",
            f"an end in {format_duration(wanted)} is not possible; "
            f"it is between 1s and {format_duration(LONGEST_TTL_SECONDS)}",
        )
    return wanted


async def _read(
    bench: ActionEnvironment, steps: Sequence[Step], now: float
) -> dict[str, ControlState]:
    names = list(dict.fromkeys(step.control for step in steps))
    missing = [name for name in names if name not in bench.controls]
    if missing:
        raise ActionRefused.forbidden(
            "no_control", f"the control {missing[0]} is no longer declared; nothing can act on it"
        )
    states = await asyncio.gather(*(bench.controls[name].read(now) for name in names))
    return dict(zip(names, states, strict=True))


def _lost(changes: Sequence[PreparedChange]) -> tuple[Guard, ...]:
    """Return the objection to renewing what is no longer in force."""
    calls = [call for change in changes for call in change.calls if not call.already]
    if not calls:
        return ()
    states = ", ".join(dict.fromkeys(call.seen.text for call in calls))
    return (Guard("not_in_force", "forbid", f"it is no longer in force: now {states}"),)


def _sent_again(change: PreparedChange) -> PreparedChange:
    """Return the change with every call to be sent, as a renewal needs: the state is there."""
    from dataclasses import replace

    calls = tuple(replace(call, already=False, objection="") for call in change.calls)
    return replace(change, calls=calls)


def _enforcer(
    ttl_seconds: float | None, changes: Sequence[PreparedChange], standing: TargetRecord
) -> Enforcer:
    if ttl_seconds is None:
        return ""
    if all(change.ends_itself for change in changes):
        return "service"
    return "keeper" if standing.keeper_lives else "nobody"


def _end(
    verb: Verb,
    target: Target,
    changes: Sequence[PreparedChange],
    undo: tuple[Step, ...],
    standing: TargetRecord,
    bench: ActionEnvironment,
) -> tuple[Step, ...]:
    planned = end_steps(verb, target.name, changes, undo, standing.overrides)
    return planned if possible_end(planned, bench.controls) else undo


def _standing_guards(standing: TargetRecord) -> tuple[Guard, ...]:
    found = []
    if standing.busy:
        found.append(
            Guard("busy", "forbid", f"{standing.busy} is acting on it now; wait and look again")
        )
    elif standing.unsettled:
        entry = standing.unsettled[-1]
        found.append(
            Guard(
                "unsettled",
                "forbid",
                f"{entry.action} by {entry.who.name} was cut off and is not verified yet "
                f"(operation {entry.op_id}); midwatch resolve {entry.op_id} says what is true",
            )
        )
    if standing.locked is not None:
        entry = standing.locked
        found.append(
            Guard(
                "unverified",
                "forbid",
                f"{entry.action} by {entry.who.name} is unverified and cannot be read back; "
                f"midwatch resolve {entry.op_id} says what is true",
            )
        )
    if standing.watched is not None:
        entry = standing.watched
        found.append(
            Guard(
                "may_come",
                "warn",
                f"{entry.action} by {entry.who.name} was taken and is not seen yet; it may still "
                f"come, also after this (operation {entry.op_id})",
            )
        )
    return tuple(found)


def command_line(request: ActionRequest, ttl_seconds: float | None) -> str:
    """Return the command that does the same."""
    if request.purpose and request.ends_op:
        words = ["midwatch", request.purpose, request.ends_op]
    elif request.decision:
        words = ["midwatch", "decisions", "send", request.decision, "--send", request.verb]
        return shlex.join(words)
    else:
        words = ["midwatch", request.verb, request.target]
        if request.to:
            words += ["--to", request.to]
        if request.value is not None:
            words += [f"{request.value:g}"]
    words += ["--reason", request.reason]
    if ttl_seconds is not None:
        words += ["--ttl", format_duration(ttl_seconds)]
    return shlex.join(words)
