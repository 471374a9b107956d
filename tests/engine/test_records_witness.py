"""The chain as the console verifies it: against the anchor that the configuration names."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from console.cli.bootstrap import prepare
from console.domain.entry import JournalHead, Verification
from console.journal.anchor import publish_anchor
from console.settings.load import Flags
from tests.conftest import free_port
from tests.journal.records import head_of, note, opened

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def head(tmp_path: Path) -> JournalHead:
    """Return the head of a journal of three entries."""
    journal = opened(tmp_path / "state" / "journal.db")
    journal.append_all([note("a"), note("b")])
    found = head_of(journal)
    journal.close()
    return found


async def verified(tmp_path: Path, anchor: str = "") -> Verification | str:
    """Verify with the engine a console has, made from a configuration file."""
    path = tmp_path / "midwatch.toml"
    path.write_text(
        f'version = 1\n[journal]\nurl = "sqlite:///{tmp_path}/state/journal.db"\n{anchor}'
    )
    path.chmod(0o600)
    engine = prepare(Flags(config=path), needs_source=False).engine()
    try:
        return await engine.verify_journal()
    finally:
        await engine.close()


async def test_without_an_anchor_the_end_is_not_proven(tmp_path: Path, head: JournalHead) -> None:
    judged = await verified(tmp_path)
    assert isinstance(judged, Verification)
    assert (judged.ok, judged.end) == (True, "not proven")
    assert "end not proven" in judged.sentence


async def test_the_configured_anchor_proves_the_end(tmp_path: Path, head: JournalHead) -> None:
    place = tmp_path / "witness"
    publish_anchor(str(place), head)
    judged = await verified(tmp_path, f'anchor = {{ file = "{place}" }}\n')
    assert isinstance(judged, Verification)
    assert (judged.ok, judged.end) == (True, "proven")


async def test_an_end_that_was_cut_off_is_seen(tmp_path: Path, head: JournalHead) -> None:
    place = tmp_path / "witness"
    later = JournalHead(chain=head.chain, seq=head.seq + 4, hash="b" * 64, at=head.at)
    publish_anchor(str(place), later)
    judged = await verified(tmp_path, f'anchor = {{ file = "{place}" }}\n')
    assert isinstance(judged, Verification)
    assert not judged.ok
    assert "its end was cut off" in judged.sentence


async def test_an_anchor_that_cannot_be_read_is_a_sentence_and_no_verdict(
    tmp_path: Path, head: JournalHead
) -> None:
    lost = await verified(tmp_path, f'anchor = {{ file = "{tmp_path / "lost"}" }}\n')
    assert isinstance(lost, str)
    assert "the anchor" in lost
    assert "cannot be read: No such file or directory" in lost
    away = f'anchor = {{ url = "http://127.0.0.1:{free_port()}/heads" }}\n'
    unreached = await verified(tmp_path, away)
    assert isinstance(unreached, str)
    assert unreached.startswith("the anchor cannot be reached: ")
