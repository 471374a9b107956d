"""Adds up what was spent by model, team, component or use, and says why spend changed.

Amounts are USD of a span: ``month`` and ``today`` so far (UTC), ``day`` the last 24 hours, and
``day_before`` the same 24 hours a week earlier.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

from console.evaluation.cost import forecast, habits
from console.metrics.units import shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from console.domain.model import ModelRow
    from console.evaluation.cost import Forecast

    Floats = NDArray[np.float64]

Span = Literal["month", "today", "day", "day_before"]
Grouping = Literal["model", "team", "component", "use"]
GROUPINGS: tuple[Grouping, ...] = ("model", "team", "component", "use")

Share = tuple[str, str, str]
"""What an amount is for: team, component, use; empty where nobody says."""

Amounts = Mapping[Share, float]
"""USD by share."""

USEFUL = "useful"
WASTE_KINDS = ("retry", "failed", "fallback", "idle", "discarded")
UNATTRIBUTED = "(not attributed)"
MOST_CHANGES = 3
LEAST_CHANGE_RATIO = 0.02
LEAST_CAUSE_SHARE = 0.5
"""A change has a cause where one part explains at least half of it, else its parts are told."""

RECONCILED_RATIO = 0.02
"""Reported spend that differs by more from tokens x price bears a mark (formulas: Cost)."""


@dataclass(frozen=True, slots=True, eq=False)
class SpendFacts:
    """What was asked about spend at ``at`` (Unix seconds) of the month ``begin`` to ``end``.

    ``usd`` holds amounts by span, row and share, the others by row: ``requests`` and ``tokens``
    by span, ``succeeded`` and ``rejected`` requests of the month, ``priced_usd`` the month's
    tokens x declared price. ``young`` rows have less history (seconds) than the month, all of
    which counts; ``unknown`` rows have no amount, with the reason. ``days`` are 36 days x rows,
    ``gone`` the share (0-1) of a day that is usually spent by now; None for a month gone by.
    """

    at: float
    begin: float
    end: float
    rows: tuple[ModelRow, ...]
    usd: Mapping[Span, Mapping[int, Amounts]]
    requests: Mapping[Span, Mapping[int, float]] = field(default_factory=dict)
    tokens: Mapping[Span, Mapping[int, float]] = field(default_factory=dict)
    succeeded: Mapping[int, float] = field(default_factory=dict)
    rejected: Mapping[int, float] = field(default_factory=dict)
    priced_usd: Mapping[int, float] = field(default_factory=dict)
    young: Mapping[int, float] = field(default_factory=dict)
    unknown: Mapping[int, str] = field(default_factory=dict)
    pace: Mapping[int, float] = field(default_factory=dict)
    days: Floats | None = None
    gone: Floats | None = None


@dataclass(frozen=True, slots=True)
class MonthEnd:
    """The month's end in USD; None is not known, ``note`` says why or what it rests on."""

    p10_usd: float | None = None
    p50_usd: float | None = None
    p90_usd: float | None = None
    note: str = ""


NO_MONTH_END = MonthEnd()


@dataclass(frozen=True, slots=True)
class SpendLine:
    """What one model, team, component or use cost; None is not known.

    ``useful_usd`` and ``waste_usd`` (by kind) are of the month, as are both costs per 1,000.
    ``reconciled`` is tokens x price over what was reported (1 is equal), None without prices.
    """

    name: str
    rows: tuple[int, ...]
    today_usd: float | None
    month_usd: float | None
    month_end: MonthEnd
    budget_usd: float | None
    pace: float | None
    per_1k_usd: float | None
    per_1k_useful_usd: float | None
    waste_usd: Mapping[str, float]
    reconciled: float | None
    young_seconds: float | None
    unknown: str = ""

    @property
    def waste_ratio(self) -> float | None:
        """Return the share of the month's spend that was waste; None where no use is told."""
        if not self.waste_usd or not self.month_usd or self.month_usd <= 0:
            return None
        return sum(self.waste_usd.values()) / self.month_usd

    @property
    def differs(self) -> bool:
        """Tell whether tokens x price and the reported spend differ by more than 2%."""
        return self.reconciled is not None and abs(self.reconciled - 1.0) > RECONCILED_RATIO


