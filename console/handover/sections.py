"""Builds the sections of a handover about incidents and about the fleet; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.domain.entry import number_of
from console.domain.severity import Severity
from console.domain.timestamps import stamped, timestamp
from console.evaluation.overrides import by_urgency, sentence_of
from console.evaluation.rules.rule_list import RULES
from console.handover.handover_document import (
    OPEN_STATES,
    ChangeReport,
    CostReport,
    DecisionReport,
    ForceReport,
    HeldReport,
    MoneyReport,
    OpenIncidentReport,
    PagesReport,
    WatchReport,
    text_of,
)
from console.metrics.units import format_age, format_signal

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from console.domain.alert import Incident
    from console.domain.decision import DecisionRecord
    from console.domain.entry import Entry
    from console.domain.incident import Care
    from console.domain.severity import Finding
    from console.domain.signals import Reading
    from console.domain.snapshot import Snapshot
    from console.handover.handover_document import Shift, ShiftFacts

_SLACK_SECONDS = 60.0
_TOLD_ACTIONS = 3
_IN_ORDER = {"S1": 0, "S2": 1, "unknown": 2, "unjudged": 3, "S3": 4, "S4": 5, "ok": 6}


def open_incidents(facts: ShiftFacts, shift: Shift) -> tuple[OpenIncidentReport, ...]:
    """Return what is open, most urgent first; what was merged stands in the incident it is part of.

    An incident that a person gave a level counts as that level.
    """
    snapshot = facts.snapshot
    if snapshot is None:
        return ()
    found = [
        _opened(one, snapshot.care.get(one.id), facts, shift)
        for one in snapshot.incidents
        if one.state in OPEN_STATES and not _merged(snapshot.care.get(one.id))
    ]
    return tuple(sorted(found, key=lambda one: (_IN_ORDER.get(one.level, 9), one.since)))


def _merged(care: Care | None) -> bool:
    return care is not None and bool(care.merged_into)


def level_of(incident: Incident, care: Care | None) -> Severity:
    """Return the level a person gave an incident, else its own."""
    given = None if care is None else care.level
    return incident.severity if given is None else given


def _opened(
    incident: Incident, care: Care | None, facts: ShiftFacts, shift: Shift
) -> OpenIncidentReport:
    view = facts.views.get(incident.id)
    hold = None if care is None else care.hold
    can = (view.condition, view.actions, view.needs) if view is not None else ("", "", "")
    return OpenIncidentReport(
        id=incident.id,
        level=level_of(incident, care).label,
        title=incident.title,
        state=_state(incident, care),
        models=incident.models,
        since=timestamp(incident.since),
        held_by=(hold.by if hold is not None else incident.acked_by) or None,
        next_check_at=None if hold is None else stamped(hold.next_check_at),
        condition=can[0] or _condition(incident, shift),
        actions=can[1] or _actions(incident, facts.entries),
        needs=can[2] or _needs(incident, care, shift),
        gathered=view is not None,
    )


def _state(incident: Incident, care: Care | None) -> str:
    if care is not None and care.closing is not None:
        return f"closed by {care.closing.by}, and still {incident.state}"
    if incident.suppressed_by:
        return f"{incident.state}: {'; '.join(incident.suppressed_by)}"
    return incident.state


def _condition(incident: Incident, shift: Shift) -> str:
    said = incident.summary or incident.title
    stale = incident.stale_seconds
    old = f"; last heard {format_age(stale)} ago" if stale is not None else ""
    return f"{said}, for {format_age(shift.now - incident.since)}{old}"


def _actions(incident: Incident, entries: Iterable[Entry]) -> str:
    mine = [
        f"{done_text(each)} by {each.who.name}"
        for each in entries
        if each.kind == "outcome"
        and each.incident == incident.id
        and each.at >= incident.since - _SLACK_SECONDS
    ]
    return "; ".join(mine[-_TOLD_ACTIONS:]) or "no action on the record"


def done_text(entry: Entry) -> str:
    """Return what an ``outcome`` says was done, and whether it took hold."""
    to = text_of(entry.details.get("to")) or text_of(entry.wanted)
    outcome = text_of(entry.details.get("outcome")) or "outcome not known"
    drill = "drill: " if entry.details.get("drill") is True else ""
    purpose = text_of(entry.details.get("purpose"))
    what = f"{purpose} of {entry.action}" if purpose else entry.action
    arrow = f" → {to}" if to and not purpose else ""
    return f"{drill}{what} {entry.target}{arrow} ({outcome})"


def _needs(incident: Incident, care: Care | None, shift: Shift) -> str:
    hold = None if care is None else care.hold
    if hold is None:
        if incident.acked_by:
            return "nothing is written down; its alerts are acknowledged elsewhere"
        return f"somebody to take it: midwatch ack {incident.id}"
    if hold.left_seconds(shift.now) <= 0:
        return f"{hold.by}'s {hold.kind} has ended: take it anew"
    return f"ask {hold.by}: {hold.reason}" if hold.reason else f"ask {hold.by}"


def held(facts: ShiftFacts, shift: Shift) -> tuple[HeldReport, ...]:
    """Return every acknowledgement and snooze, the oldest first, also those whose end is past."""
    snapshot = facts.snapshot
    if snapshot is None:
        return ()
    titles = {one.id: one.title for one in snapshot.incidents}
    holds = [care.hold for care in snapshot.care.values() if care.hold is not None]
    return tuple(
        HeldReport(
            incident=hold.incident,
            title=titles.get(hold.incident) or hold.title or "no alert of it is known now",
            kind=hold.kind,
            by=hold.by,
            account=hold.account,
            reason=hold.reason,
            began_at=timestamp(hold.began_at),
            ends_at=timestamp(hold.ends_at),
            ended=hold.left_seconds(shift.now) <= 0,
            next_check_at=stamped(hold.next_check_at),
            place=hold.place or None,
            certain=hold.certain,
            op=hold.op_id,
        )
        for hold in sorted(holds, key=lambda one: (one.began_at, one.incident))
    )


def pages(facts: ShiftFacts, shift: Shift) -> PagesReport:
    """Return how loud the shift was and how much of it was noise.

    Counted are incidents that began in the shift: those known now, and those the journal names.
    The noise share is of those somebody judged at closing.
    """
    known = facts.snapshot is not None or not facts.journal_problem
    levels = _begun(facts, shift)
    verdicts = _verdicts(facts.entries, levels)
    counts = {kind: list(verdicts.values()).count(kind) for kind in ("useful", "noise", "unclear")}
    judged = sum(counts.values())
    share = counts["noise"] / judged if judged else None
    paging = sum(level == "S1" for level in levels.values())
    return PagesReport(
        incidents=len(levels),
        paging=paging,
        useful=counts["useful"],
        noise=counts["noise"],
        unclear=counts["unclear"],
        not_judged=len(levels) - judged,
        noise_share=share,
        text=_loudness(len(levels), paging, judged, share) if known else "not known",
    )


def _begun(facts: ShiftFacts, shift: Shift) -> dict[str, str]:
    """Return the level of every incident that began in the shift, by id."""
    found: dict[str, str] = {}
    for each in facts.entries:
        since = number_of(each.details.get("since"))
        if each.incident and since is not None and since >= shift.since:
            found[each.incident] = text_of(each.details.get("severity")) or found.get(
                each.incident, "unknown"
            )
    for one in () if facts.snapshot is None else facts.snapshot.incidents:
        if one.since >= shift.since and one.state != "pending":
            found[one.id] = one.severity.label
    return found


def _verdicts(entries: Iterable[Entry], levels: dict[str, str]) -> dict[str, str]:
    return {
        each.incident: text_of(each.details.get("verdict"))
        for each in entries
        if each.kind == "close" and each.incident in levels
    }


def _loudness(begun: int, paging: int, judged: int, noise_share: float | None) -> str:
    if not begun:
        return "no incident began in this shift that is known now or on the record"
    said = f"{begun} {'incident' if begun == 1 else 'incidents'} began, {paging} of them S1"
    if noise_share is None:
        return f"{said}; noise share not known: nobody has judged one"
    waiting = f", {begun - judged} not judged" if begun > judged else ""
    return f"{said}; noise {noise_share * 100:.0f}% of {judged} judged{waiting}"


OVER_PACE = 1.2
"""Spending this much faster than the budget allows is worth a line (formulas: pace)."""

WASTE_WARN_RATIO = 0.15
COMING_SECONDS = 24 * 3600.0

_CHANGED = ("world", "route", "breaker")
"""Kinds of change that are told; levels and dependencies stand in parts of their own."""

_SPEND_RULES = frozenset(rule.id for rule in RULES if "spend" in rule.id or "cost" in rule.id)


def in_force(facts: ShiftFacts, shift: Shift) -> tuple[ForceReport, ...]:
    """Return what is held by hand: overdue first, then without an end, then the next to end."""
    if facts.snapshot is None:
        return ()
    return tuple(
        ForceReport(
            op=each.op_id,
            target=each.target,
            by=each.by,
            state=each.state(shift.now),
            ends_at=stamped(each.ends_at),
            text=sentence_of(each, shift.now),
        )
        for each in by_urgency(facts.snapshot.overrides, shift.now)
    )


def watch(facts: ShiftFacts) -> tuple[tuple[WatchReport, ...], int]:
    """Return the rows to keep an eye on, worst first, and how many rows have only a notice (S4).

    What an open incident names stands there and not here again.
    """
    snapshot = facts.snapshot
    if snapshot is None:
        return (), 0
    told = {model for one in snapshot.incidents if one.state in OPEN_STATES for model in one.models}
    rows = [row for row in snapshot.order.tolist() if snapshot.rows[row].model not in told]
    severities = {row: snapshot.severity(row) for row in rows}
    watched = [row for row in rows if severities[row] not in (Severity.OK, Severity.S4)]
    notices = sum(severity is Severity.S4 for severity in severities.values())
    return tuple(_watched(snapshot, row) for row in watched), notices


def _watched(snapshot: Snapshot, row: int) -> WatchReport:
    found: tuple[Finding, ...] = snapshot.findings.get(row, ())
    first = min(found, key=lambda one: int(one.level), default=None)
    planned = "planned: " if row in snapshot.planned else ""
    return WatchReport(
        model=snapshot.rows[row].model,
        level=snapshot.severity(row).label,
        rule="" if first is None else first.rule,
        text=planned + ("no data" if first is None else first.text),
        since=None if first is None else timestamp(first.since),
    )


def changes(
    facts: ShiftFacts, shift: Shift
) -> tuple[tuple[ChangeReport, ...], tuple[ChangeReport, ...]]:
    """Return what changed in the shift, oldest first, and what is known to come within a day."""
    made = [*_acted(facts.entries), *_noted(facts.entries), *_seen(facts, shift)]
    past = [each for at, each in made if shift.since <= at <= shift.now]
    coming = [each for at, each in [*made, *_ending(facts)] if 0 < at - shift.now <= COMING_SECONDS]
    return _sorted(past), _sorted(coming)


def _sorted(found: list[ChangeReport]) -> tuple[ChangeReport, ...]:
    return tuple(sorted(dict.fromkeys(found), key=lambda one: (one.at, one.subject)))


def _acted(entries: tuple[Entry, ...]) -> Iterator[tuple[float, ChangeReport]]:
    for each in entries:
        if each.kind == "outcome":
            yield (
                each.at,
                ChangeReport(
                    at=timestamp(each.at),
                    subject=each.target,
                    text=f"{done_text(each)}: {each.why}" if each.why else done_text(each),
                    by=each.who.name,
                    source=f"journal #{each.seq}",
                ),
            )


def _noted(entries: tuple[Entry, ...]) -> Iterator[tuple[float, ChangeReport]]:
    for each in entries:
        if each.kind == "change":
            at = number_of(each.details.get("at"))
            when = each.at if at is None else at
            yield (
                when,
                ChangeReport(
                    at=timestamp(when),
                    subject=each.target or "the fleet",
                    text=each.why,
                    by=each.who.name,
                    source=f"journal #{each.seq}",
                ),
            )


def _seen(facts: ShiftFacts, shift: Shift) -> Iterator[tuple[float, ChangeReport]]:
    for each in () if facts.snapshot is None else facts.snapshot.changes:
        if shift.since <= each.at and each.kind in _CHANGED:
            yield (
                each.at,
                ChangeReport(
                    at=timestamp(each.at),
                    subject=each.subject,
                    text=each.text,
                    by=None,
                    source="seen by the console",
                ),
            )


def _ending(facts: ShiftFacts) -> Iterator[tuple[float, ChangeReport]]:
    for each in () if facts.snapshot is None else facts.snapshot.overrides:
        if each.ends_at is not None:
            by = each.enforced_by if each.enforced_by in ("service", "keeper") else "nobody"
            yield (
                each.ends_at,
                ChangeReport(
                    at=timestamp(each.ends_at),
                    subject=each.target,
                    text=f"{each.verb} ends → {each.ends_in}, ended by {by}",
                    by=each.by or None,
                    source=f"override {each.op_id}",
                ),
            )


def decisions(
    facts: ShiftFacts, shift: Shift
) -> tuple[tuple[DecisionReport, ...], tuple[DecisionReport, ...]]:
    """Return decisions taken in the shift, and older ones that are overdue, due or pending."""
    taken = [each for each in facts.decisions if each.decision.taken_at >= shift.since]
    due = [
        each
        for each in facts.decisions
        if each.state(shift.now) in ("overdue", "due", "pending") and each not in taken
    ]
    due.sort(key=lambda each: each.decision.review_by)
    return (
        tuple(_decision(each, shift.now) for each in taken),
        tuple(_decision(each, shift.now) for each in due),
    )


def _decision(record: DecisionRecord, now: float) -> DecisionReport:
    decision = record.decision
    return DecisionReport(
        id=decision.id,
        decision=decision.kind,
        model=decision.model,
        by=decision.author,
        state=record.state(now),
        taken_at=timestamp(decision.taken_at),
        review_by=timestamp(decision.review_by),
        reason=decision.reason,
        approved_by=record.approved_by or None,
        waits_for_approval=record.pending,
    )


def money(facts: ShiftFacts) -> MoneyReport:
    """Return today's spend where models say it, and the rows whose spend wants a look."""
    snapshot = facts.snapshot
    if snapshot is None:
        return MoneyReport(
            today_usd=None, models_known=0, models=0, text="not known: no source was read", rows=()
        )
    today = [snapshot.reading("cost_today", row) for row in range(len(snapshot.rows))]
    known = [each.value for each in today if each.value is not None]
    rows = tuple(
        made for row in snapshot.order.tolist() if (made := _spender(snapshot, row)) is not None
    )
    total = float(np.sum(known)) if known else None
    return MoneyReport(
        today_usd=total,
        models_known=len(known),
        models=len(today),
        text=_money_text(total, len(known), len(today)),
        rows=rows,
    )


