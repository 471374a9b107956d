"""Overrides end, are renewed and undone through the same pipeline, by people and by the keeper."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from console.actions.ttl_controller import Keeper
from console.actions.undo import prepare_end, prepare_renew, prepare_undo
from console.domain.action import ActionRefused, ActionRequest, Confirmation, NotConfirmed
from console.journal import Question
from console.journal.override_log import fold_overrides, named_overrides, overrides_in_force
from tests.actions.support import GLASS, YES, actor, do, trip, write_config
from tests.actions.world import World, config_toml, control_toml, world

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from console.actions.executor import ActionExecutor
    from console.domain.action import Override


@pytest.fixture
def service() -> Iterator[World]:
    with world() as made:
        yield made


@pytest.fixture
def config(service: World, tmp_path: Path) -> Path:
    return write_config(tmp_path / "c.toml", config_toml(tmp_path / "j.db", [service.url]))


def held(acting: ActionExecutor) -> tuple[Override, ...]:
    return overrides_in_force(acting.bench.journal)


def switch(to: str, **options: object) -> ActionRequest:
    return ActionRequest("fallback", "fraud-scorer", "go over", to=to, **options)  # type: ignore[arg-type]


async def test_an_end_leads_to_the_safe_state_and_never_straight_to_closed(
    service: World, config: Path
) -> None:
    with actor(config) as acting:
        await do(acting, trip())
        prepared = await prepare_end(acting, held(acting)[0], "all calm")
        assert prepared.confirm_class == "C1"
        assert (await acting.perform(prepared, Confirmation(yes=True))).kind == "applied"
        assert service.state("breaker") == "HALF_OPEN"
        assert held(acting) == ()


async def test_a_renamed_model_orphans_nothing(service: World, config: Path) -> None:
    with actor(config) as acting:
        await do(acting, trip())
    text = config.read_text(encoding="utf-8").replace("models.fraud-scorer", "models.scorer")
    config.write_text(text.replace('["fraud-scorer"]', '["scorer"]'), encoding="utf-8")
    with actor(config) as acting:
        prepared = await prepare_end(acting, held(acting)[0], "all calm")
        assert (await acting.perform(prepared, Confirmation(yes=True))).kind == "applied"
        assert service.state("breaker") == "HALF_OPEN"
        assert held(acting) == ()


async def test_an_override_over_an_override_ends_where_the_first_would(
    service: World, config: Path
) -> None:
    service.states["route"] = "primary"
    with actor(config) as acting:
        await do(acting, switch("fraud-small"))
        await do(acting, ActionRequest("human", "fraud-scorer", "people now"))
        (only,) = held(acting)
        assert only.verb == "human"
        assert [step.action for step in only.end] == ["restore"]
        prepared = await prepare_end(acting, only, "done")
        assert (await acting.perform(prepared, YES)).kind == "applied"
        assert service.state("route") == "primary"


async def test_a_restore_ends_what_it_replaces(service: World, config: Path) -> None:
    with actor(config) as acting:
        prepared, _ = await do(acting, switch("fraud-small"))
        await do(acting, trip())
        await do(acting, ActionRequest("restore", "fraud-scorer", "calm again"))
        (left,) = held(acting)
        assert left.verb == "trip", "the breaker is another thing than the route"
        ended = acting.bench.journal.entries(
            Question(op_id=prepared.op_id, kinds=("override_ended",))
        )
        assert ended[0].why == "replaced by restore"


async def test_undo_goes_back_to_what_was_seen(service: World, config: Path) -> None:
    with actor(config) as acting:
        done, _ = await do(acting, trip())
        prepared = await prepare_undo(acting, done.op_id, "wrong one", None, None)
        assert prepared.confirm_class == "C1", "within 30 s it is light"
        assert (await acting.perform(prepared, Confirmation(yes=True))).kind == "applied"
        assert service.state("breaker") == "CLOSED"
        assert held(acting) == ()
        with pytest.raises(ActionRefused, match="undo that first"):
            await prepare_undo(acting, done.op_id, "again", None, None)


async def test_undo_later_is_an_action_like_any_other(service: World, config: Path) -> None:
    with actor(config) as acting:
        done, _ = await do(acting, trip())
    with actor(config, clock=lambda: time.time() + 60.0) as later:
        prepared = await prepare_undo(later, done.op_id, "wrong one", None, None)
        assert prepared.request.verb == "reset"
        assert prepared.confirm_class == "C2"


async def test_a_breaker_that_was_open_by_itself_is_not_closed_by_undo(
    service: World, config: Path
) -> None:
    service.states["breaker"] = "OPEN"
    with actor(config) as acting:
        done, _ = await do(acting, trip())
        prepared = await prepare_undo(acting, done.op_id, "wrong one", None, None)
        await acting.perform(prepared, YES)
        assert service.state("breaker") == "HALF_OPEN"


async def test_a_threshold_goes_back_to_its_value_before(service: World, config: Path) -> None:
    with actor(config) as acting:
        await do(acting, ActionRequest("threshold", "fraud-scorer", "more review", value=0.8))
        assert service.state("threshold") == 0.8
        (only,) = held(acting)
        prepared = await prepare_end(acting, only, "enough")
        assert (await acting.perform(prepared, YES)).kind == "applied"
        assert service.state("threshold") == 0.6
        assert held(acting) == (), "going back holds nothing"


async def test_renewing_sends_again_and_moves_the_end(service: World, config: Path) -> None:
    with actor(config) as acting:
        await do(acting, trip(ttl_seconds=60.0))
        (only,) = held(acting)
        prepared = await prepare_renew(acting, only, "still away", 7200.0, None)
        assert (await acting.perform(prepared, YES)).kind == "applied"
        assert len(service.changes) == 2
        (renewed,) = held(acting)
        assert renewed.op_id == only.op_id
        assert renewed.ends_at == pytest.approx(time.time() + 7200.0, abs=10.0)


async def test_what_is_no_longer_in_force_cannot_be_renewed(service: World, config: Path) -> None:
    with actor(config) as acting:
        await do(acting, trip())
        service.states["breaker"] = "CLOSED"
        prepared = await prepare_renew(acting, held(acting)[0], "still away", None, None)
        with pytest.raises(ActionRefused, match="no longer in force: now CLOSED"):
            await acting.perform(prepared, YES)


async def test_a_renewal_the_service_refuses_is_not_applied(service: World, config: Path) -> None:
    with actor(config) as acting:
        await do(acting, trip(ttl_seconds=60.0))
        (only,) = held(acting)
        service.status, service.applies = 409, False
        prepared = await prepare_renew(acting, only, "still away", 7200.0, None)
        assert (await acting.perform(prepared, YES)).kind == "rejected"
        assert held(acting)[0].ends_at == only.ends_at


async def test_names_find_an_override(service: World, config: Path) -> None:
    with actor(config) as acting:
        done, _ = await do(acting, trip())
        found = held(acting)
        for name in (done.op_id, done.op_id.lower(), done.op_id[-6:], "fraud-scorer"):
            assert named_overrides(found, name) == found
        await do(acting, switch("fraud-small"))
        with pytest.raises(ActionRefused, match="names 2 overrides"):
            acting.override("fraud-scorer")
        entries = acting.bench.journal.entries(Question())
        whole = fold_overrides(entries)
        half = fold_overrides(entries[6:], fold_overrides(entries[:6]))
        assert whole == half == held(acting)


def moved_clock() -> tuple[Callable[[], float], list[float]]:
    """Return a clock and how far it is ahead of this machine's, in seconds, to be moved."""
    ahead = [0.0]
    return lambda: time.time() + ahead[0], ahead


