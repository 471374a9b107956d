"""What is known of the fleet at the moment of an action: last seen, and declared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.facts.action import Measure
from console.facts.reading import NO_DATA, Reading, ReadingState
from console.facts.severity import UNKNOWN_BREAKER, UNKNOWN_ROUTE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from console.facts.model import ModelRow
    from console.facts.registry import Registered
    from console.facts.severity import Breaker, Route
    from console.facts.snapshot import Dependency, Snapshot
    from console.settings.schema import Settings

_WHY = {
    ReadingState.NO_DATA: "no data",
    ReadingState.NO_TRAFFIC: "no traffic",
    ReadingState.TOO_FEW: "too few samples",
    ReadingState.STALE: "stale",
    ReadingState.ERROR: "error",
}


class Sight:
    """One look at the fleet, ``now`` in Unix seconds; without a Snapshot only what is declared."""

    def __init__(self, settings: Settings, snapshot: Snapshot | None, now: float) -> None:
        from console.fleet.roster import roster

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
