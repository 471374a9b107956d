"""Turns a handover document into sentences, the most urgent first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.domain.blocks import Heading, Item, Items, Paragraph, limited, part
from console.domain.timestamps import moment, seconds_of
from console.metrics.units import format_age

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.domain.blocks import Block
    from console.handover.handover_document import (
        ChangeReport,
        DecisionReport,
        HandoverDocument,
        HeldReport,
        OpenIncidentReport,
    )

_MOST = 20
_WATCHED = 12
_NOBODY = "NOBODY has it"


def handover_blocks(found: HandoverDocument) -> tuple[Block, ...]:
    """Return a handover in its order of reading; a part without anything is one line."""
    return tuple(_blocks(found))


def _blocks(found: HandoverDocument) -> Iterator[Block]:
    yield Heading(f"Handover of {found.environment}, {_day(found.taken_at)}", level=1)
    yield Paragraph(_who(found))
    yield Paragraph(f"{found.state}.", lead="State:")
    if found.unknown:
        yield from part("Not known", tuple(Item(each) for each in found.unknown), "")
    fleet, record = found.fleet_known, found.record_known
    both = fleet and record
    yield from part("Open incidents", tuple(_incidents(found)), _none("none is known", fleet))
    yield from part(
        "In force",
        tuple(Item(each.text) for each in found.in_force),
        _none("nothing is held by hand", both),
    )
    yield from part("Held", tuple(_holds(found)), _none("nobody holds an incident", both))
    yield from part("Watch", _watched(found), _none(_no_watch(found), fleet))
    yield from part(
        "Changes made", _changes(found, found.changes_made), _none("none is known", record)
    )
    yield from part(
        "Changes coming",
        _changes(found, found.changes_coming),
        _none("none is known for the next day", record),
    )
    yield from part(
        "Decisions taken",
        _decisions(found, found.decisions_taken),
        _none("none in this shift", record),
    )
    yield from part("Decisions due", _decisions(found, found.decisions_due), _none("none", record))
    yield Paragraph(f"{found.pages.text}.", lead="Pages:")
    yield from _cost(found)
    yield from part(
        "Exceptions", tuple(_exceptions(found)), _none("no break-glass, no residency", both)
    )
    yield from part("Follow-ups", tuple(_follow_ups(found)), _none("none is written down", record))
    yield Paragraph(f"{found.journal.text}.", lead="Journal:")


def _none(said: str, known: bool) -> str:
    """Return that a part is empty, or that nobody can tell."""
    return f"{said}." if known else "not known."


def _day(stamp: str) -> str:
    return f"{stamp[:10]} {stamp[11:16]} UTC"


def _who(found: HandoverDocument) -> str:
    to = found.to or "whoever comes next"
    said = [
        f"{found.by} ({found.account}) hands over to {to}.",
        f"It covers what happened since {moment(found.since, found.taken_at)}.",
    ]
    if found.due_at is not None:
        said.append(f"The shift ends at {moment(found.due_at, found.taken_at)}.")
    before = found.previous
    if before is None:
        said.append("No earlier handover is on the record.")
    else:
        written = f"The one before, by {before.by} at {moment(before.written_at, found.taken_at)},"
        if before.accepted_by is None or before.accepted_at is None:
            said.append(f"{written} was accepted by NOBODY.")
        else:
            at = moment(before.accepted_at, found.taken_at)
            said.append(f"{written} was accepted by {before.accepted_by} at {at}.")
    return " ".join(said)


def _incidents(found: HandoverDocument) -> Iterator[Item]:
    for each in found.incidents:
        yield Item(
            _where_it_stands(each, found.taken_at),
            lead=f"{each.level} {each.title}",
            below=(
                Item(each.condition, lead="Condition:"),
                Item(each.actions, lead="Actions:"),
                Item(each.needs, lead="Needs:"),
            ),
        )


def _where_it_stands(each: OpenIncidentReport, now: str) -> str:
    age = format_age(seconds_of(now) - seconds_of(each.since))
    said = [f"{each.id}, since {moment(each.since, now)} ({age})"]
    if each.models:
        said.append(f"touches {', '.join(each.models)}")
    said.append(_NOBODY if each.held_by is None else f"held by {each.held_by}")
    if each.next_check_at is not None:
        said.append(f"next check {moment(each.next_check_at, now)}")
    if each.state != "firing":
        said.append(each.state)
    return "; ".join(said)


def _holds(found: HandoverDocument) -> Iterator[Item]:
    for each in found.held:
        yield Item(_hold(each, found.taken_at), lead=each.by)


def _hold(each: HeldReport, now: str) -> str:
    age = format_age(seconds_of(now) - seconds_of(each.began_at))
    verb = "has taken" if each.kind == "ack" else "has snoozed"
    said = [f"{verb} {each.incident} ({each.title}) for {age}"]
    if each.reason:
        said.append(f'"{each.reason}"')
    ends = moment(each.ends_at, now)
    said.append(f"ENDED {ends}, nobody holds it since" if each.ended else f"until {ends}")
    if each.next_check_at is not None:
        said.append(f"next check {moment(each.next_check_at, now)}")
    said.append("known here only" if each.place is None else f"known to {each.place}")
    if not each.certain:
        said.append("UNVERIFIED: look whether it took hold")
    return "; ".join(said)


def _watched(found: HandoverDocument) -> tuple[Item, ...]:
    items = tuple(
        Item(
            each.text + (f", since {moment(each.since, found.taken_at)}" if each.since else ""),
            lead=f"{each.level} {each.model}",
        )
        for each in found.watch
    )
    shown = limited(items, _WATCHED, "midwatch status")
    if found.notices and shown:
        return (*shown, Item(_notices(found.notices)))
    return shown


def _no_watch(found: HandoverDocument) -> str:
    return _notices(found.notices) if found.notices else "nothing beside what is open"


def _notices(count: int) -> str:
    return "1 model has a notice only (S4)" if count == 1 else f"{count} models have notices (S4)"


def _changes(found: HandoverDocument, listed: tuple[ChangeReport, ...]) -> tuple[Item, ...]:
    items = tuple(
        Item(
            f"{each.text}{f', by {each.by}' if each.by else ''} ({each.source})",
            lead=_when_and_what(each, found.taken_at),
        )
        for each in listed
    )
    # The newest matter most where not all can be told.
    left_out = len(items) - _MOST
    if left_out <= 0:
        return items
    earlier = Item(f"{left_out} earlier ones: midwatch journal list --since {found.since}")
    return (earlier, *items[-_MOST:])


def _when_and_what(each: ChangeReport, now: str) -> str:
    """Return time and subject, the latter only where the text does not begin with it."""
    at = moment(each.at, now)
    return f"{at}:" if each.text.startswith(each.subject) else f"{at} {each.subject}:"


def _decisions(found: HandoverDocument, listed: tuple[DecisionReport, ...]) -> tuple[Item, ...]:
    return limited(
        tuple(
            Item(_decision(each, found.taken_at), lead=f"{each.decision} {each.model}")
            for each in listed
        ),
        _MOST,
        "midwatch decisions",
    )


def _decision(each: DecisionReport, now: str) -> str:
    late = "OVERDUE since" if each.state == "overdue" else "review"
    said = [f'by {each.by}: "{each.reason}"', f"{late} {moment(each.review_by, now)}"]
    if each.approved_by is not None:
        said.append(f"approved by {each.approved_by}")
    elif each.waits_for_approval:
        said.append(f"waits for a second person: midwatch approve {each.id}")
    return "; ".join(said)


def _cost(found: HandoverDocument) -> Iterator[Block]:
    yield Paragraph(f"{found.cost.text}.", lead="Cost:")
    rows = tuple(Item(each.text, lead=each.model) for each in found.cost.rows)
    if rows:
        yield Items(limited(rows, _WATCHED, "midwatch status"))


def _exceptions(found: HandoverDocument) -> Iterator[Item]:
    for each in found.exceptions:
        at = "" if each.at is None else f"{moment(each.at, found.taken_at)} "
        by = f", by {each.by}" if each.by else ""
        yield Item(f"{each.text}{by}", lead=f"{at}{each.subject}:")


def _follow_ups(found: HandoverDocument) -> Iterator[Item]:
    for each in found.follow_ups:
        by = f" ({each.by})" if each.by else ""
        yield Item(f"{each.text}{by}", lead=f"{each.subject}:")


def part_counts(found: HandoverDocument) -> tuple[tuple[str, int], ...]:
    """Return how many lines each part has, for the record."""
    parts = {
        "incidents": found.incidents,
        "in_force": found.in_force,
        "held": found.held,
        "watch": found.watch,
        "changes_made": found.changes_made,
        "changes_coming": found.changes_coming,
        "decisions_taken": found.decisions_taken,
        "decisions_due": found.decisions_due,
        "exceptions": found.exceptions,
        "follow_ups": found.follow_ups,
        "unknown": found.unknown,
    }
    return tuple((name, len(listed)) for name, listed in parts.items())
