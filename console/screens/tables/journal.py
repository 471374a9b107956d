"""Rows and lines of journal entries."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from console.domain.entry import BrokenEntry
from console.domain.text import visible
from console.screens.spans import RunLine, clock_text, fitted, twins, when_text, width_of
from themes.glyphs import to_ascii
from widgets.grid_rows import Cell, Column
from widgets.lines import Run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.domain.entry import Entry, Json, Who
    from console.screens.panels.footer import BoxLine
    from themes.glyphs import Glyphs

DETAIL_LINES = 6
LABEL_WIDTH = 7
_LONGEST = 4000
_OUTCOME_ROLES = {
    "applied": "ok", "no_op": "dim", "rejected": "s3", "failed": "s2", "unverified": "s2",
    "partial": "s2", "superseded": "s3", "diverged": "s2",
}  # fmt: skip
_WIDE = (
    Column("seq", "#", 6, "right"), Column("at", "WHEN", 12), Column("kind", "KIND", 16),
    Column("what", "WHAT", 28), Column("who", "WHO", 10), Column("outcome", "OUTCOME", 10),
)  # fmt: skip
_NARROW = (
    Column("seq", "#", 5, "right"), Column("at", "WHEN", 8), Column("kind", "KIND", 8),
    Column("what", "WHAT", 21), Column("who", "WHO", 6), Column("outcome", "OUTCOME", 8),
)  # fmt: skip
WIDE_FROM = 120


def entry_columns(width: int) -> tuple[Column, ...]:
    """Return the columns of the journal's table; the reason takes what room is left."""
    columns = _WIDE if width >= WIDE_FROM else _NARROW
    used = sum(column.width + 1 for column in columns)
    return (*columns, Column("why", "WHY", max(8, width - used)))


def outcome_of(entry: Entry) -> str:
    """Return what became of it: an outcome's kind, else the confirmation class."""
    outcome = entry.details.get("outcome")
    return visible(outcome, 20) if isinstance(outcome, str) else visible(entry.confirm_class, 4)


def words_of(entry: Entry) -> str:
    """Return what a filter looks through, in lower case."""
    parts = (
        str(entry.seq), entry.kind, entry.action, entry.target, entry.who.name, entry.who.person,
        entry.who.host, entry.why, entry.incident, entry.op_id, outcome_of(entry),
        entry.environment, entry.confirm_class,
    )  # fmt: skip
    return " ".join(parts).lower()


def matches(text: str, words: Sequence[str]) -> bool:
    """Tell whether a text holds every word, and none that begins with ``!``."""
    return all(
        (word[1:] not in text) if word.startswith("!") and len(word) > 1 else (word in text)
        for word in words
    )


class EntryRows:
    """Entries as a table asks for them, newest first; broken ones stand where they broke."""

    def __init__(
        self,
        entries: Sequence[Entry],
        broken: Sequence[BrokenEntry],
        words: Sequence[str],
        now: float,
        glyphs: Glyphs,
        *,
        wide: bool,
    ) -> None:
        told: dict[int, Entry | BrokenEntry] = {
            entry.seq: entry for entry in entries if matches(words_of(entry), words)
        }
        self._problems = {each.seq: each.problem for each in broken}
        for each in broken:
            told.setdefault(each.seq, each)
        self._lines = [told[seq] for seq in sorted(told, reverse=True)]
        self._places = {str(line.seq): place for place, line in enumerate(self._lines)}
        self._now = now
        self._wide = wide
        self._ascii = glyphs.name == "ascii"

    def __len__(self) -> int:
        return len(self._lines)

    def key(self, index: int) -> str:
        """Return the entry's number."""
        return str(self._lines[index].seq)

    def index(self, key: str) -> int | None:
        """Return where an entry stands."""
        return self._places.get(key)

    def line(self, key: str | None) -> Entry | BrokenEntry | None:
        """Return the entry of this number, or what is wrong with it."""
        place = None if key is None else self._places.get(key)
        return None if place is None else self._lines[place]

    def problem(self, seq: int) -> str:
        """Return what is wrong with an entry, empty when nothing is known to be."""
        return self._problems.get(seq, "")

    def cells(self, index: int, columns: Sequence[str]) -> Sequence[Cell]:
        """Return the cells of one entry."""
        line = self._lines[index]
        made = [self._cell(line, key) for key in columns]
        return tuple(Cell(to_ascii(cell.text), cell.role) if self._ascii else cell for cell in made)

    def _cell(self, line: Entry | BrokenEntry, key: str) -> Cell:
        broken = self._problems.get(line.seq)
        if key == "seq":
            return Cell(str(line.seq), "dim" if broken is None else "s1")
        if broken is not None and key == "kind":
            return Cell("BROKEN", "s1")
        if broken is not None and key == "why":
            return Cell(visible(broken, 200), "s1")
        return Cell("") if isinstance(line, BrokenEntry) else self._entry_cell(line, key)

    def _entry_cell(self, entry: Entry, key: str) -> Cell:
        match key:
            case "at":
                if self._wide:
                    return Cell(when_text(entry.at, self._now), "dim")
                return Cell(clock_text(entry.at), "dim")
            case "kind":
                return Cell(visible(entry.kind, 20), "text")
            case "what":
                return Cell(visible(f"{entry.action} {entry.target}".strip(), 80), "title")
            case "who":
                return Cell(visible(entry.who.name, 40), "text")
            case "outcome":
                outcome = outcome_of(entry)
                return Cell(outcome, _OUTCOME_ROLES.get(outcome, "dim"))
            case _:
                return Cell(visible(entry.why, 200), "text")