@dataclass(frozen=True, slots=True)
class SpendChange:
    """How a model's spend of a day changed within a week, in USD, by what it came from.

    ``parts`` add up to the change: traffic, tokens a request, price, retries, fallback, or
    ``not known``. ``cause`` is the part that explains at least half, empty where none does.
    """

    row: int
    model: str
    before_usd: float
    after_usd: float
    parts: tuple[tuple[str, float], ...]
    cause: str

    @property
    def change_usd(self) -> float:
        """Return by how much more a day costs."""
        return self.after_usd - self.before_usd


def spend_lines(facts: SpendFacts, by: Grouping, chosen: Sequence[int]) -> tuple[SpendLine, ...]:
    """Return a line a group of the ``chosen`` rows, the dearest month first, unknown ones last."""
    names: dict[str, set[int]] = {}
    if by == "model":
        names = {facts.rows[row].model: {row} for row in chosen}
    else:
        for span in ("month", "today"):
            for row in chosen:
                for share in facts.usd.get(span, {}).get(row, {}):
                    names.setdefault(_group(share, by), set()).add(row)
    ends = month_ends(facts)
    lines = [_line(facts, by, name, sorted(rows), ends) for name, rows in names.items()]
    return tuple(sorted(lines, key=lambda line: (-_or(line.month_usd, -math.inf), line.name)))


def total_line(facts: SpendFacts, chosen: Sequence[int]) -> SpendLine:
    """Return the sum of the chosen rows; its forecast is of their days together."""
    line = _line(facts, "model", "", sorted(chosen), {})
    known = [row for row in chosen if _is_known(facts, row)]
    end = _group_end(facts, known)
    if end.p50_usd is not None and len(known) < len(chosen):
        end = MonthEnd(end.p10_usd, end.p50_usd, end.p90_usd, "of the models that are known")
    budgets = [facts.rows[row].budget_month_usd for row in chosen]
    declared = [budget for budget in budgets if budget is not None]
    return SpendLine(
        name="total",
        rows=line.rows,
        today_usd=line.today_usd,
        month_usd=line.month_usd,
        month_end=end,
        budget_usd=sum(declared) if len(declared) == len(budgets) and declared else None,
        pace=None,
        per_1k_usd=line.per_1k_usd,
        per_1k_useful_usd=line.per_1k_useful_usd,
        waste_usd=line.waste_usd,
        reconciled=None,
        young_seconds=None,
        unknown=line.unknown,
    )


def known_days(facts: SpendFacts, rows: Sequence[int]) -> tuple[float | None, ...]:
    """Return what whole models spent on each of the last 36 days, the oldest first."""
    if facts.days is None or not rows:
        return ()
    days = facts.days[::-1, list(rows)].sum(axis=1).tolist()
    return tuple(None if math.isnan(usd) else usd for usd in days)


def month_ends(facts: SpendFacts) -> dict[int, MonthEnd]:
    """Return each row's month end; a month gone by has none."""
    if facts.days is None or facts.gone is None:
        return {}
    month = np.array(
        [_or(_of_row(facts, "month", row), math.nan) for row in range(len(facts.rows))]
    )
    budget = np.full(len(facts.rows), np.nan)
    found = forecast(habits(facts.days), month, budget, facts.gone, facts.at)
    return {row: _end_of(found, row) for row in range(len(facts.rows)) if np.isfinite(month[row])}


def _end_of(found: Forecast, row: int) -> MonthEnd:
    p50, p90 = float(found.p50_usd[row]), float(found.p90_usd[row])
    days = int(found.known_days[row])
    if math.isnan(p50):
        return MonthEnd(note=f"not known: {days} whole days are known so far")
    if found.by_run_rate[row]:
        return MonthEnd(None, p50, None, f"by the run rate of {days} days")
    if math.isnan(p90):
        return MonthEnd(None, p50, None, f"range not known, {days} days")
    shift = float(found.shift_days[row])
    slope = float(found.slope_usd[row])
    note = f"level changed {shift:.0f} d ago" if math.isfinite(shift) else ""
    if not note and slope:
        note = f"a day {'grows' if slope > 0 else 'falls'} by {shown(abs(slope), 'USD')}"
    return MonthEnd(float(found.p10_usd[row]), p50, p90, note)


