"""Taking an incident, holding it longer, letting it go: what the record would say of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from console.actions.care_ground import reason_for, since_of
from console.actions.refusal import ActionRefused
from console.facts.entry import EntryDraft
from console.facts.severity import Severity
from console.facts.text import visible
from console.settings.durations import format_duration

if TYPE_CHECKING:
    from console.actions.care_ground import Ground
    from console.facts.care import CareWish, Hold, HoldKind
    from console.facts.entry import Json, Who

ACK_SECONDS: Final = 3600.0
SNOOZE_SECONDS: Final = 1800.0
SHORTEST_HOLD_SECONDS: Final = 1.0
LONGEST_HOLD_SECONDS: Final = 86400.0

ASKED_SNOOZE_SECONDS: Final = 3600.0
"""A longer snooze than this asks for a confirmation."""

MOST_ALERTS: Final = 32
"""How many alerts of one incident are acknowledged one by one; a flood is held here alone."""

LOOKING: Final = "looking"
"""The reason of an acknowledgement for which nobody gave one."""

_DONE = {"ack": "acknowledged", "snooze": "snoozed"}
_TITLES = {"ack": "Acknowledge", "snooze": "Snooze"}


@dataclass(frozen=True, slots=True)
class Intended:
    """What would be written, and what alert sources would be told.

    ``drafts`` stand in the journal once it is done. ``hold_until`` is how long somebody has it
    (Unix seconds), ``hold_op`` the operation that took it; ``lets_go`` that nobody has it any more.
    ``already`` says that it is so and nothing has to be written.
    """

    op_id: str
    title: str
    sentence: str
    reason: str
    drafts: tuple[EntryDraft, ...] = ()
    hold_until: float | None = None
    hold_op: str = ""
    lets_go: bool = False
    already: bool = False


def clock_text(at: float) -> str:
    """Return a moment as hours and minutes in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%H:%MZ")


def draft_of(
    kind: HoldKind | str, ground: Ground, op_id: str, reason: str, details: dict[str, Json]
) -> EntryDraft:
    """Return an entry about an incident."""
    return EntryDraft(
        kind=kind,  # type: ignore[arg-type]
        at=ground.now,
        action=kind,
        target=ground.target,
        op_id=op_id,
        why=reason,
        confirm_class="C0",
        incident=ground.id,
        details={**details, "title": ground.title, "since": since_of(ground)},
    )


def take(kind: HoldKind, wish: CareWish, ground: Ground, who: Who, op_id: str) -> Intended:
    """Return an acknowledgement or a snooze: taken, held longer, or taken over; may refuse."""
    if ground.over:
        raise ActionRefused.forbidden("over", f"{ground.title} is over; there is nothing to hold")
    default = ACK_SECONDS if kind == "ack" else SNOOZE_SECONDS
    ends_at = ground.now + _length(wish.ttl_seconds, default)
    if kind == "snooze" and ends_at - ground.now > ASKED_SNOOZE_SECONDS and not wish.confirmed:
        raise ActionRefused.forbidden(
            "confirm", "a snooze of more than an hour has to be confirmed; nothing was written"
        )
    next_check_at = _next_check(wish, ground, ends_at)
    hold = ground.care.hold
    mine = hold is not None and is_mine(hold, who)
    if hold is not None and not mine and not wish.reason.strip():
        raise ActionRefused.forbidden(
            "held",
            f"{visible(hold.by, 60)} has {ground.title} until {clock_text(hold.ends_at)}; "
            "give a reason to take it over",
        )
    longer = hold is not None and mine and hold.kind == kind
    kept = hold.reason if hold is not None and longer else LOOKING
    reason = reason_for(wish.reason, "why", default=kept)
    hold_op = hold.op_id if hold is not None and longer else op_id
    details: dict[str, Json] = {
        "step": "renewed" if longer else "taken",
        "ends_at": ends_at,
        "next_check_at": next_check_at,
        "by": who.name,
        "by_op": op_id,
        **_about(ground),
    }
    if hold is not None:
        details["ended_at_before" if longer else "taken_from"] = hold.ends_at if longer else hold.by
    return Intended(
        op_id,
        f"{_TITLES[kind]} {ground.title}",
        _taken_sentence(kind, ground, ends_at, hold, longer=longer),
        reason,
        (draft_of(kind, ground, hold_op, reason, details),),
        hold_until=ends_at,
        hold_op=hold_op,
    )


