"""Read-only view of the last Snapshot and the settings, and targets found by the typed name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.actions.verbs import SENDS
from console.domain.action import ActionRefused, Measure
from console.domain.severity import UNKNOWN_BREAKER, UNKNOWN_ROUTE
from console.domain.signals import NO_DATA, Reading, ReadingState
from console.domain.text import visible
from console.settings.problems import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from console.actions.verbs import Verb
    from console.controls.protocol import Control
    from console.domain.model import Fallback, ModelRow, Registered
    from console.domain.severity import Breaker, Route
    from console.domain.snapshot import Dependency, Snapshot
    from console.settings.schema import Settings

_WHY = {
    ReadingState.NO_DATA: "no data",
    ReadingState.NO_TRAFFIC: "no traffic",
    ReadingState.TOO_FEW: "too few samples",
    ReadingState.STALE: "stale",
    ReadingState.ERROR: "error",
}


class FleetView:
    """One look at the fleet, ``now`` in Unix seconds; without a Snapshot only what is declared."""

    def __init__(self, settings: Settings, snapshot: Snapshot | None, now: float) -> None:
        from console.evaluation.inventory import roster

        self.settings = settings
        self.snapshot = snapshot
        self.now = now
        rows = snapshot.rows if snapshot is not None else roster((), settings)
        self.rows: dict[str, ModelRow] = {row.model: row for row in rows}
        self._index = {row.model: number for number, row in enumerate(rows)}

    @property
    def age_seconds(self) -> float | None:
        """Return the age of the Snapshot, None without one."""
        return None if self.snapshot is None else max(0.0, self.now - self.snapshot.taken_at)

    def reading(self, model: str, signal: str) -> Reading:
        """Return a model's reading, no_data where there is none."""
        if self.snapshot is None or model not in self._index:
            return NO_DATA
        return self.snapshot.reading(signal, self._index[model])

    def breaker(self, model: str) -> Breaker:
        """Return a model's own breaker as last measured."""
        if self.snapshot is None or model not in self._index:
            return UNKNOWN_BREAKER
        return self.snapshot.breaker(self._index[model])

    def route(self, model: str) -> Route:
        """Return where a model's traffic goes as last measured."""
        if self.snapshot is None or model not in self._index:
            return UNKNOWN_ROUTE
        return self.snapshot.route(self._index[model])

    def dependency(self, name: str) -> Dependency | None:
        """Return a dependency as last measured."""
        if self.snapshot is None:
            return None
        return next((each for each in self.snapshot.dependencies if each.name == name), None)

    def registered(self, model: str) -> Registered | None:
        """Return what the registry of a model said last, None where none is declared or asked."""
        return None if self.snapshot is None else self.snapshot.registry.get(model)

    def sharing(self, dependency: str) -> tuple[str, ...]:
        """Return the models that need ``dependency``, declared or seen calling it."""
        declared = {row.model for row in self.rows.values() if dependency in row.dependencies}
        seen = self.dependency(dependency)
        return tuple(sorted(declared | set(seen.models if seen is not None else ())))

    def dependants(self, model: str) -> tuple[str, ...]:
        """Return the models that need ``model``."""
        return tuple(sorted(row.model for row in self.rows.values() if model in row.dependencies))

    def away(self, model: str) -> str:
        """Return why the source of a model cannot be trusted now, empty when it can."""
        if self.snapshot is None:
            return "no source was asked"
        row = self.rows.get(model)
        for status in self.snapshot.sources:
            if row is not None and row.source and status.name != row.source:
                continue
            if status.state in ("stale", "down"):
                return f"source {status.name} is {status.state}"
        return ""

    def measure(self, reading: Reading, unit: str, factor: float = 1.0) -> Measure:
        """Return a reading in another unit, its age and samples kept; unknown says why."""
        if not reading.known or reading.value is None:
            return Measure(unit=unit, unknown=_WHY.get(reading.state, "no data"))
        age = None if reading.at is None else max(0.0, self.now - reading.at)
        return Measure(reading.value * factor, unit, age, reading.n)

    def total(self, models: Iterable[str], signal: str, unit: str, factor: float) -> Measure:
        """Return the sum over models; one that is not known makes the sum not known."""
        found = {model: self.measure(self.reading(model, signal), unit, factor) for model in models}
        lacking = [model for model, each in found.items() if each.value is None]
        if lacking or not found:
            why = f"{lacking[0]}: {found[lacking[0]].unknown}" if lacking else "no model"
            return Measure(unit=unit, unknown=why)
        ages = [each.age_seconds for each in found.values() if each.age_seconds is not None]
        samples = [each.n for each in found.values() if each.n is not None]
        return Measure(
            sum(each.value or 0.0 for each in found.values()),
            unit,
            max(ages) if ages else None,
            sum(samples) if samples else None,
        )

    def known_sum(self, models: Iterable[str], signal: str) -> float | None:
        """Return the sum over the models that are known, None where none is."""
        values = [
            reading.value
            for model in models
            if (reading := self.reading(model, signal)).known and reading.value is not None
        ]
        return sum(values) if values else None


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
    name: str, verb: Verb, sight: FleetView, controls: Mapping[str, Control], by: str = ""
) -> Target:
    """Return the target; raises `ActionRefused` where it is unknown or nothing can act on it.

    ``by`` is the control of a way back planned earlier; else the verb's role names it.
    """
    is_dependency = name.startswith(DEPENDENCY_PREFIX)
    if name not in sight.rows and name.partition(":")[0] in SENDS:
        models, declared = _model(subject_of(name), sight)
    elif by and not is_dependency and name not in sight.rows:
        # A way back planned earlier, of a row that has another name by now: its control decides.
        models, declared = (), {}
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
    if not is_dependency and name in sight.rows:
        _check_server(control, sight.rows[name])
    tiers = [sight.rows[model].tier for model in models if model in sight.rows]
    return Target(name, is_dependency, models, min(tiers, default=None), control)


