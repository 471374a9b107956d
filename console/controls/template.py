"""Fills variables into requests without letting a value leave its place; plans the calls of a
change.

``${name}`` takes a variable that must be there; ``${name?}`` leaves the entry out when it is not;
``${name:text}`` makes a text of it where a JSON body would else keep its type.
``{name}`` stands in paths only. Nothing is ever formatted as text and parsed again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from console.controls.protocol import TOLD_ONLY, ControlError
from console.domain.control import (
    JsonValue,
    Offer,
    PreparedCall,
    Reach,
    Scalar,
    TargetState,
    same_value,
    scalar_text,
)
from console.domain.text import visible

if TYPE_CHECKING:
    from collections.abc import Collection

    from console.controls.declaration import Change, Declared

Variables = Mapping[str, JsonValue]

_PLACE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)(\?|:text)?\}")
_PATH_PLACE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_TOKEN = re.compile(
    r"""\"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`(?:[^`\\]|\\.)*`|\$\{[A-Za-z_][A-Za-z0-9_]*\}""",
    re.DOTALL,
)
_LEFT_OUT = object()


def names_in(template: object) -> frozenset[str]:
    """Return the variables that must be given for ``template``: text, table or list."""
    return frozenset(name for name, optional in _places(template) if not optional)


def mentions(template: object, names: frozenset[str]) -> bool:
    """Tell whether ``template`` carries one of ``names``, optional places counted."""
    return any(name in names for name, _ in _places(template))


def path_names(template: str) -> frozenset[str]:
    """Return the variables of a path template."""
    return frozenset(_PATH_PLACE.findall(template))


def _places(template: object) -> Iterator[tuple[str, bool]]:
    match template:
        case str():
            for found in _PLACE.finditer(template):
                yield found.group(1), found.group(2) == "?"
        case dict():
            for key, value in template.items():
                yield from _places(key)
                yield from _places(value)
        case list() | tuple():
            for value in template:
                yield from _places(value)
        case _:
            return


def fill(template: object, variables: Variables) -> JsonValue:
    """Return ``template`` with its places filled, types kept where a place is the whole text.

    Raises ``ControlError`` for an unknown variable or a value JSON cannot carry.
    """
    filled = _filled(template, variables)
    return None if filled is _LEFT_OUT else filled  # type: ignore[return-value]


def _filled(template: object, variables: Variables) -> object:
    match template:
        case str():
            whole = _PLACE.fullmatch(template)
            if whole is None:
                return fill_text(template, variables)
            name, how = whole.groups()
            if how == "?" and variables.get(name) is None:
                return _LEFT_OUT
            return _plain(name, variables) if how == ":text" else _value(name, variables)
        case dict():
            made = {
                fill_text(str(key), variables): _filled(value, variables)
                for key, value in template.items()
            }
            return {key: value for key, value in made.items() if value is not _LEFT_OUT}
        case list() | tuple():
            listed = [_filled(value, variables) for value in template]
            return [value for value in listed if value is not _LEFT_OUT]
        case None | bool() | int() | float():
            return template
        case _:
            raise ControlError(f"{visible(str(template), 60)} cannot stand in a JSON body")


def fill_text(template: str, variables: Variables) -> str:
    """Return a text with its places filled by plain values; raises ``ControlError``."""

    def replaced(found: re.Match[str]) -> str:
        if found.group(2) == "?" and variables.get(found.group(1)) is None:
            return ""
        return _plain(found.group(1), variables)

    return _PLACE.sub(replaced, template)


def fill_entries(entries: Mapping[str, str], variables: Variables) -> dict[str, str]:
    """Return query, form or header entries filled; an absent optional value drops its entry."""
    made: dict[str, str] = {}
    for key, template in entries.items():
        whole = _PLACE.fullmatch(template)
        if whole and whole.group(2) == "?" and variables.get(whole.group(1)) is None:
            continue
        made[fill_text(key, variables)] = fill_text(template, variables)
    return made


