"""What a terminal shows now, and the shortest way we know to make it show something else.

Pure: cells and escape sequences, nothing of Textual. A frame remembers every cell; ``paint`` takes
a piece of the new picture and collects what differs, ``encode`` turns that into bytes. A cell is a
character (with its combining marks); the second half of a wide character is an empty string;
``UNKNOWN`` is a cell nobody has painted yet and differs from everything.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import groupby
from operator import ne
from typing import NamedTuple

from rich.cells import get_character_cell_size, split_graphemes

UNKNOWN = "\x00"
LINK = "\x00"
"""Separates the SGR codes of a cell from the parameters of its hyperlink."""

MAX_GAP = 4
"""Unchanged cells repainted rather than jumped over: a jump costs four bytes or more."""

MOVE_COST = 7
"""Bytes of a typical jump to another row, to estimate with."""

_NARROW = frozenset(map(chr, range(0x20, 0x7F))) | frozenset(
    character
    for first, last in (
        (0xA1, 0x24F),
        (0x370, 0x482),
        (0x2010, 0x2027),
        (0x2030, 0x205E),
        (0x2190, 0x2319),
        (0x2500, 0x25FC),
        (0x2713, 0x2713),
        (0x2717, 0x2717),
        (0x2800, 0x28FF),
    )
    for character in map(chr, range(first, last + 1))
    if get_character_cell_size(character) == 1
)
_is_narrow = _NARROW.issuperset

_NEIGHBOURS = re.compile(rb"\x01+(?:\x00{1,%d}\x01+)*" % MAX_GAP)
_TOUCHING = re.compile(rb"\x01+")
"""Changed cells in a mask of one byte a cell, with and without the small gaps between them."""

_OFF = {"1": "22", "2": "22", "3": "23", "4": "24", "5": "25", "6": "25", "7": "27", "8": "28"}
_OFF |= {"9": "29", "21": "24", "51": "54", "52": "54", "53": "55"}


class Run(NamedTuple):
    """Changed neighbours of one style. A careful one may be measured otherwise by a terminal."""

    y: int
    x: int
    width: int
    text: str
    code: str
    careful: bool


@lru_cache(maxsize=8192)
def _cells_of_any(text: str) -> tuple[str, ...]:
    cells: list[str] = []
    spans, _ = split_graphemes(text)
    for start, end, width in spans:
        # Control characters take no cell and must not reach the terminal.
        cluster = "".join(c for c in text[start:end] if c >= " " and not "\x7f" <= c < "\xa0")
        if width:
            cells.append(cluster or " ")
            cells.extend([""] * (width - 1))
    return tuple(cells)


def cells_of(text: str) -> Sequence[str]:
    """Return the text as one string a terminal cell; control characters are left out."""
    return text if _is_narrow(text) else _cells_of_any(text)


def _is_odd(cell: str) -> bool:
    """Whether terminals disagree about the width of this cell's character."""
    return len(cell) > 1


class Frame:
    """The cells of a screen of ``width`` by ``height``, all unknown at first."""

    def __init__(self, width: int, height: int) -> None:
        self.width = width
        self.height = height
        self._chars = [[UNKNOWN] * width for _ in range(height)]
        self._codes = [[""] * width for _ in range(height)]
        self._odd_rows: set[int] = set()

    def paint(self, y: int, x: int, chars: list[str], codes: list[str], runs: list[Run]) -> None:
        """Put a piece of a row into the frame and append what differs to ``runs``.

        ``chars`` and ``codes`` hold one entry for each cell; what lies outside is cut off.
        """
        if not 0 <= y < self.height or x >= self.width:
            return
        if len(chars) > self.width - x:
            chars, codes = chars[: self.width - x], codes[: self.width - x]
        row_chars, row_codes = self._chars[y], self._codes[y]
        end = x + len(chars)
        old_chars, old_codes = row_chars[x:end], row_codes[x:end]
        if old_chars == chars and old_codes == codes:
            return
        row_chars[x:end] = chars
        row_codes[x:end] = codes
        was_odd = y in self._odd_rows
        if was_odd or not all(map(_NARROW.__contains__, chars)):
            self._paint_carefully(y, was_odd, x, end, runs)
            return
        mask = bytes(map(ne, chars, old_chars))
        if codes != old_codes:
            mask = bytes(map(_differs, chars, old_chars, codes, old_codes))
        _collect(y, x, mask, chars, codes, runs)

    def _paint_carefully(self, y: int, was_odd: bool, x: int, end: int, runs: list[Run]) -> None:
        """Repaint the changed piece, or the whole row where a terminal may have lost count."""
        chars, codes = self._chars[y], self._codes[y]
        is_odd = any(map(_is_odd, chars))
        if is_odd:
            self._odd_rows.add(y)
        else:
            self._odd_rows.discard(y)
        if is_odd or was_odd:
            x, end = 0, self.width
        while x > 0 and chars[x] == "":
            x -= 1
        while end < self.width and chars[end] == "":
            end += 1
        start = x
        while start < end:
            if chars[start] == UNKNOWN:
                start += 1
                continue
            code = codes[start]
            stop = start + 1
            while stop < end and codes[stop] == code and chars[stop] != UNKNOWN:
                stop += 1
            runs.append(Run(y, start, stop - start, "".join(chars[start:stop]), code, True))
            start = stop


def _differs(char: str, old_char: str, code: str, old_code: str) -> bool:
    if char != old_char:
        return True
    return code != old_code and not (char == " " and _same_blank(code, old_code))


