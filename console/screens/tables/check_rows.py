"""The checks of readiness as rows and lines: what is missing first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.domain.text import visible
from console.domain.timestamps import timestamp
from console.readiness.checks import CHECKS_BY_ID
from console.reports.readiness_text import away
from console.screens.dialogs.confirm_text import labelled
from console.screens.spans import fitted, twins
from themes.glyphs import to_ascii
from widgets.grid_rows import Cell, Column
from widgets.lines import Run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.domain.proof import CheckResult, ModelReadiness
    from console.screens.spans import RunLine
    from themes.glyphs import Glyphs

STATE_ROLES = {
    "pass": "ok",
    "manual": "text",
    "fail": "s3",
    "expired": "s3",
    "unknown": "unknown",
    "n-a": "dim",
}
_COLUMNS = (
    ("number", "NO", 3, 0),
    ("check", "CHECK", 17, 0),
    ("state", "STATE", 8, 0),
    ("group", "GROUP", 8, 100),
    ("until", "ENDS", 9, 0),
    ("by", "BY", 10, 120),
)


def check_columns(width: int) -> tuple[Column, ...]:
    """Return the columns that fit; the reason takes what room is left."""
    columns = [Column(key, title, room) for key, title, room, least in _COLUMNS if width >= least]
    used = sum(column.width + 1 for column in columns)
    return (*columns, Column("why", "WHY", max(8, width - used)))


class CheckRows:
    """The checks of one model as a table asks for them: gaps, gates among them first."""

    def __init__(self, found: ModelReadiness, glyphs: Glyphs) -> None:
        gaps = found.gaps
        self.found = found
        self._checks = (*gaps, *(each for each in found.checks if each.good))
        self._places = {each.check: place for place, each in enumerate(self._checks)}
        self._ascii = glyphs.name == "ascii"

    def __len__(self) -> int:
        return len(self._checks)

    def key(self, index: int) -> str:
        """Return the check's id."""
        return self._checks[index].check

    def index(self, key: str) -> int | None:
        """Return where a check stands."""
        return self._places.get(key)

    def check(self, key: str | None) -> CheckResult | None:
        """Return a check by its id."""
        place = None if key is None else self._places.get(key)
        return None if place is None else self._checks[place]

    def cells(self, index: int, columns: Sequence[str]) -> Sequence[Cell]:
        """Return the cells of one check."""
        each = self._checks[index]
        made = (self._cell(each, key) for key in columns)
        return tuple(Cell(to_ascii(cell.text), cell.role) if self._ascii else cell for cell in made)

    def _cell(self, each: CheckResult, key: str) -> Cell:
        gate = each.gate and self.found.tier == 1
        match key:
            case "number":
                return Cell(f"{each.number}{'*' if gate else ''}", "dim")
            case "check":
                return Cell(each.check, "title" if gate else "text")
            case "state":
                loud = gate and each.state in ("fail", "expired")
                return Cell(each.state, "s2" if loud else STATE_ROLES[each.state])
            case "group":
                return Cell(each.group, "dim")
            case "until":
                ends = "" if each.until is None else away(each.until - self.found.at)
                return Cell(ends, "text" if each.good else "s3")
            case "by":
                return Cell(visible(each.by, 30), "text")
            case _:
                return Cell(visible(each.text, 300), "text")


def check_details(
    each: CheckResult | None, found: ModelReadiness | None, width: int, height: int, glyphs: Glyphs
) -> list[RunLine]:
    """Return the lines about one check, the heading first, at most ``height``."""
    if each is None or found is None:
        return twins([[Run(glyphs.rule * width, "dim")]], glyphs)
    head = f" {each.number} {each.check}: {each.title} "
    lines: list[RunLine] = [
        [
            Run(glyphs.rule * 2, "dim"),
            Run(head, "title"),
            Run(glyphs.rule * max(0, width - len(head) - 2), "dim"),
        ]
    ]
    for label, text in _facts(each, found):
        lines += labelled(label, visible(text, 600), width, lines=2)
    return twins([fitted(line, width, glyphs.ellipsis) for line in lines[:height]], glyphs)


def _facts(each: CheckResult, found: ModelReadiness) -> list[tuple[str, str]]:
    """Return why it is so, what proves it, and what a person can do."""
    check = CHECKS_BY_ID[each.check]
    facts = [("why", f"{each.state}: {each.text}")]
    if each.at is not None:
        ends = "" if each.until is None else f", until {timestamp(each.until)}"
        facts.append(("proof", f"{each.by or 'the console'}, {timestamp(each.at)}{ends}"))
    if each.evidence:
        facts.append(("rests on", f"{each.evidence} {each.sha256}".rstrip()))
    if each.entry is not None:
        facts.append(("entry", f"{each.entry} {each.entry_hash}"))
    if check.proof != "automatic":
        model = visible(found.target, 60)
        facts.append(
            ("attest", f"midwatch readiness attest {each.check} {model} --evidence LINK|FILE")
        )
        facts.append(("asks", f"{check.ask}; holds {check.holds_days} days at most"))
    return facts
