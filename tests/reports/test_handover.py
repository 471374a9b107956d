"""The handover's parts: what is told, in which order, and what is said not to be known."""

from __future__ import annotations

from dataclasses import replace

from console.domain.entry import BrokenEntry, Record
from console.handover.build import handover, previous
from console.handover.handover_text import handover_blocks, part_counts
from console.reports.markdown import markdown
from tests.reports.samples import ANA, BEN, SHIFT, empty_facts, shift_facts, shift_snapshot
from tests.support.overrides import entry
from tests.support.snapshots import SAMPLE_NOW


def text_of(facts) -> str:
    return markdown(handover_blocks(handover(facts, SHIFT)))


def test_the_most_urgent_stands_first_and_held_is_oldest_first() -> None:
    found = handover(shift_facts(), SHIFT)
    assert found.state.startswith("1 S1, 2 S2")
    assert [each.state for each in found.in_force] == ["no end", "in force", "in force"]
    assert [each.by for each in found.held] == ["li", "ana"]
    assert [each.ended for each in found.held] == [True, False]
    assert [each.level for each in found.watch] == ["S2", "S2", "unknown", "S3"]


def test_what_is_not_known_is_never_told_as_nothing() -> None:
    found = handover(empty_facts(), SHIFT)
    assert not found.fleet_known
    assert not found.record_known
    text = text_of(empty_facts())
    assert "nothing" not in text
    assert "none" not in text.replace("No earlier", "")
    assert text.count("not known.") >= 10


def test_a_journal_that_is_broken_makes_in_force_uncertain() -> None:
    snapshot = replace(
        shift_snapshot(),
        overrides=(),
        record=Record("open", head_seq=3, broken=(BrokenEntry(2, "edited"),)),
    )
    found = handover(replace(shift_facts(), snapshot=snapshot), SHIFT)
    assert not found.record_known
    assert any("BROKEN at #2" in each for each in found.unknown)
    assert "**In force:** not known." in markdown(handover_blocks(found))


def test_an_incident_that_could_not_be_gathered_says_so_and_is_still_told() -> None:
    found = handover(replace(shift_facts(), views={}), SHIFT)
    (incident,) = found.incidents
    assert not incident.gathered
    assert incident.condition.startswith("burn 69x over 1h")
    assert "fallback fraud-scorer → fraud-small (applied) by ana" in incident.actions
    assert incident.needs == "ask ana: looking at fs-eu"
    assert any("4b1c9e07" in each for each in found.unknown)


def test_noise_is_a_share_of_what_was_judged() -> None:
    pages = handover(shift_facts(), SHIFT).pages
    assert (pages.incidents, pages.paging, pages.noise, pages.not_judged) == (2, 1, 1, 1)
    assert pages.noise_share == 1.0
    silent = handover(replace(shift_facts(), entries=()), SHIFT).pages
    assert silent.noise_share is None
    assert "not known" in silent.text


def test_an_operation_is_loose_until_its_outcome_is_known() -> None:
    facts = shift_facts()
    assert [each.subject for each in handover(facts, SHIFT).follow_ups] == [
        "doc-extract",
        "4b1c9e07",
    ]
    told = entry(10430, "resolved", op_id="01K8LOST", at=SAMPLE_NOW - 5.0)
    settled = handover(replace(facts, entries=(*facts.entries, told)), SHIFT)
    assert [each.subject for each in settled.follow_ups] == ["4b1c9e07"]


def test_exceptions_name_break_glass_residency_and_what_nobody_ends() -> None:
    kinds = [each.kind for each in handover(shift_facts(), SHIFT).exceptions]
    assert kinds == ["no_end", "break_glass", "residency", "against_objection"]


def test_changes_are_made_or_coming_by_when_they_happen() -> None:
    found = handover(shift_facts(), SHIFT)
    assert "01:53Z" in text_of(shift_facts())
    assert [each.text for each in found.changes_coming][-1] == "provider maintenance"
    assert not any("S4" in each.text for each in found.changes_made)


def test_the_one_before_is_told_with_whether_anybody_accepted_it() -> None:
    written = entry(1, "handover", op_id="01A", who=BEN)
    assert previous(()) is None
    waiting = previous((written,))
    assert waiting is not None
    assert waiting.accepted_by is None
    assert "was accepted by NOBODY" in text_of(replace(shift_facts(), handovers=(written,)))
    accepted = previous((written, entry(2, "handover_accepted", op_id="01A", who=ANA)))
    assert accepted is not None
    assert accepted.accepted_by == "ana"


def test_counts_of_parts_follow_the_document() -> None:
    counts = dict(part_counts(handover(shift_facts(), SHIFT)))
    assert counts["in_force"] == 3
    assert counts["exceptions"] == 4
