"""The questions asked before something is done about an incident, as choices to read; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.facts.severity import Severity
from console.facts.text import visible
from console.screens.choicebox import Choice
from console.screens.incidentwords import level_mark, listed_incidents
from widgets.lines import Run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.facts.incident_view import CloseCheck
    from console.facts.snapshot import Snapshot
    from console.screens.incidentwords import Listed
    from console.screens.runs import RunLine
    from themes.glyphs import Glyphs

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
