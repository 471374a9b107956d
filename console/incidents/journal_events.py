"""Turns journal entries into events of a timeline; pure.

The entries of one operation are one event: what was asked for, the state before and after, and
what was seen of it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, get_args

from console.domain.entry import number_of
from console.domain.incident import INCIDENT_PREFIX, EventKind, TimelineEvent
from console.domain.text import visible
from console.incidents.state import escalation_of
from console.metrics.units import format_age, format_clock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from console.domain.entry import Entry, Json

TEXT_CHARACTERS: Final = 400
_STATE_CHARACTERS: Final = 160
_KINDS: Final = frozenset(get_args(EventKind))
_ACTING: Final = frozenset({"intent", "sent", "outcome", "override", "break_glass"})
_SETTLING: Final = frozenset({"observed", "resolved"})
_HOLDS: Final = frozenset({"ack", "snooze"})
_MOST_PERSISTED: Final = 200


@dataclass(slots=True)
class _Operation:
    entries: list[Entry] = field(default_factory=list)

    def of(self, kind: str) -> Entry | None:
        return next((entry for entry in self.entries if entry.kind == kind), None)


def journal_events(entries: Iterable[Entry]) -> list[TimelineEvent]:
    """Return the events that entries tell of, in no order; kinds that tell none are passed over."""
    operations: dict[str, _Operation] = {}
    found: list[TimelineEvent] = []
    held: set[str] = set()
    for entry in entries:
        of_incident = entry.target.startswith(INCIDENT_PREFIX)
        if entry.op_id and entry.kind in _ACTING:
            operations.setdefault(entry.op_id, _Operation()).entries.append(entry)
        elif entry.kind in _WRITERS and not (of_incident and entry.kind in _SETTLING):
            found.append(_WRITERS[entry.kind](entry))
            # What was sent for a hold or a call is told by the hold or the call itself.
            held |= {entry.op_id} if entry.kind in _HOLDS or entry.kind == "escalate" else set()
    return [*found, *(_action(each) for op, each in operations.items() if op not in held)]


def persisted_events(entries: Iterable[Entry]) -> list[TimelineEvent]:
    """Return the events that the writers of entries had seen; what is no event is left out."""
    return [event for entry in entries for event in _persisted(entry)]


def _persisted(entry: Entry) -> Iterator[TimelineEvent]:
    kept = entry.details.get("events")
    for each in kept[:_MOST_PERSISTED] if isinstance(kept, list) else ():
        if not isinstance(each, dict):
            continue
        at, kind, text = number_of(each.get("at")), each.get("kind"), each.get("text")
        if at is None or kind not in _KINDS:
            continue
        yield TimelineEvent(
            at,
            kind,  # type: ignore[arg-type]
            visible(str(text or ""), TEXT_CHARACTERS),
            visible(str(each.get("by") or ""), 60),
            visible(str(each.get("source") or ""), 60),
        )


def _action(operation: _Operation) -> TimelineEvent:
    first = operation.of("intent") or operation.entries[0]
    outcome = operation.of("outcome")
    glass = operation.of("break_glass")
    after = first.wanted if outcome is None else (outcome.after or first.wanted)
    words = [first.action or "acted on", first.target]
    if first.details.get("to"):
        words.append(f"to {first.details['to']}")
    text = f"{' '.join(words)}{_lasting(first)}{_class(first)}{_why(first)}"
    if glass is not None:
        text += f', BREAK GLASS "{glass.why}"'
    return _event(
        first,
        "action",
        text,
        before=_state(first.before),
        after=_state(after),
        effect="no outcome is written yet" if outcome is None else _effect(outcome),
    )


def _effect(outcome: Entry) -> str:
    kind, said = outcome.details.get("outcome"), outcome.details.get("text")
    return visible(f"{kind or 'ended'}: {said or 'nothing was read back'}", TEXT_CHARACTERS)


def _lasting(entry: Entry) -> str:
    seconds = number_of(entry.details.get("ttl_seconds"))
    return "" if seconds is None else f" for {format_age(seconds)}"


def _class(entry: Entry) -> str:
    return f" ({entry.confirm_class})" if entry.confirm_class else ""


def _why(entry: Entry) -> str:
    return f' "{entry.why}"' if entry.why else ""


def _state(value: Json) -> str:
    """Return a state as the journal keeps it in words: targets that agree are told once."""
    if value is None or value == "":
        return ""
    if isinstance(value, dict):
        told = dict.fromkeys(str(each) for each in value.values())
        if len(told) == 1:
            return visible(next(iter(told)), _STATE_CHARACTERS)
        return visible(", ".join(f"{at} {each}" for at, each in value.items()), _STATE_CHARACTERS)
    return visible(
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False),
        _STATE_CHARACTERS,
    )


def _event(
    entry: Entry,
    kind: EventKind,
    text: str,
    *,
    before: str = "",
    after: str = "",
    effect: str = "",
    at: float | None = None,
) -> TimelineEvent:
    return TimelineEvent(
        entry.at if at is None else at,
        kind,
        visible(text, TEXT_CHARACTERS),
        visible(str(entry.details.get("by") or entry.who.name), 60),
        f"#{entry.seq}",
        entry.op_id,
        before,
        after,
        effect,
    )


def _held(entry: Entry) -> TimelineEvent:
    step = str(entry.details.get("step") or "taken")
    ends_at = entry.details.get("ends_at")
    until = f" until {_clock(ends_at)}" if step != "released" and _clock(ends_at) else ""
    verb = {"ack": step, "snooze": "snoozed" if step == "taken" else f"snooze {step}"}[entry.kind]
    return _event(entry, "ack", f"{verb}{until}{_why(entry)}")


def _note(entry: Entry) -> TimelineEvent:
    return _event(entry, "note", entry.why)


def _escalation(entry: Entry) -> TimelineEvent:
    call = escalation_of(entry)
    return _event(entry, "page", f"{call.words}{_why(entry)}", effect=visible(call.said, 400))


def _merge(entry: Entry) -> TimelineEvent:
    return _event(entry, "state", f"merged into {entry.details.get('into') or '?'}{_why(entry)}")


def _severity(entry: Entry) -> TimelineEvent:
    level = entry.details.get("level") or "no level of its own"
    return _event(entry, "state", f"severity given: {level}{_why(entry)}")


def _close(entry: Entry) -> TimelineEvent:
    said = f"closed, page {entry.details.get('verdict') or 'not judged'}"
    decision = entry.details.get("decision")
    decided = f", decision {decision}" if decision else ""
    return _event(entry, "state", f"{said}{decided}{_why(entry)}")


def _change(entry: Entry) -> TimelineEvent:
    about = entry.target.removeprefix("dep:")
    earlier = number_of(entry.details.get("at"))
    said = f"{about}: {entry.why}" if about and not about.startswith("inc:") else entry.why
    return _event(entry, "change", said, at=earlier)


def _decision(entry: Entry) -> TimelineEvent:
    step = entry.details.get("step")
    word = "" if step == "taken" else f" {step}"
    return _event(entry, "decision", f"{entry.action} {entry.target}{word}{_why(entry)}")


def _approval(entry: Entry) -> TimelineEvent:
    given = entry.details.get("step") == "given"
    word = "approved" if given else "asked for a second person:"
    return _event(entry, "action", f"{word} {entry.action} {entry.target}{_why(entry)}")


def _renewed(entry: Entry) -> TimelineEvent:
    ends = _clock(entry.details.get("ends_at")) or "later"
    return _event(entry, "action", f"{_held_what(entry)} ends {ends} now{_why(entry)}")


def _ended(entry: Entry) -> TimelineEvent:
    by_op = entry.details.get("by_op")
    kind: EventKind = "action" if by_op and by_op != entry.op_id else "auto"
    return _event(entry, kind, f"{_held_what(entry)} ended{_why(entry)}")


def _observed(entry: Entry) -> TimelineEvent:
    if entry.details.get("held") is False:
        text = f"{_held_what(entry)} was lost: now {_state(entry.after)}"
        return _event(entry, "auto", text)
    said = entry.details.get("text") or entry.why
    return _event(entry, "auto", f"{_held_what(entry)} read back: {said}")


def _held_what(entry: Entry) -> str:
    return f"{entry.action} {entry.target}"


def _clock(at: object) -> str:
    number = number_of(at)
    return "" if number is None else format_clock(number)


_WRITERS: Final[Mapping[str, Callable[[Entry], TimelineEvent]]] = {
    "ack": _held,
    "snooze": _held,
    "note": _note,
    "escalate": _escalation,
    "merge": _merge,
    "severity": _severity,
    "close": _close,
    "change": _change,
    "decision": _decision,
    "approval": _approval,
    "override_renewed": _renewed,
    "override_ended": _ended,
    "observed": _observed,
    "resolved": _observed,
}