def fill_path(template: str, query: Mapping[str, str], variables: Variables) -> str:
    """Return path and query, every value percent-encoded; raises ``ControlError``.

    No value can add a step, leave its own, or open a query: ``/``, ``.`` and ``..`` stay values.
    """
    steps, asked, fixed_query = template.partition("?")

    def in_path(found: re.Match[str]) -> str:
        value = _plain(found.group(1), variables)
        if value in ("", ".", ".."):
            raise ControlError(
                f"the variable {found.group(1)} is {value!r}, which cannot stand in a path"
            )
        return quote(value, safe="")

    def in_query(found: re.Match[str]) -> str:
        return quote(_plain(found.group(1), variables), safe="")

    path = _PATH_PLACE.sub(in_path, steps)
    parts = [_PATH_PLACE.sub(in_query, fixed_query)] if asked else []
    more = urlencode(fill_entries(query, variables), quote_via=quote, safe="")
    joined = "&".join(part for part in (*parts, more) if part)
    return f"{path}?{joined}" if joined else path


def fill_argument(template: str, variables: Variables) -> str:
    """Return one word of a command line; raises ``ControlError`` for a value that is an option.

    A word never splits, and a value at a word's start cannot pose as a flag.
    """
    filled = fill_text(template, variables)
    if "\0" in filled:
        raise ControlError("a variable holds a NUL character, which no command line can carry")
    if filled.startswith("-") and not template.startswith("-"):
        raise ControlError(
            f"{visible(filled, 60)} would be read as an option by the program; it is not sent"
        )
    return filled


def header_text(value: str) -> str:
    """Return ``value`` as a header can carry it: one line of printable ASCII, nothing lost."""
    return visible(value, 1000).encode("ascii", "backslashreplace").decode("ascii")


def bind(expression: str, variables: Variables) -> str:
    """Return a JMESPath expression with ``${name}`` bound as what the place asks for.

    Inside ``"…"`` it becomes part of a quoted name, inside ``'…'`` part of a string, elsewhere a
    literal; no value can end its own quotes. Raises ``ControlError`` for an unknown variable.
    """

    def bound(found: re.Match[str]) -> str:
        token = found.group()
        if not _PLACE.search(token):
            return token
        match token[0]:
            case '"':
                return _PLACE.sub(
                    lambda place: json.dumps(_plain(place.group(1), variables))[1:-1], token
                )
            case "'":
                # A raw string cannot end in a backslash, so the whole text becomes a literal.
                text = token[1:-1].replace("\\'", "'")
                return _literal(fill_text(text, variables))
            case "`":
                raise ControlError("a variable cannot stand inside a `literal`; use '…' instead")
            case _:
                return _literal(_value(token[2:-1], variables))

    return _TOKEN.sub(bound, expression)


def _literal(value: JsonValue) -> str:
    return "`" + json.dumps(value).replace("`", "\\u0060") + "`"


def _value(name: str, variables: Variables) -> JsonValue:
    if name not in variables:
        known = ", ".join(sorted(variables)) or "none"
        raise ControlError(f'the variable "{name}" is not set; set are {visible(known)}')
    return variables[name]


def _plain(name: str, variables: Variables) -> str:
    value = _value(name, variables)
    if value is None:
        raise ControlError(f'the variable "{name}" has no value, and its place needs one')
    if isinstance(value, (list, dict)):
        raise ControlError(f'the variable "{name}" is a list or table, and its place takes a text')
    text = scalar_text(value)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ControlError(f'the variable "{name}" holds bytes that are no text') from error
    return text


ENDS = frozenset({"ttl_seconds", "until"})
FROM_THE_READ = frozenset({"seen", "match"})
_ONE_PLACE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def names_of(change: Change) -> frozenset[str]:
    """Return every variable a change's templates must have, its desired states included."""
    templates: list[object] = [change.desired, change.query, change.form, change.headers]
    templates += [change.json, change.argv]
    found: set[str] = set(path_names(change.path or ""))
    for probe in (change.dry_run, change.find):
        if probe is not None:
            templates += [probe.query, probe.headers, probe.json, probe.argv, probe.found or ""]
            found |= path_names(probe.path or "")
    for template in templates:
        found |= names_in(template)
    return frozenset(found - FROM_THE_READ)


def needs_of(declared: Declared, action: str) -> tuple[str, ...]:
    """Return the variables the caller has to give beside who, why and until when."""
    fixed = {*declared.vars, "op_id", "by", "reason", "incident", *ENDS}
    return tuple(sorted(names_of(declared.actions[action]) - fixed))


