"""What became of a change is judged by the world, never by the answer."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING

import pytest

from console.actions.preview import preview_text, request_lines
from console.actions.recovery import WATCH_SECONDS
from console.actions.ttl_controller import Keeper
from console.domain.action import (
    ActionRefused,
    ActionRequest,
    Confirmation,
    NotConfirmed,
    WritesNotAllowed,
)
from console.journal import Question
from console.journal.override_log import overrides_in_force
from tests.actions.support import GLASS, YES, actor, do, trip, write_config
from tests.actions.world import World, config_toml, control_toml, world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def service() -> Iterator[World]:
    with world() as made:
        yield made


@pytest.fixture
def config(service: World, tmp_path: Path) -> Path:
    return write_config(tmp_path / "c.toml", config_toml(tmp_path / "j.db", [service.url]))


async def test_an_applied_change_is_written_before_and_after_and_begins_an_override(
    service: World, config: Path
) -> None:
    with actor(config) as acting:
        prepared, outcome = await do(acting, trip(ttl_seconds=600.0))
        assert outcome.kind == "applied"
        assert service.state("breaker") == "FORCED_OPEN"
        assert service.changes == [
            {"name": "breaker", "value": "FORCED_OPEN", "by": "ana", "why": "too many timeouts"}
        ]
        entries = acting.bench.journal.entries(Question(op_id=prepared.op_id))
        assert [each.kind for each in entries] == ["intent", "outcome", "override"]
        intent, done, _ = entries
        assert (intent.before, intent.wanted) == ("CLOSED", "FORCED_OPEN")
        assert intent.why == "too many timeouts"
        assert done.after == {service.url: "FORCED_OPEN"}
        assert "secret" not in json.dumps(intent.details)
        (held,) = overrides_in_force(acting.bench.journal)
        assert held.op_id == prepared.op_id
        assert held.ends_at == pytest.approx(intent.at + 600.0)
        assert [step.action for step in held.end] == ["half-open"]
        assert [step.action for step in held.undo] == ["reset"]
        assert acting.bench.journal.verify().ok


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_server_error_that_applied_is_applied(
    service: World, config: Path, status: int
) -> None:
    service.status = status
    with actor(config) as acting:
        _, outcome = await do(acting, trip())
        assert outcome.kind == "applied"


async def test_a_success_that_is_not_seen_may_still_come_and_is_watched(
    service: World, config: Path
) -> None:
    service.applies = False
    with actor(config) as acting:
        prepared, outcome = await do(acting, trip(ttl_seconds=600.0))
        assert outcome.kind == "unverified"
        assert "was sent and is not so yet: now CLOSED" in outcome.sentence
        assert "it may still come: midwatch keep watches it until" in outcome.sentence
        assert not outcome.in_force
        assert not overrides_in_force(acting.bench.journal)
        again = await acting.prepare(trip(), None)
        assert [each.level for each in again.guards if each.id == "may_come"] == ["warn"]
        assert not again.forbidden, "a way to act is not barred by what may come"
        service.states["breaker"] = "FORCED_OPEN"  # as an asynchronous backend does it, later
        keeper = Keeper(acting, lambda _: None)
        await keeper.look()
        (held,) = overrides_in_force(acting.bench.journal)
        (intent,) = acting.bench.journal.entries(Question(kinds=("intent",)))
        assert (held.op_id, held.certain) == (prepared.op_id, True)
        assert held.ends_at == pytest.approx(intent.at + 600.0)
        (seen,) = acting.bench.journal.entries(Question(kinds=("observed",)))
        assert seen.details["outcome"] == "applied"
        before = acting.bench.journal.head()
        await keeper.look()
        assert acting.bench.journal.head() == before, "said once"
        assert len(service.changes) == 1


async def test_what_never_comes_true_is_failed_in_the_end(service: World, config: Path) -> None:
    service.applies = False
    with actor(config) as acting:
        await do(acting, trip())
    with actor(config, clock=lambda: time.time() + WATCH_SECONDS + 60.0) as later:
        await Keeper(later, lambda _: None).look()
        (seen,) = later.bench.journal.entries(Question(kinds=("observed",)))
        assert seen.details["outcome"] == "failed"
        assert "did not come true within 5m" in str(seen.details["text"])
        assert not overrides_in_force(later.bench.journal)


async def test_a_third_state_is_an_outcome_of_its_own(service: World, config: Path) -> None:
    service.applies = False
    with actor(config) as acting:
        prepared = await acting.prepare(trip(), None)
        service.on_change = lambda: service.states.update(breaker="HALF_OPEN")
        outcome = await acting.perform(prepared, YES)
        assert outcome.kind == "diverged"
        assert "led to another state" in outcome.sentence
        assert "is HALF_OPEN" in outcome.sentence
        assert not overrides_in_force(acting.bench.journal)


@pytest.mark.parametrize(
    ("applies", "kind"), [(True, "applied"), (False, "superseded")], ids=["applied", "not"]
)
async def test_a_412_is_read_back_like_every_other_answer(
    service: World, config: Path, applies: bool, kind: str
) -> None:
    """A proxy that repeats a request makes a 412 of the change's own success."""
    service.applies, service.status = applies, 412
    with actor(config) as acting:
        _, outcome = await do(acting, trip(ttl_seconds=600.0))
        assert outcome.kind == kind
        held = overrides_in_force(acting.bench.journal)
        assert [each.certain for each in held] == ([True] if applies else [])
        if applies:
            assert "412" in outcome.sentence
        else:
            assert "nothing was changed by us" in outcome.sentence
            assert "CLOSED" in outcome.sentence


