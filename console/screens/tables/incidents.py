"""Rows and words of incidents for lists, headers and the side column."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from msgspec import Struct

from console.domain.severity import Severity
from console.domain.text import visible
from console.evaluation.overrides import countdown
from console.screens.row_view import ROLE_OF
from console.screens.spans import RunLine, age_text, clock_text, fitted, twins, when_text, width_of
from themes.glyphs import to_ascii
from widgets.grid_rows import Cell, Column
from widgets.lines import Run

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from console.domain.alert import Incident
    from console.domain.incident import Care, Hold
    from console.domain.snapshot import Snapshot
    from themes.glyphs import Glyphs

SOON_SECONDS = 300.0
"""A check or an end this near is no longer quiet."""


class Listed(Struct, frozen=True):
    """One incident as a list has it.

    ``incident`` is None where only the journal knows it (held, or merged, and no source tells of
    it now), ``care`` None where nobody did anything about it.
    """

    id: str
    incident: Incident | None = None
    care: Care | None = None

    @property
    def hold(self) -> Hold | None:
        """Who holds it by the journal."""
        return None if self.care is None else self.care.hold

    @property
    def held(self) -> bool:
        """Whether anybody has it, by the journal or at the alert source."""
        return self.hold is not None or bool(self.incident is not None and self.incident.acked_by)

    @property
    def merged_into(self) -> str:
        """The incident it stands in, empty for none."""
        return "" if self.care is None else self.care.merged_into

    @property
    def who(self) -> str:
        """Who has it, harmless to show; empty for nobody."""
        if self.hold is not None:
            return visible(self.hold.by, 40) or "somebody"
        return "" if self.incident is None else visible(self.incident.acked_by, 40)

    @property
    def severity(self) -> Severity:
        """The level it has now."""
        if self.incident is not None:
            return self.incident.severity
        word = "" if self.hold is None else self.hold.level.upper()
        return Severity.__members__.get(word, Severity.UNKNOWN)

    @property
    def alerts_level(self) -> Severity:
        """The level of its worst alert, whatever level a person gave it."""
        alerts = () if self.incident is None else self.incident.alerts
        firing = [alert.severity for alert in alerts if alert.state == "firing"]
        return min(firing or [alert.severity for alert in alerts], default=self.severity)

    @property
    def since(self) -> float | None:
        """When it began, in Unix seconds."""
        if self.incident is not None:
            return self.incident.since
        return None if self.care is None else self.care.since

    @property
    def about(self) -> str:
        """What it is about: one name, raw; empty for neither model nor dependency."""
        told = self.incident if self.incident is not None else self.hold
        if told is None:
            return ""
        model = self.incident.model if self.incident is not None else next(iter(told.models), "")
        return told.dependency or model

    @property
    def title(self) -> str:
        """What it is about in words, harmless to show."""
        told = self.incident if self.incident is not None else self.hold
        return visible(told.title, 120) if told is not None and told.title else self.about

    @property
    def models(self) -> tuple[str, ...]:
        """The models it touches, raw."""
        told = self.incident if self.incident is not None else self.hold
        return () if told is None else told.models

    @property
    def group(self) -> int:
        """Its place in a list: open, held, waiting or quieted, merged, over."""
        if self.merged_into and self.incident is None:
            return 3
        if self.incident is None or self.incident.state == "resolved":
            return 1 if self.hold is not None else 4
        if self.held:
            return 1
        return 0 if self.incident.open else 2

    @property
    def state(self) -> str:
        """Its state in one word."""
        if self.merged_into and self.incident is None:
            return "merged"
        if self.incident is None:
            return "gone"
        if self.care is not None and self.care.closing is not None and not self.incident.open:
            return "closed"
        if self.hold is not None and self.hold.kind == "snooze" and self.incident.open:
            return "snoozed"
        return self.incident.state


def _within_group(listed: Listed) -> float:
    if listed.group == 1:
        hold = listed.hold
        return hold.began_at if hold is not None else (listed.since or 0.0)
    return 0.0


@lru_cache(maxsize=2)
def listed_incidents(snapshot: Snapshot) -> tuple[Listed, ...]:
    """Return all incidents of a Snapshot: open, held the longest first, quiet, merged, over."""
    there = {each.id for each in snapshot.incidents}
    found = [Listed(each.id, each, snapshot.care.get(each.id)) for each in snapshot.incidents]
    for key, care in snapshot.care.items():
        if key not in there and (care.hold is not None or care.merged_into):
            found.append(Listed(key, None, care))
    return tuple(sorted(found, key=lambda one: (one.group, _within_group(one))))


@lru_cache(maxsize=2)
def incidents_by_model(snapshot: Snapshot) -> Mapping[str, tuple[Listed, ...]]:
    """Return the incidents that are not over by the models they touch, the most urgent first."""
    found: dict[str, list[Listed]] = {}
    for one in listed_incidents(snapshot):
        incident = one.incident
        if incident is None or incident.state == "resolved":
            continue
        for name in dict.fromkeys((incident.model, *incident.models)):
            if name:
                found.setdefault(name, []).append(one)
    return {name: tuple(several) for name, several in found.items()}


def incidents_of(snapshot: Snapshot | None, model: str) -> tuple[Listed, ...]:
    """Return the incidents that touch a model and are not over."""
    return () if snapshot is None else incidents_by_model(snapshot).get(model, ())


def find_incident(snapshot: Snapshot | None, key: str) -> Listed | None:
    """Return an incident by its id, None where nobody knows it now."""
    if snapshot is None:
        return None
    return next((one for one in listed_incidents(snapshot) if one.id == key), None)


def level_mark(level: Severity, glyphs: Glyphs) -> tuple[str, str]:
    """Return a level's mark and role."""
    role = ROLE_OF[level]
    return glyphs.severity.get(role, "?-"), role