def offer_of(declared: Declared, action: str, given: Collection[str]) -> Offer:
    """Return what is known of one change beforehand; raises ``ControlError`` where it cannot be."""
    change = declared.actions[action]
    place = f"controls.{declared.name}.actions.{action}"
    desired = proofs_of(declared, change)
    if not desired:
        raise ControlError(f"{place} has no desired states, so nothing could prove it")
    carried = [change.json, change.query, change.form, change.headers, change.argv]
    return Offer(
        action=action,
        label=change.label or action,
        danger=change.danger,
        retry_class=change.retry_class,
        needs=tuple(name for name in needs_of(declared, action) if name not in given),
        from_states=change.from_states,
        desired=desired,
        ends_itself=any(mentions(each, ENDS) for each in carried)
        or bool(path_names(change.path or "") & ENDS),
        has_dry_run=change.dry_run is not None,
        has_lookup=change.find is not None,
        proof=declared.proof_of(action),
        note=change.note,
    )


def proofs_of(declared: Declared, change: Change) -> tuple[str, ...]:
    """Return the states that prove a change; what can only be told has one word for it."""
    told_only = declared.read is None and declared.kind in TOLD_ONLY
    return change.desired or (("told",) if told_only else ())


def desired_of(states: tuple[str, ...], values: Mapping[str, JsonValue]) -> tuple[str, ...]:
    """Return the states that prove the change, its variables filled in."""
    return tuple(fill_text(each, values) for each in states)


def way_back(
    declared: Declared, seen: Scalar, values: Mapping[str, JsonValue], of: str = ""
) -> tuple[str, dict[str, JsonValue]] | None:
    """Return the action that leads to ``seen`` and the variables it needs for it, or None.

    An action made for exactly that state comes first, then one that takes the state as its
    variable, then one that may end there; among equals ``of``, the action that is taken back, then
    the earlier declared.
    """
    best: tuple[int, str, dict[str, JsonValue]] | None = None
    for action, change in sorted(declared.actions.items(), key=lambda each: each[0] != of):
        for position, template in enumerate(change.desired):
            rank, added = _leads(template, position, seen, declared, values)
            if rank is None or (best is not None and rank >= best[0]):
                continue
            if _unfillable(declared, action, {**values, **added}):
                continue
            best = (rank, action, added)
    return None if best is None else (best[1], best[2])


def _leads(
    template: str,
    position: int,
    seen: Scalar,
    declared: Declared,
    values: Mapping[str, JsonValue],
) -> tuple[int | None, dict[str, JsonValue]]:
    place = _ONE_PLACE.fullmatch(template)
    if place is not None and place.group(1) not in declared.vars:
        return (1, {place.group(1): seen}) if position == 0 else (None, {})
    if not names_in(template) <= declared.vars.keys():
        return None, {}
    if not same_value(seen, fill_text(template, values)):
        return None, {}
    return (0 if position == 0 else 1 + position), {}


def _unfillable(declared: Declared, action: str, values: Mapping[str, JsonValue]) -> bool:
    return any(values.get(name) is None for name in needs_of(declared, action))


def reached(call: PreparedCall, desired: tuple[str, ...], state: TargetState) -> Reach:
    """Tell how far one target got: the state asked for, one that may follow it, or neither.

    A state that was there before proves nothing unless the target's version has moved since.
    """
    if not state.known:
        return "unknown"
    if desired and same_value(state.value, desired[0]):
        return "wanted"
    if not any(same_value(state.value, each) for each in desired[1:]):
        return "not"
    before = call.seen
    moved = bool(before.etag and state.etag and before.etag != state.etag)
    if before.known and same_value(state.value, before.value) and not moved:
        return "not"
    return "accepted"


def changed_since(before: TargetState, after: TargetState) -> str:
    """Return what differs between two reads of one target as a sentence, or nothing."""
    if not after.known:
        return f"{after.target} can no longer be read: {after.error or 'no state'}"
    if not before.known:
        return f"{after.target} is {after.text} now and was not known before"
    if not same_value(before.value, after.value):
        return f"{after.target} was {scalar_text(before.value)} and is {after.text} now"
    if before.etag != after.etag:
        return f"{after.target} is still {after.text}, but somebody has changed it since"
    return ""
