"""What a change needs, what would prove it, and which action leads back; nothing is asked here."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from console.controls.protocol import ControlError
from console.controls.template import fill_text, mentions, names_in, path_names
from console.facts.control import (
    JsonValue,
    Offer,
    PreparedCall,
    Reach,
    Scalar,
    TargetState,
    same_value,
    scalar_text,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from console.controls.declaration import Change, Declared

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
    if not change.desired:
        raise ControlError(f"{place} has no desired states, so nothing could prove it")
    carried = [change.json, change.query, change.form, change.headers, change.argv]
    return Offer(
        action=action,
        label=change.label or action,
        danger=change.danger,
        retry_class=change.retry_class,
        needs=tuple(name for name in needs_of(declared, action) if name not in given),
        from_states=change.from_states,
        desired=change.desired,
        ends_itself=any(mentions(each, ENDS) for each in carried)
        or bool(path_names(change.path or "") & ENDS),
        has_dry_run=change.dry_run is not None,
        has_lookup=change.find is not None,
        proof=declared.proof_of(action),
        note=change.note,
    )


def desired_of(change: Change, values: Mapping[str, JsonValue]) -> tuple[str, ...]:
    """Return the states that prove the change, its variables filled in."""
    return tuple(fill_text(each, values) for each in change.desired)


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
