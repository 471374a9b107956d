"""Finds series that are copies of one another but for the label of a high-availability pair.

Two Prometheus servers that scrape the same targets into one store leave every series twice, and a
sum of both is twice the traffic and twice the money. Labels that only such a pair writes are
dropped by themselves; of the others it is said.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.metrics.labels import checked_label, conditions, selector

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from console.metrics.profile import Profile

    Ask = Callable[[str], Awaitable[list[tuple[dict[str, str], float]] | None]]

CERTAIN = ("prometheus_replica", "__replica__", "thanos_replica", "receive_replica", "rule_replica")
"""Labels that nothing but a high-availability pair or its store writes."""

POSSIBLE = ("replica", "ha_replica", "prometheus")
"""Labels that such a pair may write, and a model server too, for copies that do share traffic."""

_SAME_SHARE = 0.05
_MOST_VALUES = 2000


@dataclass(frozen=True, slots=True)
class Copies:
    """Labels that only tell copies apart: those ``dropped``, and what there is to say."""

    dropped: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    infos: tuple[str, ...] = ()


async def copies_in(present: Sequence[Profile], declared: tuple[str, ...], ask: Ask) -> Copies:
    """Return the labels to drop, ``declared`` ones always; ``ask`` answers None for a refusal."""
    metrics = [
        selector(metric, conditions(profile.discovery_where))
        for profile in present
        for metric in profile.signature
    ]
    candidates = [label for label in (*CERTAIN, *POSSIBLE) if label not in declared]
    by = ", ".join(map(checked_label, candidates))
    found = await ask(" or ".join(f"count by ({by}) ({metric})" for metric in metrics))
    dropped, warnings = list(declared), []
    for label in candidates if found and len(found) <= _MOST_VALUES else ():
        if len({labels.get(label, "") for labels, _ in found or ()}) < 2:
            continue
        twins = await _total(ask, metrics, f"count without ({label}) (%s) > 1")
        if not twins:
            continue
        if label in CERTAIN:
            dropped.append(label)
            continue
        spread = f"max without ({label}) (%s) - min without ({label}) (%s)"
        bound = f"{_SAME_SHARE} * max without ({label}) (%s)"
        if await _total(ask, metrics, f"({spread}) <= ({bound})") >= twins:
            warnings.append(
                f"series are twins but for the label {label}, and sums count both: if they are "
                f'copies of a high-availability pair, give this source drop_labels = ["{label}"]'
            )
    told = f"copies that differ only in {', '.join(dropped)} count once"
    return Copies(tuple(dropped), tuple(warnings), (told,) if dropped else ())


async def _total(ask: Ask, metrics: Iterable[str], form: str) -> float:
    """Return how many groups of series a condition holds of, each metric by itself."""
    terms = (f"(count({form.replace('%s', metric)}) or vector(0))" for metric in metrics)
    found = await ask(" + ".join(terms))
    return found[0][1] if found else 0.0