async def test_the_keeper_ends_what_is_due_and_nothing_else(service: World, config: Path) -> None:
    told: list[str] = []
    clock, ahead = moved_clock()
    with (
        actor(config, clock=clock) as acting,
        actor(config, name="keeper", account="midwatch", clock=clock) as keeping,
    ):
        keeper = Keeper(keeping, told.append)
        await do(acting, trip(ttl_seconds=600.0))
        await do(acting, switch("fraud-small", ttl_seconds=3600.0))
        assert await keeper.look() <= 600.0
        assert service.state("breaker") == "FORCED_OPEN"
        ahead[0] = 601.0
        await keeper.look()
        assert service.state("breaker") == "HALF_OPEN"
        (left,) = held(acting)
        assert left.verb == "fallback"
        (entry,) = acting.bench.journal.entries(Question(kinds=("override_ended",)))
        assert entry.who.name == "keeper"
        assert "its end was due; begun: too many timeouts" in entry.why
        assert told[-1].startswith("ended: trip fraud-scorer by ana")


async def test_while_a_keeper_lives_an_override_has_an_end(service: World, config: Path) -> None:
    with actor(config) as acting, actor(config, name="keeper", account="midwatch") as keeping:
        keeper = Keeper(keeping, lambda _: None)
        assert (await acting.prepare(trip(), None)).enforced_by == "nobody"
        await keeper.look()
        prepared = await acting.prepare(trip(), None)
        assert prepared.enforced_by == "keeper"
        assert prepared.confirm_class == "C1"
        await keeper.leave()
        assert (await acting.prepare(trip(), None)).enforced_by == "nobody"


