"""The rhythm of one source: never twice at once, slow questions once a minute, stretched, stale."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest

from console.domain.samples import Answer
from console.engine.polling import Poller
from console.metrics.queries import Query
from console.sources.base import Discovery
from tests.engine.fakes import NOW, FakeSource, query, seen


@dataclass
class Notes:
    """A desk that only remembers."""

    queries: tuple[Query, ...] = ()
    answers: list[list[str]] = field(default_factory=list)
    discoveries: int = 0
    problems: list[str] = field(default_factory=list)

    def discovered(self, source: str, discovery: Discovery) -> None:
        self.discoveries += 1

    def questions(self, source: str, now: float) -> tuple[Query, ...]:
        return self.queries

    def answered(self, source: str, answers: Sequence[Answer]) -> None:
        self.answers.append([each.query_id for each in answers])

    def problem(self, sentence: str) -> None:
        self.problems.append(sentence)


TICK = query("latency_p95")
SLOW = query("drift_psi", cadence="slow")


@pytest.fixture
def source() -> FakeSource:
    return FakeSource(models=seen("alpha"), values={"latency_p95": 1.0, "drift_psi": 0.1})


def poller_of(source: FakeSource, notes: Notes | None = None) -> Poller:
    return Poller(source, notes or Notes((TICK, SLOW)), dict, 5.0)


async def poll(poller: Poller, now: float) -> bool:
    started = poller.start(now)
    await poller.finished()
    return started


async def test_slow_questions_are_asked_once_a_minute(source: FakeSource) -> None:
    poller = poller_of(source)
    for seconds in range(0, 65, 5):
        assert await poll(poller, NOW + seconds)
    ticks = [asked for asked in source.asked if asked == ["latency_p95"]]
    slow = [asked for asked in source.asked if asked == ["drift_psi"]]
    assert (len(ticks), len(slow)) == (13, 2)


async def test_discovery_is_repeated_every_minute(source: FakeSource) -> None:
    notes = Notes((TICK,))
    poller = poller_of(source, notes)
    for seconds in range(0, 65, 5):
        await poll(poller, NOW + seconds)
    assert notes.discoveries == 2


async def test_a_new_slow_question_does_not_wait_for_the_minute(source: FakeSource) -> None:
    notes = Notes((TICK,))
    poller = poller_of(source, notes)
    await poll(poller, NOW)
    notes.queries = (TICK, SLOW)
    await poll(poller, NOW + 5)
    assert source.asked[-1] == ["drift_psi"]


async def test_polls_of_one_source_never_overlap(source: FakeSource) -> None:
    source.delay_seconds = 0.05
    poller = poller_of(source)
    assert poller.start(NOW)
    assert not poller.start(NOW + 5)
    assert not poller.start(NOW + 10)
    await poller.finished()
    assert poller.start(NOW + 15)
    await poller.finished()
    assert source.most_under_way == 1


async def test_a_busy_server_is_asked_less_often(source: FakeSource) -> None:
    poller = poller_of(source, Notes((TICK,)))
    source.server_seconds, source.delay_seconds = 1.4, 0.6
    await poll(poller, NOW)
    assert poller.cadence_seconds == 5.0
    await poll(poller, NOW + 5)
    assert poller.cadence_seconds == 10.0
    assert poller.status(NOW + 5).cadence_seconds == 10.0
    assert not await poll(poller, NOW + 10)
    source.server_seconds = 0.2
    assert await poll(poller, NOW + 15)
    assert poller.cadence_seconds == 5.0


async def test_requests_that_wait_for_one_another_make_no_server_busy(source: FakeSource) -> None:
    poller = poller_of(source, Notes((TICK,)))
    source.server_seconds = 2.5
    for seconds in (0, 5, 10):
        await poll(poller, NOW + seconds)
    assert poller.cadence_seconds == 5.0
    assert poller.status(NOW + 10).server_seconds < 1.0


async def test_silence_makes_a_source_stale_whatever_it_says_itself(source: FakeSource) -> None:
    poller = poller_of(source)
    await poll(poller, NOW)
    assert poller.status(NOW + 14).state == "up"
    status = poller.status(NOW + 16)
    assert (status.state, status.error) == ("stale", "no answer for 16 s")


async def test_a_source_that_is_down_is_told_apart_from_a_fault_of_ours(source: FakeSource) -> None:
    notes = Notes((TICK,))
    poller = poller_of(source, notes)
    await poll(poller, NOW)
    source.crash = ValueError("a fault \x1b[2J")
    await poll(poller, NOW + 5)
    status = poller.status(NOW + 5)
    assert status.state == "stale"
    assert status.error is not None
    assert "\x1b" not in status.error
    assert notes.problems
    source.crash, notes.problems[:] = None, []
    await poll(poller, NOW + 10)
    assert poller.status(NOW + 10).state == "up"
    assert not notes.problems


async def test_the_first_part_is_ready_before_slow_questions(
    source: FakeSource,
) -> None:
    notes = Notes((TICK,))
    poller = poller_of(source, notes)
    await poll(poller, NOW)
    source.delay_seconds = 0.05
    notes.queries = (TICK, SLOW)
    poller.start(NOW + 5)
    await asyncio.wait_for(poller.first_part(), 1.0)
    assert poller.busy
    await poller.finished()
    assert notes.answers[-1] == [SLOW.id]


async def test_closing_ends_the_poll_under_way(source: FakeSource) -> None:
    source.delay_seconds = 60.0
    poller = poller_of(source)
    poller.start(NOW)
    await asyncio.sleep(0)
    await asyncio.wait_for(poller.close(), 1.0)
    assert source.closed
    assert not poller.busy
