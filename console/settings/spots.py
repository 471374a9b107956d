"""Where a key stands: its path as code walks it, as a person reads it, and its line in the file."""

import re
from collections.abc import Mapping

from msgspec import Struct

Parts = tuple[str | int, ...]

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_KEY_PART = re.compile(r"""\s*(?:([A-Za-z0-9_-]+)|"((?:[^"\\]|\\.)*)"|'([^']*)')\s*""")


class Spot(Struct, frozen=True):
    """A place in the document: ``parts`` for code, ``shown`` (with names in lists) for people."""

    parts: Parts = ()
    shown: str = ""

    def child(self, key: str) -> "Spot":
        """Return the place of ``key`` in this table."""
        name = key if _BARE.fullmatch(key) else _quoted(key)
        return Spot((*self.parts, key), f"{self.shown}.{name}" if self.shown else name)

    def item(self, index: int, name: str | None) -> "Spot":
        """Return the place of a list's element, shown by its name if it has a usable one."""
        parts = (*self.parts, index)
        if name is not None and _BARE.fullmatch(name):
            return Spot(parts, f"{self.shown}.{name}")
        return Spot(parts, f"{self.shown}[{index + 1}]")


def _quoted(key: str) -> str:
    from console.settings.problems import cut

    return '"' + cut(key).replace('"', '\\"') + '"'


class LineIndex:
    """Which line of a TOML document declares which key, for documents that already parsed."""

    def __init__(self, text: str) -> None:
        self._lines: dict[Parts, int] = {}
        self._counts: dict[Parts, int] = {}
        self._table: Parts = ()
        self._read(text)

    def line(self, parts: Parts) -> int | None:
        """Return the line (from 1) of the key, or of the nearest table around it."""
        for length in range(len(parts), 0, -1):
            found = self._lines.get(parts[:length])
            if found is not None:
                return found
        return None

    def _read(self, text: str) -> None:
        lines = text.split("\n")  # TOML knows no other line ends; splitlines() does
        number = 0
        while number < len(lines):
            line = lines[number].strip()
            if line.startswith("[["):
                self._enter(_key(line[2:])[0], number + 1, listed=True)
            elif line.startswith("["):
                self._enter(_key(line[1:])[0], number + 1, listed=False)
            elif line and not line.startswith("#"):
                parts, rest = _key(line)
                for length in range(1, len(parts) + 1):
                    self._lines.setdefault((*self._table, *parts[:length]), number + 1)
                number = _end_of_value(lines, number, rest.partition("=")[2])
            number += 1

    def _enter(self, keys: Parts, line: int, *, listed: bool) -> None:
        path: Parts = ()
        for position, key in enumerate(keys):
            path = (*path, key)
            if path in self._counts and not (listed and position == len(keys) - 1):
                path = (*path, self._counts[path])
            self._lines.setdefault(path, line)  # [a.b] also declares a, if nothing else does
        if listed:
            self._counts[path] = self._counts.get(path, -1) + 1
            path = (*path, self._counts[path])
        self._table = path
        self._lines.setdefault(path, line)


def _key(text: str) -> tuple[Parts, str]:
    """Split a dotted key from what follows it."""
    parts: list[str | int] = []
    while match := _KEY_PART.match(text):
        bare, basic, literal = match.groups()
        parts.append(bare or (_unescaped(basic) if basic is not None else literal) or "")
        text = text[match.end() :]
        if not text.startswith("."):
            break
        text = text[1:]
    return tuple(parts), text


def _unescaped(basic: str) -> str:
    import tomllib

    return str(tomllib.loads(f'key = "{basic}"')["key"])


def _end_of_value(lines: list[str], number: int, text: str) -> int:
    """Return the index of the line on which the value that starts in ``text`` ends."""
    depth, quote = 0, ""
    while True:
        depth, quote = _scan(text, depth, quote)
        if (not depth and not quote) or number + 1 >= len(lines):
            return number
        number += 1
        text = lines[number]


_SYMBOL = re.compile(r"""\\.|\"{3}|'{3}|["'#\[\]{}]""")


def _scan(text: str, depth: int, quote: str) -> tuple[int, str]:
    """Return bracket depth and the multi-line quote still open after one line of a value."""
    position = 0
    while match := _SYMBOL.search(text, position):
        symbol, position = match.group(), match.end()
        if quote:
            if symbol == quote:
                quote = ""
            elif quote.startswith("'") and symbol.startswith("\\"):
                position = match.start() + 1  # a backslash is a plain character in literal strings
        elif symbol == "#":
            break
        elif symbol[0] in "\"'":
            quote = symbol
        elif symbol in "[{":
            depth += 1
        elif symbol in "]}":
            depth -= 1
    return depth, quote if len(quote) == 3 else ""


def names_in(document: Mapping[str, object], table: str) -> tuple[str, ...]:
    """Return the names declared in a table of tables or a list of named tables, faulty ones too."""
    declared = document.get(table)
    if isinstance(declared, dict):
        return tuple(key for key, value in declared.items() if isinstance(value, dict))
    if isinstance(declared, list):
        entries = (entry.get("name") for entry in declared if isinstance(entry, dict))
        return tuple(dict.fromkeys(name for name in entries if isinstance(name, str)))
    return ()
