"""Maps keys to actions, with the operator's own keys on top, and words after ``:`` to actions."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING

from msgspec import Struct

from console.actions.registry import ACTIONS, BY_ID
from console.actions.spec import ActionSpec
from console.domain.text import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from console.actions.spec import Place

QUIT_KEY = "ctrl+q"
"""Always quits, whatever the configuration says."""

_ARROWS = ("up", "down", "left", "right")
_PAGING = ("home", "end", "pageup", "pagedown")
_EDITING = ("enter", "escape", "tab", "shift+tab", "space", "backspace", "delete", "insert")
_NAMED_KEYS = frozenset((*_ARROWS, *_PAGING, *_EDITING))
_PLACES: tuple[Place, ...] = ("fleet", "model", "incidents", "incident")


class KeymapError(Exception):
    """A keymap that cannot be used; ``problems`` lists every fault as a sentence."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problems))


class Keymap(Struct, frozen=True):
    """The keys in force: action id to keys, and back by place."""

    keys: Mapping[str, tuple[str, ...]]
    by_place: Mapping[tuple[Place, str], str]

    def find(self, place: Place, key: str) -> ActionSpec | None:
        """Return the action this key has in this place."""
        found = self.by_place.get((place, key))
        return None if found is None else BY_ID[found]

    def elsewhere(self, place: Place, key: str) -> ActionSpec | None:
        """Return the action this key has in other places alone, None where it has none."""
        if self.find(place, key) is not None:
            return None
        return next((spec for spec in ACTIONS if key in self.keys[spec.id]), None)

    def first_key(self, action_id: str) -> str:
        """Return the key that is shown for an action, empty when it has none."""
        keys = self.keys[action_id]
        return keys[0] if keys else ""

    def all_keys(self) -> tuple[str, ...]:
        """Return every key that does something somewhere, each once."""
        return tuple(dict.fromkeys(key for keys in self.keys.values() for key in keys))


def keymap(overrides: Mapping[str, str] | None = None) -> Keymap:
    """Return the keymap with ``overrides`` (action id to keys, parted by commas or blanks).

    An override replaces all keys of its action; quit keeps ``ctrl+q`` as well. Raises
    KeymapError with every unknown id, unknown key and conflict.
    """
    problems: list[str] = []
    keys = {spec.id: spec.keys for spec in ACTIONS}
    for action_id, text in (overrides or {}).items():
        if action_id not in BY_ID:
            problems.append(_unknown_id(action_id))
            continue
        wanted = _split(text)
        bad = [key for key in wanted if not _is_key(key)]
        problems += [_unknown_key(action_id, key) for key in bad]
        keys[action_id] = tuple(key for key in wanted if key not in bad)
    if QUIT_KEY not in keys["quit"]:
        keys["quit"] = (*keys["quit"], QUIT_KEY)
    by_place: dict[tuple[Place, str], str] = {}
    for spec in _own_keys_first(overrides or {}):
        problems += _claim(spec, keys[spec.id], by_place)
    if problems:
        raise KeymapError(list(dict.fromkeys(problems)))
    return Keymap(keys, by_place)


def _own_keys_first(overrides: Mapping[str, str]) -> Iterable[ActionSpec]:
    """Order the actions so that a conflict is told from the side the operator can change."""
    return sorted(ACTIONS, key=lambda spec: spec.id in overrides)


def _claim(
    spec: ActionSpec, keys: Iterable[str], by_place: dict[tuple[Place, str], str]
) -> Iterable[str]:
    for key in keys:
        for place in _PLACES:
            if not spec.in_place(place):
                continue
            holder = by_place.setdefault((place, key), spec.id)
            if holder != spec.id:
                yield (
                    f"keymap.{spec.id}: the key {key!r} already belongs to {holder}; "
                    f"choose another or give {holder} one too"
                )


def _split(text: str) -> tuple[str, ...]:
    """Split at commas and blanks; a lone comma is the comma key."""
    if text.strip() == ",":
        return (",",)
    return tuple(dict.fromkeys(_normal(part) for part in text.replace(",", " ").split()))


def _normal(key: str) -> str:
    return key if len(key) == 1 else key.lower().replace("ctrl-", "ctrl+")


def _is_key(key: str) -> bool:
    if len(key) == 1:
        return key.isprintable() and key != " "
    if key in _NAMED_KEYS:
        return True
    if key.startswith("ctrl+"):
        return len(key) == 6 and key[5].isascii() and key[5].isalpha()
    return key.startswith("f") and key[1:].isdecimal() and 1 <= int(key[1:]) <= 12


def _unknown_id(action_id: str) -> str:
    shown = visible(action_id, 60)
    near = get_close_matches(action_id, BY_ID, n=1, cutoff=0.5)
    hint = f"; did you mean {near[0]}?" if near else "; see docs/keys.md for the ids"
    return f"keymap.{shown}: there is no action of this name{hint}"


def _unknown_key(action_id: str, key: str) -> str:
    near = get_close_matches(key, _NAMED_KEYS, n=1, cutoff=0.6)
    hint = f"; did you mean {near[0]}?" if near else ""
    return (
        f"keymap.{action_id}: {visible(key, 40)!r} is no key that survives every terminal; "
        f"use a letter, digit, sign, f1-f12, ctrl+letter or an arrow{hint}"
    )


_BY_WORD = {spec.command: spec for spec in ACTIONS if spec.command}
_SHORT = {"q": "quit", "h": "help", "o": "open", "r": "reload"}


class Command(Struct, frozen=True):
    """A command line understood: what to do and with which words (empty for none)."""

    spec: ActionSpec
    argument: str = ""


def parse(line: str) -> Command | str:
    """Return the command in ``line``, or the sentence that says what is wrong with it.

    A command may be given by its word or by its action id; ``q`` quits as everywhere.
    """
    word, _, rest = line.strip().removeprefix(":").strip().partition(" ")
    if not word:
        return "type a command, for example: " + ", ".join(sorted(_BY_WORD)[:6])
    lowered = word.lower()
    spec = _BY_WORD.get(_SHORT.get(lowered, lowered)) or BY_ID.get(lowered)
    if spec is None:
        near = get_close_matches(lowered, (*_BY_WORD, *BY_ID), n=1, cutoff=0.5)
        hint = f"; did you mean :{near[0]}?" if near else "; :help lists them"
        return f"there is no command {visible(word, 40)}{hint}"
    argument = rest.strip()
    if argument and not spec.argument:
        return f":{word} takes nothing after it"
    return Command(spec, argument)


def words() -> tuple[str, ...]:
    """Return every command word with its argument, sorted, for completion and help."""
    return tuple(sorted(f"{word} {spec.argument}".strip() for word, spec in _BY_WORD.items()))


def matching(line: str, count: int = 6) -> tuple[str, ...]:
    """Return the commands that begin like what was typed so far, for a hint and completion."""
    word = line.strip().removeprefix(":").lower()
    if " " in word:
        head = word.partition(" ")[0]
        return tuple(one for one in words() if one.partition(" ")[0] == head)[:count]
    return tuple(one for one in words() if one.startswith(word))[:count]
