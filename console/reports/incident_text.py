"""Turns one incident's whole view into sentences and into a JSON document."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Literal

from msgspec import Struct

from console.domain.severity import Severity
from console.domain.text import visible
from console.domain.timestamps import timestamp
from console.metrics.units import format_age, format_clock, format_value
from console.reports.incident_document import IncidentReport, incident_report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.domain.action import Measure
    from console.domain.incident import (
        Earlier,
        IncidentClock,
        IncidentView,
        SameBefore,
        TimelineEvent,
    )

_VERDICTS: Final = {
    "useful": "page useful", "noise": "page was noise", "unclear": "page judged unclear",
}  # fmt: skip


def nothing_words(before: SameBefore) -> str:
    """Return why there is no earlier one to tell of; empty where there is."""
    if before.unknown:
        return f"not known: {before.unknown}"
    if before.earlier:
        return ""
    if before.since is None:
        return "none: nothing was ever written into the record"
    return f"none in the record since {date_words(before.since)}"


def date_words(at: float) -> str:
    """Return a day in UTC: 04 Oct 2026."""
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%d %b %Y")
    except (OverflowError, ValueError, OSError):
        return "a time that cannot be read"


def reach_words(before: SameBefore) -> str:
    """Return how many there were, how far back the record was read, and what it may lack."""
    if before.unknown or before.since is None:
        return ""
    parts = [f"{before.known} before", f"record since {date_words(before.since)}", before.doubt]
    return ", ".join(part for part in parts if part)


def alike_words(one: Earlier, *, short: bool = False) -> str:
    """Return why it is held to be like the later one.

    In ``short`` what the later one is about by its own title is not named again.
    """
    match one.alike:
        case "dependency" | "alert" if short:
            return f"same {one.alike}"
        case "dependency":
            return f"same dependency {one.shared}"
        case "model and rule":
            return f"same model {one.shared}, same rule {one.rule}"
        case "model":
            return f"same model {one.shared}"
        case _:
            return f"same alert {one.shared}"


def end_words(one: Earlier, *, short: bool = False) -> str:
    """Return how bad it was, how long it took, and how it ended, as far as the record tells.

    In ``short`` without the level, which a mark shows, and without who closed it.
    """
    return ", ".join(_ends(one, short=short))


def _ends(one: Earlier, *, short: bool) -> Iterator[str]:
    if not short:
        known = one.level is not Severity.UNKNOWN
        yield f"reached {one.level.label}" if known else "level not on record"
    mitigated = one.took(one.mitigated_at)
    if mitigated is not None:
        yield f"mitigated after {format_age(mitigated)}"
    ended = one.took(one.ended_at)
    if one.verdict:
        by = f" by {one.closed_by}" if one.closed_by and not short else ""
        yield f"closed after {format_age(ended)}{by}"
        yield _VERDICTS.get(one.verdict, one.verdict)
    elif one.merged_into:
        yield f"merged into {one.merged_into}"
    elif ended is not None:
        yield f"over after {format_age(ended)}, nobody closed it"
    else:
        yield "nobody wrote how it ended"


def detail_words(one: Earlier) -> tuple[tuple[str, str], ...]:
    """Return what was said at its closing, what is left, decided and done, each under its word."""
    said = "" if one.closing in one.left else one.closing
    parts = (
        ("said", f'"{said}"' if said else ""),
        ("to do", "; ".join(f'"{each}"' for each in one.left)),
        ("decided", "; ".join(one.decided)),
        ("done", "; ".join(one.done)),
    )
    return tuple((label, text) for label, text in parts if text)


def before_text(before: SameBefore, now: float) -> Iterator[str]:
    """Yield it in lines for the shell."""
    if before.unknown:
        yield f"  {nothing_words(before)}"
        return
    blocks = "".join("?" if count is None else f"{count}" for count in _digits(before, now))
    yield f"  {blocks}  a digit for each of 24 days, this one counted, the last 24 h last"
    yield f"  {nothing_words(before) or reach_words(before)}"
    if before.doubt and not before.earlier:
        yield f"  {before.doubt}"
    for one in before.earlier:
        yield f"  {one.id}  {format_age(now - one.since)} ago  {alike_words(one)}"
        yield f"    {end_words(one)}"
        for label, text in detail_words(one):
            yield f"    {label:<8}{text}"


def _digits(before: SameBefore, now: float) -> Iterator[int | None]:
    for count in before.blocks(now):
        yield None if count is None else min(9, count)


SCHEMA: Final = "midwatch.incident/1"

_DONE = {True: "[x]", False: "[ ]", None: "[?]"}
_CLOCK = (
    ("TTD", "detected_at", "to detection"),
    ("TTA", "acked_at", "to the first acknowledgement"),
    ("TTM", "mitigated_at", "to mitigation"),
    ("TTR", "resolved_at", "to the end"),
)
_IMPACT = (
    ("refused", "refused", "count"),
    ("failed", "failed", "count"),
    ("served by L2 or L3", "lower_level", "count"),
    ("reviews added", "reviews_added", "count"),
    ("reviews late", "reviews_late", "count"),
    ("excess spend", "excess_usd", "USD"),
    ("error budget spent", "budget_spent", "%"),
)
_BEFORE_AFTER = 10


class EventReport(Struct, frozen=True, kw_only=True):
    """One line of the timeline."""

    at: str
    kind: str
    text: str
    by: str | None
    source: str | None
    op: str | None
    before: str | None
    after: str | None
    effect: str | None


class MeasureReport(Struct, frozen=True, kw_only=True):
    """A number with its unit; ``unknown`` says what is missing of it, or why there is none."""

    value: float | None
    unit: str
    unknown: str | None


class CheckReport(Struct, frozen=True, kw_only=True):
    """One line of the close checklist; ``done`` null is not known."""

    id: str
    text: str
    done: bool | None
    why: str


class UpdateReport(Struct, frozen=True, kw_only=True):
    """When those who wait for word are to be told again; ``due_at`` null: ``why`` says why not.

    ``overdue`` is null where nobody can tell.
    """

    due_at: str | None
    last_word_at: str | None
    every_seconds: float
    overdue: bool | None
    why: str | None


class EarlierReport(Struct, frozen=True, kw_only=True):
    """An earlier incident that is like this one; null: not on the record."""

    id: str
    since: str
    alike: str
    shared: str
    rule: str | None
    title: str
    severity: str
    seconds_to_mitigate: float | None
    seconds_to_end: float | None
    closed_by: str | None
    verdict: str | None
    said: str | None
    merged_into: str | None
    done: tuple[str, ...]
    decided: tuple[str, ...]
    to_do: tuple[str, ...]


class BeforeReport(Struct, frozen=True, kw_only=True):
    """What the record knows of incidents like this one; ``unknown`` says why it knows nothing.

    ``per_day`` counts how many began on each of the last 24 days, this one included, the newest
    last; null is a day of which the record does not tell. ``known`` is how many there were before.
    """

    record_since: str | None
    unknown: str | None
    doubt: str | None
    known: int | None
    per_day: tuple[int | None, ...]
    earlier: tuple[EarlierReport, ...]


class ViewDocument(Struct, frozen=True, kw_only=True):
    """One incident as a whole; moments of ``clock`` are null while they are not known."""

    schema: Literal["midwatch.incident/1"]
    taken_at: str
    incident: IncidentReport
    condition: str
    actions: str
    needs: str
    timeline: tuple[EventReport, ...]
    impact: dict[str, MeasureReport]
    regions: str
    clock: dict[str, str | None]
    seconds_from_impact: dict[str, float | None]
    people: dict[str, str]
    overrides: tuple[str, ...]
    checks: tuple[CheckReport, ...]
    update: UpdateReport
    before: BeforeReport


def view_document(view: IncidentView) -> ViewDocument:
    """Return the document of ``midwatch incidents show --json``."""
    clock, impact = view.clock, view.impact
    moments = ("impact_at", *(moment for _, moment, _ in _CLOCK))
    return ViewDocument(
        schema=SCHEMA,
        taken_at=timestamp(view.at),
        incident=incident_report(view.incident),
        condition=view.condition,
        actions=view.actions,
        needs=view.needs,
        timeline=tuple(map(_event, view.events)),
        impact={name: _measure(getattr(impact, name)) for _, name, _ in _IMPACT},
        regions=impact.regions,
        clock={moment: _when(getattr(clock, moment)) for moment in moments},
        seconds_from_impact={name.lower(): _seconds(clock, moment) for name, moment, _ in _CLOCK},
        people=dict(view.people),
        overrides=tuple(one.op_id for one in view.overrides),
        checks=tuple(
            CheckReport(id=one.id, text=one.text, done=one.done, why=one.why) for one in view.checks
        ),
        update=_update(view),
        before=_before(view),
    )


def view_text(view: IncidentView) -> str:
    """Return the whole view as lines for people; all times are UTC."""
    return "\n".join(_lines(view)) + "\n"


def _lines(view: IncidentView) -> Iterator[str]:
    incident = view.incident
    level = (view.care.level or incident.severity).label
    head = f"incident {incident.id} {level} {incident.state} since {timestamp(incident.since)}"
    yield f"{head}: {incident.title}"
    yield f"Condition  {view.condition}"
    yield f"Actions    {view.actions}"
    yield f"Needs      {view.needs}"
    yield ""
    yield f"TIMELINE, {_days(view)} UTC"
    for event in view.events:
        yield from _event_lines(event)
    yield ""
    yield "IMPACT, counted over its own span"
    for name, attribute, unit in _IMPACT:
        yield f"  {name:<20}{_said(getattr(view.impact, attribute), unit)}"
    yield f"  {view.impact.regions}"
    yield ""
    yield "CLOCK, from the beginning of the harm"
    for name, moment, words in _CLOCK:
        seconds = _seconds(view.clock, moment)
        when = "not known, or not yet" if seconds is None else format_age(seconds)
        yield f"  {name}  {when:<8}{words}"
    yield f"  update  {_update_words(view)}"
    if view.people:
        yield ""
        yield f"PEOPLE  {'; '.join(f'{name}: {part}' for name, part in view.people)}"
    yield ""
    yield "SAME BEFORE"
    yield from before_text(view.before, view.at)
    yield ""
    yield "BEFORE IT IS CLOSED"
    for check in view.checks:
        why = f": {check.why}" if check.why else ""
        yield f"  {_DONE[check.done]} {check.text}{why}"


def _days(view: IncidentView) -> str:
    moments = [event.at for event in view.events] or [view.incident.since]
    first, last = timestamp(moments[0])[:10], timestamp(moments[-1])[:10]
    return first if first == last else f"{first} to {last}"


def _event_lines(event: TimelineEvent) -> Iterator[str]:
    by = f"{event.by} " if event.by else ""
    source = f"  ({event.source})" if event.source else ""
    at = format_clock(event.at, seconds=True)
    yield f"  {at}  {event.kind:<8}  {by}{event.text}{source}"
    if event.before or event.after:
        yield f"{'':{_BEFORE_AFTER}}  before    {event.before or '?'} · after {event.after or '?'}"
    if event.effect:
        yield f"{'':{_BEFORE_AFTER}}  effect    {event.effect}"


def _said(measure: Measure, unit: Literal["count", "USD", "%"] | str) -> str:
    if measure.value is None:
        return f"? {measure.unknown}"
    value = float(round(measure.value)) if unit == "count" else measure.value
    shown = format_value(value, "%" if unit == "%" else "USD" if unit == "USD" else "count")
    missing = _missing(measure)
    return f"{shown}  ({missing})" if missing else shown


def _event(event: TimelineEvent) -> EventReport:
    return EventReport(
        at=timestamp(event.at),
        kind=event.kind,
        text=event.text,
        by=event.by or None,
        source=event.source or None,
        op=visible(event.op_id, 40) or None,
        before=event.before or None,
        after=event.after or None,
        effect=event.effect or None,
    )


def _update_words(view: IncidentView) -> str:
    update = view.update
    if update.due_at is None:
        return f"none is due, {update.why}" if update.why else f"due ? {update.unknown}"
    late = update.overdue_seconds(view.at)
    left = format_age(update.due_at - view.at)
    stands = f"in {left}" if late is None else f"OVERDUE {format_age(late)}"
    every = f"every {format_age(update.every_seconds)}"
    last = "nobody has said anything yet"
    if update.last_at is not None:
        last = f"the last word was at {format_clock(update.last_at)}"
    return f"due {format_clock(update.due_at)}, {stands} ({every}; {last})"


def _update(view: IncidentView) -> UpdateReport:
    update = view.update
    known = update.due_at is not None or bool(update.why)
    return UpdateReport(
        due_at=_when(update.due_at),
        last_word_at=_when(update.last_at),
        every_seconds=update.every_seconds,
        overdue=update.overdue_seconds(view.at) is not None if known else None,
        why=update.why or update.unknown or None,
    )


def _before(view: IncidentView) -> BeforeReport:
    before = view.before
    return BeforeReport(
        record_since=_when(before.since),
        unknown=before.unknown or None,
        doubt=before.doubt or None,
        known=None if before.unknown else before.known,
        per_day=before.blocks(view.at),
        earlier=tuple(map(_earlier, before.earlier)),
    )


def _earlier(one: Earlier) -> EarlierReport:
    return EarlierReport(
        id=one.id,
        since=timestamp(one.since),
        alike=one.alike,
        shared=one.shared,
        rule=one.rule or None,
        title=one.title,
        severity=one.level.label,
        seconds_to_mitigate=_whole(one.took(one.mitigated_at)),
        seconds_to_end=_whole(one.took(one.ended_at)),
        closed_by=one.closed_by or None,
        verdict=one.verdict or None,
        said=one.closing or None,
        merged_into=one.merged_into or None,
        done=one.done,
        decided=one.decided,
        to_do=one.left,
    )


def _whole(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 1)


def _measure(measure: Measure) -> MeasureReport:
    value = None if measure.value is None else round(measure.value, 6)
    return MeasureReport(value=value, unit=measure.unit, unknown=_missing(measure) or None)


def _missing(measure: Measure) -> str:
    """Return why there is no value, or whose share a value lacks."""
    partial = measure.unknown.startswith("without ")
    return measure.unknown if measure.value is None or partial else ""


def _seconds(clock: IncidentClock, moment: str) -> float | None:
    return clock.since_impact(getattr(clock, moment))


def _when(at: float | None) -> str | None:
    return None if at is None else timestamp(at)
