"""Turns an incident's view, the journal and the ranges into the postmortem document; pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from msgspec import Struct

from console.domain.entry import number_of
from console.domain.incident import LEFT_TO_DO
from console.domain.timestamps import stamped, timestamp
from console.evaluation.overrides import sentence_of
from console.handover.handover_document import text_of
from console.handover.sections import level_of
from console.metrics.units import format_value
from console.reports.plots import chart, with_marks
from console.reports.redact import Roles
from console.settings.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from console.domain.action import Measure
    from console.domain.decision import DecisionRecord
    from console.domain.entry import Entry
    from console.domain.incident import IncidentImpact, IncidentView, TimelineEvent
    from console.domain.samples import Series

SCHEMA: Final = "midwatch.postmortem/1"


class MomentReport(Struct, frozen=True, kw_only=True):
    """One line of the timeline; ``mark`` is its letter under the charts, empty for none."""

    at: str
    kind: str
    text: str
    by: str | None
    source: str | None
    before: str | None
    after: str | None
    effect: str | None
    mark: str


class ImpactReport(Struct, frozen=True, kw_only=True):
    """One number of the impact; without a value ``unknown`` says why."""

    name: str
    value: float | None
    unit: str
    unknown: str | None
    text: str


class ClockReport(Struct, frozen=True, kw_only=True):
    """A derived time, in seconds from the beginning of the impact; null: not known, or not yet."""

    name: str
    means: str
    at: str | None
    seconds: float | None
    text: str


class ChartReport(Struct, frozen=True, kw_only=True):
    """One signal of one model over the incident, drawn; ``problem`` says why there is none."""

    model: str
    signal: str
    drawing: str
    problem: str | None


class RoleReport(Struct, frozen=True, kw_only=True):
    """Somebody who took part, by role unless names were asked for."""

    who: str
    part: str


class DoneReport(Struct, frozen=True, kw_only=True):
    """Something held by hand because of the incident, or a decision about its models."""

    at: str
    text: str
    by: str | None


class OccurrenceReport(Struct, frozen=True, kw_only=True):
    """An earlier incident of the same cause; ``verdict`` null: nobody judged its page."""

    since: str
    closed_at: str | None
    verdict: str | None
    text: str


class PostmortemDocument(Struct, frozen=True, kw_only=True):
    """Everything known of one incident; ``ended_at`` null: it is not over, or nobody knows."""

    schema: Literal["midwatch.postmortem/1"]
    id: str
    title: str
    environment: str
    level: str
    state: str
    models: tuple[str, ...]
    dependency: str | None
    began_at: str
    ended_at: str | None
    written_at: str
    named: bool
    summary: tuple[str, ...]
    timeline: tuple[MomentReport, ...]
    impact: tuple[ImpactReport, ...]
    regions: str
    clock: tuple[ClockReport, ...]
    people: tuple[RoleReport, ...]
    in_force: tuple[DoneReport, ...]
    decisions: tuple[DoneReport, ...]
    charts: tuple[ChartReport, ...]
    re_examine: str
    follow_ups: tuple[str, ...]
    open_checks: tuple[str, ...]
    earlier: tuple[OccurrenceReport, ...]
    unknown: tuple[str, ...]


_MANY_TIMES = 10.0
"""From here on a share of the budget is told as how many times, not in per cent."""

_COUNTS = (
    ("refused", "requests refused"),
    ("failed", "requests failed"),
    ("lower_level", "requests served by L2 or L3"),
    ("reviews_added", "reviews added"),
    ("reviews_late", "reviews late"),
)


def impact_reports(impact: IncidentImpact) -> Iterator[ImpactReport]:
    """Return every number of an impact; what nobody measures keeps its reason."""
    for kept, name in _COUNTS:
        measure: Measure = getattr(impact, kept)
        text = "" if measure.value is None else f"{measure.value:,.0f}"
        yield _report(name, measure, text)
    excess = impact.excess_usd
    yield _report("spend above normal", excess, format_value(excess.value, "USD"))
    budget = impact.budget_spent
    many = budget.value is not None and budget.value >= _MANY_TIMES
    yield _report("error budget spent", budget, format_value(budget.value, "x" if many else "%"))


def _report(name: str, measure: Measure, text: str) -> ImpactReport:
    known = measure.value is not None
    return ImpactReport(
        name=name,
        value=measure.value,
        unit=measure.unit,
        unknown=None if known else measure.unknown,
        text=text if known else f"not known: {measure.unknown}",
    )


MARKED = ("change", "auto", "action", "detect")
"""Kinds of event that get a letter under the charts."""

WIDTH, HEIGHT = 76, 11
_LETTERS = "abcdefghijklmnopqrstuvwxyz"


def marks_of(events: Sequence[TimelineEvent]) -> Mapping[TimelineEvent, str]:
    """Return a letter for each marked event, in their order; after z there are no more."""
    marked = [event for event in events if event.kind in MARKED]
    return dict(zip(marked, _LETTERS, strict=False))


def charts(
    series: Sequence[tuple[str, Series]],
    events: Sequence[TimelineEvent],
    *,
    ascii_only: bool = False,
) -> tuple[ChartReport, ...]:
    """Return each signal drawn; one without a value says why there is nothing to draw."""
    marks = [(event.at, letter) for event, letter in marks_of(events).items()]
    return tuple(_chart(model, one, marks, ascii_only=ascii_only) for model, one in series)


def _chart(
    model: str, series: Series, marks: Sequence[tuple[float, str]], *, ascii_only: bool
) -> ChartReport:
    drawn = chart(series, width=WIDTH, height=HEIGHT, ascii_only=ascii_only)
    if drawn:
        start, end = float(series.times[0]), float(series.times[-1])
        drawn = with_marks(drawn, start, end, marks)
    return ChartReport(
        model=model,
        signal=series.signal,
        drawing=drawn,
        problem=None if drawn else (series.error or "no value in this span"),
    )


__all__ = ["MARKED", "PostmortemFacts", "postmortem"]

_SLACK_SECONDS = 60.0
_TIMES = (
    ("TTD", "time to detect", "detected_at"),
    ("TTA", "time to acknowledge", "acked_at"),
    ("TTM", "time to mitigate", "mitigated_at"),
    ("TTR", "time to resolve", "resolved_at"),
)


@dataclass(frozen=True, slots=True)
class PostmortemFacts:
    """What a postmortem is made from.

    ``entries`` are the journal's about this incident's id, of all its occurrences, oldest first.
    ``series`` are (model, signal over the incident's span). ``named`` gives people's names.
    ``unknown`` are sentences on what could not be had.
    """

    environment: str
    view: IncidentView
    now: float
    entries: tuple[Entry, ...] = ()
    decisions: tuple[DecisionRecord, ...] = ()
    series: tuple[tuple[str, Series], ...] = ()
    named: bool = False
    ascii_only: bool = False
    unknown: tuple[str, ...] = ()


def postmortem(facts: PostmortemFacts) -> PostmortemDocument:
    """Return the postmortem, its texts as they came: clean them before they are shown."""
    view, incident = facts.view, facts.view.incident
    roles = Roles(_people(facts), kept=(*incident.models, incident.dependency), named=facts.named)
    marks = marks_of(view.events)
    clock = tuple(_clock(view))
    impact = tuple(impact_reports(view.impact))
    return PostmortemDocument(
        schema=SCHEMA,
        id=incident.id,
        title=roles.text(incident.title),
        environment=facts.environment,
        level=level_of(incident, view.care).label,
        state=incident.state,
        models=incident.models,
        dependency=incident.dependency or None,
        began_at=timestamp(incident.since),
        ended_at=stamped(_ended(view)),
        written_at=timestamp(facts.now),
        named=facts.named,
        summary=tuple(map(roles.text, _summary(facts, clock))),
        timeline=tuple(_moment(each, marks.get(each, ""), roles) for each in view.events),
        impact=impact,
        regions=view.impact.regions,
        clock=clock,
        people=tuple(RoleReport(who=roles.who(who), part=part) for who, part in view.people),
        in_force=tuple(_in_force(facts, roles)),
        decisions=tuple(_decided(facts, roles)),
        charts=charts(facts.series, view.events, ascii_only=facts.ascii_only),
        re_examine=_re_examine(view),
        follow_ups=tuple(map(roles.text, _follow_ups(view))),
        open_checks=tuple(_open_checks(view)),
        earlier=_earlier(facts),
        unknown=tuple(_unknown(facts)),
    )


def _people(facts: PostmortemFacts) -> Iterator[str]:
    """Return everybody the view, the care and the decisions name, in the order of the timeline."""
    view, care = facts.view, facts.view.care
    for event in view.events:
        yield event.by
    for who, _ in view.people:
        yield who
    for hold in (*care.held_before, *(() if care.hold is None else (care.hold,))):
        yield hold.by
        yield hold.account
    for escalation in care.escalations:
        yield escalation.by
        yield from escalation.to
    for note in care.notes:
        yield note.by
    for override in view.overrides:
        yield override.by
    yield care.level_by
    if care.closing is not None:
        yield care.closing.by
    for record in facts.decisions:
        yield record.decision.author
        yield record.approved_by
    for entry in facts.entries:
        yield entry.who.name
        yield entry.who.person


def _ended(view: IncidentView) -> float | None:
    return view.clock.resolved_at if view.clock.resolved_at is not None else view.incident.ends


def _moment(event: TimelineEvent, mark: str, roles: Roles) -> MomentReport:
    return MomentReport(
        at=timestamp(event.at),
        kind=event.kind,
        text=roles.text(event.text),
        by=roles.who(event.by) or None,
        source=event.source or None,
        before=roles.text(event.before) or None,
        after=roles.text(event.after) or None,
        effect=roles.text(event.effect) or None,
        mark=mark,
    )


def _clock(view: IncidentView) -> Iterator[ClockReport]:
    over = view.incident.state == "resolved"
    for name, means, kept in _TIMES:
        at: float | None = getattr(view.clock, kept)
        seconds = view.clock.since_impact(at)
        if seconds is not None:
            text = format_duration(round(seconds))
        elif view.clock.impact_at is None:
            text = "not known: nobody measured when the impact began"
        elif at is None:
            text = "not known" if over else "not yet"
        else:
            text = "not known"
        yield ClockReport(name=name, means=means, at=stamped(at), seconds=seconds, text=text)


def _summary(facts: PostmortemFacts, clock: Sequence[ClockReport]) -> Iterator[str]:
    view, incident = facts.view, facts.view.incident
    ended = _ended(view)
    if ended is not None:
        lasted = f"It was over after {format_duration(round(ended - incident.since))}."
    else:
        lasted = f"It is {incident.state} as this is written."
    about = f" It touched {', '.join(incident.models)}." if incident.models else ""
    yield f"{lasted}{about}"
    for said in (view.condition, view.actions, view.needs if ended is None else ""):
        if said:
            yield said
    known = [f"{each.means} {each.text}" for each in clock if each.seconds is not None]
    if known:
        yield f"From the beginning of the impact: {', '.join(known)}."


def _in_force(facts: PostmortemFacts, roles: Roles) -> Iterator[DoneReport]:
    told = set()
    for held in facts.view.overrides:
        told.add(held.op_id)
        yield DoneReport(
            at=timestamp(held.began_at),
            text=f"still in force: {roles.text(sentence_of(held, facts.now))}",
            by=None,
        )
    ends = {
        each.op_id: each
        for each in facts.entries
        if each.kind == "override_ended" and _of_this(each, facts.view)
    }
    for each in facts.entries:
        if each.kind != "override" or each.op_id in told or not _of_this(each, facts.view):
            continue
        ended = ends.get(each.op_id)
        until = "its end is not on the record" if ended is None else f"until {timestamp(ended.at)}"
        why = f': "{each.why}"' if each.why else ""
        yield DoneReport(
            at=timestamp(each.at),
            text=roles.text(f"{each.action} of {each.target}, {until}{why}"),
            by=roles.who(each.who.name),
        )


def _of_this(entry: Entry, view: IncidentView) -> bool:
    """Tell whether an entry belongs to this occurrence, not to an earlier one of the same cause."""
    ended = _ended(view)
    return entry.at >= view.incident.since - _SLACK_SECONDS and (ended is None or entry.at <= ended)


def _decided(facts: PostmortemFacts, roles: Roles) -> Iterator[DoneReport]:
    for record in facts.decisions:
        decision = record.decision
        if decision.incident == facts.view.incident.id:
            outcome = f"; came of it: {record.outcome}" if record.outcome else ""
            text = f"{decision.kind} {decision.model}: {decision.reason}{outcome}"
            yield DoneReport(
                at=timestamp(decision.taken_at),
                text=roles.text(text),
                by=roles.who(decision.author),
            )


def _re_examine(view: IncidentView) -> str:
    """Return which outputs may have to be looked at again: those a lower rung served."""
    served = view.impact.lower_level
    if served.value is None:
        return f"not known: {served.unknown}"
    if served.value == 0:
        return "none: no output was served by L2 or L3"
    where = f" {view.impact.regions}" if view.impact.regions else ""
    until = timestamp(view.impact.until)
    return f"{served.value:,.0f} outputs served by L2 or L3 until {until}.{where}"


def _follow_ups(view: IncidentView) -> Iterator[str]:
    for note in view.care.notes:
        if LEFT_TO_DO.search(note.text):
            yield f"{note.text} ({note.by})"
    if view.care.closing is not None and LEFT_TO_DO.search(view.care.closing.reason):
        yield f"{view.care.closing.reason} ({view.care.closing.by})"


def _open_checks(view: IncidentView) -> Iterator[str]:
    for check in view.checks:
        if check.done is not True:
            known = "" if check.done is False else " (not known)"
            why = f": {check.why}" if check.why else ""
            yield f"{check.text}{known}{why}"


def _earlier(facts: PostmortemFacts) -> tuple[OccurrenceReport, ...]:
    """Return earlier incidents of the same cause that somebody wrote about, oldest first."""
    begins: dict[float, list[Entry]] = {}
    began: float | None = None
    for each in facts.entries:
        told = number_of(each.details.get("since"))
        began = told if told is not None else began
        if began is not None and began < facts.view.incident.since - _SLACK_SECONDS:
            begins.setdefault(began, []).append(each)
    return tuple(_occurrence(since, entries) for since, entries in sorted(begins.items()))


def _occurrence(since: float, entries: Sequence[Entry]) -> OccurrenceReport:
    closing = next((each for each in reversed(entries) if each.kind == "close"), None)
    done = [each.action for each in entries if each.kind == "outcome" and each.action]
    said = "" if closing is None else closing.why
    acted = f"; done then: {', '.join(dict.fromkeys(done))}" if done else ""
    return OccurrenceReport(
        since=timestamp(since),
        closed_at=None if closing is None else timestamp(closing.at),
        verdict=None if closing is None else text_of(closing.details.get("verdict")) or None,
        text=(said or "nobody wrote how it ended") + acted,
    )


def _unknown(facts: PostmortemFacts) -> Iterator[str]:
    yield from facts.unknown
    if not facts.view.events:
        yield "no event of it is known: neither the journal nor a source told of one"
    if facts.view.clock.impact_at is None:
        yield "when the impact began, so no time is derived from it"
