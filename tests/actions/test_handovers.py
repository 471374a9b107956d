"""Handovers on a real journal: written once, accepted by another person from their own login."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from console.actions.record_actions import HANDOVER
from console.domain.action import ActionRefused, WritesNotAllowed
from console.handover.accept import accept_handover, write_handover
from console.handover.record import (
    LONGEST_TEXT,
    HandedHold,
    HandoverWish,
    handovers_in,
    handovers_of,
    to_accept,
)
from console.journal import TargetTouchedError, open_journal
from tests.journal.records import NOW, WHO, url_of

if TYPE_CHECKING:
    from pathlib import Path

    from console.domain.action import Mode
    from console.domain.entry import Entry, Who
    from console.journal import Journal

ANA = WHO
BEN = replace(WHO, name="ben", os_user="ben", uid=1002)
OPS = replace(WHO, name="ben", os_user="oncall", uid=1003)
WISH = HandoverWish("# Handover\n\nall calm\n", NOW - 3600.0, "ben", (HandedHold("4b1c", "fs"),))


def accept_newest(journal: Journal, me: Who, mode: Mode, now: float) -> Entry:
    record = to_accept(handovers_in(journal), me)
    return accept_handover(journal, record, me, mode, now)


def journal_of(tmp_path: Path, who: Who) -> Journal:
    return open_journal(url_of(tmp_path / "j.db"), who=who, environment="prod")


@pytest.fixture
def anas(tmp_path: Path):
    journal = journal_of(tmp_path, ANA)
    yield journal
    journal.close()


@pytest.fixture
def bens(tmp_path: Path, anas):
    journal = journal_of(tmp_path, BEN)
    yield journal
    journal.close()


def test_it_is_written_with_its_digest_and_accepted_by_another_login(anas, bens) -> None:
    written = write_handover(anas, WISH, "armed", NOW)
    (waiting,) = handovers_in(bens)
    assert (waiting.id, waiting.to, waiting.intact) == (written.op_id, "ben", True)
    assert waiting.holds == WISH.holds
    assert waiting.accepted_at is None
    accept_newest(bens, BEN, "armed", NOW + 60.0)
    (taken,) = handovers_in(anas)
    assert (taken.accepted_by, taken.accepted_at) == ("ben", NOW + 60.0)
    assert bens.verify().ok


def test_its_author_cannot_accept_it_whatever_the_name(anas, tmp_path: Path) -> None:
    write_handover(anas, WISH, "armed", NOW)
    for me in (ANA, replace(ANA, name="ben")):
        with pytest.raises(ActionRefused, match="accepts it from another login"):
            accept_newest(anas, me, "armed", NOW)
    assert handovers_in(anas)[0].accepted_at is None


def test_a_login_that_several_people_use_proves_nothing(anas) -> None:
    write_handover(anas, WISH, "armed", NOW)
    with pytest.raises(ActionRefused, match="several people use"):
        accept_newest(anas, OPS, "armed", NOW)


def test_it_is_accepted_once(anas, bens) -> None:
    written = write_handover(anas, WISH, "armed", NOW)
    accept_newest(bens, BEN, "armed", NOW)
    with pytest.raises(ActionRefused, match="ben has accepted that handover already"):
        to_accept(handovers_in(bens), BEN, written.op_id)
    with pytest.raises(ActionRefused, match="no handover waits; ben has accepted the last one"):
        accept_newest(bens, BEN, "armed", NOW)


def test_two_who_accept_at_once_are_told_apart(anas, bens, monkeypatch: pytest.MonkeyPatch) -> None:
    write_handover(anas, WISH, "armed", NOW)
    (record,) = handovers_in(bens)
    seen = bens.entries
    raced: list[bool] = []

    def late(question):
        found = seen(question)
        if question.newest == 1 and not raced:
            raced.append(True)
            write_handover(anas, WISH, "armed", NOW)
        return found

    monkeypatch.setattr(bens, "entries", late)
    with pytest.raises(TargetTouchedError):
        accept_handover(bens, record, BEN, "armed", NOW)


def test_the_newest_of_somebody_else_is_meant_unless_one_is_named(anas, bens) -> None:
    first = write_handover(anas, WISH, "armed", NOW)
    second = write_handover(anas, WISH, "armed", NOW + 1.0)
    write_handover(bens, WISH, "armed", NOW + 2.0)
    records = handovers_in(bens)
    assert to_accept(records, BEN).id == second.op_id
    assert to_accept(records, BEN, first.op_id.lower()).id == first.op_id
    assert to_accept(records, BEN, first.op_id[-8:]).id == first.op_id
    with pytest.raises(ActionRefused, match="midwatch handover --list"):
        to_accept(records, BEN, "nosuch")
    with pytest.raises(ActionRefused, match="no handover is on the record"):
        to_accept((), BEN)


def test_a_forged_acceptance_does_not_count(anas, bens) -> None:
    write_handover(anas, WISH, "armed", NOW)
    accept_newest(bens, BEN, "armed", NOW)
    written, accepted = bens.entries()[-2:]
    forged = (
        replace(accepted, who=ANA),
        replace(accepted, who=OPS),
        replace(accepted, details={**accepted.details, "digest": "00"}),
        replace(accepted, op_id="01OTHER"),
    )
    for each in forged:
        (record,) = handovers_of((written, each))
        assert record.accepted_at is None


def test_a_text_that_is_not_its_digest_is_not_accepted(anas) -> None:
    entry = write_handover(anas, WISH, "armed", NOW)
    spoiled = replace(entry, details={**entry.details, "text": "all is lost"})
    (record,) = handovers_of((spoiled,))
    assert not record.intact
    with pytest.raises(ActionRefused, match="midwatch journal verify"):
        to_accept((record,), BEN)


def test_the_gate_and_bad_texts_stop_it_before_anything_is_written(anas) -> None:
    for wish, said in (
        (replace_text(" \n "), "the text is empty"),
        (replace_text("x" * (LONGEST_TEXT + 1)), "are the most"),
    ):
        with pytest.raises(ActionRefused, match=said):
            write_handover(anas, wish, "armed", NOW)
    with pytest.raises(WritesNotAllowed):
        write_handover(anas, WISH, "read_only", NOW)
    assert handovers_in(anas) == ()
    write_handover(anas, WISH, "armed", NOW)
    with pytest.raises(WritesNotAllowed):
        accept_newest(anas, BEN, "read_only", NOW)
    assert handovers_in(anas)[0].accepted_at is None


def replace_text(text: str) -> HandoverWish:
    return HandoverWish(text, NOW)


def test_what_writes_is_marked_so() -> None:
    assert [spec.writes for spec in HANDOVER] == [False, True, True]
