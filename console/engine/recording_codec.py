"""Turns Snapshots into frames of a recording and back: what changed since the frame before.

Numbers keep 4 significant digits, rounded so that a display of three shows what it showed live.
Everything else is kept as it was judged. A frame names only classes of the domain.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, Literal, cast

import msgspec
import numpy as np

from console.domain.severity import Severity
from console.domain.snapshot import SignalColumn, Snapshot

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

DIGITS: Final = 4
PLACE: Final = "console.domain."
"""Only classes of this room stand in a recording; a foreign file can name no others."""

_NUMBERS: Final = frozenset({"columns", "baselines", "severities", "order"})
_EMPTY: Final = -128
_UNKNOWN: Final = 2**31 - 1
_KEPT: Final = ("vm", "ve", "n", "wm", "we", "hm", "he", "at")
"""Numbers of signals by rows, which a frame may leave as they were for rows that are well."""

_INTERNED: Final = 24
"""Objects of this many bytes and more are written once and pointed at afterwards."""

_TUPLE, _MAP, _SET, _OBJECT, _ENUM, _LIST, _REFERENCE = range(7)


Sparing = Literal["", "well", "all"]


class BadRecording(Exception):
    """What was read is no recording, or not whole; the text is a sentence."""


def short(values: NDArray[np.float64]) -> tuple[NDArray[np.int16], NDArray[np.int8]]:
    """Return mantissa and exponent of 4 significant digits; NaN has the exponent -128.

    A digit that would stand for more than it says never ends in 0 or 5, so that rounding once more
    to three digits gives what rounding the number itself would have given.
    """
    size = np.abs(values)
    usual = np.isfinite(values) & (size > 0.0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        exponent = np.where(usual, np.floor(np.log10(np.where(usual, size, 1.0))), 0.0) - DIGITS + 1
        exponent = np.clip(exponent, -120.0, 120.0)
        digits = np.rint(np.where(usual, _divided(size, exponent), 0.0))
        # Not above the number itself, to the last bit: 8.1499999 is shown as 8.1, 8.15 as 8.2.
        digits -= usual & (_scaled(digits, exponent) > size)
        exact = ~usual | (_scaled(digits, exponent) == size)
        digits += ~exact & (np.mod(digits, 5.0) == 0.0)
    signed = np.where(values < 0.0, -digits, digits)
    infinite = np.isinf(values)
    signed = np.where(infinite, np.sign(np.where(infinite, values, 0.0)), signed)
    marked = np.where(np.isnan(values), _EMPTY, np.where(infinite, _EMPTY + 1, exponent))
    return signed.astype(np.int16), marked.astype(np.int8)


def long(mantissa: NDArray[np.int16], exponent: NDArray[np.int8]) -> NDArray[np.float64]:
    """Return the numbers that `short` made small."""
    power = np.clip(exponent.astype(np.float64), -120.0, 120.0)
    digits = mantissa.astype(np.float64)
    values = _scaled(digits, power)
    values = np.where(exponent == _EMPTY + 1, np.copysign(np.inf, digits), values)
    return np.where(exponent == _EMPTY, np.nan, values)


def _scaled(digits: NDArray[np.float64], power: NDArray[np.float64]) -> NDArray[np.float64]:
    size = 10.0 ** np.abs(power)
    return np.where(power >= 0, digits * size, digits / size)


def _divided(size: NDArray[np.float64], power: NDArray[np.float64]) -> NDArray[np.float64]:
    return _scaled(size, -power)


Planes = dict[str, "NDArray[Any]"]


def _planes(snapshot: Snapshot, signals: tuple[str, ...], base: float) -> Planes:
    """Return all numbers of a Snapshot as arrays of small integers, signals by rows."""
    columns = [snapshot.columns[name] for name in signals]
    rows = len(snapshot.rows)

    def stacked(read: Callable[[SignalColumn], NDArray[Any]]) -> NDArray[np.float64]:
        if not columns:
            return np.zeros((0, rows))
        return np.stack([np.asarray(read(each), dtype=np.float64) for each in columns])

    made: Planes = {}
    nothing = np.full(rows, np.nan)
    for name, values in (
        ("v", stacked(lambda each: each.values)),
        ("w", stacked(lambda each: each.window_seconds)),
        (
            "h",
            stacked(lambda each: nothing if each.history_seconds is None else each.history_seconds),
        ),
        ("b", np.stack([*snapshot.baselines.values()]) if snapshot.baselines else np.zeros((0, 0))),
    ):
        made[f"{name}m"], made[f"{name}e"] = short(values)
    after = (stacked(lambda each: each.at) - base) * 100.0
    known = np.isfinite(after) & (np.abs(after) < _UNKNOWN - 1)
    made["at"] = np.where(known, np.rint(np.where(known, after, 0.0)), _UNKNOWN).astype(np.int32)
    counts = stacked(lambda each: each.n)
    # Samples are shown to the last one, so they are whole numbers of their own.
    known = np.isfinite(counts) & (np.abs(counts) < _UNKNOWN - 1)
    made["n"] = np.where(known, np.rint(np.where(known, counts, 0.0)), _UNKNOWN).astype(np.int32)
    made["s"] = stacked(lambda each: each.states).astype(np.uint8)
    made["i"] = stacked(lambda each: each.method_index).astype(np.uint8)
    made["l"] = np.asarray(snapshot.severities, dtype=np.uint8)
    made["o"] = np.asarray(snapshot.order, dtype=np.int32)
    return made


class Encoder:
    """Makes the frames of one segment; the first one stands by itself.

    ``text`` is done to every text, which is how secrets and names are taken out.
    """

    def __init__(self, text: Callable[[str], str] = str) -> None:
        self._text = text
        self._fields: dict[str, bytes] = {}
        self._known: dict[bytes, int] = {}
        self._same: dict[int, tuple[object, object]] = {}
        self._before: Planes = {}
        self._classes: dict[type, str] = {}
        self._base = 0.0
        self._new: list[object] = []
        self._defined: dict[str, list[str]] = {}

    def frame(self, snapshot: Snapshot, *, sparing: Sparing = "") -> bytes:
        """Return one tick as bytes that `Decoder.take` reads, in order.

        When ``sparing``, numbers of rows that are well, or of all, stay those of the frame before,
        with their time; levels and everything that was judged is whole in every frame.
        """
        self._new, self._defined = [], {}
        kept, self._same = self._same, {}
        self._kept = kept
        signals = tuple(sorted(snapshot.columns))
        fields: dict[str, object] = {}
        plain = {
            name: getattr(snapshot, name)
            for name in Snapshot.__dataclass_fields__
            if name not in _NUMBERS
        }
        plain["signals"] = signals
        plain["methods"] = tuple(snapshot.columns[name].methods for name in signals)
        plain["aged"] = tuple(
            snapshot.columns[name].history_seconds is not None for name in signals
        )
        plain["based"] = tuple(snapshot.baselines)
        for name, value in plain.items():
            made = self._plain(value)
            packed = msgspec.msgpack.encode(made)
            if self._fields.get(name) != packed:
                self._fields[name] = packed
                fields[name] = made
        if not self._before:
            self._base = snapshot.taken_at
        planes = _planes(snapshot, signals, self._base)
        if sparing and planes["vm"].shape == self._before.get("vm", np.empty(0)).shape:
            levels = np.minimum(planes["l"], self._before["l"])
            well = (levels >= int(Severity.UNJUDGED)) | (sparing == "all")
            for name in _KEPT:
                planes[name] = np.where(well, self._before[name], planes[name])
        written = {name: _difference(each, self._before.get(name)) for name, each in planes.items()}
        self._before = planes
        return msgspec.msgpack.encode(
            {
                "base": self._base,
                "new": self._new,
                "classes": self._defined,
                "fields": fields,
                "numbers": written,
            }
        )

    def _plain(self, value: object) -> object:
        match value:
            case str():
                return self._text(value)
            case Enum():
                return [_ENUM, self._class(type(value)), value.value]
            case None | bool() | int() | float() | bytes():
                return value
            case np.generic():
                return self._plain(value.item())
            case tuple():
                return [_TUPLE, *map(self._plain, value)]
            case list():
                return [_LIST, *map(self._plain, value)]
            case frozenset() | set():
                return [_SET, *map(self._plain, sorted(value, key=repr))]
            case Mapping():
                flat = [self._plain(part) for pair in value.items() for part in pair]
                return [_MAP, *flat]
            case _:
                return self._object(value)

    def _object(self, value: object) -> object:
        found = self._kept.get(id(value)) or self._same.get(id(value))
        if found is not None:
            self._same[id(value)] = found
            return found[1]
        name = self._class(type(value))
        made: object = [
            _OBJECT, name, *(self._plain(getattr(value, each)) for each in _names(type(value))),
        ]  # fmt: skip
        packed = msgspec.msgpack.encode(made)
        if len(packed) >= _INTERNED:
            number = self._known.get(packed)
            if number is None:
                number = self._known[packed] = len(self._known)
                self._new.append(made)
            made = [_REFERENCE, number]
        self._same[id(value)] = (value, made)
        return made

    def _class(self, kind: type) -> str:
        name = self._classes.get(kind)
        if name is None:
            name = f"{kind.__module__.removeprefix(PLACE)}:{kind.__qualname__}"
            if not kind.__module__.startswith(PLACE):
                raise TypeError(f"{kind.__module__}.{kind.__qualname__} stands in no recording")
            self._classes[kind] = name
            self._defined[name] = [] if issubclass(kind, Enum) else list(_names(kind))
        return name


def _names(kind: type) -> tuple[str, ...]:
    if issubclass(kind, msgspec.Struct):
        return kind.__struct_fields__
    if dataclasses.is_dataclass(kind):
        return tuple(each.name for each in dataclasses.fields(kind) if each.init)
    raise TypeError(f"{kind.__module__}.{kind.__qualname__} stands in no recording")


def _difference(now: NDArray[Any], before: NDArray[Any] | None) -> object:
    """Return an array as what changed since the one before, by planes of bytes; None: nothing."""
    whole = before is None or before.shape != now.shape
    delta = now if whole or before is None else now - before
    if not whole and not delta.any():
        return None
    flat = np.ascontiguousarray(delta).reshape(-1)
    planes = flat.view(np.uint8).reshape(-1, now.dtype.itemsize).T if flat.size else flat
    return [list(now.shape), whole, np.ascontiguousarray(planes).tobytes()]


_TYPES: Final[Mapping[str, type]] = {
    "vm": np.int16, "wm": np.int16, "hm": np.int16, "bm": np.int16,
    "ve": np.int8, "we": np.int8, "he": np.int8, "be": np.int8,
    "n": np.int32, "at": np.int32, "s": np.uint8, "i": np.uint8, "l": np.uint8, "o": np.int32,
}  # fmt: skip


class Decoder:
    """Reads the frames of one segment in order; nothing in a file can name a class elsewhere."""

    def __init__(self) -> None:
        self._fields: dict[str, Any] = {}
        self._objects: list[object] = []
        self._classes: dict[str, tuple[type, list[str]]] = {}
        self._numbers: Planes = {}
        self._base = 0.0

    def take(self, frame: bytes) -> Snapshot:
        """Return the tick of the next frame; raises `BadRecording`."""
        try:
            return self._take(msgspec.msgpack.decode(frame))
        except (
            msgspec.MsgspecError, KeyError, IndexError, TypeError, ValueError, AttributeError,
            ImportError,
        ) as fault:  # fmt: skip
            raise BadRecording(f"a frame cannot be read: {fault}") from fault

    def _take(self, document: dict[str, Any]) -> Snapshot:
        self._base = float(document["base"])
        for name, names in document["classes"].items():
            self._classes[name] = (_class_of(name), names)
        for each in document["new"]:
            self._objects.append(self._value(each))
        for name, value in document["fields"].items():
            self._fields[name] = self._value(value)
        for name, change in document["numbers"].items():
            if change is not None:
                self._numbers[name] = _applied(name, change, self._numbers.get(name))
        return self._snapshot()

    def _snapshot(self) -> Snapshot:
        given = dict(self._fields)
        signals, methods = given.pop("signals"), given.pop("methods")
        aged, based = given.pop("aged"), given.pop("based")
        numbers = self._numbers
        values, window, history, base = (
            long(numbers[f"{name}m"], numbers[f"{name}e"]) for name in ("v", "w", "h", "b")
        )
        counts = numbers["n"]
        n = np.where(counts == _UNKNOWN, np.nan, counts.astype(np.float64))
        after = numbers["at"]
        at = np.where(after == _UNKNOWN, np.nan, self._base + after / 100.0)
        columns = {
            name: SignalColumn(
                values[row],
                numbers["s"][row],
                at[row],
                n[row],
                window[row],
                numbers["i"][row],
                methods[row],
                history[row] if aged[row] else None,
            )
            for row, name in enumerate(signals)
        }
        known = {name: each for name, each in given.items() if name in _SNAPSHOT}
        return Snapshot(
            **known,
            columns=columns,
            severities=numbers["l"].copy(),
            order=numbers["o"].astype(np.int64),
            baselines={name: base[row] for row, name in enumerate(based)},
        )

    def _value(self, value: object) -> Any:
        if not isinstance(value, list):
            return value
        tag, rest = value[0], value[1:]
        match tag:
            case 0:
                return tuple(map(self._value, rest))
            case 1:
                parts = [self._value(each) for each in rest]
                return dict(zip(parts[::2], parts[1::2], strict=True))
            case 2:
                return frozenset(map(self._value, rest))
            case 3:
                kind, names = self._classes[rest[0]]
                given = dict(zip(names, map(self._value, rest[1:]), strict=True))
                allowed = _names(kind)
                return kind(**{name: each for name, each in given.items() if name in allowed})
            case 4:
                return self._classes[rest[0]][0](rest[1])
            case 5:
                return [self._value(each) for each in rest]
            case 6:
                return self._objects[rest[0]]
        raise BadRecording("a frame holds what this version does not know")


_SNAPSHOT: Final = frozenset(Snapshot.__dataclass_fields__)


def _class_of(name: str) -> type:
    module, _, kind = name.partition(":")
    if not module.isidentifier() or not kind.isidentifier():
        raise BadRecording(f"{name!r} is no class of the domain")
    found: Any = getattr(importlib.import_module(f"{PLACE}{module}"), kind, None)
    plain = isinstance(found, type) and found.__module__ == f"{PLACE}{module}"
    if found is None or not plain:
        raise BadRecording(f"this version knows no {name}; it is older than the recording")
    if not (dataclasses.is_dataclass(found) or issubclass(found, msgspec.Struct | Enum)):
        raise BadRecording(f"{name} stands in no recording")
    return cast("type", found)


def _applied(name: str, change: list[Any], before: NDArray[Any] | None) -> NDArray[Any]:
    shape, whole, planes = change
    kind = np.dtype(_TYPES[name])
    raw = np.frombuffer(planes, dtype=np.uint8)
    if raw.size:
        raw = np.ascontiguousarray(raw.reshape(kind.itemsize, -1).T).reshape(-1)
    made = raw.view(kind).reshape(shape)
    if whole:
        return made
    if before is None or before.shape != made.shape:
        raise BadRecording("a frame does not follow the one before it")
    return before + made
