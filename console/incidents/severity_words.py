"""Which labels of an alert say what, and what the words of its severity mean."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from console.domain.severity import Severity

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from console.domain.alert import Alert

SEVERITIES = {
    word: level
    for level, words in {
        Severity.S1: "critical crit page disaster emergency emerg fatal blocker p0 p1 sev0 sev1",
        Severity.S2: "warning warn error err high major p2 sev2",
        Severity.S3: "average medium moderate minor p3 sev3",
        Severity.S4: "info informational information notice low debug none ok p4 p5 sev4 sev5",
    }.items()
    for word in words.split()
}
"""Words of the severity label, in lower case and without ``-``, ``_`` and spaces.

A word that is not among them ranks as S2 and is named; an alert without any is unknown.
"""

UNKNOWN_WORD = Severity.S2
_MOST_WORDS_NAMED = 3


@dataclass(frozen=True, slots=True)
class LabelNames:
    """Which labels say what; a mapping of the configuration replaces a default."""

    model: tuple[str, ...] = ("model",)
    dependency: tuple[str, ...] = ("dependency",)
    service: tuple[str, ...] = ("service",)
    severity: tuple[str, ...] = ("severity",)
    words: Mapping[str, Severity] = field(default_factory=lambda: SEVERITIES)

    @classmethod
    def of(
        cls,
        declared: Mapping[str, str | tuple[str, ...]],
        words: Mapping[str, str] = MappingProxyType({}),
    ) -> LabelNames:
        """Return the defaults with what was ``declared`` over them, ``words`` as severities."""
        names = {
            key: (value,) if isinstance(value, str) else value
            for key, value in declared.items()
            if value
        }
        plain = cls()
        return cls(
            names.get("model", plain.model),
            names.get("dependency", plain.dependency),
            names.get("service", plain.service),
            names.get("severity", plain.severity),
            {**SEVERITIES, **{plain_word(word): Severity[level] for word, level in words.items()}},
        )

    def value(self, names: tuple[str, ...], labels: Mapping[str, str]) -> str:
        """Return what the first of these labels says that an alert has; empty without one."""
        return next((labels[name] for name in names if labels.get(name)), "")

    def severity_of(self, said: str) -> Severity:
        """Return how bad a word says an alert is; without a word that is unknown."""
        if not said.strip():
            return Severity.UNKNOWN
        return self.words.get(plain_word(said), UNKNOWN_WORD)

    def unknown_words(self, alerts: Iterable[Alert]) -> tuple[str, ...]:
        """Name the severity words that no map knows, in one sentence, or say nothing."""
        words = {alert.severity_text for alert in alerts if alert.severity_text.strip()}
        found = sorted(word for word in words if plain_word(word) not in self.words)
        if not found:
            return ()
        told = ", ".join(found[:_MOST_WORDS_NAMED])
        more = len(found) - _MOST_WORDS_NAMED
        told += f" and {more} more" if more > 0 else ""
        return (f"severity {told} is not known and ranks as S2; severity = {{…}} maps it",)


def plain_word(said: str) -> str:
    """Return a severity word as the map has it: ``Sev-1`` is ``sev1``."""
    return "".join(character for character in said.lower() if character not in " -_")
