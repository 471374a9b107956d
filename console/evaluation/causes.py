"""Names what hurts each model that fails or is slow, from counts, onsets and callers; pure.

A dependency is named only with enough calls, a rise against its own past, a beginning not after
the symptom's, and an excess that explains at least half of what the model suffers.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from math import isnan
from typing import TYPE_CHECKING

import numpy as np

from console.domain.severity import BreakerState, Severity
from console.domain.snapshot import Cause
from console.evaluation.dependency_calls import (
    FORGET_SECONDS,
    LEAST_CALLS,
    CallsBefore,
    CallTable,
    Onset,
    Rises,
    call_table,
    pair_usual,
    refused_calls,
    requests_of,
    rises_of,
    row_rises,
)
from console.metrics.units import clock, name, shown, span

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from console.domain.snapshot import Change
    from console.evaluation.evidence import Evidence
    from console.evaluation.observations import Observed

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]

HARM_RULES = frozenset(
    {
        "burn_page_fast",
        "burn_page_slow",
        "burn_page_short",
        "burn_degraded",
        "burn_ticket",
        "burn_ticket_slow",
        "burn_ticket_short",
        "latency_base",
        "retry_storm",
        "breaker_no_answer",
        "breaker_open",
        "dependency_breaker",
    }
)
"""Rules that say that requests fail or are slow: only such trouble has a dependency for a cause."""

EXPLAINED_SHARE = 0.5
STILL_SHARE = 0.2
TOGETHER_SECONDS = 30.0
"""Onsets closer than two samples count as together."""

NOT_AFTER_SECONDS = 45.0
CALLERS_SHARE = 0.5
CHANGE_SECONDS = 600.0
_WINDOW_SECONDS = 300.0
_REFUSING = (BreakerState.OPEN, BreakerState.FORCED_OPEN, BreakerState.HALF_OPEN)
_MOST_HOPS = 5
_MOST_OTHERS = 3


@dataclass(frozen=True, slots=True, eq=False)
class Calls:
    """Calls of one evaluation: pairs, their values and rises, those of rows, and onsets."""

    table: CallTable
    values: Floats
    refused: Floats
    pairs: Rises
    rows: Rises
    requests: Floats
    excess: Floats
    kept: CallsBefore

    def since(self, model: str, dependency: str) -> float:
        """Return when trouble began: of a row ("" as dependency) or a dependency ("" as model)."""
        known = self.kept.onsets.get((model, dependency))
        return float("nan") if known is None else known.since


def observe_calls(
    evidence: Evidence, observed: Observed, renamed: Mapping[str, str], before: CallsBefore
) -> Calls:
    """Lay out the calls of this evaluation and follow what rises."""
    table, values = call_table(observed, evidence.statics, renamed, before.table)
    of_row = requests_of(evidence)
    requests = of_row[table.rows]
    refused = refused_calls(evidence, table, values)
    calls = np.where(np.isfinite(values[0]), values[0], np.where(refused > 0, 0.0, np.nan))
    usual = pair_usual(table, values, before.onsets)
    pairs = rises_of(
        calls + refused,
        np.nan_to_num(values[1]) + refused,
        values[2],
        values[3],
        usual,
        requests,
    )
    rows = row_rises(evidence, before.onsets)
    excess = np.maximum(pairs.bad, np.nan_to_num(pairs.tries * requests))
    size = len(table.names)
    looked = np.concatenate(
        [
            np.bincount(table.dependencies, excess, size),
            np.bincount(table.dependencies, pairs.slow_seconds, size),
            rows.bad,
            rows.slow_seconds,
        ]
    )
    same = before.table is None or before.table.keys == table.keys
    trace = (before.trace if same else CallsBefore().trace).with_look(evidence.now, looked)
    found = Calls(table, values, refused, pairs, rows, of_row, excess, CallsBefore(table, trace))
    onsets = _onsets(found, evidence, before.onsets)
    return replace(found, kept=CallsBefore(table, trace, onsets))


def _onsets(
    calls: Calls, evidence: Evidence, before: Mapping[tuple[str, str], Onset]
) -> dict[tuple[str, str], Onset]:
    """Follow what rises; a rise is forgotten a minute after it was last seen."""
    table, now, trace = calls.table, evidence.now, calls.kept.trace
    found = {key: one for key, one in before.items() if now - one.seen_at <= FORGET_SECONDS}
    size, models = len(table.names), evidence.statics.rows
    rising = np.flatnonzero(calls.pairs.any)
    seen: list[tuple[tuple[str, str], Rises, int, list[int]]] = []
    keys = table.keys if len(rising) else []
    seen += [(keys[pair], calls.pairs, pair, []) for pair in rising.tolist()]
    shared: dict[int, list[int]] = {}
    for pair in rising.tolist():
        place = int(table.dependencies[pair])
        entries = shared.setdefault(place, [])
        if calls.pairs.failing[pair] or calls.pairs.retrying[pair]:
            entries.append(place)
        if calls.pairs.slower[pair]:
            entries.append(size + place)
        seen.append((("", table.names[place]), calls.pairs, pair, entries))
    for row in np.flatnonzero(calls.rows.any).tolist():
        entries = [2 * size + row] if calls.rows.failing[row] else []
        if calls.rows.slower[row]:
            entries.append(2 * size + len(models) + row)
        seen.append(((models[row].model, ""), calls.rows, row, entries))
    for key, rises, place, entries in seen:
        known = before.get(key)
        since = known.since if known is not None else float("nan")
        fresh = known is None or (not isnan(since) and now - since < _WINDOW_SECONDS)
        if fresh and entries:
            since = min((trace.begun(entry) for entry in entries), default=since)
        usual = rises.usual
        found[key] = Onset(
            since,
            now,
            float(usual.share[place]),
            float(usual.attempts[place]),
            float(usual.p95[place]),
        )
    return found


@dataclass(frozen=True, slots=True)
class _Suspect:
    """One dependency that may explain one row: what speaks for it."""

    name: str
    pair: int
    kind: str
    since: float
    explained: float
    excess: float
    hurt: int
    callers: int
    proven: bool

    @property
    def share(self) -> float:
        return self.hurt / self.callers if self.callers else 0.0


def causes(
    evidence: Evidence,
    calls: Calls,
    raised: Mapping[int, frozenset[str]],
    severities: NDArray[np.uint8],
    recovering: frozenset[int],
    timeouts: Mapping[str, float],
    changes: Sequence[Change],
    before: Mapping[str, Cause],
) -> dict[int, Cause]:
    """Return the cause of each row whose ``raised`` rules (ids) say that it fails or is slow.

    ``timeouts`` are shares (0-1) of a dependency's calls, ``changes`` what changed lately.
    What was named ``before`` (by model) stands while the trouble is over or cannot be judged.
    """
    models = evidence.statics.rows
    hurt = {
        row
        for row, rules in raised.items()
        if rules & HARM_RULES and int(severities[row]) <= int(Severity.S3)
    }
    if not hurt:
        return {}
    pairs_of: dict[int, list[int]] = defaultdict(list)
    callers_of: dict[int, list[int]] = defaultdict(list)
    for pair, (row, place) in enumerate(
        zip(calls.table.rows.tolist(), calls.table.dependencies.tolist(), strict=True)
    ):
        pairs_of[row].append(pair)
        callers_of[place].append(pair)
    found: dict[int, Cause] = {}
    for row in sorted(hurt):
        model = models[row].model
        kept = before.get(model)
        over = row in recovering
        suspects = [
            one
            for pair in pairs_of.get(row, ())
            if (one := _suspect(evidence, calls, row, pair, callers_of, kept)) is not None
        ]
        rises = calls.rows.any[row]
        if kept is not None and kept.name and (over or not rises):
            found[row] = replace(kept, over=over)
            continue
        own = _own_change(evidence, calls, row, changes)
        symptom = calls.since(model, "")
        if kept is not None and kept.confidence == "likely":
            # While the window fills the first names may change; later they stay.
            settled = isnan(symptom) or evidence.now - symptom > _WINDOW_SECONDS
            held = [one for one in suspects if one.name == kept.name]
            suspects = [*held, *suspects] if settled else suspects
        judged = _named(evidence, calls, row, suspects, own, timeouts)
        if kept is not None and judged.name and kept.name == judged.name:
            # While the window empties the numbers of the harm are told, not what is left of it.
            fading = judged.most_bad < kept.most_bad / 2.0
            most_bad = max(judged.most_bad, kept.most_bad)
            judged = replace(kept if fading else judged, also=judged.also, most_bad=most_bad)
        if kept is not None and not judged.name and _unproven(calls, kept, pairs_of.get(row, ())):
            found[row] = replace(kept, over=over)
            continue
        if not judged.name and not any(
            np.isfinite(calls.values[0, pair]) for pair in pairs_of.get(row, ())
        ):
            judged = replace(judged, confidence="unknown" if pairs_of.get(row) else "none")
        found[row] = replace(judged, over=over)
    return {row: _at_the_root(evidence, row, found) for row in found}


def _unproven(calls: Calls, kept: Cause, pairs: Sequence[int]) -> bool:
    """Tell whether nothing speaks against what was named: it rises still, or is hardly called."""
    if kept.kind != "dependency":
        return bool(kept.name)
    if ("", kept.name) in calls.kept.onsets:
        return True
    own = [one for one in pairs if calls.table.names[calls.table.dependencies[one]] == kept.name]
    return not any(calls.values[0, one] + calls.refused[one] >= LEAST_CALLS for one in own)


def _suspect(
    evidence: Evidence,
    calls: Calls,
    row: int,
    pair: int,
    callers_of: Mapping[int, list[int]],
    kept: Cause | None,
) -> _Suspect | None:
    """Weigh one dependency of a row; None where something it takes is missing.

    What was named stays with a fifth of the harm: others may have begun to fail since.
    """
    pairs, rows = calls.pairs, calls.rows
    if not pairs.any[pair]:
        return None
    place = int(calls.table.dependencies[pair])
    dependency, model = calls.table.names[place], evidence.statics.rows[row].model
    since, symptom = calls.since("", dependency), calls.since(model, "")
    # NaN is before the first look: what was there then did not begin after anything.
    after = not isnan(since) and (isnan(symptom) or since > symptom + NOT_AFTER_SECONDS)
    if after and rows.any[row]:
        return None
    kind, explained = _explained(evidence, calls, row, pair)
    was_named = kept is not None and kept.confidence == "likely" and kept.name == dependency
    if explained < (STILL_SHARE if was_named else EXPLAINED_SHARE):
        return None
    asked = [
        one for one in callers_of[place] if calls.values[0, one] + calls.refused[one] >= LEAST_CALLS
    ]
    # A dependency whose attempts alone are counted has no calls to count callers by.
    asked = asked or callers_of[place]
    touched = [one for one in asked if pairs.any[one]]
    if len(touched) < CALLERS_SHARE * len(asked):
        return None
    return _Suspect(
        dependency,
        pair,
        kind,
        since,
        min(1.0, explained),
        float(calls.excess[pair]),
        sum(bool(rows.any[int(calls.table.rows[one])]) for one in touched),
        len(asked),
        bool(np.isfinite(pairs.usual.share[pair]) or np.isfinite(pairs.usual.p95[pair])),
    )


def _explained(evidence: Evidence, calls: Calls, row: int, pair: int) -> tuple[str, float]:
    """Return by what a dependency explains a row's trouble, and which share of it (0-1, or more).

    Failed calls and attempts beyond the usual stand for failed requests, seconds for seconds.
    """
    pairs, rows = calls.pairs, calls.rows
    if not rows.any[row]:
        # A breaker, or retries that still help, hurt before requests fail.
        helped = pairs.retrying[pair] and not pairs.failing[pair]
        hurt = bool(pairs.failing[pair] or pairs.retrying[pair])
        return ("attempts" if helped else "errors"), float(hurt)
    found = [("", 0.0)]
    bad = float(rows.bad[row])
    if rows.failing[row] and bad > 0:
        if pairs.failing[pair]:
            found.append(("errors", _reached(evidence, calls, row, pair) * pairs.bad[pair] / bad))
        if pairs.retrying[pair]:
            tries = float(pairs.tries[pair]) * float(calls.requests[row])
            found.append(("attempts", tries / bad))
    slow = float(rows.slow_seconds[row])
    if not (slow > 0) and not np.isfinite(rows.usual.p95[row]):
        slow = float(np.nan_to_num(evidence.value("latency_p95", row)))
    slow_only = not rows.failing[row]
    if pairs.slower[pair] and slow > 0 and slow_only:
        tries = max(1.0, float(np.nan_to_num(calls.values[2, pair], nan=1.0)))
        found.append(("latency", tries * float(pairs.slow_seconds[pair]) / slow))
    kind, share = max(found, key=lambda one: (min(one[1], 1.0), one[0] == "errors"))
    return kind, share


def _reached(evidence: Evidence, calls: Calls, row: int, pair: int) -> float:
    """Return how many requests one that reached the dependency stands for (1 or more).

    While a model's own breaker refuses, few get so far; the refused ones would fare alike.
    """
    if evidence.breaker(row) not in _REFUSING:
        return 1.0
    asked = float(calls.values[0, pair]) / max(1.0, float(np.nan_to_num(calls.values[2, pair])))
    return max(1.0, float(calls.requests[row]) / max(asked, 1.0))


def _own_change(
    evidence: Evidence, calls: Calls, row: int, changes: Sequence[Change]
) -> Change | None:
    """Return the model's own last change within ten minutes before its trouble."""
    model = evidence.statics.rows[row].model
    began = calls.since(model, "")
    latest = evidence.now if isnan(began) else began + NOT_AFTER_SECONDS
    earliest = (evidence.now if isnan(began) else began) - CHANGE_SECONDS
    found = [
        one
        for one in changes
        if one.subject == model
        and one.kind in ("world", "written")
        and earliest <= one.at <= latest
    ]
    return max(found, key=lambda one: one.at, default=None)


