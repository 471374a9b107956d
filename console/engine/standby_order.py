"""Who stands in for whom, and when a source that came back is trusted again."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from console.domain.samples import SourceStatus
    from console.settings.endpoint_tables import SourceSettings

AWAY = ("stale", "down")

HELD_SECONDS = 15.0
"""A source that came back takes its rows again after so long without a miss."""

MOST_HELD_SECONDS = 300.0
CALM_SECONDS = 600.0
"""A source that stayed so long is no longer one that flaps."""


def standbys(sources: Sequence[SourceSettings]) -> Mapping[str, str]:
    """Return which source stands in for which: what is declared, and along those with ``ha``.

    Sources with ``ha = true`` are copies of one another: the first is asked, the next stands by.
    """
    names = {source.name for source in sources}
    copies = [source.name for source in sources if source.ha]
    order = dict(pairwise(copies))
    for source in sources:
        if source.fallback in names:
            order[source.name] = str(source.fallback)
    return order


def stand_in(first: str, order: Mapping[str, str], away: Collection[str]) -> str | None:
    """Return the first along the order of standbys that is not away; None where all are."""
    seen = [first]
    while seen[-1] in away and seen[-1] in order and order[seen[-1]] not in seen:
        seen.append(order[seen[-1]])
    return None if seen[-1] in away else seen[-1]


class Returns:
    """Which sources are away for their rows' sake; times are Unix seconds.

    A source that has a standby gets its rows back only after it has been up for a while, and the
    longer the more often it came and went; without a standby it has them at once.
    """

    def __init__(self) -> None:
        self._away: frozenset[str] = frozenset()
        self._back_at: dict[str, float] = {}
        self._returned_at: dict[str, float] = {}
        self._hold_seconds: dict[str, float] = {}
        self._speakers: dict[str, str] = {}

    def speakers(
        self, statuses: Sequence[SourceStatus], order: Mapping[str, str], now: float
    ) -> Mapping[str, str]:
        """Return who speaks for the rows of which source, only where that is another one.

        Where all along the order are away, whoever spoke last has the newest values.
        """
        away = self.away(statuses, order, now)
        found: dict[str, str] = {}
        for name in order:
            speaker = stand_in(name, order, away) or self._speakers.get(name, name)
            if speaker != name:
                found[name] = speaker
        self._speakers = found
        return found

    def away(
        self, statuses: Sequence[SourceStatus], order: Mapping[str, str], now: float
    ) -> frozenset[str]:
        """Return the sources whose rows another one should take, as of ``now``."""
        found: set[str] = set()
        for status in statuses:
            name = status.name
            if status.state in AWAY:
                if name not in self._away:
                    self._left(name, now)
                self._back_at.pop(name, None)
                found.add(name)
            elif name in self._away:
                up_seconds = now - self._back_at.setdefault(name, now)
                if name in order and up_seconds < self._hold_seconds[name]:
                    found.add(name)
                else:
                    self._returned_at[name] = now
        self._away = frozenset(found)
        return self._away

    def _left(self, name: str, now: float) -> None:
        """Note that a source went away, and how long it has to be up before it counts again."""
        returned_at = self._returned_at.get(name)
        if returned_at is None or now - returned_at >= CALM_SECONDS:
            self._hold_seconds[name] = HELD_SECONDS
        else:
            self._hold_seconds[name] = min(MOST_HELD_SECONDS, 2 * self._hold_seconds[name])
