"""Decides from the requests since the last bad stretch whether a row's users are still hurt; pure.

A finding of the burn rules is *hurting* or *recovering*. Windows of an hour go on holding long
after users stopped being hurt; the rates of the last minute tell when that was.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from console.evaluation.derive import beyond_chance

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from console.evaluation.evidence import Evidence

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]
    Counts = NDArray[np.int64]

LEAST_SECONDS = 60.0
LEAST_ANSWERS = 3
"""A minute without bad requests alone proves nothing: at 2 a minute and 30% bad it is common."""

LOG_CHANCE = float(np.log(0.01))
CALM_BURN = 3.0
"""A stretch that still burns faster than a ticket allows is no recovery, however much better."""

CALM_SECONDS = 45.0
BUSY_REQUESTS = 20.0
"""A minute of fewer requests says little by itself."""

HURT_BURN = 6.0
NEW_ONSET_SECONDS = 300.0
"""Hurt again sooner is the same trouble; after a recovery of so long it is a new one."""

LIVE_SECONDS = 60.0
_MOST_STEP_SECONDS = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class Phases:
    """Per row, the stretch since its users were last seen hurt. Times are Unix seconds.

    ``at`` is the newest answer counted, ``start`` the stretch's beginning, ``calm_at`` from when on
    the last minute burnt no more than a ticket allows, ``requests``, ``bad`` and ``answers`` the
    stretch's counts, ``old_ratio`` the bad ratio (0-1) while it hurt, ``since`` when
    recovery was seen (NaN: hurting), ``onset`` the rows that hurt anew at this evaluation.
    """

    at: Floats
    start: Floats
    calm_at: Floats
    requests: Floats
    bad: Floats
    answers: Counts
    old_ratio: Floats
    since: Floats
    onset: Mask

    @property
    def recovering(self) -> Mask:
        """Return the rows whose users are no longer hurt."""
        found: Mask = np.isfinite(self.since)
        return found


def no_phases(rows: int) -> Phases:
    """Return the phases of rows nobody has judged before: what is raised there hurts."""
    return Phases(
        at=np.full(rows, np.nan),
        start=np.full(rows, np.nan),
        calm_at=np.full(rows, np.nan),
        requests=np.zeros(rows),
        bad=np.zeros(rows),
        answers=np.zeros(rows, dtype=np.int64),
        old_ratio=np.zeros(rows),
        since=np.full(rows, np.nan),
        onset=np.zeros(rows, dtype=np.bool_),
    )


def reorder(phases: Phases, where: NDArray[np.int64]) -> Phases:
    """Return the phases in the order of other rows: ``where`` holds each row's old place or -1."""
    fresh, met = no_phases(len(where)), where >= 0
    for each in fields(Phases):
        getattr(fresh, each.name)[met] = getattr(phases, each.name)[where[met]]
    return fresh


def advance_phases(past: Phases, evidence: Evidence, raised: Mask) -> Phases:
    """Count the newest answers of each row for which a burn rule is ``raised`` (one entry a row).

    A row recovers once the requests of its stretch make it unlikely (1%) that the old bad ratio
    still holds, over a minute and three new answers at least. No traffic is no recovery.
    """
    short = evidence.derived.burn["5m"]
    look = Look(
        now=evidence.now,
        at=evidence.asked.column("bad_rate").at,
        rate=evidence.values("requests_rate"),
        bad_rate=evidence.values("bad_rate"),
        short_burn=short.values,
        short_ratio=short.bad_ratio,
        short_proven=short.proven,
        slow_leads=_slow_leads(evidence),
        allowance=evidence.statics.error_allowance,
    )
    return _after(past, look, raised)


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """What one look tells of each row: rates of the last minute, the window of five minutes.

    ``at`` is the time of the answer (Unix seconds), rates are a second, ratios 0-1, burn in x.
    """

    now: float
    at: Floats
    rate: Floats
    bad_rate: Floats
    short_burn: Floats
    short_ratio: Floats
    short_proven: Mask
    slow_leads: Mask
    allowance: Floats


