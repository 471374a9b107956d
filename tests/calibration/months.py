"""Measures forecasts and spend rules over simulated months, against the goals for money."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from console.domain.model import ModelRow
from console.domain.samples import SourceStatus
from console.domain.signals import (
    DAY_COLUMNS,
    SPENT_BY_NOW_COLUMNS,
    USUAL_PAD_SECONDS,
    USUAL_SPEND_COLUMNS,
)
from console.domain.snapshot import SignalColumn
from console.evaluation.cost import DAYS, forecast, habits
from console.evaluation.evaluate import evaluate
from console.evaluation.memory import Memory
from console.evaluation.observations import Observed
from console.settings.schema import Settings
from tests.support.columns import column

Floats = NDArray[np.float64]

MONTH_DAYS = 30
FIRST = datetime(2026, 11, 1, tzinfo=UTC).timestamp()
DAY, HOUR = 86400.0, 3600.0
SETTINGS = Settings()
SPEND_RULES = ("spend_burn_page", "spend_burn")


@dataclass(frozen=True)
class Measure:
    """What was measured, its goal as a range, and whether it holds."""

    what: str
    value: float
    least: float = 0.0
    most: float = 1.0

    @property
    def holds(self) -> bool:
        return self.least <= self.value <= self.most

    def __str__(self) -> str:
        mark = "ok  " if self.holds else "MISS"
        return f"{mark} {self.what}: {self.value:.3f} (goal {self.least:g} to {self.most:g})"


@dataclass(frozen=True)
class Kind:
    """A kind of month: its noise (share of a day), and what is asked of its forecast."""

    name: str
    noise: float
    p90: tuple[float, float]
    p10_p90: tuple[float, float] | None
    false_most: float
    raised_least: tuple[float, float] = (0.80, 0.90)
    correlation: float = 0.0
    weekend: float = 1.0


KINDS = (
    Kind("iid 10%", 0.10, (0.85, 0.95), (0.75, 0.88), 0.05),
    Kind("iid 25%", 0.25, (0.85, 0.95), (0.75, 0.88), 0.05),
    Kind("weekday 10%", 0.10, (0.85, 0.95), (0.75, 0.88), 0.05, weekend=0.35),
    Kind("AR(.7) 10%", 0.10, (0.80, 0.95), None, 0.12, correlation=0.7),
    Kind("AR(.7) 25%", 0.25, (0.80, 0.95), None, 0.12, correlation=0.7),
)


MISSED = ("AR(.7) 25%: raised at 120%, day 1", "AR(.7) 25%: raised at 120%, day 10")
"""Goals that are not reached: months whose days follow one another so closely err by about 15%
in level and month together, and whoever is false in 12% at most sees no more (.52 and .67)."""


def simulated(kind: Kind, random: Generator, months: int) -> Floats:
    """Return days x months in USD, oldest first: 36 known days, then the month's thirty."""
    z = random.standard_normal((DAYS + MONTH_DAYS, months))
    for day in range(1, DAYS + MONTH_DAYS):
        z[day] = kind.correlation * z[day - 1] + np.sqrt(1 - kind.correlation**2) * z[day]
    is_weekend = (np.arange(len(z))[:, None] + random.integers(0, 7, months)) % 7 < 2
    usual = np.where(is_weekend, 100.0 * kind.weekend, 100.0)
    return np.asarray(usual * np.maximum(1.0 + kind.noise * z, 0.0))


def forecasts(kind: Kind, random: Generator, months: int) -> Iterator[Measure]:
    """Forecast the month at noon of its first, and of its tenth, and see where it ends."""
    days = simulated(kind, random, months)
    end = days[DAYS:].sum(axis=0)
    for day, raised_least in zip((1, 10), kind.raised_least, strict=True):
        today = DAYS + day - 1
        known = days[today - DAYS : today][::-1]
        spent = days[DAYS:today].sum(axis=0) + days[today] / 2
        nothing, half = end * np.nan, end * 0 + 0.5
        now = FIRST + (day - 1) * DAY + DAY / 2
        found = forecast(habits(known), spent, nothing, half, now)
        if day == 1:
            yield Measure(
                f"{kind.name}: P90 holds", float((end <= found.p90_usd).mean()), *kind.p90
            )
            if kind.p10_p90 is not None:
                inside = (end >= found.p10_usd) & (end <= found.p90_usd)
                yield Measure(f"{kind.name}: P10 to P90", float(inside.mean()), *kind.p10_p90)
        surely = found.p50_usd - found.p80_margin_usd
        false = float((surely > end / 0.95).mean())
        yield Measure(f"{kind.name}: false at 95% of budget, day {day}", false, 0, kind.false_most)
        raised = float((surely > end / 1.2).mean())
        yield Measure(f"{kind.name}: raised at 120%, day {day}", raised, raised_least)


def trends(random: Generator, months: int) -> Measure:
    """Let spend grow by 2% of a day a day under 10% noise: named, or the range is not known."""
    days = (100.0 + 2.0 * np.arange(DAYS))[:, None] * (
        1.0 + 0.1 * random.standard_normal((DAYS, months))
    )
    found = habits(days[::-1])
    return Measure(
        "trend with noise: named as trend or shift",
        float(((found.slope_usd > 0) | np.isfinite(found.shift_days)).mean()),
        0.9,
    )


