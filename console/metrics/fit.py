"""Holds a profile against the series a server exports: what can be measured, and what is missing.

A `Census` says which metrics are there and which labels their series bear. What a measurement
lacks is a metric that nobody exports, or a label that the series of one do not have.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from console.domain.signals import SIGNALS
from console.metrics.expressions import (
    PROCESS_START,
    Difference,
    Either,
    HistogramMean,
    Joined,
    OrZero,
    Quantile,
    Ratio,
    ShareBelow,
    Sum,
    Worst,
    suffixed,
)
from console.metrics.labels import names_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from console.metrics.expressions import Expression
    from console.metrics.labels import Metric
    from console.metrics.profile import Profile

    Series = Mapping[str, str]

NAME = "__name__"
FIRST = ("requests_rate", "error_ratio", "latency_p95", "latency_mean", "queue_depth")
"""What a row is read by; where one is missing, it is the first thing worth exporting."""


class Census(Struct, frozen=True):
    """The labels of every metric that is there, by its name."""

    labels: Mapping[str, frozenset[str]]

    @staticmethod
    def of(series: Iterable[Series]) -> Census:
        """Count series given as their labels, the metric's name under ``__name__``."""
        found: dict[str, set[str]] = {}
        for each in series:
            found.setdefault(each.get(NAME, ""), set()).update(
                label for label, value in each.items() if value and label != NAME
            )
        return Census({metric: frozenset(labels) for metric, labels in found.items()})


class Lack(Struct, frozen=True):
    """A metric that is not there, or a ``label`` that its series lack; ``has`` are theirs."""

    metric: str
    label: str = ""
    has: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        """Say what is missing."""
        if not self.label:
            return f"{self.metric} is not exported"
        has = f"it has {', '.join(self.has)}" if self.has else "it has none"
        return f"{self.metric} is there but has no label {self.label} ({has})"

    @property
    def advice(self) -> str:
        """Say what to add."""
        return self.sentence if self.label else f"add {self.metric}"


def lacks(expression: Expression, census: Census, naming: Sequence[str] = ()) -> tuple[Lack, ...]:
    """Return what a measurement lacks; ``naming`` are labels of which series need one at least."""
    match expression:
        case Either(options=options) | Worst(options=options):
            found = [lacks(option, census, naming) for option in options]
            return () if () in found else found[0]
        case Sum(terms=terms):
            return lacks(terms[0], census, naming)
        case Ratio(of=of, to=to, if_absent="zero") | OrZero(of=of, total=to):
            needed = lacks(to, census, naming)
            return needed or _labels_only(lacks(of, census, naming))
        case Difference(of=of, less=less, if_absent="zero"):
            return lacks(of, census, naming) or _labels_only(lacks(less, census, naming))
        case Joined(of=of, through=through):
            return (*_of_metric(through, {}, census, ()), *lacks(of, census))
        case HistogramMean():
            pass
        case Quantile(histogram=histogram, where=where):
            return _of_metric(suffixed(histogram, "_bucket"), where, census, naming)
        case ShareBelow(histogram=histogram, where=where):
            return _of_metric(suffixed(histogram, "_bucket"), where, census, naming)
    parts = expression.parts()
    if parts:
        each = (lack for part in parts for lack in lacks(part, census, naming))
        return tuple(dict.fromkeys(each))
    metric = getattr(expression, "metric", None)
    if metric is None:
        return ()
    return _of_metric(metric, getattr(expression, "where", {}), census, naming)


def _labels_only(found: tuple[Lack, ...]) -> tuple[Lack, ...]:
    """Pass over metrics that are not there: a counter of errors may begin with the first one."""
    return tuple(lack for lack in found if lack.label)


def _of_metric(
    metric: Metric,
    where: Mapping[str, str | tuple[str, ...]],
    census: Census,
    naming: Sequence[str],
) -> tuple[Lack, ...]:
    there = next((name for name in names_of(metric) if name in census.labels), None)
    if there is None:
        return (Lack(names_of(metric)[0]),)
    labels = census.labels[there]
    shown = tuple(sorted(labels - {"le"}))
    wanted = [
        label
        for label, value in where.items()
        if not (isinstance(value, str) and value.startswith(("!=", "!~")))
    ]
    found = [Lack(there, label, shown) for label in wanted if label not in labels]
    if naming and there != PROCESS_START and not labels.intersection(naming):
        found.append(Lack(there, naming[0], shown))
    return tuple(found)


def naming_labels(profile: Profile, model_label: str | None = None) -> tuple[str, ...]:
    """Return the labels of which a series needs one at least, to be some model's."""
    if profile.bind is not None:
        return ()
    if profile.model is not None:
        return profile.model.labels
    label = model_label or profile.model_label
    return (label, f"exported_{label}")


def unmet(profile: Profile, census: Census) -> dict[str, tuple[Lack, ...]]:
    """Return for every signal of a profile what it lacks, nothing where it can be measured."""
    return {
        name: lacks(each.expression, census, naming_labels(profile, each.model_label))
        for name, each in profile.signals.items()
    }


def unsaid(profile: Profile) -> tuple[str, ...]:
    """Return the first signals that a profile neither measures nor gives a reason for."""
    given = {*profile.signals, *profile.not_given}
    if "latency_p95" in given or "latency_mean" in given:
        given |= {"latency_p95", "latency_mean"}
    return tuple(name for name in FIRST if name not in given and name in SIGNALS)


def near_signatures(profile: Profile, census: Census) -> tuple[str, ...]:
    """Return metrics that begin as a signature of the profile does: perhaps another release."""
    stems = {metric.replace(":", "_").partition("_")[0] for metric in profile.signature}
    near = (name for name in census.labels if name.replace(":", "_").partition("_")[0] in stems)
    return tuple(sorted(near)[:5])