def release(ground: Ground, who: Who, op_id: str, reason: str, *, why: str = "") -> Intended:
    """Return the end of a hold; another's needs a reason. ``why`` is said by what ends by itself.

    Raises `ActionRefused` where nobody holds it.
    """
    hold = ground.care.hold
    if hold is None:
        raise ActionRefused.forbidden("not_held", f"nobody has {ground.title}; nothing was written")
    if not why and not is_mine(hold, who) and not reason.strip():
        raise ActionRefused.forbidden(
            "held", f"{visible(hold.by, 60)} has {ground.title}; say why you release it"
        )
    said = why or reason_for(reason, "why it is released", default="released")
    return Intended(
        op_id,
        f"Release {ground.title}",
        f"{ground.title} is released; {visible(hold.by, 60)} had it",
        said,
        (released_of(hold, ground, op_id, said),),
        hold_op=hold.op_id,
        lets_go=True,
    )


def released_of(hold: Hold, ground: Ground, op_id: str, why: str) -> EntryDraft:
    """Return the entry that ends a hold."""
    late = round(max(0.0, ground.now - hold.ends_at), 3)
    details: dict[str, Json] = {
        "step": "released", "by_op": op_id, "place": hold.place, "held_by": hold.by,
        "overdue_seconds": late,
    }  # fmt: skip
    return draft_of(hold.kind, ground, hold.op_id, why, details)


def is_mine(hold: Hold, who: Who) -> bool:
    """Tell whether a hold is of this login under this name: some share a login, none a name too."""
    return hold.by == who.name and hold.account == who.person


def _length(wanted: float | None, default: float) -> float:
    seconds = default if wanted is None else wanted
    if not SHORTEST_HOLD_SECONDS <= seconds <= LONGEST_HOLD_SECONDS:
        raise ActionRefused.forbidden(
            "ttl",
            f"{format_duration(seconds)} is not possible; it is between "
            f"{format_duration(SHORTEST_HOLD_SECONDS)} and {format_duration(LONGEST_HOLD_SECONDS)}",
        )
    return seconds


def _next_check(wish: CareWish, ground: Ground, ends_at: float) -> float | None:
    if wish.next_check_seconds is None:
        return None
    at = ground.now + wish.next_check_seconds
    if not ground.now < at <= ends_at:
        raise ActionRefused.forbidden(
            "next_check",
            "the next check lies between now and the end; hold it longer, or check it sooner",
        )
    return at


def _about(ground: Ground) -> dict[str, Json]:
    """Return what a hold says of its incident, for whoever reads it when that is gone."""
    incident = ground.incident
    if incident is None:
        hold = ground.care.hold
        models = hold.models if hold is not None else ()
        return {
            "models": list(models),
            "model": "",
            "dependency": hold.dependency if hold is not None else "",
            "severity": hold.level if hold is not None else "",
        }
    level = "" if incident.severity is Severity.UNKNOWN else incident.severity.label
    return {
        "models": list(incident.models),
        "model": incident.model,
        "dependency": incident.dependency,
        "severity": level,
        "alerts": {**firing_alerts(ground)},
    }


def firing_alerts(ground: Ground) -> dict[str, list[dict[str, str]]]:
    """Return the labels of the alerts that fire, by alert source; a flood's are left out."""
    found: dict[str, list[dict[str, str]]] = {}
    for alert in () if ground.incident is None else ground.incident.alerts:
        if alert.state == "firing":
            found.setdefault(alert.source, []).append(dict(alert.labels))
    return {name: alerts for name, alerts in found.items() if len(alerts) <= MOST_ALERTS}


def _taken_sentence(
    kind: HoldKind, ground: Ground, ends_at: float, hold: Hold | None, *, longer: bool
) -> str:
    until = f"until {clock_text(ends_at)}"
    if longer:
        return f"{ground.title} stays {_DONE[kind]} {until}"
    over = "" if hold is None else f"; {visible(hold.by, 60)} had it"
    return f"{ground.title} is {_DONE[kind]} {until}{over}"