def find_rung(model: str, to: str, sight: FleetView) -> Fallback:
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


def _dependency(
    name: str, verb: Verb, sight: FleetView
) -> tuple[tuple[str, ...], Mapping[str, str]]:
    known = sight.settings.dependencies
    if name not in known:
        close = nearest(name, known) or f"declared are {_listed(known)}"
        raise _refused("unknown_target", f"there is no dependency {visible(name, 60)}; {close}")
    if not verb.for_dependency:
        raise _refused("no_control", f"{verb.name} is for models; {name} is a dependency")
    return sight.sharing(name), known[name].controls


def _model(name: str, sight: FleetView) -> tuple[tuple[str, ...], Mapping[str, str]]:
    if name not in sight.rows:
        from console.evaluation.row_identity import rows_named

        rows = list(sight.rows.values())
        alike = [rows[at].model for at in rows_named(rows, name)]
        if alike:
            raise _refused(
                "ambiguous_target",
                f"{visible(name, 60)} is the name of {_listed(alike)}; write the one that is meant",
            )
        close = nearest(name, sight.rows)
        if not close and name in sight.settings.dependencies:
            close = f"for the dependency write dep:{name}"
        close = close or f"there are {_listed(sorted(sight.rows))}"
        raise _refused("unknown_target", f"there is no model {visible(name, 60)}; {close}")
    if claimed := sight.rows[name].claimed:
        fitting = [row.model for row in sight.rows.values() if row.claimed == claimed]
        raise _refused(
            "ambiguous_declaration",
            f"models.{visible(claimed, 60)} fits {_listed(fitting)}, so its controls belong to "
            "none of them; declare each with profile, source or match",
        )
    declared = sight.settings.models.get(name)
    return (name,), {} if declared is None else declared.controls


def _check_server(control: Control, row: ModelRow) -> None:
    """Refuse a control that acts on another kind of server than serves the row."""
    if control.serves and row.profile and row.profile not in control.serves:
        raise _refused(
            "other_server",
            f"the control {visible(control.name, 60)} acts on {' or '.join(control.serves)}, and "
            f"{visible(row.model, 60)} is served by {visible(row.served_by, 120)}",
        )


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