async def test_only_one_keeper_keeps(service: World, config: Path) -> None:
    told: list[str] = []
    clock, ahead = moved_clock()
    with actor(config, clock=clock) as one, actor(config, name="second", clock=clock) as two:
        await do(one, trip(ttl_seconds=6.0))
        first, second = Keeper(one, lambda _: None), Keeper(two, told.append)
        await first.look()
        ahead[0] = 6.5
        await second.look()
        assert service.state("breaker") == "FORCED_OPEN"
        assert "standing by" in told[0]
        await first.leave()
        await second.look()
        assert service.state("breaker") == "HALF_OPEN"


async def test_an_end_that_fails_stays_overdue_shouts_and_is_tried_again(
    service: World, config: Path
) -> None:
    told: list[str] = []
    clock, ahead = moved_clock()
    with actor(config, clock=clock) as acting:
        keeper = Keeper(acting, told.append)
        await do(acting, trip(ttl_seconds=600.0))
        service.applies = False
        ahead[0] = 4000.0
        await keeper.look()
        assert "OVERDUE by 5" in told[-1], "56 minutes and some"
        (left,) = held(acting)
        assert left.state(acting.bench.clock()) == "overdue"
        service.applies = True
        await keeper.look()
        assert service.state("breaker") == "FORCED_OPEN", "not hammered: it waits before a retry"
        ahead[0] = 4300.0
        await keeper.look()
        assert service.state("breaker") == "HALF_OPEN"


async def test_what_ended_by_another_hand_is_noted_and_not_touched(
    service: World, config: Path
) -> None:
    told: list[str] = []
    clock, ahead = moved_clock()
    with actor(config, clock=clock) as acting:
        keeper = Keeper(acting, told.append)
        await do(acting, trip(ttl_seconds=600.0))
        service.states["breaker"] = "CLOSED"
        changes = len(service.changes)
        ahead[0] = 601.0
        await keeper.look()
        assert held(acting) == ()
        assert len(service.changes) == changes
        assert "was CLOSED already, nothing was sent" in told[-1]


async def test_what_is_lost_before_its_end_is_written_down_once(
    service: World, config: Path
) -> None:
    told: list[str] = []
    ahead = [0.0]
    with actor(config, clock=lambda: time.time() + ahead[0]) as acting:
        keeper = Keeper(acting, told.append)
        await do(acting, trip(ttl_seconds=3600.0))
        service.states["breaker"] = "CLOSED"  # as after a restart: breakers live in memory
        for _ in range(4):
            ahead[0] += 11.0
            await keeper.look()
        assert [line for line in told if line.startswith("LOST")] == [
            "LOST: trip fraud-scorer by ana: now CLOSED, and not by us"
        ]
        (lost,) = held(acting)
        assert lost.lost == "CLOSED"
        assert len(service.changes) == 1, "nobody is overruled by a watcher"


async def test_many_at_once_are_c3_each(service: World, config: Path) -> None:
    with actor(config) as acting:
        for request in (trip(), switch("fraud-small")):
            prepared = await acting.prepare(request, None, at_once=2)
            assert prepared.confirm_class == "C3"
            with pytest.raises(NotConfirmed):
                await acting.perform(prepared, YES)
            assert (await acting.perform(prepared, GLASS)).kind == "applied"


async def test_a_way_back_by_an_action_no_command_is_named_after(
    service: World, tmp_path: Path
) -> None:
    own = control_toml("fraud-route", "route", [service.url]).replace(".restore]", ".clear]")
    text = config_toml(tmp_path / "j.db", [service.url]).replace(
        control_toml("fraud-route", "route", [service.url]), own
    )
    with actor(write_config(tmp_path / "own.toml", text)) as acting:
        await do(acting, switch("fraud-small"))
        (only,) = held(acting)
        assert only.ends_in == "clear"
        prepared = await prepare_end(acting, only, "calm again")
        assert (await acting.perform(prepared, YES)).kind == "applied"
        assert service.state("route") == "primary"
        assert held(acting) == ()


async def test_what_was_shown_too_long_ago_is_not_sent(service: World, config: Path) -> None:
    ahead = [0.0]
    with actor(config, clock=lambda: time.time() + ahead[0]) as acting:
        prepared = await acting.prepare(trip(), None)
        ahead[0] = 1000.0
        assert (await acting.perform(prepared, YES)).kind == "superseded"
        assert service.changes == []
