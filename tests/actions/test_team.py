"""Several people on one journal in PostgreSQL: who acts first, and who confirms for whom."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from console.actions.approval import approval_of, approve, ask_approval, ask_for, waiting
from console.actions.ttl_controller import Keeper
from console.domain.action import ActionRefused, ActionRequest, Confirmation, NotConfirmed, Together
from console.engine.write_service import Acting
from console.journal import Question
from console.settings.load import Flags, load
from console.settings.secrets import SecretResolver
from tests.actions.support import YES, actor, trip, write_config
from tests.actions.world import World, config_toml, world
from tests.journal.postgres_server import PostgresServer, postgres_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from console.actions.executor import ActionExecutor
    from console.domain.action import PreparedAction

RESET = ActionRequest("reset", "fraud-scorer", "provider says it is well")
_MIDWATCH = (sys.executable, "-m", "console")
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


async def prepared_set(ana: ActionExecutor) -> tuple[PreparedAction, PreparedAction]:
    shared = ActionRequest("trip", "dep:features", "it times out for everybody")
    one = await ana.prepare(RESET, None, at_once=2)
    return one, await ana.prepare(shared, None, at_once=2)


async def test_a_second_person_confirms_a_whole_set_at_once_and_no_other(
    service: World, config: Path
) -> None:
    with actor(config) as ana, actor(config, name="ben", account="ben") as ben:
        service.states["features"] = "CLOSED"
        both = await prepared_set(ana)
        third = await ana.prepare(ActionRequest("human", "fraud-scorer", "it is well"), None)
        journal, now = ana.bench.journal, ana.bench.clock()
        together = Together.of(both)
        ask_for(journal, both, now)
        asked = waiting(ben.bench.journal, together.op_id, now)
        assert asked.target == "2 models"
        approve(ben.bench.journal, asked, ben.bench.who, "seen both", now)
        assert approval_of(journal, together, ana.bench.who, now) == "ben"
        assert approval_of(journal, both[0], ana.bench.who, now) == "", "the set is no single yes"
        for others in ((*both, third), both[:1], (both[1], both[0]), (both[0], third)):
            assert approval_of(journal, Together.of(others), ana.bench.who, now) == ""
        stowaway = Confirmation(
            yes=True, typed="fraud-scorer", approved_by="ben", together=together
        )
        with pytest.raises(NotConfirmed, match="not one of what was approved together"):
            await ana.perform(replace(third, confirm_class="C3"), stowaway)
        assert service.changes == []
        done = await asyncio.gather(
            *(ana.perform(one, replace(stowaway, typed=one.request.target)) for one in both)
        )
        assert [each.kind for each in done] == ["applied", "applied"]
        assert (service.state("breaker"), service.state("features")) == ("CLOSED", "FORCED_OPEN")
        for one in both:
            (intent,) = journal.entries(Question(op_id=one.op_id, kinds=("intent",)))
            confirmed = intent.details["confirmed"]
            assert isinstance(confirmed, dict)
            assert (confirmed["approved_by"], confirmed["approved_as"]) == ("ben", together.op_id)
        with pytest.raises(ActionRefused, match="has gone ahead already"):
            waiting(ben.bench.journal, together.op_id, now)
        assert journal.verify().ok


async def test_the_console_asks_for_a_set_and_goes_ahead_with_all_of_it(
    service: World, config: Path
) -> None:
    service.states["features"] = "CLOSED"
    loaded = load(Flags(config=config, write=True), {"HOME": str(config.parent)})
    acting = Acting(loaded, SecretResolver([], os.environ), os.environ)
    try:
        await acting.start()
        shared = ActionRequest("trip", "dep:features", "it times out for everybody")
        both = [await acting.prepare(one, None, 2) for one in (RESET, shared)]
        waits = asyncio.create_task(acting.second_person(both))
        with actor(config, name="ben", account="ben") as ben:
            while not (found := ben.bench.journal.entries(Question(kinds=("approval",)))):
                await asyncio.sleep(0.05)
            now = ben.bench.clock()
            asked = waiting(ben.bench.journal, both[0].op_id, now)
            assert asked == found[0]
            approve(ben.bench.journal, asked, ben.bench.who, "seen both", now)
        by = await asyncio.wait_for(waits, 10.0)
        assert by == "ben"
        given = Confirmation(yes=True, by_yes=True, approved_by=by, together=Together.of(both))
        done = await asyncio.gather(*(acting.perform(one, given, lambda *_: None) for one in both))
        assert [each.kind for each in done] == ["applied", "applied"]
    finally:
        await acting.close()


async def test_of_a_set_each_has_an_outcome_of_its_own(
    service: World, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change = service.change
    monkeypatch.setattr(
        service,
        "change",
        lambda name, document: (409, b"{}") if name == "features" else change(name, document),
    )
    with actor(config) as ana, actor(config, name="ben", account="ben") as ben:
        service.states["features"] = "CLOSED"
        both = await prepared_set(ana)
        now = ana.bench.clock()
        asked = ask_for(ana.bench.journal, both, now)
        approve(ben.bench.journal, asked, ben.bench.who, "seen both", now)
        given = Confirmation(yes=True, by_yes=True, approved_by="ben", together=Together.of(both))
        done = await asyncio.gather(*(ana.perform(one, given) for one in both))
        assert [each.kind for each in done] == ["applied", "rejected"]


async def test_the_command_shows_every_member_before_it_approves_the_set(
    service: World, config: Path
) -> None:
    with actor(config) as ana:
        service.states["features"] = "CLOSED"
        both = await prepared_set(ana)
        asked = ask_for(ana.bench.journal, both, ana.bench.clock())
        done = subprocess.run(
            [*_MIDWATCH, "approve", asked.op_id, "--yes", "--config", str(config)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert "reset 2 models together" in done.stderr
        assert "Force closed the breaker of fraud-scorer: FORCED_OPEN → CLOSED" in done.stderr
        assert "Force open the breaker of dep:features: CLOSED → FORCED_OPEN" in done.stderr


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


async def test_a_command_waits_for_its_second_person_and_goes_ahead(
    service: World, config: Path
) -> None:
    words = ["reset", "fraud-scorer", "--reason", "provider says it is well", "--yes", "--instant"]
    waits = subprocess.Popen(
        [sys.executable, "-m", "console", *words, "--config", str(config)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        with actor(config, name="ben", account="ben") as ben:
            asked = None
            deadline = time.monotonic() + 30.0
            while asked is None and time.monotonic() < deadline:
                await asyncio.sleep(0.1)
                found = ben.bench.journal.entries(Question(kinds=("approval",)))
                asked = found[0] if found else None
            assert asked is not None
            assert service.changes == []
            own = subprocess.run(
                [*_MIDWATCH, "approve", asked.op_id, "--yes", "--config", str(config)],
                capture_output=True,
                text=True,
                check=False,
            )
            assert own.returncode == 7, own.stderr
            assert "another login" in own.stderr
            now = ben.bench.clock()
            approve(ben.bench.journal, asked, ben.bench.who, "seen it too", now)
        out, err = waits.communicate(timeout=30)
        assert waits.returncode == 0, err
        assert "approved by ben" in err
        assert out.startswith("applied: Force closed the breaker of fraud-scorer")
        assert service.state("breaker") == "CLOSED"
    finally:
        waits.kill()


async def test_a_keeper_on_another_host_is_known_to_everybody(service: World, config: Path) -> None:
    service.states["breaker"] = "CLOSED"
    hour_ahead = actor(config, name="ben", clock=lambda: time.time() + 3600.0)
    keepers = actor(config, name="keeper", account="midwatch")
    with actor(config) as ana, keepers as keeping, hour_ahead as ahead:
        # The database's clock decides, however far off the hosts' own are.
        keeper = Keeper(keeping, lambda _: None)
        await keeper.look()
        assert (await ahead.prepare(trip(), None)).enforced_by == "keeper"
        assert (await ana.prepare(trip(), None)).enforced_by == "keeper"
        await keeper.leave()
        assert (await ana.prepare(trip(), None)).enforced_by == "nobody"
