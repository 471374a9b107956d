"""What is held by hand, as rows, lines and roles of the overrides screen and the side column."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.domain.severity import BreakerState
from console.domain.text import visible
from console.evaluation.overrides import by_urgency, ends_word, enforcer_word, held_word
from console.screens.spans import RunLine, age_text, clock_text, fitted, twins, when_text, width_of
from themes.glyphs import to_ascii
from widgets.grid_rows import Cell, Column
from widgets.lines import Run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.domain.action import Override
    from console.domain.snapshot import Snapshot
    from themes.glyphs import Glyphs

LABEL_WIDTH = 7
DETAIL_LINES = 6
_STATE_ROLES = {"overdue": "s1", "no end": "s2", "ends soon": "s2"}
_ENFORCERS = {
    "service": "the service ends it by itself",
    "keeper": "the keeper ends it (midwatch keep)",
}
_WIDE = (
    Column("target", "TARGET", 24), Column("held", "HELD", 18), Column("ends", "ENDS", 15),
    Column("then", "THEN", 12), Column("enforced", "ENDED BY", 8), Column("by", "BY", 12),
    Column("since", "SINCE", 12), Column("op", "OP", 8),
)  # fmt: skip
_MIDDLE = (
    Column("target", "TARGET", 20), Column("held", "HELD", 16), Column("ends", "ENDS", 15),
    Column("then", "THEN", 10), Column("enforced", "ENDED BY", 8), Column("by", "BY", 8),
    Column("since", "SINCE", 5),
)  # fmt: skip
_NARROW = (
    Column("target", "TARGET", 16), Column("held", "HELD", 13), Column("ends", "ENDS", 14),
    Column("enforced", "ENDED BY", 8), Column("by", "BY", 6), Column("since", "SINCE", 5),
)  # fmt: skip
WIDE_FROM, MIDDLE_FROM = 140, 100


def ends_role(override: Override, now: float) -> str:
    """Return how loud an override's end is."""
    return _STATE_ROLES.get(override.state(now), "text")


def held_columns(width: int) -> tuple[Column, ...]:
    """Return the columns of the overrides' table; the reason takes what room is left."""
    columns = _WIDE if width >= WIDE_FROM else _MIDDLE if width >= MIDDLE_FROM else _NARROW
    used = sum(column.width + 1 for column in columns)
    return (*columns, Column("why", "WHY", max(8, width - used)))


class HeldRows:
    """Overrides as a table asks for them: the overdue first, then the next to end."""

    def __init__(self, overrides: Sequence[Override], now: float, glyphs: Glyphs) -> None:
        self._overrides = by_urgency(overrides, now)
        self._places = {each.op_id: place for place, each in enumerate(self._overrides)}
        self._now = now
        self._ascii = glyphs.name == "ascii"

    def __len__(self) -> int:
        return len(self._overrides)

    def key(self, index: int) -> str:
        """Return the operation that began it."""
        return self._overrides[index].op_id

    def index(self, key: str) -> int | None:
        """Return where an operation's override stands."""
        return self._places.get(key)

    def override(self, key: str | None) -> Override | None:
        """Return the override of an operation."""
        place = None if key is None else self._places.get(key)
        return None if place is None else self._overrides[place]

    def cells(self, index: int, columns: Sequence[str]) -> Sequence[Cell]:
        """Return the cells of one override."""
        override = self._overrides[index]
        made = (self._cell(override, key) for key in columns)
        return tuple(Cell(to_ascii(cell.text), cell.role) if self._ascii else cell for cell in made)

    def _cell(self, override: Override, key: str) -> Cell:
        now = self._now
        match key:
            case "target":
                return Cell(visible(override.target, 60), "title")
            case "held":
                doubt = "LOST " if override.lost else "" if override.certain else "? "
                return Cell(f"{doubt}{held_word(override)}", "s2" if doubt else "text")
            case "ends":
                return Cell(ends_word(override, now), ends_role(override, now))
            case "then":
                return Cell(visible(override.ends_in, 30), "dim")
            case "enforced":
                word = enforcer_word(override)
                return Cell(word, "s2" if word == "NO END" else "dim")
            case "by":
                return Cell(visible(override.by, 30) or "nobody", "text" if override.by else "s2")
            case "since":
                return Cell(when_text(override.began_at, now), "dim")
            case "op":
                return Cell(visible(override.op_id[-8:], 8), "dim")
            case _:
                drill = "drill: " if override.drill else ""
                return Cell(f"{drill}{visible(override.reason, 200)}", "text")