def _group_end(facts: SpendFacts, rows: Sequence[int]) -> MonthEnd:
    """Forecast whole models together, by the sums of their days."""
    if facts.days is None or facts.gone is None or not rows:
        return NO_MONTH_END
    days = facts.days[:, rows].sum(axis=1, keepdims=True)
    today = np.array([_or(_of_row(facts, "today", row), 0.0) for row in rows])
    gone = facts.gone[list(rows)]
    # The share that is gone of the sum: what is spent, over what the day comes to at that share.
    whole = np.where(gone > 0, today / np.maximum(gone, 1e-9), 0.0).sum()
    share = float(today.sum() / whole) if whole > 0 else float(gone.mean())
    month = np.array([sum(_or(_of_row(facts, "month", row), 0.0) for row in rows)])
    nothing = np.array([math.nan])
    return _end_of(forecast(habits(days), month, nothing, np.array([share]), facts.at), 0)


def _line(
    facts: SpendFacts, by: Grouping, name: str, rows: Sequence[int], ends: Mapping[int, MonthEnd]
) -> SpendLine:

    def amounts(span: Span) -> list[tuple[int, Share, float]]:
        of_span = facts.usd.get(span, {})
        return [
            (row, share, usd)
            for row in rows
            for share, usd in of_span.get(row, {}).items()
            if by == "model" or _group(share, by) == name
        ]

    month, today = amounts("month"), amounts("today")
    month_usd = math.fsum(usd for _, _, usd in month) if month else None
    uses = {share[2] for _, share, _ in month}
    waste = {
        kind: math.fsum(usd for _, share, usd in month if share[2] == kind)
        for kind in WASTE_KINDS
        # Who tells what was useful tells of no kind of waste that there was none.
        if kind in uses or USEFUL in uses
    }
    whole = by == "model"
    spent_by = sorted({row for row, _, _ in month})
    useful = {
        row: facts.succeeded[row] - facts.rejected.get(row, 0.0)
        for row in rows
        if row in facts.succeeded
    }
    unknown = "; ".join(dict.fromkeys(facts.unknown[row] for row in rows if row in facts.unknown))
    one = rows[0] if whole and len(rows) == 1 else None
    return SpendLine(
        name=name,
        rows=tuple(rows),
        today_usd=math.fsum(usd for _, _, usd in today) if today else None,
        month_usd=month_usd,
        month_end=_shared_end(facts, by, month, ends)
        if one is None
        else ends.get(one, NO_MONTH_END),
        budget_usd=None if one is None else facts.rows[one].budget_month_usd,
        pace=None if one is None else facts.pace.get(one),
        per_1k_usd=_per_1k(month_usd, facts.requests.get("month", {}), spent_by),
        per_1k_useful_usd=_per_1k(month_usd, useful, spent_by),
        waste_usd=waste,
        reconciled=None if one is None else _reconciled(facts, one, month_usd),
        young_seconds=None if one is None else facts.young.get(one),
        unknown=unknown,
    )


def _shared_end(
    facts: SpendFacts,
    by: Grouping,
    month: Sequence[tuple[int, Share, float]],
    ends: Mapping[int, MonthEnd],
) -> MonthEnd:
    """Forecast a group by its share of each model's month; of shares no spread is known."""
    if by == "model" or not ends:
        return NO_MONTH_END
    found = 0.0
    for row, _, usd in month:
        end, whole = ends.get(row, NO_MONTH_END), _of_row(facts, "month", row)
        if end.p50_usd is None or not whole:
            return MonthEnd(note=f"not known: {facts.rows[row].model} has no forecast")
        found += end.p50_usd * usd / whole
    return MonthEnd(None, found, None, "by this month's shares, range not known")


def _per_1k(usd: float | None, requests: Mapping[int, float], rows: Sequence[int]) -> float | None:
    """Return the cost of 1,000 requests of one span; None where not all of them are counted."""
    if usd is None or not rows or any(row not in requests for row in rows):
        return None
    counted = math.fsum(requests[row] for row in rows)
    return 1000.0 * usd / counted if counted > 0 else None


