"""The keeper anchors the journal at a cadence, and shouts where the chain is not its own."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from console.actions.ttl_controller import Anchoring, Keeper
from console.journal.anchor import AnchorPlace, anchor_place, read_anchors
from console.settings.schema import AnchorSettings
from tests.actions.support import actor, do, trip, write_config
from tests.actions.world import World, config_toml, world
from tests.journal.records import note, opened, tamper

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def service() -> Iterator[World]:
    with world() as made:
        yield made


async def test_the_keeper_anchors_what_is_new_and_no_more_often_than_asked(
    service: World, tmp_path: Path
) -> None:
    config = write_config(tmp_path / "c.toml", config_toml(tmp_path / "j.db", [service.url]))
    place, now = tmp_path / "anchor", [time.time()]
    told: list[str] = []
    with actor(config, clock=lambda: now[0]) as acting:
        await do(acting, trip(ttl_seconds=3600.0))
        keeper = Keeper(acting, told.append, anchoring=Anchoring(AnchorPlace(str(place)), 60.0))
        await keeper.look()
        journal = acting.bench.journal
        assert journal.verify(read_anchors(str(place))).end == "proven"
        assert told == [f"anchored: entry {journal.verify().entries} of {journal.place}"]
        journal.append(note())
        await keeper.look()
        assert len(read_anchors(str(place))) == 1
        now[0] += 61.0
        await keeper.look()
        assert journal.verify(read_anchors(str(place))).end == "proven"
        now[0] += 61.0
        await keeper.look()
        assert len(read_anchors(str(place))) == 2, "nothing new, so no line more"


async def test_a_rewritten_chain_is_shouted_and_not_anchored(tmp_path: Path) -> None:
    path, place = tmp_path / "j.db", tmp_path / "anchor"
    journal = opened(path)
    journal.append_all([note("one"), note("two"), note("three")])
    anchoring = Anchoring(AnchorPlace(str(place)), 60.0)
    assert (await anchoring.go(journal, 0.0)).startswith("anchored: entry 4 ")
    tamper(path, "DELETE FROM midwatch_entry WHERE seq > 2")
    journal.append_all([note("another story"), note("and its end")])
    assert journal.verify().ok, "by itself the new chain is whole"
    said = await anchoring.go(journal, 60.0)
    assert said.startswith("NOT ANCHORED: the journal is BROKEN at entry 4: the anchor holds")
    assert await anchoring.go(journal, 120.0) == "", "the same is told once"
    assert len(read_anchors(str(place))) == 1
    assert not journal.verify(read_anchors(str(place))).ok


async def test_a_witness_that_cannot_be_reached_keeps_the_keeper_from_nothing(
    service: World, tmp_path: Path
) -> None:
    config = write_config(tmp_path / "c.toml", config_toml(tmp_path / "j.db", [service.url]))
    told: list[str] = []
    with actor(config) as acting:
        await do(acting, trip(ttl_seconds=1.0))
        away = Anchoring(AnchorPlace("http://127.0.0.1:1/heads"), 1.0)
        keeper = Keeper(acting, told.append, anchoring=away)
        await keeper.look()
        assert told == [each for each in told if each.startswith("not anchored: the anchor cannot")]
        time.sleep(1.1)
        await keeper.look()
        assert service.state("breaker") == "HALF_OPEN"
        assert len([each for each in told if each.startswith("not anchored")]) == 1


def test_the_declared_place() -> None:
    assert anchor_place(None) is None
    assert anchor_place(AnchorSettings(file="/mnt/a")) == AnchorPlace("/mnt/a")
    witness = AnchorSettings(url="https://w.example.net/heads", secret="env:TOKEN")
    place = anchor_place(witness)
    assert place is not None
    assert place.auth is not None
    assert (place.where, place.auth.type, place.auth.secret) == (
        "https://w.example.net/heads",
        "bearer",
        "env:TOKEN",
    )