# A month of models within their budgets, hour by hour through the real evaluate().

HISTORY_DAYS = 36
_SHAPES = ("flat", "office hours", "nightly batch", "weekdays", "weekly report")


def hourly(random: Generator, models: int) -> Floats:
    """Return hours x models of USD from 36 days before the month; each shape in its turn."""
    hours = np.arange((HISTORY_DAYS + MONTH_DAYS) * 24)
    weekday = (hours // 24 + 4) % 7  # 26 September 2026, the first, is a Saturday less a day
    of_day = hours % 24
    spent = np.empty((len(hours), models))
    for model in range(models):
        begins = random.integers(0, 24)
        shape = _SHAPES[model % len(_SHAPES)]
        on = {
            "flat": np.ones(len(hours)),
            "office hours": (weekday < 5) * ((of_day >= 8) & (of_day < 18)),
            "nightly batch": ((of_day - begins) % 24 < 2),
            "weekdays": np.where(weekday < 5, 1.0, 0.3)
            * (1 + 0.5 * np.sin(of_day / 24 * 2 * np.pi)),
            "weekly report": (weekday == begins % 7) & (of_day >= 3) & (of_day < 9),
        }[shape].astype(np.float64)
        noise = np.maximum(1.0 + 0.15 * random.standard_normal(len(hours)), 0.0)
        spent[:, model] = on * noise
    return spent


def columns_at(spent: Floats, hour: int, now: float) -> dict[str, SignalColumn]:
    """Return what a source says at the end of an hour: sums of windows, as PromQL gives them."""
    total = np.vstack([np.zeros((1, spent.shape[1])), np.cumsum(spent, axis=0)])

    def over(hours: float, ago: float = 0.0) -> Floats:
        def at(place: float) -> Floats:
            low = int(np.floor(place))
            part = place - low
            return np.asarray(total[low] + (spent[low] * part if part else 0.0))

        return at(hour - ago) - at(hour - ago - hours)

    today = hour % 24
    day_of_month = hour // 24 - HISTORY_DAYS
    pad = USUAL_PAD_SECONDS / HOUR
    values: dict[str, Floats] = {
        "cost_increase@5m": over(1.0) / 12.0,
        "cost_increase@1h": over(1.0),
        "cost_increase@6h": over(6.0),
        "cost_per_hour": over(1.0),
        "cost_today": over(float(today)) if today else over(0.0),
        "cost_month": over(float(day_of_month * 24 + today)),
        "requests_rate": np.ones(spent.shape[1]),
    }
    for back, name in enumerate(DAY_COLUMNS):
        if hour - today - (back + 1) * 24 >= 0:
            values[name] = over(24.0, today + back * 24.0)
    for weeks, name in enumerate(SPENT_BY_NOW_COLUMNS, 1):
        if hour - today - weeks * 168 >= 0:
            values[name] = over(float(today), weeks * 168.0)
    for window, names in USUAL_SPEND_COLUMNS.items():
        length = {"1h": 1.0, "6h": 6.0}[window]
        for weeks, name in enumerate(names, 1):
            if hour - weeks * 168 - length - pad >= 0:
                values[name] = over(length + 2 * pad, weeks * 168.0 - pad)
    return {name: column(list(each), now) for name, each in values.items()}


def in_budget_months(
    random: Generator, models: int, every_hours: int = 1, days: int = MONTH_DAYS
) -> list[str]:
    """Return each spend alarm of models that end the month at 90% of their budget."""
    spent = hourly(random, models)
    begin = HISTORY_DAYS * 24
    month = spent[begin:].sum(axis=0)
    rows = tuple(
        ModelRow(f"m{place:03d}", configured=True, budget_month_usd=float(usd / 0.9))
        for place, usd in enumerate(month)
    )
    memory, alarms = Memory(), []
    for hour in range(begin + 1, begin + days * 24, every_hours):
        for late in (0.0, 60.0):
            # A rule is called when two answers agree, and one hour may be all a batch takes.
            now = FIRST + (hour - begin) * HOUR + late
            snapshot, memory = evaluate(
                rows,
                Observed(columns_at(spent, hour, now)),
                (SourceStatus("prom", "prometheus", "up"),),
                memory,
                now,
                environment="prod",
                tick=0,
                settings=SETTINGS,
            )
        for row, findings in snapshot.findings.items():
            alarms += [
                f"{_SHAPES[row % len(_SHAPES)]}: {each.rule}: {each.text}, hour {hour - begin}"
                for each in findings
                if each.rule in SPEND_RULES
            ]
    return alarms


def table(seed: int, *, small: bool) -> Iterator[Measure]:
    """Measure every line; ``small`` draws a tenth as many months."""
    months, models = (400, 10) if small else (4000, 50)
    streams = np.random.default_rng(seed).spawn(len(KINDS) + 2)
    for kind, random in zip(KINDS, streams, strict=False):
        yield from forecasts(kind, random, months)
    yield trends(streams[-2], months)
    alarms = in_budget_months(streams[-1], models, every_hours=5 if small else 1)
    yield Measure("false spend alarms of in-budget models in a month", len(alarms), 0, 0)
