"""Every signal of one model as a line: now (normal), its last hour, the rule, the state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from console.domain.signals import SIGNALS, Reading, ReadingState
from console.metrics.units import format_signal
from console.screens.row_view import ROLE_OF, subject_of
from console.screens.spans import (
    STALE_MARK,
    age_text,
    percent_text,
    promise_text,
    seconds_text,
    state_text,
    when_text,
)
from themes.glyphs import to_ascii
from widgets.canvas import spark
from widgets.grid import Cell, Column

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.domain.severity import Finding
    from console.screens.panels.curves import Curves
    from console.screens.row_view import RowView
    from themes.glyphs import Glyphs

STRIP_SECONDS = 3600.0
NAME_WIDTH, NOW_WIDTH, RULE_WIDTH, STATE_WIDTH = 14, 16, 16, 15
STRIP_LEAST, STRIP_MOST = 8, 60

_SHORT = {
    "requests_rate": "requests/s", "bad_rate": "bad/s", "error_ratio": "errors",
    "tokens_rate": "tokens/s", "attempts_per_request": "attempts/req", "latency_p50": "p50",
    "latency_p95": "p95", "latency_p99": "p99", "latency_mean": "mean latency",
    "ttft_p95": "TTFT p95", "tpot_p95": "TPOT p95", "saturation": "saturation",
    "kv_cache": "KV cache", "queue_depth": "queue", "in_flight": "running",
    "confidence_mean": "confidence", "low_confidence_ratio": "low confidence", "ece": "ECE",
    "review_rate": "to review/s", "review_depth": "review queue",
    "review_oldest": "oldest review", "review_rho": "review load", "drift_psi": "drift PSI",
    "drift_features": "drifted feat.", "prediction_drift": "prediction PSI",
    "null_ratio": "missing inputs", "cost_per_hour": "cost/h", "cost_today": "cost today",
    "cost_month": "cost month",
    "cost_month_p50": "month P50", "cost_month_p90": "month P90",
    "cost_per_1k": "cost/1k", "cost_pace": "pace",
    "spend_burn": "spend burn", "waste_ratio": "waste", "budget_left": "budget left",
    "refused_rate": "refused/s", "retries_rate": "retries/s", "fallback_rate": "fallbacks/s",
    "tokens_in_rate": "tokens in/s", "queue_time_p95": "queue time p95",
    "queue_time_mean": "queue time", "ttft_mean": "mean TTFT", "tpot_mean": "mean TPOT",
    "healthy_share": "healthy", "cooldowns": "breaker opened", "cache_hit_ratio": "cache hits",
    "gpu_util": "GPU use", "gpu_memory": "GPU memory", "gpu_power_watts": "GPU watts",
    "gpu_faults": "GPU XID", "drift_share": "drift checks", "drift_flag": "drift yes/no",
    "drift_p_value": "drift p-value", "quality_change": "quality change",
}  # fmt: skip

_ORDER = (
    "burn_1h", "budget_left", "error_ratio", "requests_rate", "latency_p95", "ttft_p95",
    "attempts_per_request", "saturation", "kv_cache", "queue_depth", "low_confidence_ratio",
    "confidence_mean", "review_depth", "review_oldest", "review_rho", "drift_psi",
    "drift_features", "null_ratio", "cost_per_hour", "cost_pace", "spend_burn", "cost_per_1k",
    "waste_ratio", "latency_p50", "latency_p99", "latency_mean", "tpot_p95", "tokens_rate",
    "in_flight", "bad_rate", "ece", "prediction_drift", "review_rate", "cost_today",
    "cost_month", "cost_month_p50", "cost_month_p90",
    "replicas", "healthy_share", "refused_rate", "retries_rate", "fallback_rate", "cooldowns",
    "queue_time_p95", "queue_time_mean", "ttft_mean", "tpot_mean", "tokens_in_rate",
    "cache_hit_ratio", "batch_size", "gpu_util", "gpu_memory", "gpu_power_watts", "gpu_faults",
    "drift_share", "drift_flag", "drift_p_value", "drift_distance", "quality", "quality_change",
    "burn_5m", "burn_30m", "burn_2h", "burn_6h", "burn_1d", "burn_3d",
)  # fmt: skip

_SUBJECT_SIGNALS: dict[str, tuple[str, ...]] = {
    "burn": ("burn_1h", "error_ratio"),
    "left": ("budget_left",),
    "att": ("attempts_per_request",),
    "lat": ("latency_p95", "ttft_p95", "latency_mean"),
    "lowc": ("low_confidence_ratio",),
    "review": ("review_oldest", "review_depth", "review_rho"),
    "drift": ("drift_psi", "prediction_drift"),
    "pace": ("spend_burn", "cost_pace", "cost_per_hour"),
}


@dataclass(frozen=True, slots=True)
class SignalLine:
    """One line: texts with their roles; ``signal`` is what ``?`` explains."""

    signal: str
    title: str
    now: Cell
    rule: str
    state: Cell


def signal_lines(view: RowView, now: float, glyphs: Glyphs) -> list[SignalLine]:
    """Return a line for every signal, those without data at the end."""
    held = _findings_by_signal(view)
    lines = [_line(view, signal, held.get(signal), now, glyphs) for signal in _ORDER]
    with_data = [one for one in lines if _has_something(view, one.signal)]
    without = [one for one in lines if not _has_something(view, one.signal)]
    return with_data + without


def _has_something(view: RowView, signal: str) -> bool:
    return view.reading(signal).state is not ReadingState.NO_DATA


def _findings_by_signal(view: RowView) -> dict[str, Finding]:
    held: dict[str, Finding] = {}
    for finding in sorted(view.findings, key=lambda one: (-one.level, -one.since)):
        if finding.rule == "ece":
            held["ece"] = finding
            continue
        for signal in _SUBJECT_SIGNALS.get(subject_of(finding.rule), ()):
            held[signal] = finding
    return held


def _line(
    view: RowView, signal: str, finding: Finding | None, now: float, glyphs: Glyphs
) -> SignalLine:
    reading = view.reading(signal)
    role = "ok" if finding is None else ROLE_OF[finding.level]
    if reading.state is ReadingState.STALE:
        role = "dim"
    return SignalLine(
        signal,
        _SHORT.get(signal, signal.replace("_", " ")),
        Cell(now_text(view, signal, reading), role if reading.value is not None else "dim"),
        rule_text(view, signal),
        _state(reading, finding, limit_of(view, signal), now, glyphs),
    )


def _shown(signal: str, value: float, *, at_least: bool = False) -> str:
    """Return a value as the fleet table writes it: 85ms where format_signal says .09s."""
    if SIGNALS[signal].unit == "s":
        return seconds_text(value, at_least=at_least)
    return format_signal(signal, value)


def now_text(view: RowView, signal: str, reading: Reading) -> str:
    """Return the value with what is normal: 1.9s (.4s); burn with its short window."""
    if reading.history_seconds is not None:
        return f"history {age_text(reading.history_seconds)}"
    if reading.value is None:
        return state_text(reading)
    text = _shown(signal, reading.value, at_least=view.is_bound(signal))
    if signal == "burn_1h":
        short = view.value("burn_5m")
        text += "/1h" + ("" if short is None else f" {format_signal('burn_5m', short)}/5m")
    base = view.base(signal)
    if base is not None:
        normal = f" ({_shown(signal, base).removesuffix('/h')})"
        # Half a bracket says less than none.
        text += normal if len(text + normal) <= NOW_WIDTH else ""
    if reading.n is not None and signal == "drift_psi":
        text += f" n={reading.n:.0f}"
    return text + (STALE_MARK if reading.state is ReadingState.STALE else "")


def rule_text(view: RowView, signal: str) -> str:
    """Return the rule a signal is held against, empty where there is none."""
    row = view.model
    objectives = row.objectives
    default = "" if objectives.declared else "~"
    match signal:
        case "burn_1h":
            return f"{default}14.4x 1h & 5m"
        case "burn_6h":
            return f"{default}6x with 30m"
        case "burn_1d":
            return f"{default}3x with 2h"
        case "burn_3d":
            return f"{default}1x with 6h"
        case "error_ratio":
            return f"{default}<{percent_text(1 - objectives.availability_ratio)}"
        case "latency_p95" | "ttft_p95" | "latency_mean":
            under, share = objectives.latency_under_seconds, objectives.latency_share_ratio
            if under is not None and signal == "latency_p95":
                of = "" if share is None else f", {percent_text(share)}"
                return f"<{promise_text(under)}{of}"
            return "~3x its normal"
        case "review_oldest":
            sla = row.review_sla_seconds
            return "" if sla is None else f"SLA {age_text(sla)}"
        case "cost_per_hour":
            budget = row.budget_month_usd
            return "" if budget is None else f"plan {format_signal(signal, budget / 720)}"
        case "low_confidence_ratio":
            return "2x normal, +2%"
        case _:
            return _FIXED_RULES.get(signal, "")


_FIXED_RULES = {
    "attempts_per_request": "1.1",
    "kv_cache": ".9 and waiting",
    "review_rho": "1",
    "drift_psi": ".1 .2, n 200",
    "ece": ".10",
    "spend_burn": "10x 1h, 3x 6h",
    "waste_ratio": "5%, 15%",
}


def limit_of(view: RowView, signal: str) -> float | None:
    """Return the value above which a signal is not called ok, in its unit; None without a rule."""
    row = view.model
    objectives = row.objectives
    base = view.base(signal)
    match signal:
        case "error_ratio":
            return 1 - objectives.availability_ratio
        case "latency_p95" | "ttft_p95" | "latency_mean":
            if signal == "latency_p95" and objectives.latency_under_seconds is not None:
                return objectives.latency_under_seconds
            return None if base is None else 3 * base
        case "review_oldest":
            return row.review_sla_seconds
        case "cost_per_hour":
            return None if row.budget_month_usd is None else row.budget_month_usd / 720
        case "low_confidence_ratio":
            return None if base is None else max(2 * base, base + 0.02)
        case _:
            return _FIXED_LIMITS.get(signal)


_FIXED_LIMITS = {
    "burn_1h": 6.0, "burn_6h": 1.0, "burn_1d": 3.0, "burn_3d": 1.0, "attempts_per_request": 1.1,
    "kv_cache": 0.9, "review_rho": 1.0, "drift_psi": 0.1, "ece": 0.1, "spend_burn": 3.0,
    "waste_ratio": 0.05,
}  # fmt: skip


def _state(
    reading: Reading, finding: Finding | None, limit: float | None, now: float, glyphs: Glyphs
) -> Cell:
    if finding is not None:
        mark = glyphs.severity[finding.level.label.lower()]
        return Cell(f"{mark} since {when_text(finding.since, now)}", ROLE_OF[finding.level])
    match reading.state:
        case ReadingState.OK:
            if limit is None or reading.value is None:
                return Cell("")
            # Above its limit without a rule that holds: not raised yet, or one window only.
            return Cell("ok", "ok") if reading.value <= limit else Cell("above", "text")
        case ReadingState.NO_DATA:
            return Cell("no data", "dim")
        case ReadingState.NO_TRAFFIC:
            return Cell("idle, no traffic", "dim")
        case ReadingState.TOO_FEW:
            had = "" if reading.n is None else f", n={reading.n:.0f}"
            return Cell(f"too few{had}", "dim")
        case ReadingState.STALE:
            age = "" if reading.at is None else f" {age_text(now - reading.at)}"
            return Cell(f"stale{age}", "stale")
        case _:
            return Cell("error", "error")


def strip_columns(width: int) -> tuple[Column, ...]:
    """Return the columns of the signal table for its width; the strip takes what is left."""
    fixed = NAME_WIDTH + NOW_WIDTH + STATE_WIDTH + 3
    rule = RULE_WIDTH if width >= fixed + RULE_WIDTH + 1 + STRIP_LEAST else 0
    strip = max(0, width - fixed - (rule + 1 if rule else 0))
    columns = [Column("signal", "SIGNAL", NAME_WIDTH), Column("now", "NOW (normal)", NOW_WIDTH)]
    if strip >= STRIP_LEAST:
        columns.append(Column("strip", "LAST 60 MIN"[:strip], min(STRIP_MOST, strip)))
    if rule:
        columns.append(Column("rule", "RULE", rule))
    columns.append(Column("state", "STATE", STATE_WIDTH))
    return tuple(columns)


class SignalRows:
    """The lines as the table asks for them; strips are made for visible lines only."""

    def __init__(
        self,
        lines: Sequence[SignalLine],
        curves: Curves,
        now: float,
        strip_width: int,
        glyphs: Glyphs,
    ) -> None:
        self._lines = lines
        self._curves = curves
        self._now = now
        self._strip_width = strip_width
        self._glyphs = glyphs
        self._places = {line.signal: place for place, line in enumerate(lines)}

    def __len__(self) -> int:
        return len(self._lines)

    def key(self, index: int) -> str:
        """Return the signal's name."""
        return self._lines[index].signal

    def index(self, key: str) -> int | None:
        """Return where a signal stands."""
        return self._places.get(key)

    def cells(self, index: int, columns: Sequence[str]) -> Sequence[Cell]:
        """Return the cells of one line."""
        line = self._lines[index]
        made = tuple(self._cell(line, key) for key in columns)
        if self._glyphs.name == "ascii":
            return tuple(Cell(to_ascii(cell.text), cell.role) for cell in made)
        return made

    def _cell(self, line: SignalLine, key: str) -> Cell:
        match key:
            case "signal":
                return Cell(line.title, "text" if line.state.text != "no data" else "dim")
            case "now":
                return line.now
            case "strip":
                loud = line.now.role in ("s1", "s2", "s3")
                return Cell(self._strip(line.signal), line.now.role if loud else "dim")
            case "rule":
                return Cell(line.rule, "dim")
            case _:
                return line.state

    def _strip(self, signal: str) -> str:
        if signal not in self._curves:
            return ""
        values = self._curves.on_grid(signal, self._now, STRIP_SECONDS, self._strip_width)
        kind: Literal["ascii", "block"] = "ascii" if self._glyphs.name == "ascii" else "block"
        # Zero is on the scale: a wiggle must not look like a cliff.
        return spark(values, self._strip_width, kind, low=0.0)
