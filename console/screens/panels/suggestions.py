"""The NEXT line: two or three keys that could help now, with why or why not.

What it says comes from the same guards that judge the action when it is asked for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.domain.severity import BreakerState, Severity
from console.domain.text import visible
from console.screens.base import OutlooksArrived
from console.screens.panels.detail import LABEL_WIDTH, detail_lines, run_runs
from console.screens.row_view import off_primary
from console.screens.tables.fleet import FleetRows
from console.screens.tables.incidents import incidents_of
from widgets.lines import Run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from textual.timer import Timer

    from console.actions.availability import Outlook
    from console.actions.keymap import Keymap
    from console.screens.fleet import FleetScreen
    from console.screens.row_view import RowView
    from console.screens.tables.fleet import FleetGrid
    from themes.glyphs import Glyphs
    from widgets.lines import Lines

MOST = 3
_OPEN = (BreakerState.OPEN, BreakerState.FORCED_OPEN)


def next_runs(
    view: RowView | None, found: Sequence[Outlook] | None, keys: Keymap, glyphs: Glyphs
) -> list[Run]:
    """Return the suggestions for a row; ``found`` None is not known yet."""
    if view is None:
        return []
    if found is None:
        return [Run("looking at what can be done", "dim"), *_ack(view, keys, glyphs)]
    runs: list[Run] = []
    for outlook in list(suggested(view, found))[:MOST]:
        if runs:
            runs.append(Run(f" {glyphs.dot} ", "dim"))
        runs += _said(outlook, keys, glyphs)
    if view.recovering:
        key = keys.first_key("incident.open")
        dot = Run(f" {glyphs.dot} ", "dim")
        watch = [
            Run("watch: users are no longer hurt", "text"),
            dot,
            Run(key or ":incident", "key"),
        ]
        return [*watch, Run(" close it once it stays so", "text"), *([dot, *runs] if runs else [])]
    ack = _ack(view, keys, glyphs)
    if runs or ack:
        return [*runs, *(ack if runs else ack[1:])]
    quiet = view.severity in (Severity.OK, Severity.S4)
    return [Run("nothing suggests itself" if not quiet else "nothing needs doing", "dim")]


def _ack(view: RowView, keys: Keymap, glyphs: Glyphs) -> list[Run]:
    """Return the key that takes the row's incident, while nobody has it and it is bad."""
    if view.severity not in (Severity.S1, Severity.S2):
        return []
    found = incidents_of(view.snapshot, view.model.model)
    unheld = [one for one in found if not one.held and one.incident and one.incident.open]
    if not unheld:
        return []
    key = keys.first_key("care.ack" if len(found) == 1 else "incident.open")
    word = "ack" if len(found) == 1 else f"{len(found)} incidents, {len(unheld)} unheld"
    return [Run(f" {glyphs.dot} ", "dim"), Run(key or ":ack", "key"), Run(f" {word}", "text")]


def suggested(view: RowView, found: Sequence[Outlook]) -> Iterator[Outlook]:
    """Yield what could help this row, the most helpful first."""
    by_verb = {one.verb: one for one in reversed(found)}
    rungs = [one for one in found if one.verb == "fallback"]
    # Refusing clearly (L5) is no answer: a rung that answers still helps.
    away = off_primary(view.route) and view.route.level != "L5"
    # What is over needs no rung: what is left is to watch, to restore and to close.
    in_trouble = view.severity in (Severity.S1, Severity.S2) and not view.recovering
    if in_trouble and not away:
        reachable = next((one for one in rungs if one.reachable), None)
        if reachable is not None or rungs:
            yield reachable or rungs[0]
        if "human" in by_verb and not by_verb["human"].undeclared:
            yield by_verb["human"]
        if view.breaker.state not in _OPEN and "trip" in by_verb:
            yield by_verb["trip"]
    # While what it depends on is to blame, probes would fail and the model could not answer.
    if any(one.culprit for one in view.dependencies()):
        return
    if view.breaker.state in _OPEN and (away or not in_trouble) and "half-open" in by_verb:
        yield by_verb["half-open"]
    if away and "restore" in by_verb:
        yield by_verb["restore"]


