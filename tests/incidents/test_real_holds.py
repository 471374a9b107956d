"""An acknowledgement told to a real Alertmanager: one silence, whatever is lost, and its end."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING

import pytest

from console.actions.executor import ActionExecutor
from console.actions.recovery import settle_all
from console.actions.ttl_controller import Keeper
from console.domain.action import ActionRefused
from console.journal.store_base import Question
from tests.actions.support import actor, write_config
from tests.incidents.held_world import (
    RULES,
    World,
    acks,
    console,
    fraud,
    last_ack,
    losing,
    wish,
    written,
)
from tests.incidents.servers import AlertingPrometheus, AlertmanagerServer, ask
from tests.incidents.test_real_life import Fleet, rules, until
from tests.support.web import Reply, Request, faulty_proxy, web_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


async def next_second() -> None:
    """Wait for another second: an Alertmanager's silence ends at a whole one."""
    await asyncio.sleep(1.0 - time.time() % 1.0 + 0.05)


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    directory = tmp_path_factory.mktemp("holds")
    fleet, manager = Fleet(), AlertmanagerServer(directory)
    with web_server(fleet.page) as target, faulty_proxy(manager.origin) as proxy:
        prometheus = AlertingPrometheus(directory, target.url + "/metrics", RULES, manager.origin)
        try:
            manager.start()
            prometheus.start()
            yield World(fleet, manager, prometheus.url, proxy)
        finally:
            prometheus.stop()
            manager.stop()


@pytest.fixture
def world(servers: World) -> Iterator[World]:
    servers.clear()
    yield servers
    servers.clear()


async def test_one_silence_though_the_first_answer_is_lost_and_its_end_with_the_alert(
    world: World, tmp_path: Path
) -> None:
    config = written(tmp_path, world)
    with console(config) as mine, console(config) as theirs, actor(config) as acting:
        try:
            fired = await until(mine, lambda seen: "alert_page" in rules(seen))
            assert fraud(await theirs.once()).acked_by == ""
            left = losing(world)
            outcome = await wish(acting, fired, "ack")
            assert left == [0]
            assert outcome.kind == "applied"
            assert outcome.sentence.startswith("fraud is acknowledged until ")
            (silence,) = world.silences()
            assert silence["comment"] == (
                f"ACK! looking [midwatch:{outcome.op_id} inc:{fraud(fired).id}]"
            )
            assert silence["createdBy"] == "ana"
            assert {each["name"]: each["value"] for each in silence["matchers"]} == dict(
                fraud(fired).alerts[0].labels
            )
            assert not any(each["isRegex"] for each in silence["matchers"])

            seen = await theirs.once()  # one tick of another console
            assert fraud(seen).acked_by == "ana"
            hold = seen.care[fraud(seen).id].hold
            assert hold is not None
            assert (hold.place, hold.certain) == ("am", True)
            assert fraud(seen).acked_until == hold.ends_at

            await next_second()
            longer = await wish(acting, seen, "ack", ttl_seconds=7200.0)
            assert longer.kind == "applied"
            (again,) = world.silences()
            assert again["id"] == silence["id"]
            assert again["endsAt"] > silence["endsAt"]

            done = await wish(acting, await mine.tick(), "release")
            assert done.kind == "applied", done
            assert world.silences() == []
        finally:
            await mine.close()
            await theirs.close()


async def test_a_keeper_renews_it_while_it_fires_and_lets_go_when_that_is_over(
    world: World, tmp_path: Path
) -> None:
    config, told = written(tmp_path, world, "ack_silence = '5s'\n"), list[str]()
    with console(config) as engine, actor(config) as acting, actor(config, name="keeper") as two:
        keeper = Keeper(two, told.append)
        keeper.holding.resolved_seconds = 0.5
        try:
            fired = await until(engine, lambda seen: "alert_page" in rules(seen))
            await wish(acting, fired, "ack", reason="the provider is away")
            (first,) = world.silences()
            give_up_at = time.monotonic() + 15.0
            while (now := world.silences())[0]["endsAt"] == first["endsAt"]:
                assert time.monotonic() < give_up_at, told
                await keeper.look()
                await asyncio.sleep(0.3)
            assert [each["id"] for each in now] == [first["id"]]
            assert now[0]["createdBy"] == "ana"
            assert now[0]["comment"] == first["comment"]
            kinds = [each.kind for each in acting.bench.journal.entries(Question(after_seq=1))]
            assert kinds == ["intent", "outcome", "ack", "intent", "outcome"]

            world.fleet.alarm = 0
            give_up_at = time.monotonic() + 25.0
            entry = last_ack(acting)
            while entry.details["step"] != "released":
                assert time.monotonic() < give_up_at, told
                await keeper.look()
                await asyncio.sleep(0.3)
                entry = last_ack(acting)
            assert entry.why == "it is over"
            assert world.silences() == []
            assert entry.who.name == "keeper"
            over = await until(
                engine, lambda seen: not any(each.hold for each in seen.care.values())
            )
            assert [each.by for each in over.care[entry.incident].held_before] == ["ana"]
            assert any(line.startswith("let go: ack of fraud by ana: it is over") for line in told)
        finally:
            world.fleet.alarm = 1
            await engine.close()