async def test_one_read_is_never_enough(service: World, config: Path) -> None:
    """A read that flaps: after a refusal it proves nothing, and before it no `already so`."""
    service.status, service.applies = 400, False
    with actor(config) as acting:
        prepared = await acting.prepare(trip(), None)
        sent = service.reads + 1
        service.flapping = lambda count: "FORCED_OPEN" if count == sent + 1 else "CLOSED"
        outcome = await acting.perform(prepared, YES)
        assert outcome.kind in ("rejected", "unverified")
        service.flapping = lambda count: "FORCED_OPEN" if count % 2 else "CLOSED"
        service.reads = 0
        prepared = await acting.prepare(trip(), None)
        assert prepared.already
        outcome = await acting.perform(prepared, YES)
        assert outcome.kind == "superseded"
        assert len(service.changes) == 1


async def test_an_answer_that_never_comes_is_settled_by_reading_back(
    service: World, config: Path
) -> None:
    service.hang_seconds = 1.5
    text = config.read_text().replace("read = 3.0, total = 4.0", "read = 0.6, total = 1.0")
    with actor(write_config(config.parent / "short.toml", text)) as acting:
        _, outcome = await do(acting, trip())
        assert outcome.kind == "applied"
        assert len(service.changes) == 1, "sent once, whatever the answer"


async def test_refused_before_a_byte_left_is_rejected_at_once(service: World, config: Path) -> None:
    service.after_read = lambda count: service.close() if count == 2 else None
    with actor(config) as acting:
        began_at = time.monotonic()
        _, outcome = await do(acting, trip())
        assert outcome.kind == "rejected"
        assert service.changes == []
        assert time.monotonic() - began_at < 15.0
        assert not overrides_in_force(acting.bench.journal)


async def test_a_definite_refusal_is_rejected_and_its_words_are_harmless(
    service: World, config: Path
) -> None:
    service.status, service.applies = 409, False
    service.body = b"\x1b[2J\x1b]0;gotcha\x07 not [bold]now[/bold]"
    with actor(config) as acting:
        prepared, outcome = await do(acting, trip())
        assert outcome.kind == "rejected"
        assert "\x1b" not in outcome.sentence
        assert "not [bold]now" in outcome.sentence
        kept = acting.bench.journal.entries(Question(op_id=prepared.op_id, kinds=("outcome",)))
        assert "\x1b" not in json.dumps(kept[0].details, ensure_ascii=False)


async def test_a_misspelt_breaker_is_never_sent(service: World, tmp_path: Path) -> None:
    wrong = control_toml("fraud-breaker", "breaker", [service.url], state="braeker")
    wrong = wrong.replace('value = "value"', 'value = "value"\nmissing = { status = [404] }')
    text = config_toml(tmp_path / "j.db", [service.url], breaker=wrong)
    with actor(write_config(tmp_path / "c.toml", text)) as acting:
        prepared = await acting.prepare(trip(), None)
        assert [guard.id for guard in prepared.forbidden] == ["impossible"]
        with pytest.raises(ActionRefused, match="is its name right"):
            await acting.perform(prepared, GLASS)
    assert service.changes == []


async def test_what_is_already_so_sends_nothing_and_says_so(service: World, config: Path) -> None:
    service.states["breaker"] = "FORCED_OPEN"
    with actor(config) as acting:
        _, outcome = await do(acting, trip())
        assert outcome.kind == "no_op"
        assert service.changes == []
        assert not overrides_in_force(acting.bench.journal)


