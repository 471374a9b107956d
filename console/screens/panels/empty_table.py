"""What stands in the place of a table without a model: who was asked, what it said, what helps."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.domain.text import visible
from console.screens.spans import age_text, fitted
from widgets.lines import Run
from widgets.text_width import wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.domain.samples import SourceStatus
    from console.domain.snapshot import Snapshot
    from console.screens.spans import RunLine
    from themes.glyphs import Glyphs

LABEL_WIDTH = 8
_MOST_LINES_A_TEXT = 6
_ROLES = {"up": "ok", "down": "s2", "stale": "s3", "starting": "dim"}

NO_SOURCE = "no source is configured"
_LOOKED_FOR = (
    "the metrics of every model server in docs/profiles.md, under any prefix, and of the contract "
    "(model_requests_total{model=…})"
)
_REFUSED = (
    "see that it runs there and that this host may reach it; the address stands in --prometheus, "
    "--scrape or [[sources]]"
)
_PAGE = (
    "that is a page for people, not the API: give the address behind it, or the login's token as "
    "auth = {…} of this source"
)
_CLOCK = (
    "set the clock that is wrong (timedatectl): questions are asked for this machine's now, and "
    "the server has no samples for it"
)
_UNREAD = (
    "give the series that label where they are scraped, or seat a row by [models.NAME] with match, "
    "source and own PromQL"
)
_NOTHING = (
    "midwatch lint-metrics URL says what one service's /metrics lacks; in a Prometheus the query "
    "count by (job) (up) says whom it scrapes"
)
_CONFIGURE = (
    "write a configuration with this source and its auth (docs/configuration.md, or "
    "config.sample.toml), then midwatch check --config FILE"
)
_ASK_ONE = "midwatch check asks it once and says more"


def empty_table_lines(snapshot: Snapshot, now: float, width: int, glyphs: Glyphs) -> list[RunLine]:
    """Return why a table has no model, and what to do; nothing where there is one."""
    if snapshot.rows:
        return []
    lines: list[RunLine] = [[Run(" There is no model to show, and this is why.", "title")]]
    lines += [_keys(width, glyphs), []]
    if not snapshot.sources:
        lines += _labelled("SOURCE", NO_SOURCE, "s3", width)
        lines += _labelled("TO DO", _START, "text", width)
        return lines
    for source in snapshot.sources:
        lines += [*_source(source, now, width, glyphs), []]
    if any(source.state == "up" and not source.unread for source in snapshot.sources):
        lines += _labelled("LOOKED", f"for {_LOOKED_FOR}", "dim", width)
    return lines


_KEYS = (("ctrl+r", "ask again now"), ("s", "the sources"), (":reload", "the file"), ("q", "quit"))


def _keys(width: int, glyphs: Glyphs) -> RunLine:
    line = [Run(" " + "KEYS".ljust(LABEL_WIDTH), "title")]
    for key, word in _KEYS:
        line += [Run(key, "key"), Run(f" {word}   ", "text")]
    return fitted(line, width, glyphs.ellipsis)


_START = "start with --prometheus URL or --scrape URL, or let midwatch init write a configuration"


def _source(source: SourceStatus, now: float, width: int, glyphs: Glyphs) -> list[RunLine]:
    """Return what one source answered, or why it did not and when it is asked again."""
    told = [visible(source.kind, 20)] if source.kind != source.name else []
    if source.state != "up" and source.next_try_at is not None:
        told.append(f"asked again in {age_text(max(0.0, source.next_try_at - now))}")
    if source.address:
        told.append(visible(source.address, 120))
    head: RunLine = [
        Run(" " + "SOURCE".ljust(LABEL_WIDTH), "title"),
        Run(f"{visible(source.name, 24)} ", "title"),
        Run(source.state, _ROLES[source.state]),
        *(Run(f" {glyphs.dot} {text}", "dim") for text in told),
    ]
    lines = [fitted(head, width, glyphs.ellipsis)]
    for text in _said(source):
        lines += _labelled("", text, "text", width)
    return [*lines, *_labelled("TO DO", to_do(source), "text", width)]


def _said(source: SourceStatus) -> Sequence[str]:
    if source.error:
        return (source.error,)
    said = [*source.warnings, *source.unread]
    if source.state == "up":
        return said or ("it answers, and holds nothing of a model server",)
    return said or ("it has not answered yet",)


def to_do(source: SourceStatus) -> str:
    """Return what to do about one source that gives no model."""
    error = source.error or ""
    if source.state == "up":
        if any("clock is" in text for text in source.warnings):
            return _CLOCK
        return _UNREAD if source.unread else _NOTHING
    if "cannot be reached" in error or "not accept a connection" in error:
        return _REFUSED
    if "HTML page" in error:
        return _PAGE
    if "no secret is declared" in error:
        return _CONFIGURE
    return _ASK_ONE


def _labelled(label: str, text: str, role: str, width: int) -> list[RunLine]:
    """Return a text in as many lines as it needs, the first with its label."""
    room = max(20, width - LABEL_WIDTH - 2)
    pieces = wrap(visible(text, 900), room, _MOST_LINES_A_TEXT)
    return [
        [Run(" " + (label if number == 0 else "").ljust(LABEL_WIDTH), "title"), Run(piece, role)]
        for number, piece in enumerate(pieces)
    ]