async def test_a_hold_past_its_end_is_ended_on_the_record(world: World, tmp_path: Path) -> None:
    config, told = written(tmp_path, world), list[str]()
    with console(config) as engine, actor(config) as acting:
        try:
            fired = await until(engine, lambda seen: "alert_page" in rules(seen))
            await wish(acting, fired, "ack", ttl_seconds=2.0)
            assert len(world.silences()) == 1
            await asyncio.sleep(2.1)
            await Keeper(acting, told.append).look()
            entry = last_ack(acting)
            assert (entry.details["step"], entry.why) == ("released", "its end came")
            assert world.silences() == []
        finally:
            await engine.close()


@pytest.mark.parametrize("how", ["writes = false", "away", "refuses"])
async def test_where_it_cannot_be_told_it_is_held_here_alone(
    world: World, tmp_path: Path, how: str
) -> None:
    config = written(tmp_path, world, "writes = false\n" if how == "writes = false" else "")
    with console(config) as engine, actor(config) as acting:
        try:
            fired = await until(engine, lambda seen: "alert_page" in rules(seen))
            if how == "away":
                world.proxy.spoil = lambda _: Reply(b"away", 503)
            elif how == "refuses":
                world.proxy.spoil = lambda reply: (
                    Reply(b'"not for you"', 403) if b"silenceID" in reply.body else reply
                )
            outcome = await wish(acting, fired, "ack")
            world.proxy.spoil = None
            seen = await until(engine, lambda one: bool(fraud(one).acked_by))
            hold = seen.care[fraud(seen).id].hold
            assert hold is not None
            told = outcome.sentence
            if how == "refuses":
                # It answered 403 and did it all the same: only reading back tells.
                assert (outcome.kind, hold.place) == ("applied", "am")
            else:
                assert outcome.kind == "applied"
                assert "(local: am " in told
                assert hold.where == "local"
                assert world.silences() == []
                assert ("writes = false" in told) is (how == "writes = false")
        finally:
            await engine.close()


async def test_a_refusal_that_did_nothing_leaves_the_hold_here_and_says_so(
    world: World, tmp_path: Path
) -> None:
    """Somebody may read silences and not make them, as Grafana's roles allow."""

    def answer(request: Request) -> Reply:
        if request.method == "POST":
            return Reply(b'{"message":"no \\u001b[31mpermission"}', 403, "application/json")
        url = world.manager.origin + request.path
        return Reply(json.dumps(ask(url)).encode(), content_type="application/json")

    with web_server(answer) as reading:
        config = written(tmp_path, world)
        write_config(config, config.read_text().replace(world.proxy.url, reading.url))
        with console(config) as engine, actor(config) as acting:
            try:
                fired = await until(engine, lambda seen: "alert_page" in rules(seen))
                outcome = await wish(acting, fired, "ack")
            finally:
                await engine.close()
            assert outcome.kind == "partial"
            assert "it is held local alone" in outcome.sentence
            assert "403" in outcome.sentence
            assert outcome.sentence.isprintable()
            (entry,) = acting.bench.journal.entries(Question(kinds=("ack",)))
            assert entry.details["place"] == ""
            assert len([each for each in reading.requests if each.method == "POST"]) == 1