def _named(
    evidence: Evidence,
    calls: Calls,
    row: int,
    suspects: Sequence[_Suspect],
    own: Change | None,
    timeouts: Mapping[str, float],
) -> Cause:
    """Choose among the suspects and the model's own change."""
    held = [one for at, one in enumerate(suspects) if one in suspects[at + 1 :]]
    ordered = [*held, *(one for one in _in_order(suspects) if one not in held)]
    changed = f"its own change at {clock(own.at)}" if own is not None else ""
    if not ordered:
        if own is None:
            return Cause()
        return Cause(
            evidence.statics.rows[row].model,
            "change",
            "likely",
            (f"{name(own.text)} at {clock(own.at)}", "shortly before its trouble began"),
            since=own.at,
        )
    first, others = ordered[0], [one.name for one in ordered[1:]]
    # A change of the only one who is hurt speaks as loudly as its dependency does.
    contested = own is not None and first.hurt <= 1 and not first.since < own.at - TOGETHER_SECONDS
    if contested and own is not None:
        return Cause(
            evidence.statics.rows[row].model,
            "change",
            "possible",
            (f"{name(own.text)} at {clock(own.at)}", "shortly before its trouble began"),
            also=tuple(name(one.name) for one in ordered[:_MOST_OTHERS]),
            since=own.at,
        )
    also = [*map(name, others), *([changed] if changed else [])]
    return Cause(
        first.name,
        "dependency",
        "likely" if first.proven else "possible",
        _reasons(evidence, calls, row, first, timeouts),
        also=tuple(also[:_MOST_OTHERS]),
        since=None if isnan(first.since) else first.since,
        most_bad=float(
            np.nan_to_num(calls.values[1, first.pair] / max(calls.values[0, first.pair], 1.0))
        ),
    )


