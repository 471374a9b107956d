"""What was typed after an acting command, in the words of the command line; pure."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from msgspec import Struct

from console.facts.text import visible
from console.settings.durations import DurationError, parse_duration
from console.settings.schema import SHIFT_END

if TYPE_CHECKING:
    from collections.abc import Sequence

_FLAGS = ("--to", "--reason", "--ttl", "--incident")


class Words(Struct, frozen=True):
    """A command understood: the target (empty: the row), a rung, a threshold, why, and until when.

    ``ttl_seconds`` None takes the usual end.
    """

    target: str = ""
    to: str = ""
    value: float | None = None
    reason: str = ""
    ttl_seconds: float | None = None
    incident: str = ""


def read_words(
    verb: str, argument: str, models: Sequence[str], shift_end_seconds: float
) -> Words | str:
    """Return what ``argument`` says, or the sentence on what is wrong with it.

    ``:fallback NAME`` is a rung of the row under the cursor, ``:fallback MODEL --to NAME`` the
    command line's own form; ``:threshold 0.7`` and ``:threshold MODEL 0.7`` alike.
    ``--ttl shift-end`` is ``shift_end_seconds`` from now.
    """
    found = parted(argument, _FLAGS)
    if isinstance(found, str):
        return found
    plain, flags = found
    ttl_seconds: float | None = None
    if flags.get("--ttl") == SHIFT_END:
        ttl_seconds = shift_end_seconds
    elif flags.get("--ttl"):
        try:
            ttl_seconds = parse_duration(flags["--ttl"])
        except DurationError as fault:
            return f"--ttl {visible(flags['--ttl'], 40)}: {fault}, or {SHIFT_END}"
    target, to, threshold = "", flags.get("--to", ""), None
    if verb == "threshold":
        if not plain:
            return "say the threshold: :threshold 0.7"
        target, number = ("", plain[0]) if len(plain) == 1 else (plain[0], plain[1])
        threshold = _threshold(number)
        if threshold is None:
            return f"{visible(number, 40)} is no threshold; it is a number from 0 to 1"
        plain = plain[2:]
    elif plain:
        target, *plain = plain
        if verb == "fallback" and not to and target not in models:
            target, to = "", target
    if plain:
        return f"{visible(plain[0], 40)} is one word too many"
    return Words(
        target, to, threshold, flags.get("--reason", ""), ttl_seconds, flags.get("--incident", "")
    )


def parted(argument: str, known: Sequence[str]) -> tuple[list[str], dict[str, str]] | str:
    """Return plain words and flags, or what is wrong with them; ``known`` are the flags there are.

    Quotation marks hold words together, as in a shell.
    """
    try:
        parts = iter(shlex.split(argument))
    except ValueError:
        return "a quotation mark is not closed"
    plain: list[str] = []
    flags: dict[str, str] = {}
    for part in parts:
        name, given, value = part.partition("=")
        if not part.startswith("--"):
            plain.append(part)
        elif name not in known:
            return f"{visible(name, 40)} is not known here; there are {', '.join(known)}"
        else:
            flags[name] = value if given else next(parts, "")
    return plain, flags


def _threshold(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0.0 <= value <= 1.0 else None