async def test_a_change_between_preview_and_send_supersedes(service: World, config: Path) -> None:
    with actor(config) as acting:
        prepared = await acting.prepare(trip(), None)
        service.states["breaker"] = "OPEN"
        outcome = await acting.perform(prepared, YES)
        assert outcome.kind == "superseded"
        assert "was CLOSED and is OPEN now" in outcome.sentence
        assert service.changes == []
        # Not locked: looking again is all that is asked for.
        assert (await do(acting, trip()))[1].kind == "applied"


async def test_three_of_four_targets_is_partial_and_names_the_fourth(tmp_path: Path) -> None:
    with world() as one, world() as two, world() as three, world(applies=False) as four:
        urls = [each.url for each in (one, two, three, four)]
        config = write_config(tmp_path / "c.toml", config_toml(tmp_path / "j.db", urls))
        with actor(config) as acting:
            _, outcome = await do(acting, trip())
            assert (outcome.kind, outcome.done, outcome.total) == ("partial", 3, 4)
            assert dict(outcome.after)[four.url] == "CLOSED"
            (held,) = overrides_in_force(acting.bench.journal)
            assert not held.certain


async def test_a_state_that_will_not_stay_is_unverified_and_locks_until_it_can_be_read(
    service: World, config: Path
) -> None:
    with actor(config) as acting:
        prepared = await acting.prepare(trip(), None)
        service.flapping = lambda count: (
            "CLOSED" if not service.changes or count % 2 else "FORCED_OPEN"
        )
        outcome = await acting.perform(prepared, YES)
        assert outcome.kind == "unverified"
        service.read_status = 503
        again = await acting.prepare(trip(), None)
        assert "unverified" in {guard.id for guard in again.forbidden}
        with pytest.raises(ActionRefused, match="midwatch resolve"):
            await acting.perform(again, GLASS)
        service.read_status, service.flapping = 200, None
        free = await acting.prepare(trip(), None)
        assert free.forbidden == ()
        assert free.already, "what was unverified is read back as in force"
        assert len(service.changes) == 1, "verified, never sent again"


async def test_absent_by_404_is_a_state_like_any_other(service: World, tmp_path: Path) -> None:
    unload = control_toml(
        "fraud-breaker",
        "breaker",
        [service.url],
        missing="missing = { status = [404], means = 'FORCED_OPEN' }",
    ).replace('value = "FORCED_OPEN", by', "by")
    text = config_toml(tmp_path / "j.db", [service.url], breaker=unload)
    with actor(write_config(tmp_path / "c.toml", text)) as acting:
        _, outcome = await do(acting, trip())
        assert outcome.kind == "applied"
        assert "breaker" not in service.states
        assert outcome.after == ((service.url, "FORCED_OPEN"),)


async def test_two_operators_at_once_send_once(service: World, config: Path) -> None:
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
        third = await ben.prepare(trip(), None)
        assert any("ana: trip fraud-scorer" in each or "ben: trip" in each for each in third.others)


async def test_a_reader_that_has_gone_cuts_nothing_off(service: World, config: Path) -> None:
    def gone(_stage: str, _sentence: str) -> None:
        raise BrokenPipeError

    with actor(config) as acting:
        acting.progress = gone
        prepared, outcome = await do(acting, trip())
        assert outcome.kind == "applied"
        kinds = [each.kind for each in acting.bench.journal.entries(Question(op_id=prepared.op_id))]
        assert kinds == ["intent", "outcome", "override"]


async def test_a_note_in_between_does_not_stand_against_it(service: World, config: Path) -> None:
    from console.domain.entry import EntryDraft

    with actor(config) as ana, actor(config, name="ben") as ben:
        prepared = await ana.prepare(trip(), None)
        note = EntryDraft(kind="note", at=time.time(), target="fraud-scorer", why="looking")
        await asyncio.to_thread(ben.bench.journal.append, note)
        assert (await ana.perform(prepared, YES)).kind == "applied"


async def test_a_clock_that_stands_behind_changes_nothing_but_the_times(
    service: World, config: Path
) -> None:
    with actor(config) as ana, actor(config, name="ben", clock=lambda: time.time() - 90.0) as ben:
        assert (await do(ana, trip()))[1].kind == "applied"
        request = ActionRequest("half-open", "fraud-scorer", "let it probe")
        prepared, outcome = await do(ben, request)
        assert outcome.kind == "applied"
        assert prepared.others == ("ana: trip fraud-scorer 1s ago (applied)",)
        assert ana.bench.journal.verify().ok


