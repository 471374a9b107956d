"""Changes that others tell of reach the Snapshot, in their own rhythm and with their own faults."""

import asyncio
from dataclasses import dataclass, field

from console.domain.snapshot import Change
from console.engine.outside_feeds import CADENCE_SECONDS, ChangeDesk
from console.evaluation.observations import Observed
from console.http.resilience import WireError
from console.incidents.annotations import ToldChanges
from console.settings.schema import ChangeSettings, Settings
from tests.engine.fakes import NOW

DEPLOY = Change(NOW - 60.0, "fraud", "config push #8812 (maria)")
DECLARED = Settings(changes=(ChangeSettings("g", "grafana", url="http://h"),))


@dataclass
class FakeTeller:
    """A place for changes under a test's thumb."""

    fault: Exception | None = None
    asked_at: list[float] = field(default_factory=list)
    closed: bool = False

    async def read(self, now: float) -> ToldChanges:
        self.asked_at.append(now)
        if self.fault is not None:
            raise self.fault
        return ToldChanges((DEPLOY,), ("a remark",))

    async def aclose(self) -> None:
        self.closed = True


def desk(teller: FakeTeller) -> ChangeDesk:
    return ChangeDesk(DECLARED, lambda _settings: teller)  # type: ignore[arg-type, return-value]


async def poll(made: ChangeDesk, now: float) -> Observed:
    tasks = made.start(now)
    if tasks:
        await asyncio.wait(tasks)
    return made.observe(Observed(), now)


async def test_a_place_is_asked_once_a_minute() -> None:
    teller = FakeTeller()
    made = desk(teller)
    for seconds in range(0, 130, 5):
        await poll(made, NOW + seconds)
    assert len(teller.asked_at) == 3
    seen = await poll(made, NOW + 130)
    assert seen.told == (DEPLOY,)
    (status,) = seen.change_sources
    assert (status.name, status.state, status.warnings) == ("g", "up", ("a remark",))


async def test_a_place_that_is_away_keeps_its_last_word_and_says_so() -> None:
    teller = FakeTeller()
    made = desk(teller)
    await poll(made, NOW)
    teller.fault = WireError("connect", "nobody listens")
    seen = await poll(made, NOW + CADENCE_SECONDS)
    assert seen.told == (DEPLOY,)
    assert (seen.change_sources[0].state, seen.change_sources[0].error) == (
        "stale",
        "nobody listens",
    )
    never = desk(FakeTeller(WireError("connect", "nobody listens")))
    assert (await poll(never, NOW)).change_sources[0].state == "down"


async def test_a_reload_keeps_a_place_that_did_not_change() -> None:
    teller = FakeTeller()
    made = desk(teller)
    await poll(made, NOW)
    await made.configure(DECLARED)
    assert made.observe(Observed(), NOW).told == (DEPLOY,)
    other = replace_tags(DECLARED)
    await made.configure(other)
    assert teller.closed
    assert made.observe(Observed(), NOW).told == ()
    await made.configure(Settings())
    assert made.observe(Observed(), NOW).change_sources == ()
    await made.close()


def replace_tags(settings: Settings) -> Settings:
    (place,) = settings.changes
    return Settings(changes=(ChangeSettings(place.name, "grafana", url=place.url, tags=("x",)),))
