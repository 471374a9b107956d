"""Who is who and who needs whom, as far as grouping has to know it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from console.facts.model import ModelRow
    from console.facts.snapshot import Dependency
    from console.settings.schema import Settings


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The fleet around alerts: row names by label value, and what each model calls.

    ``needs`` holds direct dependencies by model, by their configured names; a dependency may be a
    model itself. ``culprits`` are dependencies already found to explain their models' trouble.
    """

    models: Mapping[str, str] = field(default_factory=dict)
    dependencies: Mapping[str, str] = field(default_factory=dict)
    needs: Mapping[str, frozenset[str]] = field(default_factory=dict)
    culprits: frozenset[str] = frozenset()

    def behind(self, model: str) -> frozenset[str]:
        """Return everything a model needs, what its dependencies need included."""
        found: set[str] = set()
        waiting = list(self.needs.get(model, ()))
        while waiting:
            name = waiting.pop()
            if name not in found and name != model:
                found.add(name)
                waiting.extend(self.needs.get(name, ()))
        return frozenset(found)

    def callers(self, dependency: str) -> frozenset[str]:
        """Return the models that need a dependency, directly or through others."""
        return frozenset(model for model in self.needs if dependency in self.behind(model))


def surroundings(
    rows: Iterable[ModelRow], dependencies: Iterable[Dependency], settings: Settings
) -> Surroundings:
    """Gather names and calls from the configuration and from what was last observed."""
    models = {row.model: row.model for row in rows} | {name: name for name in settings.models}
    for name, declared in settings.models.items():
        for value in _names_in(declared.match, "model"):
            models.setdefault(value, name)
    names = {name: name for name in settings.dependencies}
    for name, shared in settings.dependencies.items():
        for value in _names_in(shared.match, "dependency"):
            names.setdefault(value, name)
    needs: dict[str, set[str]] = {
        name: set(declared.dependencies) for name, declared in settings.models.items()
    }
    culprits: set[str] = set()
    for seen in dependencies:
        names.setdefault(seen.name, seen.name)
        for model in seen.models:
            needs.setdefault(model, set()).add(seen.name)
        if seen.culprit:
            culprits.add(seen.name)
    return Surroundings(
        models,
        names,
        {model: frozenset(needed) for model, needed in needs.items()},
        frozenset(culprits),
    )


def _names_in(match: Mapping[str, str] | None, label: str) -> tuple[str, ...]:
    """Return the values that name the thing itself, not the cluster or namespace it is in."""
    if not match:
        return ()
    if len(match) == 1:
        return tuple(match.values())
    return (match[label],) if label in match else ()