def _in_order(suspects: Sequence[_Suspect]) -> list[_Suspect]:
    """Sort by the earlier rise, then the share of callers hurt, then the excess."""
    waiting = list(suspects)
    found: list[_Suspect] = []
    while waiting:
        first = min(_or_before(one.since) for one in waiting)
        together = [one for one in waiting if _or_before(one.since) <= first + TOGETHER_SECONDS]
        together.sort(key=lambda one: (-one.share, -one.excess, one.name))
        found += together
        waiting = [one for one in waiting if one not in together]
    return found


def _or_before(since: float) -> float:
    return 0.0 if isnan(since) else since


def _reasons(
    evidence: Evidence,
    calls: Calls,
    row: int,
    suspect: _Suspect,
    timeouts: Mapping[str, float],
) -> tuple[str, ...]:
    model = evidence.statics.rows[row].model
    symptom = calls.since(model, "")
    since = "" if isnan(suspect.since) else f" since {clock(suspect.since)}"
    what = f"{name(suspect.name)}, {_extent(calls, suspect, timeouts)}{since}"
    trouble = "slowness" if suspect.kind == "latency" else "errors"
    when = f"together with {name(model)}'s {trouble}"
    if not isnan(symptom) and (isnan(suspect.since) or symptom - suspect.since > TOGETHER_SECONDS):
        before = "" if isnan(suspect.since) else f"{span(symptom - suspect.since)} "
        when = f"{before}before {name(model)}'s {trouble}"
    it = "it" if suspect.kind == "latency" else "them"
    explains = f"explains {shown(suspect.explained, '%')} of {it}"
    return what, when, explains, f"{suspect.hurt} of {suspect.callers} callers hurt"


