"""The right-hand column of wide screens: incidents, in force, dependencies, sources, changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.facts.severity import BreakerState
from console.facts.text import visible
from console.screens.heldlines import force_block
from console.screens.incidentside import incident_block
from console.screens.rowview import ROLE_OF
from console.screens.runs import RunLine, fitted, twins, width_of
from console.screens.values import age_text, clock_text, percent_text
from widgets.lines import Run

if TYPE_CHECKING:
    from console.facts.samples import SourceStatus
    from console.facts.snapshot import Dependency, Snapshot
    from themes.glyphs import Glyphs

_STATE_ROLES = {"down": "s1", "degraded": "s2", "unknown": "unknown", "ok": "ok"}


def side_lines(
    snapshot: Snapshot, now: float, width: int, height: int, glyphs: Glyphs
) -> list[RunLine]:
    """Return the lines of the column, each beginning with the bar that parts it from the table."""
    inner = max(0, width - 2)
    lines: list[RunLine] = []
    if snapshot.incidents or snapshot.alert_sources:
        lines += [*incident_block(snapshot, now, inner, max(4, height // 3), glyphs), []]
    if snapshot.overrides or snapshot.record.state != "off":
        lines += [*force_block(snapshot, now, inner, max(3, height // 4)), []]
    lines.append(_ends("DEPENDENCIES", "attempts/req", inner, "title"))
    order = {"down": 0, "degraded": 1, "unknown": 2}
    for dependency in sorted(snapshot.dependencies, key=lambda one: order.get(one.state, 3)):
        lines.append(_dependency(dependency, inner, glyphs))
        lines += _models(dependency, snapshot, glyphs)
    if not snapshot.dependencies:
        lines.append([Run("none known", "dim")])
    lines += [[], _ends("SOURCES", "answered", inner, "title")]
    lines += [_source(source, now, inner) for source in snapshot.sources]
    lines += [[], [Run("CHANGES", "title")]]
    newest = sorted(snapshot.changes, key=lambda change: -change.at)
    lines += [
        [Run(f"{clock_text(change.at, seconds=False)} ", "dim"), Run(visible(change.text, 120))]
        for change in newest[: max(2, height - len(lines))]
    ]
    if not newest:
        lines.append([Run("none seen", "dim")])
    bar = Run(f"{glyphs.bar} ", "dim")
    lines += [[] for _ in range(height - len(lines))]
    return twins([[bar, *fitted(line, inner, glyphs.ellipsis)] for line in lines[:height]], glyphs)


def _ends(left: str, right: str, width: int, role: str) -> RunLine:
    gap = max(1, width - len(left) - len(right))
    return [Run(left, role), Run(" " * gap), Run(right, "dim")]


def _dependency(dependency: Dependency, width: int, glyphs: Glyphs) -> RunLine:
    role = _STATE_ROLES.get(dependency.state, "ok")
    error, attempts = dependency.error_ratio.value, dependency.attempts_per_request.value
    mark = {"down": glyphs.severity["s1"][0], "degraded": glyphs.severity["s2"][0]}
    state = mark.get(dependency.state, dependency.state)
    if dependency.state in mark and error is not None:
        state = f"{state} {percent_text(error)}"
    breaker = dependency.breaker.state
    code = "" if breaker is BreakerState.UNKNOWN else breaker.code
    ratio = "?" if attempts is None else f"{attempts:.1f}"
    tail = f"{ratio} {code}".rstrip()
    room = max(4, width - len(state) - len(tail) - 3)
    name = fitted([Run(visible(dependency.name, 60), role)], room, glyphs.ellipsis)
    gap = " " * max(1, room - width_of(name) + 1)
    return [*name, Run(gap), Run(state, role), Run(f" {tail}", "text")]


def _models(dependency: Dependency, snapshot: Snapshot, glyphs: Glyphs) -> list[RunLine]:
    """Return the models hurt through a dependency in trouble; those of a healthy one go without."""
    if dependency.state in ("ok", "unknown"):
        return []
    lines: list[RunLine] = []
    shown = dependency.models[:4]
    for place, model in enumerate(shown):
        row = snapshot.index.get(model)
        level = None if row is None else snapshot.severity(row)
        role = "dim" if level is None else ROLE_OF[level]
        mark = "" if level is None else glyphs.severity[level.label.lower()]
        branch = glyphs.last_branch if place == len(shown) - 1 else glyphs.branch
        risk = "" if mark.strip() else " (at risk)"
        lines.append(
            [
                Run(f"{branch} ", "dim"),
                Run(f"{visible(model, 40)} ", "text"),
                Run(mark.strip() or risk.strip(), role),
            ]
        )
    if len(dependency.models) > len(shown):
        lines.append([Run(f"  and {len(dependency.models) - len(shown)} more", "dim")])
    return lines


def _source(source: SourceStatus, now: float, width: int) -> RunLine:
    role = {"down": "s2", "stale": "s3", "starting": "dim"}.get(source.state, "ok")
    age = "never" if source.answered_at is None else f"{age_text(now - source.answered_at)}"
    name = visible(source.name, 24)
    parts = f"{name} {source.state}"
    if source.failed_queries:
        parts += f" {source.failed_queries}/{source.queries} failed"
    return _ends(parts, age, width, role)