async def test_a_secret_that_hangs_holds_nothing_up(service: World, tmp_path: Path) -> None:
    asks = control_toml(
        "fraud-breaker",
        "breaker",
        [service.url],
        auth='auth = { type = "bearer", secret = "cmd:sleep 60" }',
    )
    text = config_toml(tmp_path / "j.db", [service.url], breaker=asks)
    with actor(write_config(tmp_path / "c.toml", text)) as acting:
        began_at = time.monotonic()
        prepared = await acting.prepare(trip(), None)
        assert time.monotonic() - began_at < 20.0
        assert {"state_unknown"} <= {guard.id for guard in prepared.guards}
        assert service.changes == []


async def test_nothing_is_done_without_reason_confirmation_or_leave(
    service: World, config: Path
) -> None:
    with actor(config) as acting:
        prepared = await acting.prepare(trip(), None)
        with pytest.raises(NotConfirmed, match="not confirmed"):
            await acting.perform(prepared, Confirmation())
        empty = await acting.prepare(ActionRequest("trip", "fraud-scorer", " "), None)
        with pytest.raises(NotConfirmed, match="say why"):
            await acting.perform(empty, YES)
        acting.mode = "read_only"
        with pytest.raises(WritesNotAllowed, match="read-only"):
            await acting.perform(prepared, GLASS)
    assert service.changes == []


async def test_the_name_is_typed_for_what_is_held_without_an_end(
    service: World, config: Path
) -> None:
    with actor(config) as acting:
        prepared = await acting.prepare(trip(), None)
        assert prepared.enforced_by == "nobody"
        assert prepared.confirm_class == "C2"
        assert "NO END" in preview_text(prepared)
        with pytest.raises(NotConfirmed, match="name was not typed"):
            await acting.perform(prepared, Confirmation(yes=True, typed="payments"))
        done = await acting.perform(prepared, Confirmation(yes=True, typed="fraud-scorer"))
        assert done.kind == "applied"


async def test_the_preview_shows_request_inverse_and_command(service: World, config: Path) -> None:
    with actor(config) as acting:
        prepared = await acting.prepare(trip(ttl_seconds=900.0), None)
        lines = request_lines(prepared)
        assert ("call", f"PUT {service.url}/state/breaker") in lines
        assert ("inverse", f"PUT {service.url}/state/breaker") in lines
        command = "midwatch trip fraud-scorer --reason 'too many timeouts' --ttl 15m"
        assert ("shell", command) in lines
        assert "unproven" in preview_text(prepared)


async def test_leaving_the_allowed_region_needs_a_second_person_or_break_glass(
    service: World, config: Path
) -> None:
    request = ActionRequest("fallback", "fraud-scorer", "feature store away", to="fraud-far")
    with actor(config) as acting:
        prepared = await acting.prepare(request, None)
        assert prepared.confirm_class == "C3"
        assert [guard.id for guard in prepared.refused] == ["residency"]
        with pytest.raises(NotConfirmed, match="may be served in eu only"):
            await acting.perform(prepared, YES)
        assert service.changes == []
        assert (await acting.perform(prepared, GLASS)).kind == "applied"
        kinds = [each.kind for each in acting.bench.journal.entries(Question(op_id=prepared.op_id))]
        assert kinds[0] == "break_glass"


@pytest.mark.parametrize(
    ("request_", "reason"),
    [
        (ActionRequest("trip", "fraud-scoer", "why not"), 'did you mean "fraud-scorer"'),
        (ActionRequest("trip", "features", "why not"), "write dep:features"),
        (ActionRequest("trip", "dep:feature", "why not"), 'did you mean "features"'),
        (ActionRequest("fallback", "dep:features", "why not", to="x"), "is for models"),
        (ActionRequest("trip", "payments", "why not"), "it has no control at all"),
        (ActionRequest("fallback", "fraud-scorer", "why not", to="fraud-smal"), "fraud-small"),
        (ActionRequest("rollback", "fraud-scorer", "why not"), "cannot rollback"),
        (ActionRequest("trip", "fraud-scorer", "why not", ttl_seconds=1e9), "between 1s and 7d"),
    ],
)
async def test_what_cannot_be_is_refused_with_a_hint(
    config: Path, request_: ActionRequest, reason: str
) -> None:
    with actor(config) as acting, pytest.raises(ActionRefused, match=reason):
        await acting.prepare(request_, None)
