"""Small fleets for rules to look at, one evaluation after another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from console.domain.model import ModelRow
from console.domain.samples import SourceStatus
from console.domain.severity import Severity
from console.domain.snapshot import Snapshot
from console.evaluation.evaluate import evaluate
from console.evaluation.memory import Memory
from console.evaluation.observations import LabelledValue, Observed
from console.settings.schema import Settings
from tests.support.columns import Entry, column
from tests.support.snapshots import SAMPLE_NOW

CALM: Mapping[str, Entry] = {
    "requests_rate": 10.0,
    "bad_rate": 0.0,
    "error_ratio": 0.0,
    "error_ratio@5m": 0.0,
    "error_ratio@1h": 0.0,
}
"""A model that answers everything."""

Facts = Mapping[str, Sequence[tuple[tuple[str, ...], float]]]


def observe(
    rows: Sequence[ModelRow],
    by_model: Mapping[str, Mapping[str, Entry]],
    facts: Facts | None = None,
    now: float = SAMPLE_NOW,
) -> Observed:
    """Build what the sources said: model -> column -> entry, and labelled facts."""
    names = sorted({name for entries in by_model.values() for name in entries})
    columns = {
        name: column([by_model.get(row.model, {}).get(name) for row in rows], now) for name in names
    }
    labelled = {
        name: tuple(LabelledValue(labels, value, now) for labels, value in items)
        for name, items in (facts or {}).items()
    }
    return Observed(columns, labelled)


@dataclass
class Watch:
    """A fleet under watch: every `see` is one evaluation, five seconds after the last."""

    rows: tuple[ModelRow, ...]
    settings: Settings = field(default_factory=Settings)
    sources: tuple[SourceStatus, ...] = (SourceStatus("prom", "prometheus", "up"),)
    now: float = SAMPLE_NOW
    memory: Memory = field(default_factory=Memory)
    tick: int = 0

    def see(
        self,
        by_model: Mapping[str, Mapping[str, Entry]],
        facts: Facts | None = None,
        **options: Any,
    ) -> Snapshot:
        self.tick += 1
        self.now += options.pop("after_seconds", 5.0)
        snapshot, self.memory = evaluate(
            self.rows,
            observe(self.rows, by_model, facts, self.now),
            self.sources,
            self.memory,
            self.now,
            environment="test",
            tick=self.tick,
            settings=self.settings,
            **options,
        )
        return snapshot


def settled(
    row: ModelRow,
    entries: Mapping[str, Entry],
    facts: Facts | None = None,
    settings: Settings | None = None,
) -> Snapshot:
    """Return what two evaluations of one model with calm traffic and ``entries`` come to."""
    watch = Watch((row,), settings or Settings())
    watch.see({row.model: {**CALM, **entries}}, facts)
    return watch.see({row.model: {**CALM, **entries}}, facts)


def rules_of(snapshot: Snapshot, row: int = 0) -> set[str]:
    return {finding.rule for finding in snapshot.findings.get(row, ())}


def level_of(snapshot: Snapshot, rule: str, row: int = 0) -> Severity:
    return next(one.level for one in snapshot.findings[row] if one.rule == rule)


def text_of(snapshot: Snapshot, rule: str, row: int = 0) -> str:
    return next(one.text for one in snapshot.findings[row] if one.rule == rule)
