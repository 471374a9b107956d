"""Incidents as rows of a table and as the lines about one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.facts.text import visible
from console.screens.incidentwords import check_word, held_since, level_mark
from console.screens.runs import RunLine, fitted, twins, width_of
from console.screens.values import age_text, clock_text, when_text
from themes.glyphs import to_ascii
from widgets.gridrows import Cell, Column
from widgets.lines import Run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.facts.alert import Incident
    from console.screens.incidentwords import Listed
    from themes.glyphs import Glyphs

DETAIL_LINES = 7
LABEL_WIDTH = 7
_STATE_ROLES = {"firing": "text", "resolved": "dim", "merged": "dim", "gone": "s3"}
_WIDE = (
    Column("s", "S", 2), Column("id", "ID", 8), Column("state", "STATE", 10),
    Column("age", "AGE", 4, "right"), Column("who", "WHO", 12), Column("held", "HELD", 4, "right"),
    Column("check", "NEXT CHECK", 18), Column("alerts", "ALERTS", 6, "right"),
    Column("about", "ABOUT", 24),
)  # fmt: skip
_MIDDLE = (
    Column("s", "S", 2), Column("id", "ID", 8), Column("state", "STATE", 10),
    Column("age", "AGE", 4, "right"), Column("who", "WHO", 8), Column("held", "HELD", 4, "right"),
    Column("check", "NEXT CHECK", 17), Column("alerts", "AL", 3, "right"),
    Column("about", "ABOUT", 18),
)  # fmt: skip
_NARROW = (
    Column("s", "S", 2), Column("id", "ID", 8), Column("state", "STATE", 8),
    Column("age", "AGE", 3, "right"), Column("who", "WHO", 5), Column("check", "CHECK", 8),
    Column("alerts", "AL", 3, "right"), Column("about", "ABOUT", 16),
)  # fmt: skip
WIDE_FROM, MIDDLE_FROM = 140, 100


def incident_columns(width: int) -> tuple[Column, ...]:
    """Return the columns of the table; what is told takes what room is left."""
    columns = _WIDE if width >= WIDE_FROM else _MIDDLE if width >= MIDDLE_FROM else _NARROW
    used = sum(column.width + 1 for column in columns)
    return (*columns, Column("what", "WHAT", max(8, width - used)))


class IncidentRows:
    """Incidents as a table asks for them."""

    def __init__(self, listed: Sequence[Listed], now: float, glyphs: Glyphs, width: int) -> None:
        self._listed = listed
        self._places = {one.id: place for place, one in enumerate(listed)}
        self._now = now
        self._glyphs = glyphs
        self._narrow = width < MIDDLE_FROM

    def __len__(self) -> int:
        return len(self._listed)

    def key(self, index: int) -> str:
        """Return the incident's id."""
        return self._listed[index].id

    def index(self, key: str) -> int | None:
        """Return where an incident stands."""
        return self._places.get(key)

    def listed(self, key: str | None) -> Listed | None:
        """Return the incident with this id."""
        place = None if key is None else self._places.get(key)
        return None if place is None else self._listed[place]

    def cells(self, index: int, columns: Sequence[str]) -> Sequence[Cell]:
        """Return the cells of one incident."""
        one = self._listed[index]
        made = (self._cell(one, key) for key in columns)
        if self._glyphs.name != "ascii":
            return tuple(made)
        return tuple(Cell(to_ascii(cell.text), cell.role) for cell in made)

    def _cell(self, one: Listed, key: str) -> Cell:
        now, quiet = self._now, one.group > 1
        match key:
            case "s":
                mark, role = level_mark(one.severity, self._glyphs)
                return Cell(mark, "dim" if quiet else role)
            case "id":
                return Cell(visible(one.id, 12), "dim" if quiet else "title")
            case "state":
                role = _STATE_ROLES.get(one.state, "dim")
                return Cell(visible(one.state, 12), "dim" if quiet else role)
            case "age":
                return Cell("?" if one.since is None else age_text(now - one.since), "text")
            case "who":
                nobody = level_mark(one.severity, self._glyphs)[1] if one.group == 0 else "dim"
                return Cell(one.who or "--", "text" if one.who else nobody)
            case "held":
                return Cell(held_since(one, now), "dim")
            case "check":
                return self._check(one)
            case "alerts":
                count = 0 if one.incident is None else len(one.incident.alerts)
                return Cell(str(count) if count else "-", "dim")
            case "about":
                return Cell(visible(one.about, 60) or "-", "text" if not quiet else "dim")
            case _:
                return Cell(what_text(one, now), "text" if not quiet else "dim")

    def _check(self, one: Listed) -> Cell:
        text, role = check_word(one, self._now)
        text = text.removeprefix("check ")
        if self._narrow:
            text = text.removeprefix("in ").removeprefix("ends ").replace("OVERDUE", "OVER")
            text = text.replace("in ", "ends ")
        return Cell(text, role)


