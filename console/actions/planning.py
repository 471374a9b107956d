"""Which calls a change is made of, and which lead back to a safe state or to the one seen."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from console.actions.verbs import Verb, slot_of, verb_of_action
from console.controls.protocol import ControlError
from console.facts.action import Step
from console.facts.control import same_value
from console.facts.severity import BreakerState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from console.controls.protocol import Control
    from console.facts.action import ActionRequest
    from console.facts.control import ControlState, JsonValue, PreparedChange
    from console.facts.override import Override

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
