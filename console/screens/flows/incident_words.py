"""Parses typed incident commands and asks the questions of incident keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.domain.incident import INCIDENT_PREFIX, CareWish
from console.domain.severity import Severity
from console.domain.text import visible
from console.screens.dialogs.choose import Choice
from console.screens.flows.control import parted
from console.screens.tables.incidents import level_mark, listed_incidents
from console.settings.durations import DurationError, parse_duration
from widgets.lines import Run

if TYPE_CHECKING:
    from collections.abc import Container, Mapping, Sequence

    from console.domain.incident import CareVerb, CloseCheck
    from console.domain.snapshot import Snapshot
    from console.screens.spans import RunLine
    from console.screens.tables.incidents import Listed
    from themes.glyphs import Glyphs

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


VERDICT_CHOICES = (
    Choice("y", "useful", "useful", "somebody had to act, and the page said so"),
    Choice("n", "noise", "noise", "nobody had to act; it counts against the alert"),
    Choice("?", "unclear", "unclear", "it cannot be said yet"),
)

_LEVEL_WORDS = {"S1": "act now", "S2": "degraded but answering", "S3": "today", "S4": "notice"}
_SNOOZES = (("15m", 900.0), ("1h", 3600.0), ("4h", 14_400.0), ("8h", 28_800.0))


def snooze_choices() -> tuple[Choice, ...]:
    """Return how long an incident can be snoozed by one key."""
    return tuple(
        Choice(str(number), str(seconds), name, "asks once more" if seconds > 3600.0 else "")
        for number, (name, seconds) in enumerate(_SNOOZES, start=1)
    )


def level_choices(now: Listed | None, glyphs: Glyphs) -> tuple[tuple[Choice, ...], int]:
    """Return the four levels, and the place of the one it has now."""
    level = Severity.UNKNOWN if now is None else now.severity
    choices = []
    for number, name in enumerate(_LEVEL_WORDS, start=1):
        mark, role = level_mark(Severity[name], glyphs)
        about = _LEVEL_WORDS[name]
        if name == level.label:
            about += "; it is this now"
        elif level.label in _LEVEL_WORDS:
            raises = Severity[name] < level
            about += "; raises it" if raises else "; lowers it, asks for a reason"
        choices.append(Choice(str(number), name, f"{mark} {name}", about, role))
    names = list(_LEVEL_WORDS)
    return tuple(choices), names.index(level.label) if level.label in names else 0


def merge_choices(incident: str, snapshot: Snapshot | None, glyphs: Glyphs) -> tuple[Choice, ...]:
    """Return the incidents it could be merged into, those that share a model with it first."""
    found = [] if snapshot is None else list(listed_incidents(snapshot))
    own = next((one for one in found if one.id == incident), None)
    models = set() if own is None else {own.about, *own.models}
    others = [
        one
        for one in found
        if one.id != incident and one.incident is not None and one.state != "resolved"
    ]
    others.sort(key=lambda one: not models & {one.about, *one.models})
    return tuple(
        Choice(
            str(number),
            one.id,
            f"{level_mark(one.severity, glyphs)[0]} {one.id}",
            one.title,
            level_mark(one.severity, glyphs)[1],
        )
        for number, one in enumerate(others[:9], start=1)
    )


def people_to_call(listed: Listed | None, snapshot: Snapshot | None) -> tuple[str, ...]:
    """Return who is next in line: those on call for its models who were not called yet."""
    if listed is None or snapshot is None:
        return ()
    names: list[str] = []
    for model in dict.fromkeys((listed.about, *listed.models)):
        row = snapshot.index.get(model)
        if row is not None:
            called = snapshot.rows[row].oncall
            names += [called.primary, called.secondary, *called.escalation]
    care = listed.care
    done = set() if care is None else {name for each in care.escalations for name in each.to}
    done.add(listed.who)
    return tuple(visible(name, 60) for name in dict.fromkeys(names) if name and name not in done)


def close_reading(checks: Sequence[CloseCheck], glyphs: Glyphs) -> list[RunLine]:
    """Return the checklist to read before closing: what is done, what is not, what is unknown."""
    lines: list[RunLine] = [check_runs(one, glyphs) for one in checks if one.id != "verdict"]
    return [*lines, []] if lines else []


def check_runs(check: CloseCheck, glyphs: Glyphs) -> RunLine:
    """Return one line of a checklist."""
    mark, role = {True: ("[x]", "ok"), False: ("[ ]", "s3"), None: ("[?]", "unknown")}[check.done]
    why = visible(check.why, 160)
    return [
        Run(f"{mark} ", role),
        Run(visible(check.text, 80), "dim" if check.done else "text"),
        Run(f" {glyphs.dot} {why}" if why else "", "dim" if check.done else role),
    ]