def _reconciled(facts: SpendFacts, row: int, month_usd: float | None) -> float | None:
    priced = facts.priced_usd.get(row)
    return priced / month_usd if priced is not None and month_usd else None


_PLACES: Mapping[Grouping, int] = {"team": 0, "component": 1, "use": 2}


def _group(share: Share, by: Grouping) -> str:
    return share[_PLACES[by]] or UNATTRIBUTED


def _of_row(facts: SpendFacts, span: Span, row: int) -> float | None:
    found = facts.usd.get(span, {}).get(row)
    return math.fsum(found.values()) if found else None


def _is_known(facts: SpendFacts, row: int) -> bool:
    return _of_row(facts, "month", row) is not None


def _or(value: float | None, instead: float) -> float:
    return instead if value is None else value


# Why spend changed. A day's spend is, but for what retries and fallbacks cost, requests x tokens a
# request x USD a token. The change of a product is divided among its factors by the logarithmic
# mean (LMDI: B. W. Ang, Energy Policy 33, 2005): the parts add up to it exactly.


def spend_changes(
    facts: SpendFacts, chosen: Sequence[int], most: int = MOST_CHANGES
) -> tuple[SpendChange, ...]:
    """Return the largest changes of a day's spend against the same day a week before."""
    after, before = facts.usd.get("day", {}), facts.usd.get("day_before", {})
    found = []
    for row in chosen:
        now, then = after.get(row, {}), before.get(row, {})
        if not now or not then:
            continue
        change = _change(facts, row, now, then)
        if abs(change.change_usd) >= LEAST_CHANGE_RATIO * max(change.before_usd, change.after_usd):
            found.append(change)
    found.sort(key=lambda change: (-abs(change.change_usd), change.model))
    return tuple(found[:most])


def _change(facts: SpendFacts, row: int, now: Amounts, then: Amounts) -> SpendChange:
    after, before = math.fsum(now.values()), math.fsum(then.values())
    parts: dict[str, float] = {}
    rest_now, rest_then = after, before
    for kind, word in (("retry", "retries"), ("fallback", "fallback")):
        spent = [
            math.fsum(usd for share, usd in each.items() if share[2] == kind)
            for each in (now, then)
        ]
        parts[word] = spent[0] - spent[1]
        rest_now, rest_then = rest_now - spent[0], rest_then - spent[1]
    parts |= _factors(facts, row, rest_now, rest_then)
    change = after - before
    told = sorted(
        ((word, usd) for word, usd in parts.items() if abs(usd) >= 0.005),
        key=lambda part: -abs(part[1]),
    )
    cause = next(
        (
            word
            for word, usd in told
            if change and usd / change >= LEAST_CAUSE_SHARE and word != "not known"
        ),
        "",
    )
    return SpendChange(row, facts.rows[row].model, before, after, tuple(told), cause)


def _factors(facts: SpendFacts, row: int, now: float, then: float) -> dict[str, float]:
    """Divide a change of spend among traffic, tokens a request and the price of a token."""
    change = now - then
    requests = _both(facts.requests, row)
    if requests is None or now <= 0 or then <= 0:
        return {"not known": change}
    mean = now if math.isclose(now, then, rel_tol=1e-12) else change / math.log(now / then)
    traffic = mean * math.log(requests[0] / requests[1])
    tokens = _both(facts.tokens, row)
    if tokens is None:
        return {"traffic": traffic, "cost a request": change - traffic}
    a_request = mean * math.log(tokens[0] / requests[0] * requests[1] / tokens[1])
    return {
        "traffic": traffic,
        "tokens a request": a_request,
        "price": change - traffic - a_request,
    }


def _both(amounts: Mapping[Span, Mapping[int, float]], row: int) -> tuple[float, float] | None:
    """Return the amounts of the last day and of that a week before, where both are above 0."""
    now = amounts.get("day", {}).get(row, 0.0)
    then = amounts.get("day_before", {}).get(row, 0.0)
    return (now, then) if now > 0 and then > 0 else None
