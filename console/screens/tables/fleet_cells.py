"""Computes the text and role of each cell of the fleet table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.domain.severity import BreakerState, Severity
from console.domain.signals import Reading, ReadingState
from console.domain.text import visible
from console.metrics.units import format_value
from console.screens.row_view import OPEN_STATES, ROLE_OF, WITH_VALUE, RowView, off_primary
from console.screens.spans import (
    NO_DATA_TEXT,
    STALE_MARK,
    age_text,
    compact,
    pair_of_seconds,
    percent_text,
    points,
    seconds_text,
    state_text,
    usd_text,
)
from console.screens.tables.incidents import incidents_of
from widgets.grid import Cell

if TYPE_CHECKING:
    from collections.abc import Callable

    from themes.glyphs import Glyphs

    Show = Callable[[float], str]

EMPTY = Cell("")
DRIFT_FEW = "n<200"
LATENCY_WIDTH = 9


def absent(view: RowView, reading: Reading, few: str = "few") -> Cell:
    """Return the cell of a reading without a value; a row nobody answers for says ``?``."""
    if reading.state is ReadingState.ERROR:
        return Cell("err", "error")
    if reading.state is ReadingState.NO_DATA and view.unknown:
        return Cell("?", "unknown")
    return Cell(state_text(reading, few), "dim")


def measured(view: RowView, signal: str, column: str, show: Show, few: str = "few") -> Cell:
    """Return a signal's cell in the level of the rule that is about its column."""
    state, value = view.glance(signal)
    if state not in WITH_VALUE:
        return absent(view, view.reading(signal), few)
    text = show(value)
    if state == ReadingState.STALE:
        return Cell(text + STALE_MARK, "dim")
    return Cell(text, view.role_of(column))


def severity(view: RowView, glyphs: Glyphs) -> Cell:
    """Return the severity mark; healthy is blank, planned trouble is ``m``."""
    if view.planned:
        return Cell(glyphs.severity["planned"], "planned")
    if view.recovering:
        return Cell(glyphs.severity[f"over_{ROLE_OF[view.level_before]}"], "recovering")
    level = view.severity
    if level is Severity.OK:
        return EMPTY
    name = level.label.lower()
    return Cell(glyphs.severity[name], view.role)


def model(view: RowView, _glyphs: Glyphs) -> Cell:
    """Return the model's name."""
    level = view.severity
    role = view.role if level in (Severity.S1, Severity.S2) or view.planned else "text"
    return Cell(visible(view.model.model, 80), role)


def tier(view: RowView, _glyphs: Glyphs) -> Cell:
    """Return the tier, for models somebody declared."""
    return Cell(str(view.model.tier), "ok") if view.model.configured else Cell(NO_DATA_TEXT, "dim")


def region(view: RowView, _glyphs: Glyphs) -> Cell:
    """Return where the model serves, or where the route says it does."""
    known = view.model.region or view.route.region
    return Cell(visible(known, 8), view.role_of("rg")) if known else Cell(NO_DATA_TEXT, "dim")


def breaker(view: RowView, _glyphs: Glyphs) -> Cell:
    """Return the breaker's code."""
    state = view.breaker.state
    if state is BreakerState.UNKNOWN:
        return Cell("?", "unknown") if view.unknown else Cell(NO_DATA_TEXT, "dim")
    if state is BreakerState.CLOSED:
        return Cell(state.code, "ok")
    if view.holds("brk"):
        return Cell(state.code, view.role_of("brk"))
    if view.planned:
        return Cell(state.code, "planned")
    return Cell(state.code, "s2" if state in OPEN_STATES else "s3")


def route(view: RowView, _glyphs: Glyphs) -> Cell:
    """Return where traffic goes: prim, trim, fb:NAME, human, refuse, can, shadow."""
    where = view.route
    if not where.known:
        return Cell("?", "unknown") if view.unknown else Cell(NO_DATA_TEXT, "dim")
    role = view.role_of("route")
    if off_primary(where) and role == "ok":
        role = "planned" if view.planned else "s3"
    return Cell(route_text(where.target, where.level), role)