def _extent(calls: Calls, suspect: _Suspect, timeouts: Mapping[str, float]) -> str:
    pair = suspect.pair
    if suspect.kind == "latency":
        usual = shown(float(calls.pairs.usual.p95[pair]), "s")
        return f"p95 {shown(float(calls.values[3, pair]), 's')}, usually {usual},"
    if suspect.kind == "attempts":
        usual = shown(float(calls.pairs.usual.attempts[pair]), "1")
        return f"{shown(float(calls.values[2, pair]), '1')} attempts a request, usually {usual},"
    if calls.refused[pair] > np.nan_to_num(calls.values[1, pair]):
        return "breaker open"
    ratio = float(np.nan_to_num(calls.values[1, pair]) / max(calls.values[0, pair], 1.0))
    late = timeouts.get(suspect.name, 0.0)
    return f"{'timeouts' if late >= ratio / 2.0 else 'errors'} {shown(ratio, '%')}"


def _at_the_root(evidence: Evidence, row: int, found: Mapping[int, Cause]) -> Cause:
    """Follow a dependency that is itself a model hurt by something to what hurts that."""
    cause, via = found[row], []
    for _ in range(_MOST_HOPS):
        middle = evidence.statics.index.get(cause.name) if cause.kind == "dependency" else None
        deeper = found.get(middle) if middle is not None and middle != row else None
        if deeper is None or deeper.confidence != "likely" or cause.name in via:
            break
        via.append(cause.name)
        cause = deeper
    if not via:
        return cause
    through = f"through {', '.join(map(name, via))}"
    own = found[row]
    return replace(
        cause,
        evidence=(*cause.evidence[:2], through, *own.evidence[2:]),
        also=own.also,
        over=own.over,
    )
