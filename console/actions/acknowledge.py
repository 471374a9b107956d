"""Resolves which incident is meant and prepares taking, prolonging and releasing it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from console.actions.approval import SHORTEST_REASON
from console.actions.decision_record import LONGEST_TEXT
from console.domain.action import ActionRefused
from console.domain.entry import EntryDraft
from console.domain.incident import INCIDENT_PREFIX, Care
from console.domain.severity import Severity
from console.domain.text import visible
from console.incidents.state import (
    CARE_KINDS,
    CARE_LOOKBACK_SECONDS,
    begin_of,
    begins_of,
    care_log,
    fold_care,
)
from console.journal.store_base import Question
from console.settings.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.actions.prepare import ActionEnvironment
    from console.domain.alert import Incident
    from console.domain.entry import Json, Who
    from console.domain.incident import CareWish, Hold, HoldKind
    from console.domain.snapshot import Snapshot
    from console.incidents.state import CareLog
    from console.journal.store_base import Journal

SHORTEST_ID = 4
"""Letters at the begin of an id that are enough to name an incident, where one alone begins so."""

_SHOWN_IDS = 8
_DEPENDENCY_PREFIX = "dep:"


@dataclass(frozen=True, slots=True)
class Ground:
    """One incident as it stands: ``incident`` is None where it is in the record alone.

    ``seq`` is the newest entry of the journal when it was read, ``now`` Unix seconds.
    """

    id: str
    care: Care
    log: CareLog
    seq: int
    now: float
    incident: Incident | None = None

    @property
    def target(self) -> str:
        """Return the incident as the target of journal entries and leases."""
        return f"{INCIDENT_PREFIX}{self.id}"

    @property
    def title(self) -> str:
        """Return what it is called, safe to show."""
        if self.incident is not None:
            return self.incident.title
        hold = self.care.hold
        return visible(hold.title, 60) if hold is not None and hold.title else self.id

    @property
    def over(self) -> bool:
        """Tell whether nothing of it goes on any more, as far as anybody can see."""
        return self.incident is not None and self.incident.state == "resolved"


async def ground_of(bench: ActionEnvironment, named: str, snapshot: Snapshot | None) -> Ground:
    """Return the incident that ``named`` means: an id, its first letters, a model or dep:NAME.

    Raises `ActionRefused` where nothing or several are meant, and ``JournalError``.
    """
    now = bench.clock()
    log, seq = await asyncio.to_thread(read_log, bench.journal, now)
    there = () if snapshot is None else snapshot.incidents
    incident = find_incident(named, there)
    key = incident.id if incident is not None else _recorded(named, log)
    if not key:
        raise _unknown(named, there)
    begins = begins_of(there)
    care = fold_care(log, begins, now).get(key) or Care(key, begins.get(key, now))
    return Ground(key, care, log, seq, now, incident)


def read_log(journal: Journal, now: float) -> tuple[CareLog, int]:
    """Return what was written about incidents, and the newest entry's number. Blocks."""
    head = journal.head()
    entries = journal.entries(Question(kinds=CARE_KINDS, since=now - CARE_LOOKBACK_SECONDS))
    return care_log(entries, {}), 0 if head is None else head.seq


def find_incident(named: str, there: Sequence[Incident]) -> Incident | None:
    """Return the incident that is meant, None for none; the most urgent one of a model."""
    wanted = named.strip().removeprefix(INCIDENT_PREFIX)
    exact = next((each for each in there if each.id == wanted), None)
    if exact is not None:
        return exact
    going = [each for each in there if each.state != "resolved"]
    dependency = wanted.removeprefix(_DEPENDENCY_PREFIX)
    if dependency != wanted:
        return next((each for each in going if each.dependency == dependency), None)
    own = next((each for each in going if each.model == wanted), None)
    touching = own or next((each for each in going if wanted in each.models), None)
    if touching is not None:
        return touching
    close = [each for each in there if len(wanted) >= SHORTEST_ID and each.id.startswith(wanted)]
    return close[0] if len(close) == 1 else None


def _recorded(named: str, log: CareLog) -> str:
    wanted = named.strip().removeprefix(INCIDENT_PREFIX)
    return wanted if wanted in log else ""


def _unknown(named: str, there: Sequence[Incident]) -> ActionRefused:
    shown = ", ".join(f"{each.id} ({each.title})" for each in there[:_SHOWN_IDS])
    more = f" and {len(there) - _SHOWN_IDS} more" if len(there) > _SHOWN_IDS else ""
    return ActionRefused.forbidden(
        "unknown_incident",
        f"{visible(named, 60) or 'nothing'} names no incident, nor a model that has one; "
        f"there are: {shown or 'none'}{more}",
    )


def reason_for(reason: str, what: str, *, default: str = "") -> str:
    """Return why something is done; raises `ActionRefused` where that says too little or much."""
    said = reason.strip() or default
    if len(said) < SHORTEST_REASON:
        raise ActionRefused.forbidden("reason", f"say {what}, in at least three letters")
    if len(said) > LONGEST_TEXT:
        raise ActionRefused.forbidden("reason", f"say {what} in {LONGEST_TEXT:,} characters")
    return said


def since_of(ground: Ground) -> float:
    """Return when the occurrence began that is acted on (Unix seconds)."""
    if ground.incident is not None:
        return ground.incident.since
    return begin_of(ground.log, ground.id) or ground.care.since


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
