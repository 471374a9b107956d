"""What was typed after a command about an incident, as a wish; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.facts.care import INCIDENT_PREFIX, CareWish
from console.facts.text import visible
from console.screens.actingwords import parted
from console.settings.durations import DurationError, parse_duration

if TYPE_CHECKING:
    from collections.abc import Container, Mapping

    from console.facts.care import CareVerb

LEVELS = ("S1", "S2", "S3", "S4")
VERDICTS = ("useful", "noise", "unclear")
_FLAGS = ("--reason", "--ttl", "--for", "--next-check", "--to", "--into", "--decision", "--level")


def read_care(
    verb: CareVerb, argument: str, incident: str, known: Container[str]
) -> CareWish | str:
    """Return what ``argument`` wishes for, or the sentence on what is wrong with it.

    The first word may name one of the ``known`` incidents; otherwise ``incident``, the one under
    the cursor, is meant. What a wish lacks is asked for later. A text is taken as it was typed.
    """
    words = argument.split()
    first = words[0].removeprefix(INCIDENT_PREFIX) if words else ""
    if first in known:
        incident, argument = first, argument.strip().partition(words[0])[2].strip()
    flags: dict[str, str] = {}
    if verb != "note" and " --" in f" {argument}":
        found = parted(argument, _FLAGS)
        if isinstance(found, str):
            return found
        plain, flags = found
        argument = " ".join(plain)
    wish = _READERS[verb](incident, argument.strip())
    return wish if isinstance(wish, str) else _with_flags(wish, flags)


def _taking(verb: CareVerb, incident: str, argument: str) -> CareWish:
    """``[2h] [why]``."""
    first, _, rest = argument.partition(" ")
    seconds = _seconds(first)
    if seconds is None:
        return CareWish(verb, incident, reason=argument)
    return CareWish(verb, incident, reason=rest.strip(), ttl_seconds=seconds)


def _ack(incident: str, argument: str) -> CareWish:
    return _taking("ack", incident, argument)


def _snooze(incident: str, argument: str) -> CareWish:
    return _taking("snooze", incident, argument)


def _release(incident: str, argument: str) -> CareWish:
    return CareWish("release", incident, reason=argument)


def _note(incident: str, argument: str) -> CareWish:
    return CareWish("note", incident, reason=argument)


def _severity(incident: str, argument: str) -> CareWish | str:
    level, _, why = argument.partition(" ")
    if level and level.upper() not in LEVELS:
        return f"{visible(level, 30)} is no level; levels are {', '.join(LEVELS)}"
    return CareWish("severity", incident, reason=why.strip(), level=level.upper())


def _merge(incident: str, argument: str) -> CareWish:
    into, _, why = argument.partition(" ")
    return CareWish("merge", incident, reason=why.strip(), into=into.removeprefix(INCIDENT_PREFIX))


def _escalate(incident: str, argument: str) -> CareWish:
    return CareWish("escalate", incident, to=names_in(argument))


def _close(incident: str, argument: str) -> CareWish | str:
    verdict, _, rest = argument.partition(" ")
    if verdict and verdict.lower() not in VERDICTS:
        return f"{visible(verdict, 30)} is no verdict; it was {', '.join(VERDICTS)}"
    decision, _, why = rest.strip().partition(" ")
    return CareWish(
        "close", incident, reason=why.strip(), verdict=verdict.lower(), decision=decision
    )


_READERS = {
    "ack": _ack, "release": _release, "snooze": _snooze, "note": _note, "severity": _severity,
    "merge": _merge, "escalate": _escalate, "close": _close,
}  # fmt: skip


def names_in(text: str) -> tuple[str, ...]:
    """Return the names parted by commas or blanks, each once."""
    return tuple(dict.fromkeys(text.replace(",", " ").split()))


def _seconds(text: str) -> float | None:
    try:
        return parse_duration(text)
    except DurationError:
        return None


def _with_flags(wish: CareWish, flags: Mapping[str, str]) -> CareWish | str:
    from dataclasses import replace

    times = {}
    for name in ("--ttl", "--for", "--next-check"):
        if name in flags:
            seconds = _seconds(flags[name])
            if seconds is None:
                return f"{name} {visible(flags[name], 40)} is no duration such as 30m or 2h"
            times[name] = seconds
    return replace(
        wish,
        reason=flags.get("--reason", wish.reason),
        ttl_seconds=times.get("--ttl", times.get("--for", wish.ttl_seconds)),
        next_check_seconds=times.get("--next-check", wish.next_check_seconds),
        to=names_in(flags["--to"]) if "--to" in flags else wish.to,
        into=flags.get("--into", wish.into),
        decision=flags.get("--decision", wish.decision),
        level=flags.get("--level", wish.level),
    )
