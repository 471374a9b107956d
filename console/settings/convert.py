"""Converts raw TOML to the typed schema leaf by leaf and finds every fault in one pass."""

import re
import types
from collections.abc import Callable, Mapping
from functools import cache
from typing import Annotated, Literal, TypeVar, get_args, get_origin

from msgspec import NODEFAULT, Struct, field
from msgspec.structs import fields

from console.settings.field_meta import Key
from console.settings.field_parsers import Complaint, LeafContext, read_leaf
from console.settings.problems import Problem, nearest, one_of, show

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


class _Invalid:
    """Stands where a value had a fault that is already reported."""


_INVALID = _Invalid()
_PLAIN = Key("")
_StructT = TypeVar("_StructT", bound=Struct)

NoteOrigin = Callable[[Spot, bool], None]
PlaceOf = Callable[[Spot], tuple[str, int | None]]


class FieldPlan(Struct, frozen=True):
    """One field of a Struct, taken apart once: the key in the file, type, mark and default."""

    name: str
    key: str
    type: object
    mark: Key
    required: bool
    default: object
    default_factory: Callable[[], object] | None


@cache
def plan(struct: type[Struct]) -> tuple[FieldPlan, ...]:
    """Return the fields of ``struct`` in their order."""
    plans: list[FieldPlan] = []
    for info in fields(struct):
        bare, mark = _unwrap(info.type)
        factory = None if info.default_factory is NODEFAULT else info.default_factory
        plans.append(
            FieldPlan(info.name, info.encode_name, bare, mark, info.required, info.default, factory)
        )
    return tuple(plans)


def _unwrap(annotated: object) -> tuple[object, Key]:
    if get_origin(annotated) is Annotated:
        bare, *marks = get_args(annotated)
        for mark in marks:
            if isinstance(mark, Key):
                return bare, mark
        return bare, _PLAIN
    return annotated, _PLAIN


class Conversion(Struct):
    """One walk over one document; ``problems`` grows, nothing is raised."""

    leaf_context: LeafContext
    place_of: PlaceOf
    note_origin: NoteOrigin
    problems: list[Problem] = field(default_factory=list)

    def complain(self, spot: Spot, found: str, allowed: str, hint: str = "") -> _Invalid:
        """Report one fault and return the mark that stands for the value."""
        file, line = self.place_of(spot)
        self.problems.append(Problem(file, line, spot.shown, found, allowed, hint))
        return _INVALID

    def complain_also(self, spot: Spot, found: str, allowed: str) -> None:
        """Report a fault between keys, unless a key at or under ``spot`` is already at fault.

        A refused value counts as absent afterwards; "nothing found" beside it would mislead.
        """
        if not self.faulty(spot):
            self.complain(spot, found, allowed)

    def faulty(self, spot: Spot) -> bool:
        """Return whether a fault is already reported at ``spot`` or under it."""
        inside = (f"{spot.shown}.", f"{spot.shown}[")
        return any(
            problem.key_path == spot.shown or problem.key_path.startswith(inside)
            for problem in self.problems
        )

    def table(
        self, struct: type[_StructT], raw: Mapping[str, object], spot: Spot
    ) -> _StructT | None:
        """Return the Struct, its faulty optional fields at their defaults; None if it cannot be."""
        plans = plan(struct)
        known = {each.key: each for each in plans}
        for key in raw:
            if key not in known:
                self.complain(
                    spot.child(key),
                    f"the unknown key {show(key)}",
                    one_of(known),
                    nearest(key, known),
                )
        values: dict[str, object] = {}
        whole = True
        for each in plans:
            place = spot.child(each.key)
            if each.key not in raw:
                if each.required:
                    choices = get_args(each.type) if get_origin(each.type) is Literal else ()
                    allowed = one_of(choices) if choices else f"a value: {each.mark.doc}"
                    self.complain(place, "nothing", allowed)
                    whole = False
                else:
                    self.note_origin(place, False)
                continue
            converted = self.value(each.type, each.mark, raw[each.key], place)
            if not isinstance(converted, _Invalid):
                values[each.name] = converted
            elif each.required:
                whole = False
        return struct(**values) if whole else None

    def value(self, type_: object, mark: Key, raw: object, spot: Spot) -> object:
        """Return ``raw`` as ``type_``, or the invalid mark after reporting why not."""
        origin = get_origin(type_)
        if origin is types.UnionType:
            ways = [arg for arg in get_args(type_) if arg is not types.NoneType]
            lists = [arg for arg in ways if get_origin(arg) is tuple]
            inner = lists[0] if lists and isinstance(raw, list) else ways[0]
            return self.value(inner, mark, raw, spot)
        if origin is tuple:
            return self._list(get_args(type_)[0], mark, raw, spot)
        if origin is dict:
            return self._mapping(get_args(type_)[1], mark, raw, spot)
        if isinstance(type_, type) and issubclass(type_, Struct):
            if not isinstance(raw, dict):
                return self.complain(spot, show(raw), f"a table with {one_of(_keys(type_))}")
            made = self.table(type_, raw, spot)
            return _INVALID if made is None else made
        self.note_origin(spot, True)
        choices = get_args(type_) if origin is Literal else ()
        result = read_leaf(type_, choices, mark, raw, self.leaf_context)
        if isinstance(result, Complaint):
            return self.complain(spot, result.found, result.allowed, result.hint)
        return result

    def _list(self, inner: object, mark: Key, raw: object, spot: Spot) -> object:
        if not isinstance(raw, list):
            hint = f"write [{show(raw)}]" if isinstance(raw, str) else ""
            return self.complain(spot, show(raw), "a list", hint)
        self.note_origin(spot, True)
        made: list[object] = []
        names = [entry.get("name") if isinstance(entry, dict) else None for entry in raw]
        for index, entry in enumerate(raw):
            name = names[index]
            # Two entries of one name would share a key path: the later one is told by its number.
            unique = isinstance(name, str) and name not in names[:index]
            place = spot.item(index, name if unique else None)
            if isinstance(name, str) and not unique:
                self.complain(
                    place.child("name"), f"{show(name)} a second time", "a name of its own"
                )
            made.append(self.value(inner, mark, entry, place))
        return tuple(value for value in made if not isinstance(value, _Invalid))

    def _mapping(self, inner: object, mark: Key, raw: object, spot: Spot) -> object:
        if not isinstance(raw, dict):
            return self.complain(spot, show(raw), "a table")
        if not raw:
            self.note_origin(spot, True)
        made: dict[str, object] = {}
        allowed = self.leaf_context.signals if mark.signal_keys else mark.keys
        for key, entry in raw.items():
            place = spot.child(key)
            if allowed and key not in allowed:
                what = "signal" if mark.signal_keys else "key"
                self.complain(
                    place, f"the unknown {what} {show(key)}", one_of(allowed), nearest(key, allowed)
                )
                continue
            converted = self.value(inner, mark, entry, place)
            if not isinstance(converted, _Invalid):
                made[key] = converted
        return made


def _keys(struct: type[Struct]) -> tuple[str, ...]:
    return tuple(each.key for each in plan(struct))


def declared_names(document: Mapping[str, object]) -> dict[str, tuple[str, ...]]:
    """Return the names references may point to, table by table, from the raw document."""
    tables = ("sources", "models", "dependencies", "controls")
    return {table: names_in(document, table) for table in tables}
