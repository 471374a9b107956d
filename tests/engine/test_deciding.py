"""Deciding through the engine's write side, as the console does: real journal, real server."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from console.actions.decision_record import DecisionWish
from console.domain.action import ActionRefused, Confirmation
from console.engine.write_service import Acting
from console.journal import open_journal
from console.settings.load import Flags, Loaded, load
from console.settings.secrets import SecretResolver, list_references
from tests.actions.test_sending_contract import MODEL, SECRET, wish, with_grafana
from tests.controls.grafana import grafana
from tests.engine.keep_record import WHO
from tests.support.decisions import decision, taken


def loaded_from(path: Path, *, write: bool = True) -> Loaded:
    return load(Flags(config=path, write=write), {"HOME": str(path.parent), "USER": "ana"})


@asynccontextmanager
async def acting_on(path: Path, *, write: bool = True) -> AsyncIterator[Acting]:
    loaded = loaded_from(path, write=write)
    resolver = SecretResolver([each.reference for each in list_references(loaded.settings)], {})
    resolver.start()
    acting = Acting(loaded, resolver, {"USER": "ana"})
    try:
        yield acting
    finally:
        await acting.close()
        resolver.close()


def keep(made: DecisionWish, name: str) -> DecisionWish:
    return DecisionWish(made.model, made.kind, made.reason, made.review_by, id=name)


async def test_what_was_shown_is_what_is_written_and_sent(tmp_path: Path) -> None:
    with grafana() as charts:
        async with acting_on(with_grafana(tmp_path, charts.url)) as acting:
            first = await acting.prepare_decision(wish(), None, None)
            again = await acting.prepare_decision(keep(wish(), first.decision.id), None, None)
            assert again.decision.id == first.decision.id
            record = await acting.write_decision(again)
            assert (record.decision, record.pending) == (again.decision, False)
            (send,) = again.sends
            assert send.action is not None
            told: list[str] = []
            outcome = await acting.perform(
                send.action, Confirmation(yes=True), lambda stage, _: told.append(stage)
            )
            assert (outcome.kind, told) == ("applied", ["intent", "sent", "observed"])
            assert charts.posted == 1
            assert SECRET not in repr(again)


async def test_without_sinks_nothing_is_sent_and_a_later_entry_supersedes(tmp_path: Path) -> None:
    with grafana() as charts:
        path = with_grafana(tmp_path, charts.url)
        async with acting_on(path) as acting:
            made = await acting.prepare_decision(wish(), (), None)
            assert (made.sends, made.decision.sends) == ((), ())
            journal = open_journal(
                loaded_from(path).settings.journal.url, who=WHO, environment="test"
            )
            journal.append(taken(decision(model=MODEL)))
            journal.close()
            with pytest.raises(ActionRefused) as refused:
                await acting.write_decision(made)
            assert refused.value.guards[0].id == "superseded"
        assert charts.posted == 0


async def test_a_console_that_is_not_armed_writes_nothing(tmp_path: Path) -> None:
    with grafana() as charts:
        async with acting_on(with_grafana(tmp_path, charts.url), write=False) as acting:
            made = await acting.prepare_decision(wish(), None, None)
            with pytest.raises(ActionRefused, match="read-only"):
                await acting.write_decision(made)
        assert charts.posted == 0
