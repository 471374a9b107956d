"""Mappings that build their entries on first access, because most rows are never looked at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from console.domain.severity import Breaker, BreakerState, Finding, Severity
from console.metrics.units import clock

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from console.evaluation.dependencies import BreakerFacts
    from console.evaluation.evidence import Evidence
    from console.evaluation.rules.rule import Rule

    Floats = NDArray[np.float64]
    Codes = NDArray[np.uint8]
    Mask = NDArray[np.bool_]


class BreakerView(Mapping[int, Breaker]):
    """Each row's own breaker, where one is known."""

    def __init__(self, facts: BreakerFacts, since: Floats, at: Floats) -> None:
        states = facts.states
        self._states, self._since, self._at, self._shares = states, since, at, facts.shares
        self._rows: list[int] = np.flatnonzero(states != int(BreakerState.UNKNOWN)).tolist()
        self._known = frozenset(self._rows)

    def __getitem__(self, row: int) -> Breaker:
        if row not in self._known:
            raise KeyError(row)
        state = BreakerState(int(self._states[row]))
        since, at = _or_none(self._since[row]), _or_none(self._at[row])
        return Breaker(state, since, at, self._shares[row])

    def __iter__(self) -> Iterator[int]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)


def _or_none(value: np.float64) -> float | None:
    number = float(value)
    return None if number != number else number


@dataclass(frozen=True, slots=True, eq=False)
class Raised:
    """Rows x rules: what is told, at which level and since when (Unix seconds).

    ``recovering`` has one entry a row: from when on its users are no longer hurt, NaN while they
    are.
    """

    mask: Mask
    levels: Codes
    since: Floats
    recovering: Floats | None = None


class FindingsView(Mapping[int, tuple[Finding, ...]]):
    """The findings of each row that has any, worst first."""

    def __init__(
        self,
        evidence: Evidence,
        rules: tuple[Rule, ...],
        raised: Raised,
        held_texts: Mapping[tuple[str, str], str],
    ) -> None:
        self._evidence, self._rules = evidence, rules
        self._raised, self._held_texts = raised, held_texts
        self._rows: list[int] = np.flatnonzero(raised.mask.any(axis=1)).tolist()
        self._made: dict[int, tuple[Finding, ...]] = {}
        self._known = frozenset(self._rows)

    def __getitem__(self, row: int) -> tuple[Finding, ...]:
        found = self._made.get(row)
        if found is None:
            if row not in self._known:
                raise KeyError(row)
            found = self._made[row] = self._make(row)
        return found

    def __iter__(self) -> Iterator[int]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def places(self, level: Severity) -> list[tuple[int, str, Severity, float]]:
        """Return row, rule, level and since of all findings of ``level`` or worse, without texts.

        Only rules that open an incident count.
        """
        opens = np.array([rule.opens_incident for rule in self._rules], dtype=np.bool_)
        mask = self._acute(level) & opens
        rows, columns = np.nonzero(mask)
        levels = self._raised.levels[rows, columns].tolist()
        since = self._raised.since[rows, columns].tolist()
        return [
            (row, self._rules[column].id, Severity(code), began)
            for row, column, code, began in zip(
                rows.tolist(), columns.tolist(), levels, since, strict=True
            )
        ]

    def rows_beyond(self, other: FindingsView | None, level: Severity) -> list[int]:
        """Return the rows with a finding of ``level`` or worse that ``other`` may not have.

        Where the two are not about the same rows, all that have one.
        """
        mask = self._acute(level)
        if other is not None and other._evidence.statics is self._evidence.statics:
            mask = mask & ~other._acute(level)
        found: list[int] = np.flatnonzero(mask.any(axis=1)).tolist()
        return found

    def _acute(self, level: Severity) -> Mask:
        return self._raised.mask & (self._raised.levels <= int(level))

    def _recovering_since(self, row: int) -> float | None:
        since = self._raised.recovering
        return None if since is None else _or_none(since[row])

    def _make(self, row: int) -> tuple[Finding, ...]:
        model = self._evidence.statics.rows[row].model
        findings = []
        for column in np.flatnonzero(self._raised.mask[row]).tolist():
            rule = self._rules[column]
            text = self._held_texts.get((model, rule.id)) or rule.text(self._evidence, row)
            level = Severity(int(self._raised.levels[row, column]))
            since = float(self._raised.since[row, column])
            over = self._recovering_since(row) if rule.recovers else None
            if over is not None:
                text = f"over since {clock(over)}, was: {text}"
            findings.append(Finding(rule.id, level, text, since, over))
        return tuple(sorted(findings, key=lambda finding: int(finding.level)))
