"""What could be done to one model now, and what speaks against it, before anybody asks; pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from console.actions.blast_radius import blast_of
from console.actions.fleet_view import FleetView, find_rung, find_target
from console.actions.guards import Case, class_of, guards_of
from console.actions.verbs import VERBS
from console.domain.action import ActionRefused, ActionRequest, Blast, Guard
from console.domain.control import ControlState, TargetState

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from console.actions.fleet_view import Target
    from console.controls.protocol import Control
    from console.domain.entry import ConfirmClass
    from console.domain.snapshot import Snapshot
    from console.settings.schema import Settings

LOOKED_AT = tuple(name for name in VERBS if name not in ("fallback", "threshold"))
"""The verbs that need nothing chosen; a fallback has its rung, a threshold its value."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """One possible action: its objections by what is measured and declared, nothing yet read.

    ``to`` and ``level`` name a rung of the ladder. ``guards`` hold every objection; ``undeclared``
    is the sentence where no control can do it, so that it cannot even be asked for.
    """

    verb: str
    target: str
    to: str = ""
    level: str = ""
    confirm_class: ConfirmClass = ""
    guards: tuple[Guard, ...] = ()
    blast: Blast = field(default_factory=Blast)
    undeclared: str = ""

    @property
    def reachable(self) -> bool:
        """Tell whether nothing but warnings speaks against it."""
        return not self.undeclared and all(guard.level == "warn" for guard in self.guards)

    @property
    def against(self) -> str:
        """Return the gravest objection, empty without one."""
        return self.undeclared or (self.guards[0].sentence if self.guards else "")


def outlooks(
    model: str,
    settings: Settings,
    snapshot: Snapshot | None,
    controls: Mapping[str, Control],
    now: float,
) -> tuple[Outlook, ...]:
    """Return every rung of the model's ladder first, then the other verbs.

    The state that a control would show is taken from the Snapshot: nothing is asked of anybody.
    """
    sight = _NearSight(settings, snapshot, now)
    return tuple(_each(model, sight, controls))


class _NearSight(FleetView):
    """Looks at one model only: shares of a fleet of thousands would cost more than they tell."""

    def known_sum(self, models: Iterable[str], signal: str) -> float | None:
        """Return that nobody added it up."""
        return None


def _each(model: str, sight: FleetView, controls: Mapping[str, Control]) -> Iterator[Outlook]:
    row = sight.rows.get(model)
    rungs = row.fallbacks if row is not None else ()
    for rung in rungs:
        request = ActionRequest("fallback", model, "", to=rung.name)
        yield _outlook(request, sight, controls, rung.level)
    if not rungs:
        why = f"{model} declares no fallback; write [[models.{model}.fallbacks]]"
        yield Outlook("fallback", model, undeclared=why)
    for verb in LOOKED_AT:
        yield _outlook(ActionRequest(verb, model, ""), sight, controls)
    try:
        find_target(model, VERBS["threshold"], sight, controls)
    except ActionRefused as refused:
        yield Outlook("threshold", model, guards=refused.guards, undeclared=str(refused))
    else:
        yield Outlook("threshold", model, confirm_class="C2")


def _outlook(
    request: ActionRequest, sight: FleetView, controls: Mapping[str, Control], level: str = ""
) -> Outlook:
    verb = VERBS[request.verb]
    try:
        target = find_target(request.target, verb, sight, controls)
        rung = find_rung(request.target, request.to, sight) if verb.name == "fallback" else None
    except ActionRefused as refused:
        return Outlook(
            verb.name,
            request.target,
            request.to,
            level,
            "",
            refused.guards,
            undeclared=str(refused),
        )
    blast = blast_of(target, verb, request, rung, sight)
    states = {target.control.name: _as_measured(target, sight)}
    case = Case(verb, target, request, (), states, blast, sight, "service")
    guards = guards_of(case)
    return Outlook(
        verb.name, request.target, request.to, level, class_of(case, guards), guards, blast
    )


def _as_measured(target: Target, sight: FleetView) -> ControlState:
    """Return what the model's metrics say of the control, in the place of its own word."""
    name = target.control.name
    if target.is_dependency or target.control.kind != "breaker":
        return ControlState(name, sight.now)
    seen = sight.breaker(target.name).state.name
    value = None if seen == "UNKNOWN" else seen
    return ControlState(name, sight.now, (TargetState("metrics", sight.now, value),))
