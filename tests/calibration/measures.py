"""Every line of the table: what is measured, its goal, and how it is measured."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from console.domain.severity import Severity
from console.evaluation.rules.rule_list import RULES
from tests.calibration.health import (
    failing_fleet,
    healthy,
    onsets,
    raised_share,
    unsure_fleet,
)
from tests.calibration.stories import generated, last_look, named

KNOWN = 26 * 3600.0
"""Seconds of history before a fault or a watch begins."""

_LEVELS = {rule.id: rule.level for rule in RULES}
_NO_NOISE = ("no_owner", "no_slo")
"""Rules that tell what a configuration lacks: they hold from the first look on."""


@dataclass(frozen=True)
class Measured:
    """One line: what, the value, and the limit; ``least`` tells whether the value must reach it."""

    what: str
    value: float
    goal: float
    least: bool = False
    unit: str = ""

    @property
    def holds(self) -> bool:
        return self.value >= self.goal if self.least else self.value <= self.goal

    def __str__(self) -> str:
        sign = ">=" if self.least else "<="
        mark = "ok  " if self.holds else "MISS"
        return f"{mark} {self.what}: {self.value:.3g}{self.unit} (goal {sign} {self.goal:g})"


def false_alarms(random: Generator, models: int, hours: float) -> list[Measured]:
    """Watch a healthy fleet and count what is raised, a model and day."""
    fleet = healthy(random, models, hours)
    counted = onsets(fleet.watched(KNOWN, KNOWN + hours * 3600.0 - 30.0, 60.0))
    days = models * hours / 24.0
    alarms = {rule: n for rule, n in counted.items() if rule not in _NO_NOISE}
    pages = sum(n for rule, n in alarms.items() if _LEVELS[rule] <= Severity.S2) / days
    tickets = sum(n for rule, n in alarms.items() if _LEVELS[rule] > Severity.S2) / days
    return [
        Measured("false S1+S2 in a healthy fleet, a model-day", pages, 0.02),
        Measured("false S3+S4 in a healthy fleet, a model-day", tickets, 0.1),
    ]


def unsure(random: Generator, runs: int) -> list[Measured]:
    """Raise the low-confidence share and see how often that is told in time."""
    lines = []
    for a_minute, base, factor, minutes, goal in (
        (30.0, 0.05, 3.0, 20.0, 0.90),
        (30.0, 0.03, 3.0, 20.0, 0.80),
        (5.0, 0.05, 4.0, 60.0, 0.95),
        (5.0, 0.03, 4.0, 60.0, 0.85),
    ):
        fleet = unsure_fleet(random, runs, a_minute, base, factor, minutes)
        share = raised_share(fleet, "low_confidence", KNOWN - 60.0, KNOWN + minutes * 60.0)
        what = f"a {factor:g}x low-confidence share of base {base:.0%} at {a_minute:g} rpm"
        lines.append(Measured(f"{what} raised within {minutes:g} min", share, goal, least=True))
    return lines


def dead(random: Generator, runs: int) -> list[Measured]:
    """Let a model fail wholly: on a new source, and with a day's history at 3 requests an hour."""
    young = failing_fleet(random, runs, 60.0, [(0.0, 1.0)], 0.5)
    young.short = True
    late = 0.0
    waiting = set(range(runs))
    for looked, snapshot in enumerate(young.watched(30.0, 600.0, 15.0)):
        waiting -= {row for row in waiting if snapshot.severities[row] <= Severity.S2}
        if not waiting:
            late = 30.0 + looked * 15.0
            break
    late = late or 600.0
    sparse = failing_fleet(random, runs, 0.05, [(KNOWN, 1.0)], 36.0)
    worst = 0.0
    begun = int(KNOWN / 15.0)
    left = set(range(runs))
    for looked, snapshot in enumerate(sparse.watched(KNOWN - 120.0, KNOWN + 9 * 3600.0, 60.0)):
        step = int((KNOWN - 120.0 + looked * 60.0) / 15.0)
        for row in list(left):
            if snapshot.severities[row] <= Severity.S2:
                left.discard(row)
                # The second look may follow the fifth failure by a minute.
                bad = float(sparse.bad[begun : max(begun, step - 8), row].sum())
                worst = max(worst, bad)
    worst = 99.0 if left else worst
    return [
        Measured("a model failing 100% on a new source is raised", late, 180.0, unit="s"),
        Measured("one failing 100% at 3 an hour is raised by its n-th bad request", worst, 5.0),
    ]


def recovery(random: Generator, runs: int) -> list[Measured]:
    """Let harm end, and see how long "act now" stays; let errors hover, and count its flips."""
    ends = KNOWN + 600.0
    fleet = failing_fleet(random, runs, 120.0, [(KNOWN, 0.8), (ends, 0.0)], 26.5, 0.999)
    last = np.full(runs, np.inf)
    for looked, snapshot in enumerate(fleet.watched(KNOWN - 60.0, ends + 600.0, 15.0)):
        at = KNOWN - 60.0 + looked * 15.0
        last[snapshot.severities == int(Severity.S1)] = at
    hovering = failing_fleet(random, runs, 120.0, [(0.0, 0.06)], 26.0 + 6.0)
    flips, before = 0, None
    for snapshot in hovering.watched(KNOWN, KNOWN + 6 * 3600.0 - 60.0, 30.0):
        now = snapshot.severities <= int(Severity.S2)
        flips += 0 if before is None else int((before & ~now).sum())
        before = now
    return [
        Measured('"act now" after the end of harm', float(last.max() - ends), 120.0, unit="s"),
        Measured("endings of errors that hover at a limit, a day", flips * 4.0 / runs, 2.0),
    ]


def causes(random: Generator, stories: int) -> list[Measured]:
    """Generate stories and compare what is named with who is guilty."""
    right = first = said = blamed = innocents = 0
    for _ in range(stories):
        story = generated(random)
        snapshot = last_look(story, random)
        for model, guilty in story.guilty.items():
            if snapshot.severities[snapshot.index[model]] > Severity.S3:
                continue
            got = named(snapshot, model)
            if guilty in ("", "deploy"):
                innocents += 1
                blamed += got not in ("", "deploy")
                continue
            first += 1
            said += bool(got)
            right += got == guilty
    return [
        Measured("cause right, of all that have one", right / max(1, first), 0.90, least=True),
        Measured("cause right, of those named", right / max(1, said), 0.97, least=True),
        Measured("an innocent blamed", blamed / max(1, innocents), 0.02),
    ]


def table(seed: int, *, small: bool) -> list[Measured]:
    """Measure every line; ``small`` takes a minute, the whole of it half an hour."""
    parts: list[Callable[[Generator], list[Measured]]] = [
        lambda random: false_alarms(random, *((60, 2.0) if small else (200, 24.0))),
        lambda random: unsure(random, 40 if small else 300),
        lambda random: dead(random, 10 if small else 100),
        lambda random: recovery(random, 10 if small else 100),
        lambda random: causes(random, 12 if small else 300),
    ]
    streams = np.random.default_rng(seed).spawn(len(parts))
    return [line for part, random in zip(parts, streams, strict=True) for line in part(random)]