def check_word(listed: Listed, now: float) -> tuple[str, str]:
    """Return when somebody looks again, or when the hold ends, with the role it is said in."""
    hold = listed.hold
    if hold is None:
        until = None if listed.incident is None else listed.incident.acked_until
        return ("", "dim") if until is None else _until("ends", until, now)
    if hold.next_check_at is not None:
        return _until("check", hold.next_check_at, now)
    return _until("ends", hold.ends_at, now)


def _until(word: str, at: float, now: float) -> tuple[str, str]:
    left = at - now
    if left < 0:
        return f"{word} OVERDUE {age_text(-left)}", "s2"
    return f"{word} in {countdown(left)}", "s3" if left < SOON_SECONDS else "text"


def held_since(listed: Listed, now: float) -> str:
    """Return for how long it has been held, empty where that is not known."""
    return "" if listed.hold is None else age_text(listed.hold.age_seconds(now))


def counts(listed: Iterable[Listed]) -> tuple[int, int, int]:
    """Return how many are open and nobody's, how many are held, how many are quiet."""
    groups = [one.group for one in listed]
    return groups.count(0), groups.count(1), groups.count(2)


def incident_notes(snapshot: Snapshot | None) -> tuple[tuple[str, str], ...]:
    """Return for the counts line how many are not over, and how many of them nobody has."""
    found = () if snapshot is None else listed_incidents(snapshot)
    nobodys, held, _ = counts(found)
    if not nobodys + held:
        return ()
    said = f"incidents {nobodys + held}"
    return ((f"{said}, {nobodys} unheld" if nobodys else said, "s3" if nobodys else "text"),)


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
    told += [
        (each.at, visible(f"{visible(each.by, 24)} {each.words}", 200)) for each in care.escalations
    ]
    if care.closing is not None:
        by, verdict = visible(care.closing.by, 24), care.closing.verdict
        told.append((care.closing.at, f"{by} closed it as {verdict}"))
    at, text = max(told)
    return f"{when_text(at, now)} {text}"