def _said(outlook: Outlook, keys: Keymap, glyphs: Glyphs) -> list[Run]:
    key = keys.first_key(f"act.{outlook.verb.replace('-', '_')}") or f":{outlook.verb}"
    names = {"fallback": f"fallback {glyphs.arrow} {visible(outlook.to, 40)}", "human": "human"}
    name = (
        names.get(outlook.verb, outlook.verb)
        if outlook.to or outlook.verb != "fallback"
        else ("fallback")
    )
    gravest = outlook.guards[0] if outlook.guards else None
    bad = outlook.undeclared or (gravest is not None and gravest.level != "warn")
    runs = [Run(key, "dim" if bad else "key"), Run(f" {name} ", "dim" if bad else "text")]
    if bad:
        return [*runs, Run(f"{glyphs.cross} {visible(outlook.against, 120)}", "s3")]
    facts = ", ".join(_facts(outlook, glyphs))
    if facts:
        runs.append(Run(f"({facts})", "dim"))
    if gravest is not None and gravest.id in ("no_room", "review_full", "no_fallback"):
        runs.append(Run(f" ! {visible(gravest.sentence, 120)}", "s3"))
    return runs


def _facts(outlook: Outlook, glyphs: Glyphs) -> Iterator[str]:
    blast = outlook.blast
    if blast.region_to and blast.region_allowed is not None:
        yield f"{visible(blast.region_to, 24)} ok"
    if blast.room_per_minute.value is not None:
        mark = {True: glyphs.tick, False: glyphs.cross, None: "?"}[blast.room_enough]
        yield f"room {blast.room_per_minute.value:,.0f}/min {mark}"
    if outlook.confirm_class in ("C2", "C3"):
        yield f"class {outlook.confirm_class}"


REST_SECONDS = 0.15
"""How long the cursor rests on a row before it is asked what could be done to it."""


class FleetActing:
    """The lines under the table, with NEXT asked for when the cursor rests on a row."""

    def __init__(self, screen: FleetScreen) -> None:
        self._screen = screen
        self._rest: Timer | None = None

    def look_ahead_soon(self) -> None:
        """Ask what could be done to the row under the cursor, once it rests there."""
        if self._rest is not None:
            self._rest.stop()
        self._rest = self._screen.set_timer(REST_SECONDS, self.look_ahead)

    def look_ahead(self) -> None:
        """Ask what could be done to the row under the cursor."""
        engine, model = self._screen.session.engine, self._screen.grid.cursor_key
        if engine is not None and model:
            engine.request_outlooks(model, self._deliver)

    def _deliver(self, model: str, found: tuple[Outlook, ...]) -> None:
        self._screen.app.post_message(OutlooksArrived(model, found))

    def show_detail(self, part: Lines, room: int) -> None:
        """Show the lines about the row under the cursor in ``room`` lines."""
        screen = self._screen
        session, view, width = screen.session, screen.view, screen.size.width
        now, glyphs = session.clock(), session.glyphs
        found = None if view is None else session.outlooks_of(view.model.model)
        lines = detail_lines(
            view,
            screen.shown,
            now,
            width,
            glyphs,
            next_moves=next_runs(view, found, session.keys, glyphs),
            runbook=run_runs(screen.context.runbook, session.keys.first_key("runbook"), glyphs),
            sent=session.sent.line(now, width - LABEL_WIDTH, glyphs, session.idle_words),
            has_sent=bool(session.sent.entries),
            room=room,
            below=rows_below(screen.grid, glyphs),
        )
        part.show_lines(lines)


def rows_below(grid: FleetGrid, glyphs: Glyphs) -> str:
    """Return how many rows stand below the fold, and how many of them of which level."""
    first = grid.first_visible_index + grid.visible_rows
    rows = grid.rows
    hidden = len(rows) - first
    if hidden <= 0 or grid.visible_rows <= 0 or not isinstance(rows, FleetRows):
        return ""
    levels = rows.levels_from(first)
    counts = {level: levels.count(level) for level in (Severity.S1, Severity.S2, Severity.S3)}
    marks = [
        f"{glyphs.severity[level.label.lower()].strip()} {count}"
        for level, count in counts.items()
        if count
    ]
    return f" {glyphs.dot} ".join([f"{hidden} more below", *marks])
