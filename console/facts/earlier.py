"""Incidents that came before one and are like it, as the record tells of them."""

from __future__ import annotations

import re
from typing import Literal

from msgspec import Struct

from console.facts.severity import Severity

Likeness = Literal["dependency", "model and rule", "alert", "model"]
"""Why an earlier incident is held to be like one, the strongest reason first."""

LEFT_TO_DO = re.compile(r"\b(?:todo|follow[ -]?up|action item)\b", re.IGNORECASE)
"""The words by which people mark what is left to do, in a note or when they close an incident."""

BLOCKS = 24
BLOCK_SECONDS = 86400.0
"""A block is a day: what returns every night shows, and what flaps tonight is counted elsewhere."""


class Earlier(Struct, frozen=True, kw_only=True):
    """One earlier incident; times in Unix seconds, None: not on the record. Texts are harmless.

    ``shared`` names what it has in common with the later one: dependency, model or alert, and
    ``rule`` the rule where that is the same too. ``level`` is the worst it is known to have had.
    ``mitigated_at`` is when nobody was hurt any more, ``ended_at`` when it was closed or, where
    nobody closed it, when its alerts were first missed. ``verdict`` is empty where nobody judged
    its page. ``closing`` is what was said when it was closed, ``done`` what was done meanwhile:
    neither proves what mended it. ``decided`` are decisions on retraining because of it with where
    they stand now, ``left`` what somebody wrote that is to be done; whether it was done, no record
    tells.
    """

    id: str
    since: float
    alike: Likeness
    shared: str
    title: str = ""
    rule: str = ""
    level: Severity = Severity.UNKNOWN
    acked_at: float | None = None
    mitigated_at: float | None = None
    ended_at: float | None = None
    closed_by: str = ""
    verdict: str = ""
    closing: str = ""
    merged_into: str = ""
    done: tuple[str, ...] = ()
    decided: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

    def took(self, moment: float | None) -> float | None:
        """Return the seconds from its beginning to ``moment``; None: that is not known."""
        return None if moment is None else max(0.0, moment - self.since)


class SameBefore(Struct, frozen=True, kw_only=True):
    """What the record knows of incidents like one, before it.

    ``earlier`` are the most alike first, the newest first of those, at most a few; ``begins`` is
    when each that is alike began, the one they are compared with included, oldest first.
    ``since`` is how far back the record was read (Unix seconds), None: nothing was ever written.
    ``unknown`` says why nothing is known; empty where the record was read. ``doubt`` is what may
    be missing all the same.
    """

    earlier: tuple[Earlier, ...] = ()
    begins: tuple[float, ...] = ()
    since: float | None = None
    unknown: str = ""
    doubt: str = ""

    @property
    def known(self) -> int:
        """How many there were before, those not told in full included."""
        return max(0, len(self.begins) - 1)

    def blocks(self, now: float) -> tuple[int | None, ...]:
        """Return how many began in each of the last 24 days, the newest last.

        A day counts back from ``now``. None is a day of which the record does not tell, or not
        all of it, unless it tells of some.
        """
        if self.unknown:
            return (None,) * BLOCKS
        first = now - BLOCKS * BLOCK_SECONDS
        counts = [0] * BLOCKS
        for at in self.begins:
            if first < at <= now:
                counts[min(BLOCKS - 1, int((at - first) / BLOCK_SECONDS))] += 1
        told_from = now if self.since is None else self.since
        return tuple(
            count if count or first + place * BLOCK_SECONDS >= told_from else None
            for place, count in enumerate(counts)
        )