def _after(past: Phases, look: Look, raised: Mask) -> Phases:
    """Return the phases after one more look."""
    bad_rate, rate, allowance = look.bad_rate, look.rate, look.allowance
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(rate > 0, bad_rate / np.where(rate > 0, rate, 1.0), np.nan)
        live_burn = ratio / allowance
    step = np.clip(look.at - past.at, 0.0, _MOST_STEP_SECONDS)
    fresh = np.isfinite(bad_rate) & np.isfinite(rate) & (step > 0)
    first = np.isfinite(bad_rate) & ~np.isfinite(past.at)
    at = np.where(fresh | first, look.at, past.at)

    was = raised & past.recovering
    hurting = raised & ~past.recovering
    old_ratio = np.where(
        hurting, np.fmax(np.fmax(past.old_ratio, ratio), look.short_ratio), past.old_ratio
    )
    still = hurting & (ratio >= old_ratio / 2.0)
    reset = still | (hurting & ~np.isfinite(past.start))
    start = np.where(reset, at, past.start)
    requests = np.where(reset, 0.0, past.requests + np.where(fresh, rate * step, 0.0))
    bad = np.where(reset, 0.0, past.bad + np.where(fresh, bad_rate * step, 0.0))
    answers = np.where(reset, 0, past.answers + fresh)

    enough = (at - start >= LEAST_SECONDS) & (answers >= LEAST_ANSWERS) & (requests > 0)
    calm_at = np.where(
        live_burn >= CALM_BURN, np.nan, np.where(np.isfinite(past.calm_at), past.calm_at, at)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        little = bad / requests / allowance < CALM_BURN
    # Of a busy row the last minute tells; of a sparse one only the whole stretch does.
    calm = (at - calm_at >= CALM_SECONDS) & (little | (rate * LIVE_SECONDS >= BUSY_REQUESTS))
    unlikely = _log_at_most(bad, requests * old_ratio) <= LOG_CHANCE
    recovers = hurting & ~still & enough & calm & unlikely & ~look.slow_leads

    now = look.now
    again = was & _hurts_again(bad_rate, ratio, live_burn)
    # The window of five minutes holds the old trouble until it has passed out of it.
    long_past = now - past.since >= NEW_ONSET_SECONDS
    again |= was & long_past & (look.short_burn >= HURT_BURN) & look.short_proven
    since = np.where(recovers, now, np.where(was & ~again, past.since, np.nan))
    onset = again & long_past
    cleared = ~raised | again
    return Phases(
        at=at,
        start=np.where(cleared, np.nan, start),
        calm_at=np.where(cleared, np.nan, calm_at),
        requests=np.where(cleared, 0.0, requests),
        bad=np.where(cleared, 0.0, bad),
        answers=np.where(cleared, 0, answers).astype(np.int64),
        old_ratio=np.where(cleared, 0.0, old_ratio),
        since=since,
        onset=onset,
    )


def _hurts_again(bad_rate: Floats, ratio: Floats, live_burn: Floats) -> Mask:
    """Return the rows whose last minute alone shows harm by its counts."""
    count = bad_rate * LIVE_SECONDS
    found: Mask = (live_burn >= HURT_BURN) & ((count >= 10.0) | ((count >= 5.0) & (ratio >= 0.5)))
    return found


def _slow_leads(evidence: Evidence) -> Mask:
    """Return the rows that burn by latency: the rate of bad requests counts no slow ones."""
    slow = evidence.values("slow_ratio@5m") / evidence.statics.slow_allowance
    errors = evidence.values("error_ratio@5m") / evidence.statics.error_allowance
    found: Mask = np.isfinite(slow) & (slow >= HURT_BURN) & ~(errors >= slow)
    return found


def _log_at_most(seen: Floats, expected: Floats) -> Floats:
    """Return the log of a bound on P(X <= seen), X Poisson with mean ``expected`` (Chernoff)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(seen > 0, seen * np.log(np.where(seen > 0, seen, 1.0) / expected), 0.0)
        bound = seen - expected - ratio
    return np.where(seen < expected, bound, 0.0)


SHORT_SECONDS = 300.0


def replayed(times: Floats, rate: Floats, bad_rate: Floats, allowance: Floats) -> Phases:
    """Return the phases of rows that burn, from their rates over time (times x rows, a second).

    ``times`` are Unix seconds, evenly apart; ``allowance`` has one entry a row.
    """
    rows = rate.shape[1]
    step = float(times[1] - times[0])
    width = max(1, round(SHORT_SECONDS / step))
    requests, bad = _trailing(rate * step, width), _trailing(bad_rate * step, width)
    phases, raised = no_phases(rows), np.ones(rows, dtype=np.bool_)
    for place, now in enumerate(times.tolist()):
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(requests[place] > 0, bad[place] / requests[place], np.nan)
        look = Look(
            now=now,
            at=np.full(rows, now),
            rate=rate[place],
            bad_rate=bad_rate[place],
            short_burn=ratio / allowance,
            short_ratio=ratio,
            short_proven=beyond_chance(ratio, requests[place], allowance),
            slow_leads=~raised,
            allowance=allowance,
        )
        phases = _after(phases, look, raised)
    return phases


def _trailing(values: Floats, width: int) -> Floats:
    """Return sums over the last ``width`` entries of each column."""
    total = np.vstack([np.zeros((1, values.shape[1])), np.cumsum(np.nan_to_num(values), axis=0)])
    first = np.maximum(np.arange(1, len(total)) - width, 0)
    return np.asarray(total[1:] - total[first])


def began_at(times: Floats, rate: Floats, bad_rate: Floats, allowance: float) -> float:
    """Return when the last harm of one row began (Unix seconds); NaN where it did before all.

    Stretches of harm less than five minutes apart are one.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        burn = np.where(rate > 0, bad_rate / rate, 0.0) / allowance
    bad = times[(burn >= CALM_BURN) & (bad_rate * LIVE_SECONDS >= 1.0)]
    if not len(bad):
        return float("nan")
    breaks = np.flatnonzero(np.diff(bad) >= NEW_ONSET_SECONDS)
    first = float(bad[breaks[-1] + 1] if len(breaks) else bad[0])
    return float("nan") if first == times[0] else first
