"""From what somebody typed to what can be acted on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.actions.refusal import ActionRefused
from console.actions.verbs import SENDS
from console.facts.text import visible
from console.settings.problems import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from console.actions.sight import Sight
    from console.actions.verbs import Verb
    from console.controls.protocol import Control
    from console.facts.model import Fallback

DEPENDENCY_PREFIX = "dep:"
PRIMARY = "primary"


def send_target(sink: str, model: str) -> str:
    """Return the target of sending a decision on.

    Each place is a target of its own, with its own lease and its own unverified outcomes: a
    registry that does not answer must not keep anybody from tripping the model's breaker.
    """
    return f"{sink}:{model}"


def subject_of(target: str) -> str:
    """Return the name that people know a target by: of a model or a dependency."""
    prefix, colon, name = target.partition(":")
    return name if colon and (prefix in SENDS or f"{prefix}:" == DEPENDENCY_PREFIX) else target


@dataclass(frozen=True, slots=True)
class Target:
    """What is acted on: its name, the models it touches, and the control that does it."""

    name: str
    is_dependency: bool
    models: tuple[str, ...]
    tier: int | None
    control: Control


def find_target(
    name: str, verb: Verb, sight: Sight, controls: Mapping[str, Control], by: str = ""
) -> Target:
    """Return the target; raises `ActionRefused` where it is unknown or nothing can act on it.

    ``by`` is the control of a way back planned earlier; else the verb's role names it.
    """
    is_dependency = name.startswith(DEPENDENCY_PREFIX)
    if name not in sight.rows and name.partition(":")[0] in SENDS:
        models, declared = _model(subject_of(name), sight)
    elif is_dependency:
        models, declared = _dependency(name.removeprefix(DEPENDENCY_PREFIX), verb, sight)
    else:
        models, declared = _model(name, sight)
    role = next((each for each in verb.roles if each in declared), None)
    if role is None and not by:
        raise _refused("no_control", _no_control(name, verb, declared))
    wanted = by or declared[role or ""]
    control = controls.get(wanted)
    if control is None:
        raise _refused("no_control", f"the control {visible(wanted, 80)} is not declared")
    if control.problem:
        raise _refused("control_broken", f"{control.name} cannot be used: {control.problem}")
    if verb.action not in control.offers:
        can = ", ".join(control.offers) or "nothing"
        raise _refused(
            "no_control", f"the control {control.name} cannot {verb.action}; it can {can}"
        )
    tiers = [sight.rows[model].tier for model in models if model in sight.rows]
    return Target(name, is_dependency, models, min(tiers, default=None), control)


def find_rung(model: str, to: str, sight: Sight) -> Fallback:
    """Return the declared rung of the ladder; raises `ActionRefused` for one that is not there."""
    rungs = {rung.name: rung for rung in sight.rows[model].fallbacks}
    if to in rungs:
        return rungs[to]
    if not rungs:
        raise _refused(
            "no_rung",
            f"{model} declares no fallback; write [[models.{model}.fallbacks]], so that its region "
            "and room can be checked",
        )
    if to == PRIMARY:
        raise _refused("no_rung", f"primary is no fallback; run: midwatch restore {model}")
    close = nearest(to, rungs) or f"it has {_listed(rungs)}"
    raise _refused("no_rung", f"{model} has no fallback {visible(to, 60)}; {close}")


def _dependency(name: str, verb: Verb, sight: Sight) -> tuple[tuple[str, ...], Mapping[str, str]]:
    known = sight.settings.dependencies
    if name not in known:
        close = nearest(name, known) or f"declared are {_listed(known)}"
        raise _refused("unknown_target", f"there is no dependency {visible(name, 60)}; {close}")
    if not verb.for_dependency:
        raise _refused("no_control", f"{verb.name} is for models; {name} is a dependency")
    return sight.sharing(name), known[name].controls


def _model(name: str, sight: Sight) -> tuple[tuple[str, ...], Mapping[str, str]]:
    if name not in sight.rows:
        close = nearest(name, sight.rows)
        if not close and name in sight.settings.dependencies:
            close = f"for the dependency write dep:{name}"
        close = close or f"there are {_listed(sorted(sight.rows))}"
        raise _refused("unknown_target", f"there is no model {visible(name, 60)}; {close}")
    declared = sight.settings.models.get(name)
    return (name,), {} if declared is None else declared.controls


def _no_control(name: str, verb: Verb, declared: Mapping[str, str]) -> str:
    has = f"it has {_listed(declared)}" if declared else "it has no control at all"
    table = "dependencies" if name.startswith(DEPENDENCY_PREFIX) else "models"
    place = f"{table}.{name.removeprefix(DEPENDENCY_PREFIX)}.controls.{verb.roles[0]}"
    return f"nothing declared can {verb.name} {name}: {has}; declare {place} and its [controls]"


def _listed(names: Iterable[str]) -> str:
    found = [visible(name, 60) for name in names]
    more = f" and {len(found) - 8} more" if len(found) > 8 else ""
    return (", ".join(found[:8]) or "none") + more


def _refused(guard: str, sentence: str) -> ActionRefused:
    return ActionRefused.forbidden(guard, sentence)