def entry_details(
    line: Entry | BrokenEntry | None, problem: str, now: float, width: int, glyphs: Glyphs
) -> list[RunLine]:
    """Return the six lines about one entry."""
    rule: RunLine = [Run(glyphs.rule * width, "dim")]
    lines: list[RunLine]
    if line is None:
        lines = [rule, [Run("no entry is shown", "dim")]]
    elif isinstance(line, BrokenEntry):
        lines = [rule, [Run(f"entry {line.seq} cannot be read: {visible(problem, 300)}", "s1")]]
    else:
        lines = _about(line, problem, now, width, glyphs)
    lines += [[] for _ in range(DETAIL_LINES - len(lines))]
    return twins([fitted(each, width, glyphs.ellipsis) for each in lines], glyphs)


def _about(entry: Entry, problem: str, now: float, width: int, glyphs: Glyphs) -> list[RunLine]:
    title = Run(f" #{entry.seq} {visible(entry.kind, 20)} ", "title")
    right = Run(f" {when_text(entry.at, now)} {visible(entry.hash[:12], 12)} ", "dim")
    room = max(0, width - width_of([title, right]) - 4)
    rule = glyphs.rule
    what = f"{entry.action} {entry.target} {entry.confirm_class}"
    told = outcome_of(entry) if "outcome" in entry.details else ""
    text = entry.details.get("text")
    outcome = f"{told}: {text}" if isinstance(text, str) and text else told
    change = f"{_short(entry.before)} {glyphs.arrow} {_short(entry.after or entry.wanted)}"
    ids = " ".join(part for part in (entry.op_id, entry.incident) if part)
    return [
        [Run(rule * 2, "dim"), title, Run(rule * room, "dim"), right, Run(rule * 2, "dim")],
        _line("WHAT", f"{' '.join(what.split())}   {ids}".strip()),
        _line("WHO", who_text(entry.who)),
        _line("WHY", entry.why or "no reason"),
        _line("STATE", change if entry.before is not None or entry.wanted is not None else "-"),
        _line("CAME", f"BROKEN: {problem}", "s1")
        if problem
        else _line("CAME", outcome or "-", _OUTCOME_ROLES.get(told, "text")),
    ]


def _line(label: str, text: str, role: str = "text") -> RunLine:
    return [Run(label.ljust(LABEL_WIDTH), "title"), Run(visible(text, 400), role)]


def _short(value: Json) -> str:
    """Return a state in words; what every target said alike is told once."""
    if value is None or isinstance(value, str):
        return value or "?"
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        return _json(value)
    told = {str(one) for one in value.values()}
    if len(told) == 1:
        return told.pop() + (f" ({len(value)} targets)" if len(value) > 1 else "")
    return ", ".join(f"{target} {one}" for target, one in sorted(value.items()))


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)


def who_text(who: Who) -> str:
    """Return who stood behind an entry: the declared name, and what the host says by itself."""
    told = [f"{who.name} ({who.name_source})", f"account {who.os_user} on {who.host}"]
    if who.login_user and who.login_user != who.os_user:
        told.append(f"logged in as {who.login_user}")
    if who.sudo_user:
        told.append(f"sudo by {who.sudo_user}")
    if who.ssh_connection:
        told.append(f"ssh from {who.ssh_connection.split(' ')[0]}")
    return ", ".join(told)


def whole_entry(entry: Entry, problem: str = "") -> list[BoxLine]:
    """Return everything an entry says, field by field; fields that say nothing are left out."""
    lines: list[BoxLine] = []
    if problem:
        lines += [[Run(f"BROKEN: {visible(problem, 300)}", "s1")], ""]
    for name in entry.__struct_fields__:
        value = getattr(entry, name)
        if value is None or value in ("", {}, 0.0):
            continue
        if name in ("at", "store_at"):
            shown = f"{clock_text(value)}Z ({value:.3f})"
        elif name == "who":
            shown = who_text(value)
        else:
            shown = value if isinstance(value, str) else _json(value)
        lines.append(f"{name.replace('_', ' '):<14} {visible(shown, _LONGEST)}")
    return lines
