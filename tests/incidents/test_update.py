"""When the next word is due: after a person's last one, and only while it is open."""

from __future__ import annotations

from dataclasses import replace

import pytest

from console.domain.incident import Care, Closing, EventKind, TimelineEvent, UpdateDue
from console.incidents.checklist import UPDATE_EVERY_SECONDS, update_due
from tests.incidents.making import NOW, alert, grouped

(FRAUD,) = grouped([alert("Errors", model="fraud", since=NOW - 3600.0)]).incidents
CARE = Care(FRAUD.id, FRAUD.since)


def event(ago: float, kind: EventKind, text: str = "said", by: str = "ana") -> TimelineEvent:
    return TimelineEvent(NOW - ago, kind, text, by)


def due(*events: TimelineEvent) -> UpdateDue:
    return update_due(FRAUD, CARE, events)


@pytest.mark.parametrize("kind", ["ack", "note", "state"])
def test_it_is_due_half_an_hour_after_the_last_word_of_a_person(kind: EventKind) -> None:
    found = due(event(3000.0, "ack", "taken"), event(600.0, kind))
    assert (found.last_at, found.due_at) == (NOW - 600.0, NOW + 1200.0)
    assert found.every_seconds == UPDATE_EVERY_SECONDS == 1800.0
    assert found.overdue_seconds(NOW) is None
    assert found.overdue_seconds(NOW + 1260.0) == 60.0


@pytest.mark.parametrize(
    "other",
    [
        event(60.0, "auto"),
        event(60.0, "action", "fallback fraud to small"),
        event(60.0, "state", "resolved: nothing fires any more", by=""),
        event(60.0, "ack", 'released "its shift ended"', by="keeper"),
        event(60.0, "ack", "snooze released"),
    ],
)
def test_what_no_person_said_puts_it_off_no_longer(other: TimelineEvent) -> None:
    assert due(event(900.0, "note"), other).last_at == NOW - 900.0


def test_where_nobody_said_anything_it_counts_from_the_beginning() -> None:
    found = due()
    assert (found.last_at, found.due_at) == (None, FRAUD.since + 1800.0)
    assert found.overdue_seconds(NOW) == 1800.0


@pytest.mark.parametrize("state", ["resolved", "suppressed", "pending"])
def test_nothing_is_due_while_it_is_not_open(state: str) -> None:
    found = update_due(replace(FRAUD, state=state), CARE, ())  # type: ignore[arg-type]
    assert (found.due_at, found.why, found.unknown) == (None, f"it is {state}", "")
    assert found.overdue_seconds(NOW) is None


def test_a_record_that_cannot_be_read_makes_it_unknown_and_not_overdue() -> None:
    found = update_due(FRAUD, CARE, (), "the record cannot be read")
    assert (found.due_at, found.unknown) == (None, "the record cannot be read")
    assert found.overdue_seconds(NOW) is None


def test_one_that_was_closed_and_fires_again_begins_anew() -> None:
    closed = replace(CARE, closing=Closing(NOW - 3000.0, "ana", "useful", "over"))
    (again,) = grouped([alert("Errors", model="fraud", since=NOW - 300.0)]).incidents
    events = (event(3000.0, "state", "closed, page useful"),)
    found = update_due(replace(again, since=NOW - 7200.0), closed, events)
    assert found.due_at == NOW + 1500.0
