"""Samples for the tests of sources: a few models whose names and numbers are awkward."""

from __future__ import annotations

import math
from dataclasses import dataclass

HOSTILE_NAMES = (
    '[/foo]"} or vector(1) #',
    "\x1b[2J\n\\",
    "\u202ertl",
    "宽宽宽",
    "x" * 10_000,
)


@dataclass(frozen=True)
class Timeline:
    """Samples of one series: Unix seconds and values; a gap is a time that is not there."""

    name: str
    labels: tuple[tuple[str, str], ...]
    times: tuple[float, ...]
    values: tuple[float, ...]


def escaped(value: str) -> str:
    """Return a label value as an exposition writes it."""
    return value.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def series_text(name: str, labels: tuple[tuple[str, str], ...]) -> str:
    """Return a series as an exposition writes it."""
    inside = ",".join(f'{label}="{escaped(value)}"' for label, value in labels)
    return f"{name}{{{inside}}}" if inside else name


def openmetrics(timelines: list[Timeline], extra: tuple[tuple[str, str], ...] = ()) -> str:
    """Return timelines as OpenMetrics text with timestamps, grouped as promtool wants them."""
    lines = []
    for name in sorted({timeline.name for timeline in timelines}):
        lines.append(f"# TYPE {name} unknown")
        for timeline in (timeline for timeline in timelines if timeline.name == name):
            text = series_text(name, (*timeline.labels, *extra))
            lines.extend(
                f"{text} {_number(value)} {at:.3f}"
                for at, value in zip(timeline.times, timeline.values, strict=True)
            )
    return "\n".join(lines) + "\n# EOF\n"


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)


def service_text(model: str, *, requests: float, errors: float = 0.0) -> str:
    """Return a small service's ``/metrics`` with a rate that a test can know."""
    name = escaped(model)
    return f"""\
# HELP model_requests_total Requests.
# TYPE model_requests_total counter
model_requests_total{{model="{name}",outcome="success"}} {requests - errors}
model_requests_total{{model="{name}",outcome="error"}} {errors}
# TYPE model_review_queue_depth gauge
model_review_queue_depth{{model="{name}"}} 7
# TYPE model_request_duration_seconds histogram
model_request_duration_seconds_bucket{{model="{name}",le="0.1"}} {requests / 2}
model_request_duration_seconds_bucket{{model="{name}",le="+Inf"}} {requests}
model_request_duration_seconds_sum{{model="{name}"}} {requests / 10}
model_request_duration_seconds_count{{model="{name}"}} {requests}
something_else_total{{thing="no"}} 5
"""
