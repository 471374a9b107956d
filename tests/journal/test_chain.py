"""The chain without a store: what is hashed, what links, and that any change shows."""

from __future__ import annotations

import hashlib
import json

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.domain.entry import EntryDraft, JournalHead
from console.journal.chain import (
    LARGEST_ENTRY_BYTES,
    NO_HASH,
    JournalError,
    Row,
    compose,
    iso,
    new_ulid,
    seconds,
    tail_of,
)
from console.journal.export import ChainReader
from console.settings.secret_references import SecretValue, redact
from tests.journal.records import AUTHOR, NOW, intent, note

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
DRAFTS = st.lists(
    st.builds(
        EntryDraft,
        kind=st.sampled_from(["note", "intent", "outcome", "decision"]),
        at=st.floats(NOW, NOW + 1e8),
        target=st.text(max_size=8),
        why=st.text(max_size=20),
        op_id=st.text("ABC123", max_size=5),
        before=JSON,
        after=JSON,
        details=st.dictionaries(st.text(max_size=5), JSON, max_size=3),
    ),
    min_size=1,
    max_size=6,
)


def unwashed(text: str) -> str:
    return text


def chain(*drafts: EntryDraft) -> list[Row]:
    return compose(None, drafts, AUTHOR, unwashed)


def judge(rows: list[Row], *anchors: JournalHead):
    reader = ChainReader(anchors=anchors)
    reader.read(rows)
    return reader.result()


def head_of(row: Row) -> JournalHead:
    return JournalHead(chain=row.chain, seq=row.seq, hash=row.hash, at=NOW)


def test_the_first_entry_opens_a_segment_and_links_to_nothing() -> None:
    opening, entry = chain(intent())
    assert (opening.kind, opening.seq, opening.prev_hash) == ("segment", 1, NO_HASH)
    assert (entry.kind, entry.seq, entry.prev_hash) == ("intent", 2, opening.hash)


def test_anybody_can_check_a_hash_with_sha256_and_a_json_reader() -> None:
    _, row = chain(intent())
    assert hashlib.sha256(row.body.encode()).hexdigest() == row.hash
    document = json.loads(row.body)
    assert list(document) == sorted(document)
    assert document["at"] == "2026-11-23T02:47:13.250000Z"
    assert document["why"] == "feature-store-eu timeouts"
    assert document["who"]["name"] == "ana"
    assert "hash" not in document


@given(DRAFTS)
def test_whatever_is_written_reads_back_and_verifies(drafts: list[EntryDraft]) -> None:
    rows = chain(*drafts)
    judged = judge(rows, head_of(rows[-1]))
    assert (judged.ok, judged.end, judged.entries) == (True, "proven", len(rows))
    assert [row.entry().seq for row in rows] == list(range(1, len(rows) + 1))


@settings(max_examples=150)
@given(DRAFTS, st.data())
def test_any_changed_character_is_named(drafts: list[EntryDraft], data: st.DataObject) -> None:
    rows = chain(*drafts)
    at = data.draw(st.integers(0, len(rows) - 1))
    field = data.draw(st.sampled_from(Row._fields))
    old = getattr(rows[at], field)
    new = data.draw(st.integers(1, 10**6) if isinstance(old, int) else st.text(max_size=4))
    if isinstance(old, str) and old and data.draw(st.booleans()):
        place = data.draw(st.integers(0, len(old) - 1))
        new = (
            old[:place] + data.draw(st.characters(exclude_characters=old[place])) + old[place + 1 :]
        )
    if new == old:
        return
    rows[at] = Row(**{**rows[at]._asdict(), field: new})
    judged = judge(rows)
    assert not judged.ok
    # A changed number of its own makes the entry missing where it stood.
    assert judged.bad_seq == at + 1


@given(DRAFTS.filter(lambda drafts: len(drafts) > 2), st.data())
def test_swapped_and_missing_entries_are_named(drafts: list[EntryDraft], data) -> None:
    rows = chain(*drafts)
    first = data.draw(st.integers(0, len(rows) - 2))
    second = data.draw(st.integers(first + 1, len(rows) - 1))
    swapped = list(rows)
    swapped[first], swapped[second] = swapped[second], swapped[first]
    assert judge(swapped).bad_seq == first + 1
    renumbered = list(rows)
    renumbered[first] = rows[second]._replace(seq=first + 1)
    renumbered[second] = rows[first]._replace(seq=second + 1)
    assert judge(renumbered).bad_seq == first + 1
    assert judge(rows[:first] + rows[first + 1 :]).bad_seq == first + 1


def test_a_cut_off_end_shows_only_under_an_anchor() -> None:
    rows = chain(note("one"), note("two"), note("three"))
    assert judge(rows[:-1]).ok
    assert judge(rows[:-1]).end == "not proven"
    judged = judge(rows[:-1], head_of(rows[-1]))
    assert (judged.ok, judged.bad_seq) == (False, 4)
    assert "cut off" in judged.sentence