def _collect(
    y: int, x: int, mask: bytes, chars: list[str], codes: list[str], runs: list[Run]
) -> None:
    """Append the cells whose mask is set as runs of one style, small gaps filled in.

    Works by pattern and by slice rather than cell by cell: it runs for the whole screen.
    """
    for match in _NEIGHBOURS.finditer(mask):
        start, end = match.span()
        text = "".join(chars[start:end])
        code = codes[start]
        if (text.isascii() or not mask.count(0, start, end)) and codes[start:end].count(
            code
        ) == end - start:
            runs.append(Run(y, x + start, end - start, text, code, False))
            continue
        # A gap of longer characters, or of another style, is cheaper to jump over.
        for part in _TOUCHING.finditer(mask, start, end):
            stop = part.start()
            for code, same in groupby(codes[part.start() : part.end()]):
                first, stop = stop, stop + sum(1 for _ in same)
                text = "".join(chars[first:stop])
                runs.append(Run(y, x + first, stop - first, text, code, False))


def encode(runs: list[Run], width: int) -> str:
    """Return the escape sequences that paint ``runs`` on a screen ``width`` cells wide.

    The terminal must be in its reset style and is left so. Runs are painted in order of place,
    or style by style where that saves bytes; careful ones always in order of place, and first.
    """
    if not runs:
        return ""
    careful = [run for run in runs if run.careful]
    others = [run for run in runs if not run.careful] if careful else runs
    switches = jumps = 0
    before: Run | None = None
    sizes: dict[str, int] = {}
    for run in others:
        sizes[run.code] = len(run.code) + 3
        if before is None or run.code != before.code:
            switches += sizes[run.code]
        if before is None or run.y != before.y or run.x != before.x + before.width:
            jumps += MOVE_COST
        before = run
    by_style = sum(sizes.values()) + MOVE_COST * len(others)
    if by_style < switches + jumps:
        others = sorted(others, key=_by_code)
    return "".join(_sequences([*careful, *others], width))


def _by_code(run: Run) -> str:
    return run.code


def _sequences(runs: Iterable[Run], width: int) -> Iterable[str]:
    code = link = ""
    at_y = at_x = -1
    for run in runs:
        sgr, _, new_link = run.code.partition(LINK)
        if new_link != link:
            yield f"\x1b]8;{new_link or ';'}\x1b\\"
            link = new_link
        if run.y != at_y:
            yield f"\x1b[{run.y + 1};{run.x + 1}H" if run.x else f"\x1b[{run.y + 1}H"
        elif run.x != at_x:
            if at_x < 0 or run.x < at_x:
                yield f"\x1b[{run.x + 1}G" if run.x else "\r"
            else:
                steps = run.x - at_x
                yield "\x1b[C" if steps == 1 else f"\x1b[{steps}C"
        if sgr != code:
            yield transition(code, sgr)
            code = sgr
        yield run.text
        at_y, at_x = run.y, run.x + run.width
        # At the right edge, and after a doubtful character, the column is anybody's guess.
        if at_x >= width or run.careful:
            at_x = -1
            at_y = -1 if run.careful else at_y
    if code:
        yield "\x1b[m"
    if link:
        yield "\x1b]8;;\x1b\\"


class _Parsed(NamedTuple):
    attributes: frozenset[str]
    foreground: str
    background: str


@lru_cache(maxsize=4096)
def _parse(code: str) -> _Parsed:
    """Split SGR parameters into attributes and colours; default colours are empty."""
    attributes: set[str] = set()
    foreground = background = ""
    parts = code.split(";") if code else []
    i = 0
    while i < len(parts):
        part = parts[i]
        length = 1
        if part in ("38", "48"):
            length = 5 if parts[i + 1 : i + 2] == ["2"] else 3
        colour = ";".join(parts[i : i + length])
        number = int(part) if part.isdigit() else 0
        if number in (38, 39) or 30 <= number <= 37 or 90 <= number <= 97:
            foreground = "" if number == 39 else colour
        elif number in (48, 49) or 40 <= number <= 47 or 100 <= number <= 107:
            background = "" if number == 49 else colour
        elif number:
            attributes.add(part)
        i += length
    return _Parsed(frozenset(attributes), foreground, background)


@lru_cache(maxsize=4096)
def _same_blank(code: str, other: str) -> bool:
    """Whether a space looks the same in both styles: only its background can be seen."""
    if LINK in code or LINK in other:
        return False
    one, two = _parse(code), _parse(other)
    visible = {"4", "7", "9", "21", "51", "52", "53"}
    return (
        one.background == two.background
        and not one.attributes & visible
        and not two.attributes & visible
    )


@lru_cache(maxsize=4096)
def transition(before: str, after: str) -> str:
    """Return the shortest sequence from one SGR style to another."""
    old, new = _parse(before), _parse(after)
    full = [*sorted(new.attributes), *filter(None, (new.foreground, new.background))]
    whole = "\x1b[" + ";".join(["0", *full] if before and full else full) + "m"
    parts: list[str] = []
    gone = {_OFF.get(attribute, "") for attribute in old.attributes - new.attributes}
    if "" in gone:
        return whole
    # 22 ends bold and dim alike, so what stays of the pair is said again.
    kept = {a for a in new.attributes & old.attributes if _OFF.get(a) in gone}
    parts.extend(sorted(gone))
    parts.extend(sorted((new.attributes - old.attributes) | kept))
    if new.foreground != old.foreground:
        parts.append(new.foreground or "39")
    if new.background != old.background:
        parts.append(new.background or "49")
    if not parts:
        return ""
    change = f"\x1b[{';'.join(parts)}m"
    return change if len(change) <= len(whole) else whole
