"""Metrics texts of real servers, replayed as if their counters had grown steadily until now."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXTS = Path(__file__).parent.parent / "metrics" / "data"
STEP_SECONDS = 15
PAST_SECONDS = 2400
AHEAD_SECONDS = 120

_LINE = re.compile(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(\{.*\})?\s+(\S+)\s*$")
_GROWING = ("counter", "histogram", "summary")


def openmetrics(servers: tuple[str, ...], now: float) -> str:
    """Return OpenMetrics text with every series of these servers' texts around ``now``."""
    samples = [sample for server in servers for sample in _samples(server)]
    start = int(now) - PAST_SECONDS
    times = range(start, int(now) + AHEAD_SECONDS, STEP_SECONDS)
    lines = []
    for name, labels, value, grows in samples:
        for number, at in enumerate(times):
            shown = value * number if grows else value
            lines.append(f"{name}{labels} {shown!r} {at}")
    return "\n".join(lines)


def _samples(server: str) -> Iterator[tuple[str, str, float, bool]]:
    kinds: dict[str, str] = {}
    for line in (TEXTS / f"{server}.txt").read_text("utf-8").splitlines():
        if line.startswith("# TYPE"):
            _, _, name, kind = line.split()
            kinds[name] = kind
        found = _LINE.match(line)
        if line.startswith("#") or found is None:
            continue
        name, labels, value = found.groups()
        where = f'instance="{server}:1",job="{server}"'
        joined = f"{{{where}}}" if labels in (None, "{}") else f"{{{where},{labels[1:]}"
        grows = _kind(name, kinds) in _GROWING and 'quantile="' not in (labels or "")
        yield name, joined, float(value), grows


def _kind(name: str, kinds: dict[str, str]) -> str:
    for suffix in ("", "_bucket", "_count", "_sum", "_total"):
        if name.endswith(suffix) and name.removesuffix(suffix) in kinds:
            return kinds[name.removesuffix(suffix)]
    return "gauge"