def test_a_rewritten_chain_shows_only_under_an_anchor() -> None:
    old = chain(note("one"), note("two"))
    rewritten = compose(tail_of(old[0], old[0].at), [note("1"), note("two")], AUTHOR, unwashed)
    new = [old[0], *rewritten]
    assert judge(new).ok
    assert judge(new, head_of(old[1])).bad_seq == 2
    # Anchoring the new chain afterwards does not whiten it: the place outside still has both.
    assert judge(new, head_of(old[1]), head_of(new[1]), head_of(new[2])).bad_seq == 2


def test_a_new_chain_from_the_first_entry_on_is_another_journal_to_the_anchor() -> None:
    old, new = chain(note("one")), chain(note("one"))
    judged = judge(new, head_of(old[-1]))
    assert not judged.ok
    assert "another journal" in judged.sentence


def test_entries_after_the_newest_anchor_are_said_to_be_unproven() -> None:
    rows = chain(note("one"), note("two"))
    judged = judge(rows, head_of(rows[1]))
    assert (judged.ok, judged.end) == (True, "not proven")
    assert judged.sentence.endswith("proven to entry 2, end not proven after it")


def test_a_new_segment_begins_after_a_month_and_holds_the_head_before() -> None:
    rows = chain(note("a"), note("b", at=NOW + 32 * 86400), note("c", at=NOW + 33 * 86400))
    assert [(row.segment, row.kind) for row in rows] == [
        (1, "segment"), (1, "note"), (2, "segment"), (2, "note"), (2, "note"),
    ]  # fmt: skip
    assert rows[2].entry().details["previous_head_hash"] == rows[1].hash
    assert judge(rows).ok


def test_a_clock_that_goes_back_is_written_down_and_remarked_and_stops_nothing() -> None:
    rows = chain(note("late", at=NOW + 3600), note("back", at=NOW), note("on", at=NOW + 1))
    assert [row.entry().clock_back_seconds for row in rows] == [0, 0, 3600, 0]
    judged = judge(rows)
    assert judged.ok
    assert judged.remarks == (
        "entry 3: the clock of ops-1 stood 3600 s before the entry before it",
    )


def test_a_host_whose_clock_differs_from_the_databases_is_remarked() -> None:
    rows = compose(None, [note()], AUTHOR, unwashed, store_at=NOW - 300)
    assert any("differs from the database's by +300 s" in said for said in judge(rows).remarks)


def test_secrets_never_enter_wherever_they_stand() -> None:
    secret = SecretValue("hunter2-token")
    draft = EntryDraft(
        kind="intent",
        at=NOW,
        why="used hunter2-token",
        target="x-hunter2-token",
        before={"headers": [{"Authorization": "Bearer hunter2-token"}], "hunter2-token": 1},
        details={"url": "http://a/?q=hunter2-token"},
    )
    rows = compose(None, [draft], AUTHOR, lambda text: redact(text, [secret]))
    assert "hunter2" not in "".join(map(str, rows[1]))
    assert rows[1].entry().why == "used [secret]"


def test_values_no_json_reader_agrees_on_become_text() -> None:
    draft = EntryDraft(
        kind="note", at=NOW, why="nul \0 half \ud800", before=[float("nan"), 2**60, 1e300, (1,)]
    )
    entry = chain(draft)[1].entry()
    assert entry.before == ["nan", str(2**60), 1e300, [1]]
    assert entry.why == "nul ␀ half \\ud800"


@pytest.mark.parametrize(
    ("draft", "sentence"),
    [
        (msgspec.structs.replace(note(), kind="gossip"), "no entry of kind 'gossip'"),
        (msgspec.structs.replace(note(), confirm_class="C9"), "no confirmation class 'C9'"),
        (note(at=-5.0), "set the clock"),
        (note(at=float("nan")), "set the clock"),
        (note(why="x" * LARGEST_ENTRY_BYTES), "shorten the reason"),
        (EntryDraft(kind="note", at=NOW, before=b"raw"), "type bytes cannot be written"),
    ],
)
def test_what_cannot_be_written_is_refused_with_a_sentence(draft, sentence: str) -> None:
    with pytest.raises(JournalError, match=sentence):
        chain(draft)


@given(st.floats(0, 2e9))
def test_times_survive_to_the_microsecond(at: float) -> None:
    assert seconds(iso(at)) == pytest.approx(at, abs=1e-6)
    assert iso(seconds(iso(at))) == iso(at)


def test_ulids_sort_by_time_and_do_not_repeat() -> None:
    made = [new_ulid(NOW + number) for number in range(200)]
    assert made == sorted(made)
    assert len({new_ulid(NOW) for _ in range(1000)}) == 1000
    assert all(len(ulid) == 26 for ulid in made)
    assert new_ulid(1469918176.385)[:10] == "01ARYZ6S41"  # a published example