def held_details(
    override: Override | None, snapshot: Snapshot | None, now: float, width: int, glyphs: Glyphs
) -> list[RunLine]:
    """Return the six lines about one override; without one, what the record says of that."""
    if override is None or snapshot is None:
        lines: list[RunLine] = [[Run(glyphs.rule * width, "dim")], _nothing(snapshot, now)]
        lines += [[] for _ in range(DETAIL_LINES - 2)]
        return twins([fitted(line, width, glyphs.ellipsis) for line in lines], glyphs)
    whose = visible(override.by, 60) or "nobody"
    age = age_text(max(0.0, now - override.began_at))
    incident = f"   {visible(override.incident, 40)}" if override.incident else ""
    doubt = "" if override.certain else "   UNVERIFIED: reading back could not tell whether it took"
    if override.lost:
        doubt = f"   LOST: found {visible(override.lost, 80)} before its end"
    lines = [
        _title(override, width, glyphs),
        _line("WHAT", f"{visible(override.verb, 20)}: wanted {visible(override.wanted, 80)}{doubt}",
              "s2" if doubt else "text"),
        _line("WHO", f"{whose} since {clock_text(override.began_at)}Z ({age} ago){incident}"),
        _line("WHY", visible(override.reason, 300) or "no reason given"),
        _ends(override, now),
        _line("SEEN", _seen(override, snapshot)),
    ]  # fmt: skip
    return twins([fitted(line, width, glyphs.ellipsis) for line in lines], glyphs)


def _title(override: Override, width: int, glyphs: Glyphs) -> RunLine:
    left = Run(f" {visible(override.target, 60)} {held_word(override)} ", "title")
    right = Run(f" op {visible(override.op_id, 30)} #{override.seq} ", "dim")
    room = width - width_of([left, right]) - 4
    if room < 0:
        return [Run(glyphs.rule * 2, "dim"), left]
    rule = glyphs.rule
    return [Run(rule * 2, "dim"), left, Run(rule * room, "dim"), right, Run(rule * 2, "dim")]


def _line(label: str, text: str, role: str = "text") -> RunLine:
    return [Run(label.ljust(LABEL_WIDTH), "title"), Run(text, role)]


def _ends(override: Override, now: float) -> RunLine:
    follows = f"then {visible(override.ends_in, 60)}"
    who = _ENFORCERS.get(override.enforcer(), _nobody(override))
    role = ends_role(override, now)
    if override.ends_at is None:
        return _line("ENDS", f"NO END; {follows}; {who}", role)
    at = clock_text(override.ends_at)
    word = ends_word(override, now)
    when = f"{at}Z, in {word}" if override.state(now) not in ("overdue", "no end") else f"{at}Z"
    loud = f"{word}: " if override.state(now) in ("overdue", "no end") else ""
    return _line("ENDS", f"{loud}{when}, {follows}; {who}", role)


def _nobody(override: Override) -> str:
    gone = "keeper gone" if override.enforced_by == "keeper" else "nobody enforces it"
    return f"{gone}: run midwatch keep"


def _seen(override: Override, snapshot: Snapshot) -> str:
    """Return what the numbers say of the target now, beside what is held."""
    name = override.target.removeprefix("dep:")
    if name != override.target:
        found = next((each for each in snapshot.dependencies if each.name == name), None)
        if found is None or found.breaker.state is BreakerState.UNKNOWN:
            return "no source says how this breaker is"
        return f"breaker {found.breaker.said}"
    row = snapshot.index.get(override.target)
    if row is None:
        return "no source offers this model"
    breaker, route = snapshot.breaker(row), snapshot.route(row)
    parts = [] if breaker.state is BreakerState.UNKNOWN else [f"breaker {breaker.said}"]
    if route.known:
        level = f" ({visible(route.level, 8)})" if route.level else ""
        parts.append(f"route {visible(route.target, 40)}{level}")
    return ", ".join(parts) or "no source says what its breaker and route are"


def _nothing(snapshot: Snapshot | None, now: float) -> RunLine:
    if snapshot is None:
        return [Run("waiting for the first answer", "dim")]
    if not snapshot.record.trusted or snapshot.record.state == "off":
        return [Run(f"not known: {snapshot.record.summary(now)[0]}", "s2")]
    return [Run("nothing is held by hand", "dim")]


def force_block(snapshot: Snapshot, now: float, width: int, most: int) -> list[RunLine]:
    """Return the IN FORCE block of the side column, at most ``most`` lines of it."""
    overrides = by_urgency(snapshot.overrides, now)
    known = snapshot.record.trusted
    head = f"IN FORCE {len(overrides)}{'' if known else '?'}"
    lines: list[RunLine] = [[Run(head, "title")]]
    if not known:
        lines.append([Run(visible(snapshot.record.summary(now)[0], 120), "s2")])
    shown = overrides if len(overrides) <= most - 1 else overrides[: most - 2]
    lines += [_block_line(each, now, width) for each in shown]
    if len(shown) < len(overrides):
        lines.append([Run(f"and {len(overrides) - len(shown)} more: O", "dim")])
    if not overrides and known:
        lines.append([Run("nothing held by hand", "dim")])
    return lines


def _block_line(override: Override, now: float, width: int) -> RunLine:
    ends = f"{ends_word(override, now)} → {visible(override.ends_in, 10)}"
    tail = f"{visible(override.by, 8) or 'nobody'} {ends}"
    left = f"{held_word(override).split(' ')[0]} {visible(override.target, 40)}"
    room = max(6, width - len(tail) - 1)
    if len(left) > room:
        left = left[: max(1, room - 1)] + "…"
    return [
        Run(left.ljust(room), "text"),
        Run(f" {tail}", ends_role(override, now)),
    ]