def route_text(target: str, level: str) -> str:
    """Return a route in at most six characters."""
    fixed = {"L1": "trim", "L4": "human", "L5": "refuse"}.get(level)
    if fixed is not None:
        return fixed
    shown = visible(target, 40)
    if level in ("L2", "L3"):
        tail = shown.rpartition("-")[2] if "-" in shown else shown
        return f"fb:{tail[:3]}"
    if target == "primary":
        return "prim"
    return shown[:6]


def burn(view: RowView, _glyphs: Glyphs) -> Cell:
    """Return the error budget's burn over one hour."""
    known = view.glance("burn_1h")[0] != ReadingState.NO_DATA
    signal = "burn_1h" if known else "burn_5m"
    return measured(view, signal, "burn", lambda value: format_value(value, "x", 4))


def left(view: RowView, _glyphs: Glyphs) -> Cell:
    """Return how much of the error budget is left."""
    return measured(view, "budget_left", "left", lambda value: f"{value * 100:.0f}%")


def bad(view: RowView, _glyphs: Glyphs) -> Cell:
    """Return bad requests a minute."""
    return measured(view, "bad_rate", "burn", lambda value: _per_minute(value * 60))


def _per_minute(value: float) -> str:
    return f"{value:.0f}" if 0.95 <= value < 9999.5 else compact(value)


def latency(view: RowView, _glyphs: Glyphs) -> Cell:
    """Return latency now against normal; TT marks time to first token, av a mean."""
    signal, reading = view.latency()
    if reading.value is None:
        return absent(view, reading)
    prefix = {"ttft_p95": "TT", "latency_mean": "av"}.get(signal, "")
    bound = view.is_bound(signal)
    text = prefix + pair_of_seconds(reading.value, view.base(signal), at_least=bound)
    if prefix and len(text) > LATENCY_WIDTH and not text.endswith("ms"):
        text = text.removesuffix("s")
    if reading.state is ReadingState.STALE:
        return Cell(text + STALE_MARK, "dim")
    return Cell(text, view.role_of("lat"))


def low_confidence(view: RowView, _glyphs: Glyphs) -> Cell:
    """Return the low-confidence share in percent, now and normal."""
    base = view.base("low_confidence_ratio")
    if base is None:
        return measured(view, "low_confidence_ratio", "lowc", points)
    return measured(
        view, "low_confidence_ratio", "lowc", lambda value: f"{points(value)}/{points(base)}"
    )


def drift(view: RowView, _glyphs: Glyphs) -> Cell:
    """Return the drift PSI, with ! where a rule holds."""
    suffix = "!" if view.holds("drift") and view.role_of("drift") != "s4" else ""
    signal = "drift_psi"
    if view.glance(signal)[0] == ReadingState.NO_DATA:
        signal = "prediction_drift"
    return measured(view, signal, "drift", lambda value: compact(value) + suffix, DRIFT_FEW)


def pace(view: RowView, _glyphs: Glyphs) -> Cell:
    """Return today's spend against the budget's share due by now."""
    return measured(view, "cost_pace", "pace", lambda value: format_value(value, "x", 4))


def per_1k(view: RowView, _glyphs: Glyphs) -> Cell:
    """Return USD for 1,000 requests."""
    return measured(view, "cost_per_1k", "", compact)


def per_hour(view: RowView, _glyphs: Glyphs) -> Cell:
    """Return USD an hour."""
    return measured(view, "cost_per_hour", "pace", usd_text)


def rps(view: RowView, _glyphs: Glyphs) -> Cell:
    """Return requests a second."""
    return measured(view, "requests_rate", "", lambda value: compact(value, 4))


def saturation(view: RowView, _glyphs: Glyphs) -> Cell:
    """Return the busy share of capacity, or the KV cache's where that is what fills up."""
    signal = "saturation"
    if view.value(signal) is None and view.value("kv_cache") is not None:
        signal = "kv_cache"
    return measured(view, signal, "", lambda value: compact(value, 3))