def _money_text(total: float | None, known: int, models: int) -> str:
    if total is None:
        return "not known: no model says what it costs"
    rest = "" if known == models else f"; not known for {models - known}"
    return f"{format_signal('cost_today', total)} today for {known} of {models} models{rest}"


def _spender(snapshot: Snapshot, row: int) -> CostReport | None:
    pace, waste = snapshot.reading("cost_pace", row), snapshot.reading("waste_ratio", row)
    said = [
        finding.text for finding in snapshot.findings.get(row, ()) if finding.rule in _SPEND_RULES
    ]
    if _over(pace, OVER_PACE):
        said.append(f"pace {format_signal('cost_pace', pace.value)} of the budget")
    if _over(waste, WASTE_WARN_RATIO):
        said.append(f"{format_signal('waste_ratio', waste.value)} of the spend is waste")
    if not said:
        return None
    today = snapshot.reading("cost_today", row).value
    spent = "today's spend not known" if today is None else format_signal("cost_today", today)
    return CostReport(
        model=snapshot.rows[row].model,
        today_usd=today,
        pace=pace.value,
        waste_ratio=waste.value,
        text=f"{spent}{' today' if today is not None else ''}; {'; '.join(said)}",
    )


def _over(reading: Reading, limit: float) -> bool:
    return reading.value is not None and reading.value > limit


def wanted_text(entry: Entry) -> str:
    """Return what an entry wanted, in words."""
    return text_of(entry.details.get("to")) or text_of(entry.wanted) or entry.action
