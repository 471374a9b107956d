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
from itertools import compress
from operator import itemgetter, ne
from typing import NamedTuple

from rich.cells import split_graphemes

UNKNOWN = "\x00"
LINK = "\x00"
"""Separates the SGR codes of a cell from the parameters of its hyperlink."""

MAX_GAP = 4
"""Unchanged cells repainted rather than jumped over: a jump costs four bytes or more."""

MOVE_COST = 7
"""Bytes of a typical jump to another row, to estimate with."""

LEAST_ERASED = 5
"""Blanks up to the right edge that are erased rather than written: erasing costs three bytes."""

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
)
"""What is one cell wide and common; a test asks Rich whether it still is."""

_is_narrow = _NARROW.issuperset

_NEIGHBOURS = re.compile(rb"\x01+(?:\x00{1,%d}\x01+)*" % MAX_GAP)
_TOUCHING = re.compile(rb"\x01+")
"""Changed cells in a mask of one byte a cell, with and without the small gaps between them."""

_OFF = {"1": "22", "2": "22", "3": "23", "4": "24", "5": "25", "6": "25", "7": "27", "8": "28"}
_OFF |= {"9": "29", "21": "24", "51": "54", "52": "54", "53": "55"}


Run = tuple[int, int, int, str, str, bool]
"""Changed neighbours of one style: row, first cell, width, text, style, whether to be careful.

A careful one may be measured otherwise by a terminal. A plain tuple, because a screen has
thousands of them and a named one takes three times as long to make.
"""


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
            runs.append((y, start, stop - start, "".join(chars[start:stop]), code, True))
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
        borders = compress(
            range(start + 1, end), map(ne, codes[start : end - 1], codes[start + 1 : end])
        )
        for stop in (*borders, end):
            left, right = mask.find(1, start, stop), mask.rfind(1, start, stop) + 1
            code, start = codes[start], stop
            if left < 0:
                continue
            text = "".join(chars[left:right])
            if text.isascii() or not mask.count(0, left, right):
                runs.append((y, x + left, right - left, text, code, False))
                continue
            # Longer characters are cheaper to jump over than to send again.
            for piece in _TOUCHING.finditer(mask, left, right):
                left, right = piece.span()
                text = "".join(chars[left:right])
                runs.append((y, x + left, right - left, text, code, False))


def encode(runs: list[Run], width: int, *, erase_colours: bool = False) -> str:
    """Return the escape sequences that paint ``runs`` on a screen ``width`` cells wide.

    ``erase_colours`` says that the terminal erases in the background colour of the moment.

    The terminal must be in its reset style and is left so. Runs are painted in order of place,
    or style by style where that saves bytes; careful ones always in order of place, and first.
    """
    if not runs:
        return ""
    careful = [run for run in runs if run[5]]
    others = [run for run in runs if not run[5]] if careful else runs
    switches = jumps = 0
    at_y = at_x = -1
    last_code = None
    sizes: dict[str, int] = {}
    for y, x, size, _, code, _ in others:
        if code != last_code:
            sizes[code] = len(code) + 3
            switches += sizes[code]
            last_code = code
        if y != at_y or x != at_x:
            jumps += MOVE_COST
        at_y, at_x = y, x + size
    by_style = sum(sizes.values()) + MOVE_COST * len(others)
    if by_style < switches + jumps:
        others = sorted(others, key=itemgetter(4))
    return "".join(_sequences([*careful, *others], width, erase_colours=erase_colours))


def _sequences(runs: Iterable[Run], width: int, *, erase_colours: bool) -> list[str]:
    sequences: list[str] = []
    say = sequences.append
    before = code = link = ""
    at_y = at_x = -1
    for y, x, size, text, look, careful in runs:
        if (y, x) != (at_y, at_x):
            say(_move(at_y, at_x, y, x))
        if look != before:
            before = look
            sgr, _, new_link = look.partition(LINK)
            if new_link != link:
                say(f"\x1b]8;{new_link or ';'}\x1b\\")
                link = new_link
            if sgr != code:
                say(transition(code, sgr))
                code = sgr
        at_y, at_x = y, x + size
        if at_x >= width and _is_erasable(look, erase_colours) and text.endswith(_BLANKS):
            # A careful one as well: it was placed, and nothing comes behind its blanks.
            text = text.rstrip(" ")
            at_x = x + len(text)
            text += "\x1b[K"
        say(text)
        # At the right edge, and after a doubtful character, the column is anybody's guess.
        if careful:
            at_y = -1
        elif at_x >= width:
            at_x = -1
    if code:
        say("\x1b[m")
    if link:
        say("\x1b]8;;\x1b\\")
    return sequences


def _move(at_y: int, at_x: int, y: int, x: int) -> str:
    """Return the shortest way to a cell; a negative ``at_x`` is a column nobody knows."""
    if y != at_y:
        return f"\x1b[{y + 1};{x + 1}H" if x else f"\x1b[{y + 1}H"
    if at_x < 0 or x < at_x:
        return f"\x1b[{x + 1}G" if x else "\r"
    return "\x1b[C" if x == at_x + 1 else f"\x1b[{x - at_x}C"


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


_BLANKS = " " * LEAST_ERASED
_SEEN_ON_BLANKS = frozenset(("4", "7", "9", "21", "51", "52", "53"))


@lru_cache(maxsize=4096)
def _is_erasable(code: str, erase_colours: bool) -> bool:
    """Whether a cell that is erased in this style looks as if a blank were written."""
    if LINK in code:
        return False
    style = _parse(code)
    if style.attributes & _SEEN_ON_BLANKS:
        return False
    return erase_colours or not style.background


@lru_cache(maxsize=4096)
def _same_blank(code: str, other: str) -> bool:
    """Whether a space looks the same in both styles: only its background can be seen."""
    if LINK in code or LINK in other:
        return False
    one, two = _parse(code), _parse(other)
    return (
        one.background == two.background
        and not one.attributes & _SEEN_ON_BLANKS
        and not two.attributes & _SEEN_ON_BLANKS
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