def what_text(one: Listed, now: float) -> str:
    """Return what is told of an incident in one line: what quiets it, its alerts, its summary."""
    incident = one.incident
    if one.merged_into and incident is None:
        return f"merged into {visible(one.merged_into, 20)}"
    if incident is None:
        reason = "" if one.hold is None else visible(one.hold.reason, 160)
        return f"no source tells of it now; held: {reason or 'no reason'}"
    notes = []
    if incident.stale_seconds is not None:
        notes.append(f"stale {age_text(incident.stale_seconds)}")
    if incident.flapping:
        notes.append(f"flapping {incident.starts_per_hour:.0f}/h")
    if incident.state == "suppressed" and incident.suppressed_by:
        notes.append(visible(incident.suppressed_by[0], 160))
    if incident.ends is not None:
        notes.append(f"over for {age_text(now - incident.ends)}")
    notes.append(visible(incident.summary, 200) or alert_names(incident))
    return " · ".join(part for part in notes if part)


def alert_names(incident: Incident, most: int = 4) -> str:
    """Return the names of an incident's alerts, each once."""
    names = list(dict.fromkeys(visible(alert.name, 60) for alert in incident.alerts))
    more = f" +{len(names) - most}" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def incident_details(
    one: Listed | None, empty: RunLine, now: float, width: int, glyphs: Glyphs
) -> list[RunLine]:
    """Return the seven lines about one incident; without one ``empty`` says why."""
    lines: list[RunLine]
    if one is None:
        lines = [[Run(glyphs.rule * width, "dim")], empty]
    else:
        lines = [
            _title(one, now, width, glyphs),
            _line("WHAT", what_text(one, now)),
            [Run("WHO".ljust(LABEL_WIDTH), "title"), *hold_runs(one, now)],
            _line("ALERTS", _alerts(one)),
            _line("MODELS", _models(one)),
            _line("RUN", _runbook(one) or "no runbook is told", "text" if _runbook(one) else "dim"),
            _line("NOTES", _last_words(one, now)),
        ]
    lines += [[] for _ in range(DETAIL_LINES - len(lines))]
    return twins([fitted(line, width, glyphs.ellipsis) for line in lines], glyphs)


def _line(label: str, text: str, role: str = "text") -> RunLine:
    return [Run(label.ljust(LABEL_WIDTH), "title"), Run(text, role if text else "dim")]


def _title(one: Listed, now: float, width: int, glyphs: Glyphs) -> RunLine:
    mark, role = level_mark(one.severity, glyphs)
    left: RunLine = [
        Run(glyphs.rule * 2, "dim"),
        Run(f" {visible(one.id, 20)} ", "title"),
        Run(f"{mark} ", role),
        Run(f"{one.title} ", "title"),
    ]
    began = "" if one.since is None else f"since {when_text(one.since, now)}Z"
    right = Run(f" {one.state} {began} ".replace("  ", " "), "dim")
    room = width - width_of([*left, right]) - 2
    if room < 0:
        return left
    return [*left, Run(glyphs.rule * room, "dim"), right, Run(glyphs.rule * 2, "dim")]


def hold_runs(one: Listed, now: float) -> RunLine:
    """Return who holds it, since when, why, until when, and who else knows of that."""
    hold = one.hold
    if hold is None:
        if one.who:
            check, role = check_word(one, now)
            return [
                Run(one.who, "text"),
                Run(" took it at the alert source", "dim"),
                Run(f", {check}" if check else "", role),
            ]
        if one.group == 0:
            return [Run("nobody has it", level_mark_role(one))]
        return [Run("nobody", "dim")]
    word = {"ack": "has it", "snooze": "snoozed it"}[hold.kind]
    doubt = "" if hold.certain else " UNVERIFIED:"
    check, role = check_word(one, now)
    ends = f", ends {clock_text(hold.ends_at, seconds=False)}Z" if "ends" not in check else ""
    return [
        Run(f"{visible(hold.by, 40) or 'somebody'} {word} for {held_since(one, now)}", "text"),
        Run(f' "{visible(hold.reason, 120)}"' if hold.reason else "", "text"),
        Run(f", {check}", role),
        Run(f"{ends};", "dim"),
        Run(doubt, "s2"),
        Run(f" known to {visible(hold.where, 40)}" if hold.place else " local", "dim"),
    ]


def level_mark_role(one: Listed) -> str:
    """Return how loud it is that nobody has it."""
    return {1: "s1", 2: "s2"}.get(int(one.severity), "s3")


def _alerts(one: Listed) -> str:
    incident = one.incident
    if incident is None:
        return ""
    count = len(incident.alerts)
    sources = ", ".join(visible(name, 24) for name in incident.sources[:4])
    told = f" from {sources}" if sources else ""
    return f"{count}{told}: {alert_names(incident)}"


def _models(one: Listed) -> str:
    names = [visible(name, 40) for name in one.models[:8]]
    more = f" and {len(one.models) - 8} more" if len(one.models) > 8 else ""
    return (", ".join(names) + more) or "none"


def _runbook(one: Listed) -> str:
    return "" if one.incident is None else visible(one.incident.runbook, 200)


def _last_words(one: Listed, now: float) -> str:
    care = one.care
    if care is None or not (care.notes or care.escalations or care.closing):
        return "nothing was written"
    told = [(note.at, f"{visible(note.by, 24)}: {visible(note.text, 200)}") for note in care.notes]
    for each in care.escalations:
        names = ", ".join(visible(name, 24) for name in each.to)
        told.append((each.at, f"{visible(each.by, 24)} called {names}"))
    if care.closing is not None:
        by, verdict = visible(care.closing.by, 24), care.closing.verdict
        told.append((care.closing.at, f"{by} closed it as {verdict}"))
    at, text = max(told)
    return f"{when_text(at, now)} {text}"
