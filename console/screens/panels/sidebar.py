"""The right-hand column: incidents, in force, dependencies, sources, changes; the sources box."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.domain.severity import BreakerState
from console.domain.text import visible
from console.reports.incident_document import deaf
from console.screens.panels.footer import in_glyphs
from console.screens.row_view import ROLE_OF
from console.screens.spans import (
    RunLine,
    age_text,
    clock_text,
    fitted,
    percent_text,
    seconds_text,
    twins,
    width_of,
)
from console.screens.tables.incidents import counts, level_mark, listed_incidents
from console.screens.tables.overrides import force_block
from widgets.lines import Run

if TYPE_CHECKING:
    from console.domain.samples import SourceStatus
    from console.domain.snapshot import Dependency, Snapshot
    from console.screens.panels.footer import BoxLine
    from console.screens.tables.incidents import Listed
    from themes.glyphs import Glyphs

_ROLES = {"up": "ok", "down": "s2", "stale": "s3", "starting": "dim"}


def source_lines(snapshot: Snapshot | None, now: float, glyphs: Glyphs) -> list[BoxLine]:
    """Return the lines of the box about all sources."""
    if snapshot is None:
        return ["no source has been asked yet"]
    if not snapshot.sources:
        return ["no source is configured: add one with --prometheus URL or --scrape URL"]
    lines: list[BoxLine] = []
    for source in (*snapshot.sources, *snapshot.places):
        lines += _block(source, now)
        lines.append("")
    return in_glyphs(lines[:-1], glyphs)


def _block(source: SourceStatus, now: float) -> list[BoxLine]:
    at = source.answered_at
    age = (
        "never answered" if at is None else f"answered {age_text(now - at)} ago ({clock_text(at)}Z)"
    )
    head = [
        Run(f"{visible(source.name, 40)} ", "title"),
        Run(f"{source.state} ", _ROLES[source.state]),
        Run(f"{visible(source.kind, 20)}, {age}", "dim"),
    ]
    lines: list[BoxLine] = [head]
    lines.append(
        f"  {source.queries} {'query' if source.queries == 1 else 'queries'}, "
        f"{source.failed_queries} failed; the server worked "
        f"{seconds_text(source.server_seconds)} for the last tick; every "
        f"{age_text(source.cadence_seconds)}"
    )
    if source.error:
        lines.append(f"  error: {visible(source.error, 600)}")
    if source.next_try_at is not None and source.state in ("down", "stale"):
        lines.append(f"  next try in {age_text(max(0.0, source.next_try_at - now))}")
    if source.address:
        lines.append(f"  asked at {visible(source.address, 300)}")
    if source.standby:
        lines.append(f"  {visible(source.standby, 40)} stands in for it")
    lines += [f"  warning: {visible(text, 600)}" for text in source.warnings]
    lines += [f"  not read: {visible(text, 600)}" for text in source.unread]
    lines += [f"  info: {visible(text, 600)}" for text in source.infos]
    return lines


def incident_block(
    snapshot: Snapshot, now: float, width: int, most: int, glyphs: Glyphs
) -> list[RunLine]:
    """Return at most ``most`` lines; "none" only where every place has just answered in full."""
    found = [one for one in listed_incidents(snapshot) if one.group < 2 and one.incident]
    found.sort(key=lambda one: (int(one.severity), one.held))
    nobodys, held, _ = counts(found)
    doubt = "?" if deaf(snapshot) else ""
    lines: list[RunLine] = [[Run(f"INCIDENTS {nobodys + held}{doubt} open", "title")]]
    if not found:
        lines.append([Run(*(("not known", "s3") if doubt else ("none", "dim")))])
        return lines
    # One line each, and a second with what it is while there is room for that.
    two = 2 * len(found) + 1 <= most
    shown = found if two or len(found) <= most - 1 else found[: most - 2]
    for one in shown:
        lines.append(_head(one, now, width, glyphs))
        if two and one.incident is not None and one.incident.summary:
            text = f"   {visible(one.incident.summary, 120)}"
            lines.append(fitted([Run(text, "dim")], width, glyphs.ellipsis))
    if len(shown) < len(found):
        lines.append([Run(f"and {len(found) - len(shown)} more: I", "dim")])
    return lines


def _head(one: Listed, now: float, width: int, glyphs: Glyphs) -> RunLine:
    mark, role = level_mark(one.severity, glyphs)
    age = "?" if one.since is None else age_text(now - one.since)
    who = one.who[:6] or "--"
    line: RunLine = [
        Run(f"{mark} ", role),
        Run(f"{visible(one.id, 8)} {age:>3} ", "dim"),
        Run(f"{who:<6} ", "text" if one.held else role),
    ]
    about = visible(one.about, 60) or one.title
    return [*line, *fitted([Run(about, "text")], width - width_of(line), glyphs.ellipsis)]


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
