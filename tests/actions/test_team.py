"""Several people on one journal in PostgreSQL: who acts first, and who confirms for whom."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from console.actions.confirming import approval_of, approve, ask_approval, waiting
from console.actions.refusal import ActionRefused, NotConfirmed
from console.facts.action import ActionRequest, Confirmation
from console.journal import Question
from tests.actions.support import YES, actor, trip, write_config
from tests.actions.world import World, config_toml, world
from tests.journal.postgres_server import PostgresServer, postgres_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RESET = ActionRequest("reset", "fraud-scorer", "provider says it is well")
TYPED = Confirmation(yes=True, typed="fraud-scorer")


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server() as running:
        yield running


@pytest.fixture
def service() -> Iterator[World]:
    with world() as made:
        made.states["breaker"] = "FORCED_OPEN"
        yield made


@pytest.fixture
def config(
    service: World, server: PostgresServer, tmp_path: Path, request: pytest.FixtureRequest
) -> Path:
    url = server.new_database(f"act_{abs(hash(request.node.name)) % 10**8}")
    return write_config(tmp_path / "c.toml", config_toml(url, [service.url], tier=1))


async def test_two_operators_at_once_send_once(service: World, config: Path) -> None:
    service.states["breaker"] = "CLOSED"
    with actor(config) as ana, actor(config, name="ben", account="ben") as ben:
        one, other = await asyncio.gather(ana.prepare(trip(), None), ben.prepare(trip(), None))
        done = await asyncio.gather(
            ana.perform(one, YES), ben.perform(other, YES), return_exceptions=True
        )
        kinds = sorted(
            "busy" if isinstance(each, ActionRefused) else each.kind  # type: ignore[union-attr]
            for each in done
        )
        assert kinds in (["applied", "busy"], ["applied", "superseded"])
        assert len(service.changes) == 1
        assert ana.bench.journal.verify().ok


async def test_a_second_person_confirms_exactly_this(service: World, config: Path) -> None:
    with actor(config) as ana, actor(config, name="ben", account="ben") as ben:
        prepared = await ana.prepare(RESET, None)
        assert prepared.confirm_class == "C3"
        with pytest.raises(NotConfirmed, match="midwatch approve"):
            await ana.perform(prepared, TYPED)
        journal, now = ana.bench.journal, ana.bench.clock()
        ask_approval(journal, prepared, now)
        claimed = Confirmation(yes=True, typed="fraud-scorer", approved_by="ben")
        with pytest.raises(NotConfirmed, match="no second person has approved"):
            await ana.perform(prepared, claimed)
        asked = waiting(ben.bench.journal, prepared.op_id, now)
        approve(ben.bench.journal, asked, ben.bench.who, "seen it too", now)
        assert approval_of(journal, prepared, ana.bench.who, now) == "ben"
        other = await ana.prepare(RESET, None)
        assert approval_of(journal, other, ana.bench.who, now) == ""
        outcome = await ana.perform(prepared, claimed)
        assert outcome.kind == "applied"
        assert service.state("breaker") == "CLOSED"
        (intent,) = journal.entries(Question(op_id=prepared.op_id, kinds=("intent",)))
        confirmed = intent.details["confirmed"]
        assert isinstance(confirmed, dict)
        assert confirmed["approved_by"] == "ben"
        with pytest.raises(ActionRefused, match="has gone ahead already"):
            waiting(ben.bench.journal, prepared.op_id, now)


@pytest.mark.parametrize(
    ("account", "reason"), [("ana", "has another login"), ("ops", "login several people use")]
)
async def test_who_is_no_second_person(
    service: World, config: Path, account: str, reason: str
) -> None:
    with actor(config) as ana, actor(config, name="ben", account=account) as other:
        prepared = await ana.prepare(RESET, None)
        now = ana.bench.clock()
        asked = ask_approval(ana.bench.journal, prepared, now)
        with pytest.raises(ActionRefused, match=reason):
            approve(other.bench.journal, asked, other.bench.who, "me again", now)
        assert service.changes == []


async def test_an_approval_does_not_wait_for_ever(service: World, config: Path) -> None:
    with actor(config) as ana, actor(config, name="ben", account="ben") as ben:
        prepared = await ana.prepare(RESET, None)
        now = ana.bench.clock()
        asked = ask_approval(ana.bench.journal, prepared, now)
        with pytest.raises(ActionRefused, match="longer than ten minutes"):
            waiting(ben.bench.journal, prepared.op_id, now + 601.0)
        approve(ben.bench.journal, asked, ben.bench.who, "seen it too", now)
        assert approval_of(ana.bench.journal, prepared, ana.bench.who, now + 601.0) == ""
