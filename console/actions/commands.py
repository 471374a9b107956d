"""The words after ``:``, made from the registry."""

from __future__ import annotations

from difflib import get_close_matches

from msgspec import Struct

from console.actions.registry import ACTIONS, BY_ID
from console.actions.spec import ActionSpec
from console.facts.text import visible

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
