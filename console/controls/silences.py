"""Silences that say who has an alert: how they are marked, found again, and read as a state."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import msgspec

from console.facts.control import ControlState, TargetState
from console.facts.text import visible
from console.wire.alertmanager import ACK_PREFIX, ApiSilence

if TYPE_CHECKING:
    from collections.abc import Iterable

UNACKNOWLEDGED: Final = "unacknowledged"
_UNTIL: Final = "acknowledged until "
_MARK: Final = re.compile(r"\[midwatch:(\S{1,40}) inc:(\S{1,64})\]$")
_REASON_CHARACTERS: Final = 300

_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_SILENCE = msgspec.json.Decoder(ApiSilence)

Labels = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """One silence that says who has an alert; ``op_id`` took it, times are as the server tells."""

    id: str
    op_id: str
    incident: str
    labels: Labels
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True, slots=True)
class Silenced(ControlState):
    """Every alert that a silence of ours is about; one that is not listed has none.

    ``marks`` are the silences in force, by the name of their alert as a target.
    """

    marks: Mapping[str, Mark] = field(default_factory=dict)

    def of(self, target: str) -> TargetState | None:
        """Return the state of one alert; once all silences were read, none means that of it too."""
        found = next((each for each in self.targets if each.target == target), None)
        if found is not None:
            return found
        problem = next((each.error for each in self.targets if each.error), "")
        if problem:
            return TargetState(target, self.at, error=problem)
        return TargetState(target, self.at, UNACKNOWLEDGED, exists=True)

    def left_seconds(self, target: str) -> float:
        """Return for how long somebody still has an alert, 0 where nobody does."""
        mark = self.marks.get(target)
        return 0.0 if mark is None else mark.ends_at.timestamp() - self.at


def target_of(labels: Labels) -> str:
    """Return one alert as a target: its name, and eight digits that stand for all its labels."""
    text = json.dumps(sorted(labels)).encode("utf-8", "surrogatepass")
    name = dict(labels).get("alertname") or "alert"
    return f"{visible(name, 60)} {hashlib.sha256(text).hexdigest()[:8]}"


def until_text(until: str) -> str:
    """Return the state of an alert that somebody has until then (ISO 8601, UTC, seconds)."""
    return f"{_UNTIL}{until}"


def moment_text(at: datetime) -> str:
    """Return a moment to the second, as states and requests write it."""
    return at.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat() + "Z"


def comment_of(reason: str, op_id: str, incident: str) -> str:
    """Return the comment by karma's convention, with what it is found again by at its end."""
    return f"{ACK_PREFIX} {visible(reason, _REASON_CHARACTERS)} [midwatch:{op_id} inc:{incident}]"


def silenced(control: str, body: bytes, now: float) -> Silenced:
    """Return who has what by a list of silences; raises ``msgspec.MsgspecError``.

    A silence that cannot be read costs itself alone: it is none that this console made.
    """
    marks: dict[str, Mark] = {}
    for mark in _marks(_LIST.decode(body)):
        target = target_of(mark.labels)
        before = marks.get(target)
        if before is None or before.ends_at < mark.ends_at:
            marks[target] = mark
    targets = tuple(
        TargetState(target, now, until_text(moment_text(mark.ends_at)), exists=True, etag=mark.id)
        for target, mark in marks.items()
    )
    return Silenced(control, now, targets, marks=marks)


def unread(control: str, sentence: str, now: float) -> Silenced:
    """Return that nobody knows, and why."""
    return Silenced(control, now, (TargetState(control, now, error=sentence),))


def _marks(raws: Iterable[msgspec.Raw]) -> Iterable[Mark]:
    for raw in raws:
        try:
            one = _SILENCE.decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
        labels = one.labels
        marked = _MARK.search(one.comment) if one.comment.startswith(ACK_PREFIX) else None
        if one.over or not labels or marked is None or not one.starts_at or not one.ends_at:
            continue
        yield Mark(one.id, marked[1], marked[2], labels, one.starts_at, one.ends_at)
