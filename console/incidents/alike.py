"""Whether an earlier incident is like one, and why; pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, get_args

from console.facts.earlier import Likeness

if TYPE_CHECKING:
    from console.facts.alert import Incident

_STRENGTH: tuple[Likeness, ...] = get_args(Likeness)


@dataclass(frozen=True, slots=True)
class About:
    """What an incident of the past was about, by raw names, as far as anybody wrote it down.

    ``rules`` are the names of the alerts that fired.
    """

    id: str
    dependency: str = ""
    models: frozenset[str] = field(default_factory=frozenset)
    rules: frozenset[str] = field(default_factory=frozenset)


@dataclass(frozen=True, slots=True)
class Alike:
    """Why one is like another; ``shared`` and ``rule`` are raw names, ``rule`` may be empty."""

    why: Likeness
    shared: str
    rule: str = ""

    @property
    def strength(self) -> int:
        """Return its place among the reasons, 0 the strongest."""
        return _STRENGTH.index(self.why)


def alike(incident: Incident, past: About) -> Alike | None:
    """Return why ``past`` is like ``incident``, by the strongest reason; None: it is not.

    A dependency that both share outranks the same model under the same rule, and that the model
    alone. An id is a digest of what an incident is about, so the same id is the same subject even
    where nobody wrote down more.
    """
    same = past.id == incident.id
    rules = {alert.name for alert in incident.alerts} & past.rules
    rule = min(rules, default="")
    if incident.dependency and (same or past.dependency == incident.dependency):
        return Alike("dependency", incident.dependency, rule)
    model = incident.model if same else _shared_model(incident, past)
    if model:
        return Alike("model and rule" if rule else "model", model, rule)
    return Alike("alert", incident.title, rule) if same else None


def _shared_model(incident: Incident, past: About) -> str:
    """Return a model both are about; of a dependency's callers only those that alerts name."""
    if incident.model in past.models:
        return incident.model
    named = {alert.model for alert in incident.alerts if alert.model}
    return min((named or set(incident.models)) & past.models, default="")
