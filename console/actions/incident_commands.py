"""One function an incident verb: what the record would say of it, and how it is undone."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from console.actions.acknowledge import (
    Intended,
    clock_text,
    draft_of,
    find_incident,
    ground_of,
    read_log,
    reason_for,
    release,
    take,
)
from console.actions.undo import UNDO_SECONDS
from console.domain.action import ActionRefused
from console.domain.entry import EntryDraft
from console.domain.incident import NOTHING_TO_DECIDE
from console.domain.severity import Severity
from console.domain.text import visible
from console.incidents.state import fold_care
from console.journal.override_log import overrides_in_force
from console.journal.store_base import Question
from console.settings.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from console.actions.acknowledge import Ground
    from console.actions.prepare import ActionEnvironment
    from console.domain.entry import Entry, Json
    from console.domain.incident import CareWish
    from console.domain.snapshot import Snapshot
    from console.incidents.state import CareLog

LEVELS: Final = {each.label: each for each in (Severity.S1, Severity.S2, Severity.S3, Severity.S4)}
VERDICTS: Final = ("useful", "noise", "unclear")
LONGEST_AGO_SECONDS: Final = 7 * 86400.0
"""How long ago a change may have been that somebody notes now."""

_DEPENDENCY_PREFIX = "dep:"
_MOST_NAMES = 12


@dataclass(frozen=True, slots=True)
class Case:
    """One wish with everything it is judged by."""

    bench: ActionEnvironment
    wish: CareWish
    snapshot: Snapshot | None
    op_id: str


async def intended(case: Case) -> tuple[Intended, Ground | None]:
    """Return what a wish would write, and the incident it is about (None: it is about none).

    Raises `ActionRefused` and ``JournalError``.
    """
    if case.wish.verb == "change":
        return _change(case), None
    ground = await ground_of(case.bench, case.wish.incident, case.snapshot)
    return await _VERBS[case.wish.verb](case, ground), ground


async def _ack(case: Case, ground: Ground) -> Intended:
    return take("ack", case.wish, ground, case.bench.who, case.op_id)


async def _snooze(case: Case, ground: Ground) -> Intended:
    return take("snooze", case.wish, ground, case.bench.who, case.op_id)


async def _release(case: Case, ground: Ground) -> Intended:
    return release(ground, case.bench.who, case.op_id, case.wish.reason)


async def _note(case: Case, ground: Ground) -> Intended:
    text = reason_for(case.wish.reason, "what is to be noted")
    return Intended(
        case.op_id,
        f"Note on {ground.title}",
        f"noted on {ground.title}",
        text,
        (draft_of("note", ground, case.op_id, text, {}),),
    )


async def _escalate(case: Case, ground: Ground) -> Intended:
    to = tuple(dict.fromkeys(name.strip() for name in case.wish.to if name.strip()))
    to = to or next_names(ground, case.snapshot)
    if not to:
        raise ActionRefused.forbidden(
            "nobody", "nobody further is declared to call (models.NAME.oncall); name somebody"
        )
    if len(to) > _MOST_NAMES:
        raise ActionRefused.forbidden("too_many", f"name at most {_MOST_NAMES} people at once")
    reason = reason_for(case.wish.reason, "what they should help with")
    names = visible(", ".join(to), 200)
    return Intended(
        case.op_id,
        f"Escalate {ground.title} to {names}",
        f"{ground.title} is escalated to {names}",
        reason,
        (draft_of("escalate", ground, case.op_id, reason, {"to": list(to)}),),
    )


def next_names(ground: Ground, snapshot: Snapshot | None) -> tuple[str, ...]:
    """Return who is called next by what is declared: the first not called yet, of each model."""
    if ground.incident is None or snapshot is None:
        return ()
    called = {name for each in ground.care.escalations for name in each.to}
    called |= {ground.care.hold.by} if ground.care.hold is not None else set()
    found: dict[str, None] = {}
    for model in ground.incident.models:
        row = snapshot.index.get(model)
        if row is None:
            continue
        oncall = snapshot.rows[row].oncall
        ladder = (oncall.primary, oncall.secondary, *oncall.escalation)
        further = next((name for name in ladder if name and name not in called), None)
        if further is not None:
            found[further] = None
    return tuple(found)[:_MOST_NAMES]


async def _merge(case: Case, ground: Ground) -> Intended:
    there = () if case.snapshot is None else case.snapshot.incidents
    into = find_incident(case.wish.into, there)
    if into is None or into.state == "resolved":
        named = visible(case.wish.into, 60) or "nothing"
        raise ActionRefused.forbidden(
            "unknown_incident", f"{named} names no incident to merge into"
        )
    if into.id == ground.id:
        raise ActionRefused.forbidden("itself", f"{into.id} is the same incident")
    if ground.id in _led_to(into.id, ground):
        raise ActionRefused.forbidden("circle", f"{into.title} was merged into {ground.title}")
    reason = reason_for(case.wish.reason, "why they are one", default="same cause")
    details: dict[str, Json] = {
        "into": into.id,
        "before": ground.care.merged_into,
        "into_title": into.title,
    }
    return Intended(
        case.op_id,
        f"Merge {ground.title} into {into.title}",
        f"{ground.title} ({ground.id}) stands in {into.title} ({into.id}) now",
        reason,
        (draft_of("merge", ground, case.op_id, reason, details),),
        already=ground.care.merged_into == into.id,
    )


def _led_to(incident: str, ground: Ground) -> set[str]:
    """Return everything an incident was merged into, so that no circle comes about."""
    care = fold_care(ground.log, {}, ground.now)
    found: set[str] = set()
    while (one := care.get(incident)) is not None and one.merged_into not in (*found, ""):
        incident = one.merged_into
        found.add(incident)
    return found


async def _severity(case: Case, ground: Ground) -> Intended:
    level = LEVELS.get(case.wish.level.strip().upper())
    if level is None:
        given = visible(case.wish.level, 40) or "nothing"
        raise ActionRefused.forbidden(
            "level", f"{given} is no level; there are {', '.join(LEVELS)}"
        )
    now = ground.incident.severity if ground.incident is not None else ground.care.level
    lower = now is not None and now is not Severity.UNKNOWN and level > now
    if lower and not case.wish.reason.strip():
        raise ActionRefused.forbidden(
            "reason",
            f"{ground.title} is {now.label if now else '?'}; say why it is only {level.label}",
        )
    reason = reason_for(case.wish.reason, "why", default=f"raised to {level.label}")
    before = "" if ground.care.level is None else ground.care.level.label
    return Intended(
        case.op_id,
        f"Give {ground.title} {level.label}",
        f"{ground.title} is {level.label} now",
        reason,
        (
            draft_of(
                "severity", ground, case.op_id, reason, {"level": level.label, "before": before}
            ),
        ),
        already=level is ground.care.level or (level is now and ground.care.level is None),
    )


async def _close(case: Case, ground: Ground) -> Intended:
    wish, said = case.wish, case.wish.reason.strip()
    verdict = wish.verdict.strip().lower()
    if verdict not in VERDICTS:
        raise ActionRefused.forbidden(
            "verdict", f"say whether its page was useful: {', '.join(VERDICTS)}"
        )
    decision = await _decision(case)
    against = await _against_closing(case, ground)
    if against and not said:
        raise ActionRefused.forbidden(
            "close", f"{'; '.join(against)}; say why it is closed all the same"
        )
    reason = reason_for(said, "why it is closed", default=f"closed as {verdict}")
    details: dict[str, Json] = {
        "verdict": verdict, "decision": decision, "despite": list(against),
    }  # fmt: skip
    draft = draft_of("close", ground, case.op_id, reason, details)
    made = Intended(
        case.op_id,
        f"Close {ground.title}",
        f"{ground.title} is closed as {verdict}",
        reason,
        (draft,),
    )
    if ground.care.hold is None:
        return made
    let_go = release(ground, case.bench.who, case.op_id, "", why="it was closed")
    return replace(made, drafts=(*let_go.drafts, draft), lets_go=True, hold_op=let_go.hold_op)


async def _decision(case: Case) -> str:
    """Return the decision on retraining that a closing rests on; it has to be there."""
    decision = case.wish.decision.strip().upper()
    if not decision:
        raise ActionRefused.forbidden(
            "decision",
            f"name the decision on retraining, or {NOTHING_TO_DECIDE} where nothing was to decide",
        )
    if decision == NOTHING_TO_DECIDE:
        return decision
    question = Question(kinds=("decision",), op_id=decision)
    found = await asyncio.to_thread(case.bench.journal.entries, question)
    if not found:
        raise ActionRefused.forbidden(
            "decision", f"{visible(decision, 40)} is no decision; midwatch decisions lists them"
        )
    return decision


async def _against_closing(case: Case, ground: Ground) -> tuple[str, ...]:
    overrides = await asyncio.to_thread(overrides_in_force, case.bench.journal)
    held = [each for each in overrides if each.incident == ground.id]
    found = []
    if held:
        names = visible(", ".join(f"{each.verb} {each.target}" for each in held), 200)
        found.append(f"{names} is still in force because of it")
    incident = ground.incident
    if incident is not None and incident.open:
        firing = sum(alert.state == "firing" for alert in incident.alerts)
        found.append(f"{firing} of its alerts still fire" if firing else "it still goes on")
    return tuple(found)


def _change(case: Case) -> Intended:
    """Return a change of the world that somebody tells of, because no metric does."""
    wish, now = case.wish, case.bench.clock()
    text = reason_for(wish.reason, "what changed")
    at = now if wish.at is None else wish.at
    if not now - LONGEST_AGO_SECONDS <= at <= now + 60.0:
        raise ActionRefused.forbidden(
            "at", "a change is noted within 7 days, and none that is to come"
        )
    about = wish.incident.strip()
    _check_subject(case, about)
    draft = EntryDraft(
        kind="change",
        at=now,
        action="note",
        target=about,
        op_id=case.op_id,
        why=text,
        confirm_class="C0",
        details={} if wish.at is None else {"at": at},
    )
    of = f" of {visible(about, 60)}" if about else ""
    return Intended(
        case.op_id, f"Note a change{of}", f"change{of} noted at {clock_text(at)}", text, (draft,)
    )


def _check_subject(case: Case, about: str) -> None:
    """Refuse what is neither a model nor a dependency that anybody knows."""
    if not about:
        return
    settings, snapshot = case.bench.settings, case.snapshot
    name = about.removeprefix(_DEPENDENCY_PREFIX)
    if name != about:
        seen = () if snapshot is None else [each.name for each in snapshot.dependencies]
        known = name in settings.dependencies or name in seen
    else:
        known = name in settings.models or (snapshot is not None and name in snapshot.index)
    if not known:
        raise ActionRefused.forbidden(
            "unknown_target", f"{visible(about, 60)} is no model; a dependency is named dep:NAME"
        )


_VERBS: Mapping[str, Callable[[Case, Ground], Awaitable[Intended]]] = {
    "ack": _ack,
    "snooze": _snooze,
    "release": _release,
    "note": _note,
    "escalate": _escalate,
    "merge": _merge,
    "severity": _severity,
    "close": _close,
}

UNDONE_KINDS = ("ack", "snooze", "severity", "merge")
"""What can be taken back; what was said was said."""

_WHY = "taken back"


def care_entry(log: CareLog, op: str) -> Entry | None:
    """Return the newest entry that an operation wrote about an incident, None where none did."""
    wanted = op.strip().upper()
    found = [
        entry
        for entries in log.values()
        for entry in entries
        if wanted and wanted in (entry.op_id, entry.details.get("by_op"))
    ]
    return max(found, key=lambda each: each.seq, default=None)


async def undone(case: Case) -> tuple[Intended, Ground]:
    """Return what takes an operation back; raises `ActionRefused` and ``JournalError``."""
    bench, op = case.bench, case.wish.op_id.strip().upper()
    log, _ = await asyncio.to_thread(read_log, bench.journal, bench.clock())
    entry = care_entry(log, op)
    if entry is None or not entry.incident:
        raise ActionRefused.forbidden(
            "unknown_op", f"{visible(op, 60)} is nothing that was done about an incident"
        )
    _check(entry, bench.clock())
    ground = await ground_of(bench, entry.incident, case.snapshot)
    match entry.kind:
        case "severity" | "merge":
            return _given_back(entry, ground, case.op_id), ground
        case _:
            return _let_go(entry, ground, case), ground


def _check(entry: Entry, now: float) -> None:
    if entry.kind not in UNDONE_KINDS or entry.details.get("step") == "released":
        raise ActionRefused.forbidden(
            "no_way_back", f"a {entry.kind} is not taken back; it stands in the record"
        )
    if now - entry.at > UNDO_SECONDS:
        ago = format_duration(round(now - entry.at))
        raise ActionRefused.forbidden(
            "too_late", f"it was {ago} ago; within 30 s it could be taken back, now act anew"
        )


def _let_go(entry: Entry, ground: Ground, case: Case) -> Intended:
    hold = ground.care.hold
    if hold is None or hold.op_id != entry.op_id:
        raise ActionRefused.forbidden("changed_since", "somebody acted on it since; look again")
    before = entry.details.get("ended_at_before")
    if entry.details.get("step") != "renewed" or not isinstance(before, int | float):
        made = release(ground, case.bench.who, case.op_id, "", why=_WHY)
        taken_from = entry.details.get("taken_from")
        if not taken_from:
            return made
        return replace(made, sentence=f"{made.sentence}; before that {taken_from} had it")
    details: dict[str, Json] = {
        "step": "renewed",
        "ends_at": float(before),
        "ended_at_before": hold.ends_at,
        "by_op": case.op_id,
    }
    return Intended(
        case.op_id,
        f"Take back: hold {ground.title} longer",
        f"{ground.title} is held until {clock_text(float(before))} again",
        _WHY,
        (draft_of(hold.kind, ground, hold.op_id, _WHY, details),),
        hold_until=float(before),
        hold_op=hold.op_id,
    )


def _given_back(entry: Entry, ground: Ground, op_id: str) -> Intended:
    """Return a level or a merge as it was before; refuses where somebody changed it again."""
    before = str(entry.details.get("before") or "")
    name = "level" if entry.kind == "severity" else "into"
    now = ground.care.merged_into
    if entry.kind == "severity":
        now = "" if ground.care.level is None else ground.care.level.label
    if now != str(entry.details.get(name) or ""):
        raise ActionRefused.forbidden("changed_since", "somebody changed it since; look again")
    was = before or ("what its alerts say" if entry.kind == "severity" else "by itself")
    return Intended(
        op_id,
        f"Take back: {entry.kind} of {ground.title}",
        f"{ground.title} is {was} again",
        _WHY,
        (
            draft_of(
                entry.kind,
                ground,
                op_id,
                _WHY,
                {name: before, "before": now, "undoes": entry.op_id},
            ),
        ),
    )