def review(view: RowView, _glyphs: Glyphs) -> Cell:
    """Return the human review queue: how many wait, and how old the oldest is."""
    depth = view.reading("review_depth")
    if depth.value is None:
        return absent(view, depth)
    oldest = view.value("review_oldest")
    text = f"{depth.value:.0f}" if depth.value < 10_000 else compact(depth.value)
    if oldest is not None and depth.value > 0:
        text += f" {age_text(oldest)}"
    if view.holds("review"):
        text += "!"
    if depth.state is ReadingState.STALE:
        return Cell(text + STALE_MARK, "dim")
    return Cell(text, view.role_of("review"))


def attempts(view: RowView, _glyphs: Glyphs) -> Cell:
    """Return attempts on dependencies per request."""
    return measured(view, "attempts_per_request", "att", lambda value: f"{value:.1f}")


def errors(view: RowView, _glyphs: Glyphs) -> Cell:
    """Return the error ratio in percent."""
    return measured(view, "error_ratio", "burn", points)


def percentile(signal: str) -> Callable[[RowView, Glyphs], Cell]:
    """Return the cell function of a latency signal alone."""

    def cell(view: RowView, _glyphs: Glyphs) -> Cell:
        bound = view.is_bound(signal)
        return measured(view, signal, "lat", lambda value: seconds_text(value, at_least=bound))

    return cell


def tokens(view: RowView, _glyphs: Glyphs) -> Cell:
    """Return output tokens a second."""
    return measured(view, "tokens_rate", "", lambda value: compact(value, 4))


def queue(view: RowView, _glyphs: Glyphs) -> Cell:
    """Return waiting requests."""
    return measured(view, "queue_depth", "", lambda value: f"{value:.0f}")


def kv_cache(view: RowView, _glyphs: Glyphs) -> Cell:
    """Return the used share of the KV cache."""
    return measured(view, "kv_cache", "", percent_text)


def who(view: RowView, _glyphs: Glyphs) -> Cell:
    """Return who has its incident, ``--`` for nobody; without one, who answers for the model."""
    found = [one for one in incidents_of(view.snapshot, view.model.model) if one.group < 2]
    if found:
        # While one of several is nobody's, the row is.
        holder = next((one.who for one in found), "") if all(one.held for one in found) else ""
        return Cell(holder[:12] or "--", "text" if holder else view.role)
    if view.hold is not None:
        return Cell(visible(view.hold.by, 12) or "?", "text")
    named = view.model.oncall.primary or view.model.owner
    if named:
        return Cell(visible(named, 12), view.role_of("who"))
    return Cell("--", view.role if view.severity is not Severity.OK else "dim")


_AGE_WIDTH = 3


def age(view: RowView, _glyphs: Glyphs) -> Cell:
    """Return for how long somebody has it (``a9m``, snoozed ``z9m``), else it is this bad.

    Where the letter finds no room the name before it says that somebody has it.
    """
    hold = view.hold
    if hold is not None:
        held = age_text(hold.age_seconds(view.snapshot.taken_at))
        mark = "a" if hold.kind == "ack" else "z"
        return Cell(held if len(held) >= _AGE_WIDTH else mark + held, "text")
    top = view.top
    if top is not None:
        role = view.role if view.severity in (Severity.S1, Severity.S2) else "ok"
        return Cell(age_text(view.snapshot.taken_at - top.since), role)
    if view.unknown:
        at = last_answer(view)
        return Cell(age_text(view.snapshot.taken_at - at) if at is not None else "?", "unknown")
    return EMPTY


def last_answer(view: RowView) -> float | None:
    """Return when the row's source last answered (Unix seconds), None when it never did."""
    return next(
        (
            source.answered_at
            for source in view.snapshot.sources
            if source.name == view.model.source
        ),
        None,
    )
