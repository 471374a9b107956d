"""What is known of the sources, one block each: the first thing to doubt when numbers look odd."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.facts.text import visible
from console.screens.helptext import in_glyphs
from console.screens.values import age_text, clock_text, seconds_text
from widgets.lines import Run

if TYPE_CHECKING:
    from console.facts.samples import SourceStatus
    from console.facts.snapshot import Snapshot
    from console.screens.helptext import BoxLine
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
        f"  {source.queries} queries, {source.failed_queries} failed; the server worked "
        f"{seconds_text(source.server_seconds)} for the last tick; every "
        f"{age_text(source.cadence_seconds)}"
    )
    if source.error:
        lines.append(f"  error: {visible(source.error, 600)}")
    if source.next_try_at is not None and source.state in ("down", "stale"):
        lines.append(f"  next try in {age_text(max(0.0, source.next_try_at - now))}")
    lines += [f"  warning: {visible(text, 600)}" for text in source.warnings]
    lines += [f"  info: {visible(text, 600)}" for text in source.infos]
    return lines
