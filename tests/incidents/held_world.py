"""A world in which incidents are held: a fleet, a Prometheus, an Alertmanager, lost answers."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from console.actions.executor import ActionExecutor
from console.actions.incident_executor import care_for
from console.domain.incident import CareWish
from console.engine.service import Engine
from console.journal import open_journal
from console.journal.store_base import Question
from console.settings.load import Flags, load
from tests.actions.support import write_config
from tests.incidents.servers import AlertmanagerServer, ask
from tests.incidents.test_real_life import Fleet, incident
from tests.journal.records import WHO
from tests.support.web import FaultyProxy, Reply

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from console.domain.action import Outcome
    from console.domain.alert import Incident
    from console.domain.entry import Entry
    from console.domain.snapshot import Snapshot

RULES = [
    {"alert": "ModelErrors", "expr": "alarm == 1", "labels": {"severity": "critical"}},
]


class World:
    """A fleet, its Prometheus, its Alertmanager, and what loses answers on the way to that."""

    def __init__(
        self, fleet: Fleet, manager: AlertmanagerServer, prometheus: str, proxy: FaultyProxy
    ) -> None:
        self.fleet, self.manager, self.prometheus, self.proxy = fleet, manager, prometheus, proxy

    def silences(self) -> list[dict[str, Any]]:
        found = ask(f"{self.manager.api}/silences")
        return [each for each in found if each["status"]["state"] != "expired"]

    def clear(self) -> None:
        self.proxy.spoil = None
        for each in self.silences():
            self.manager.expire(each["id"])


def written(directory: Path, world: World, extra: str = "") -> Path:
    return write_config(
        directory / "c.toml",
        f'version = 1\nrefresh = "1s"\nenvironment = "test"\nwrites = "armed"\n'
        f'operator = {{ name = "ana" }}\n[journal]\nurl = "sqlite:///{directory / "j.db"}"\n'
        f'[[sources]]\nname = "prom"\nkind = "prometheus"\nurl = "{world.prometheus}"\n'
        f'[[alerts]]\nname = "am"\nkind = "alertmanager"\nurl = "{world.proxy.url}"\n'
        f'timeout = "2s"\n{extra}[models.fraud]\nowner = "risk"\n',
    )


@contextmanager
def console(config: Path) -> Iterator[Engine]:
    """One console's engine, which follows the journal."""
    loaded = load(Flags(config=config), {"HOME": str(config.parent)})
    yield Engine(
        loaded,
        open_record=lambda settings: open_journal(
            settings.journal.url, who=WHO, environment="test", read_only=True
        ),
    )


def fraud(snapshot: Snapshot) -> Incident:
    found = incident(snapshot)
    assert found is not None
    return found


async def wish(acting: ActionExecutor, snapshot: Snapshot, verb: str, **more: object) -> Outcome:
    return await care_for(acting, CareWish(verb, "fraud", **more), snapshot)  # type: ignore[arg-type]


def acks(acting: ActionExecutor) -> tuple[Entry, ...]:
    return acting.bench.journal.entries(Question(kinds=("ack",)))


def last_ack(acting: ActionExecutor) -> Entry:
    return acks(acting)[-1]


def losing(world: World, lost: int = 1) -> list[int]:
    """Break off the next answers to what creates a silence, which Alertmanager has taken."""
    left = [lost]

    def spoil(reply: Reply) -> Reply:
        if b"silenceID" in reply.body and left[0] > 0:
            left[0] -= 1
            return Reply(reply.body, reply.status, "application/json", cut_to=0)
        return reply

    world.proxy.spoil = spoil
    return left
