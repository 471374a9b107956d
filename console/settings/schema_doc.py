"""Writes the table of every configuration key for docs/configuration.md.

``python -m console.settings.schema_doc`` prints it; ``--write`` puts it into the document.
"""

import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args, get_origin

from msgspec import NODEFAULT, Struct

from console.settings.convert import FieldPlan, plan
from console.settings.durations import format_duration
from console.settings.schema import Settings

START = "<!-- generated: keys -->\n"
END = "<!-- end -->"

_KIND_WORDS = {
    "duration": "duration",
    "seconds": "seconds, or duration",
    "ratio": "ratio 0–1",
    "base_url": "URL",
    "target_url": "URL",
    "proxy_url": "URL",
    "journal_url": "journal URL",
    "path": "path",
    "drift_reference": "path",
    "reference": "name",
    "secret": "secret reference",
    "promql": "PromQL",
    "criterion": "criterion",
    "verb": "action",
    "free": "any TOML value",
    "keys": "key names",
    "operator": "text, or `env:NAME`",
    "path_template": "path",
    "clock_time": "time of day",
    "time_zone": "time zone",
}


def table() -> str:
    """Return one Markdown table a section, every key with type, default and meaning."""
    parts: list[str] = []
    for heading, rows in _sections():
        parts.append(f"### {heading}\n")
        parts.append("| key | type | default | meaning |\n| --- | --- | --- | --- |")
        parts.extend(rows)
        parts.append("")
    return "\n".join(parts).rstrip() + "\n"


def _sections() -> Iterator[tuple[str, list[str]]]:
    top: list[str] = []
    nested: list[tuple[str, list[str]]] = []
    for each in plan(Settings):
        inner = _struct_in(each.type)
        if inner is None:
            top.append(_row(each.key, each))
        else:
            nested.append((_heading(each), list(_rows(inner, ""))))
    yield "Top level", top
    yield from nested


def _heading(each: FieldPlan) -> str:
    if get_origin(each.type) is tuple:
        return f"`[[{each.key}]]`"
    if get_origin(each.type) is dict:
        return f"`[{each.key}.NAME]`"
    return f"`[{each.key}]`"


def _rows(struct: type[Struct], prefix: str) -> Iterator[str]:
    for each in plan(struct):
        inner = _struct_in(each.type)
        if inner is None:
            yield _row(prefix + each.key, each)
            continue
        origin = get_origin(each.type)
        many = "[]." if origin is tuple else ".NAME." if origin is dict else "."
        yield from _rows(inner, f"{prefix}{each.key}{many}")


def _struct_in(type_: object) -> type[Struct] | None:
    """Return the Struct inside an optional, a list or a mapping; None for plain values."""
    for candidate in (type_, *get_args(type_)):
        if isinstance(candidate, type) and issubclass(candidate, Struct):
            return candidate
    return None


def _row(key: str, each: FieldPlan) -> str:
    cells = (f"`{key}`", _type_words(each), _default_words(each), each.mark.doc)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _type_words(each: FieldPlan) -> str:
    type_, mark = each.type, each.mark
    if get_origin(type_) is types.UnionType:
        type_ = next(arg for arg in get_args(type_) if arg is not types.NoneType)
    if get_origin(type_) is tuple:
        return f"list of {_leaf_words(get_args(type_)[0], each)}"
    if get_origin(type_) is dict:
        keys = "signal name" if mark.signal_keys else ", ".join(f"`{key}`" for key in mark.keys)
        return f"table: {keys or 'name'} = {_leaf_words(get_args(type_)[1], each)}"
    return _leaf_words(type_, each)


def _leaf_words(type_: object, each: FieldPlan) -> str:
    mark = each.mark
    if get_origin(type_) is types.UnionType and get_origin(get_args(type_)[-1]) is tuple:
        return f"{_leaf_words(get_args(type_)[0], each)} or a list"
    if get_origin(type_) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(type_))
    if type_ is bool:
        return "true or false"
    words = _KIND_WORDS.get(mark.kind)
    if words is None:
        words = "whole number" if type_ is int else "number" if type_ is float else "text"
    if mark.kind in ("number", "duration", "seconds"):
        words += _bounds(mark.low, mark.high, durations=mark.kind == "duration")
    return f"{words}, {mark.unit}" if mark.unit else words


def _bounds(low: float | None, high: float | None, *, durations: bool) -> str:
    def shown(value: float) -> str:
        return format_duration(value) if durations else f"{value:g}"

    if low is not None and high is not None:
        return f", {shown(low)} to {shown(high)}"
    return f", at least {shown(low)}" if low else ""


def _default_words(each: FieldPlan) -> str:
    if each.required:
        return "required"
    if each.default is NODEFAULT or each.default is None or each.default in ((), ""):
        return "–"
    if isinstance(each.default, bool):
        return f"`{str(each.default).lower()}`"
    if each.mark.kind in ("duration", "seconds") and isinstance(each.default, float):
        return f"`{format_duration(each.default)}`"
    if isinstance(each.default, tuple):
        return ", ".join(f"`{entry}`" for entry in each.default)
    return f"`{each.default}`"


def rewrite(document: Path) -> None:
    """Put the present table between the two marks of ``document``."""
    before, start, rest = document.read_text().partition(START)
    _old, end, after = rest.partition(END)
    document.write_text(f"{before}{start}\n{table()}\n{end}{after}")


if __name__ == "__main__":
    if sys.argv[1:] == ["--write"]:
        rewrite(Path("docs/configuration.md"))
    else:
        sys.stdout.write(table())