async def test_an_edited_silence_that_gets_a_new_id_is_noticed_and_stays_one(
    world: World, tmp_path: Path
) -> None:
    config = written(tmp_path, world)
    with console(config) as engine, actor(config) as acting:
        try:
            fired = await until(engine, lambda seen: "alert_page" in rules(seen))
            await wish(acting, fired, "ack")
            (silence,) = world.silences()
            world.manager.expire(silence["id"])  # somebody takes it away behind our back
            outcome = await wish(acting, await engine.tick(), "ack", ttl_seconds=7200.0)
            assert outcome.kind == "applied"
            (again,) = world.silences()
            assert again["id"] != silence["id"]
        finally:
            await engine.close()


async def test_what_was_cut_off_after_it_was_sent_is_read_back_and_never_sent_again(
    world: World, tmp_path: Path
) -> None:
    config = written(tmp_path, world)
    with console(config) as engine, actor(config) as acting:
        try:
            fired = await until(engine, lambda seen: "alert_page" in rules(seen))

            def cut_off(stage: str, _sentence: str) -> None:
                if stage == "sent":
                    raise KeyboardInterrupt

            dying = ActionExecutor(acting.bench, "armed", cut_off)
            with pytest.raises(KeyboardInterrupt):
                await wish(dying, fired, "ack")
            assert acting.bench.journal.entries(Question(kinds=("ack",))) == ()
            assert len(acting.bench.journal.unsettled()) == 1
            (outcome,) = await settle_all(acting.bench)
            assert outcome.kind == "applied"
            (entry,) = acting.bench.journal.entries(Question(kinds=("ack",)))
            assert (entry.details["step"], entry.details["place"]) == ("taken", "am")
            assert len(world.silences()) == 1

            await next_second()
            with pytest.raises(KeyboardInterrupt):
                await wish(dying, fired, "ack", ttl_seconds=5400.0)
            again = await wish(acting, fired, "ack", ttl_seconds=7200.0)
            assert again.kind == "applied"
            assert [each.details["step"] for each in acks(acting)] == [
                "taken", "renewed", "renewed",
            ]  # fmt: skip
            assert len(world.silences()) == 1
        finally:
            await engine.close()


async def test_what_nobody_could_read_back_is_found_again_and_never_made_twice(
    world: World, tmp_path: Path
) -> None:
    config = written(tmp_path, world)
    with console(config) as engine, actor(config) as acting:
        try:
            fired = await until(engine, lambda seen: "alert_page" in rules(seen))
            made = [False]

            def away_once_made(reply: Reply) -> Reply:
                made[0] = made[0] or b"silenceID" in reply.body
                return Reply(b"away", 503) if made[0] else reply

            world.proxy.spoil = away_once_made
            outcome = await wish(acting, fired, "ack")
            assert outcome.kind == "unverified"
            world.proxy.spoil = None
            entry = last_ack(acting)
            assert (entry.details["place"], entry.details["certain"]) == ("am", False)
            (silence,) = world.silences()

            again = await wish(acting, fired, "ack", ttl_seconds=7200.0)
            assert again.kind == "applied"
            (same,) = world.silences()
            assert same["id"] == silence["id"]
            kinds = [each.kind for each in acting.bench.journal.entries(Question(after_seq=1))]
            assert kinds == ["intent", "outcome", "ack", "observed", "intent", "outcome", "ack"]
            assert last_ack(acting).details["step"] == "renewed"
        finally:
            world.proxy.spoil = None
            await engine.close()


async def test_of_two_people_at_once_one_takes_it_with_one_silence(
    world: World, tmp_path: Path
) -> None:
    config = written(tmp_path, world)
    with (
        console(config) as engine,
        actor(config) as ana,
        actor(config, name="ben", account="ben") as ben,
    ):
        try:
            fired = await until(engine, lambda seen: "alert_page" in rules(seen))
            outcomes = await asyncio.gather(
                wish(ana, fired, "ack"), wish(ben, fired, "ack"), return_exceptions=True
            )
            done = [
                each
                for each in outcomes
                if not isinstance(each, BaseException) and each.kind == "applied"
            ]
            assert len(done) == 1, outcomes
            for each in outcomes:
                refused = isinstance(each, ActionRefused)
                assert refused or each.kind in ("applied", "superseded"), each  # type: ignore[union-attr]
            (silence,) = world.silences()
            assert silence["createdBy"] == last_ack(ana).details["by"]
        finally:
            await engine.close()
