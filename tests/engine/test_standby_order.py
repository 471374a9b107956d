"""Who stands in for a source that is away, and when it is trusted again."""

from __future__ import annotations

from console.domain.samples import SourceState, SourceStatus
from console.engine.standby_order import HELD_SECONDS, Returns, stand_in, standbys
from console.settings.endpoint_tables import SourceSettings

ORDER = {"a": "b"}


def status(name: str, state: SourceState) -> SourceStatus:
    return SourceStatus(name, "prometheus", state=state)


def source(name: str, *, ha: bool = False, fallback: str | None = None) -> SourceSettings:
    return SourceSettings(name=name, kind="prometheus", url="http://x", ha=ha, fallback=fallback)


def test_the_order_is_what_is_declared_and_along_copies() -> None:
    sources = [source("a", ha=True), source("b", ha=True), source("c", fallback="a"), source("d")]

    assert standbys(sources) == {"a": "b", "c": "a"}
    assert standbys([source("a", fallback="direct")]) == {}


def test_the_first_that_is_not_away_stands_in() -> None:
    order = {"a": "b", "b": "c", "c": "a"}

    assert stand_in("a", order, ()) == "a"
    assert stand_in("a", order, {"a"}) == "b"
    assert stand_in("a", order, {"a", "b"}) == "c"
    assert stand_in("a", order, {"a", "b", "c"}) is None
    assert stand_in("d", order, {"d"}) is None


def test_where_all_are_away_whoever_spoke_last_goes_on() -> None:
    returns = Returns()
    order = {"a": "b"}
    night: list[tuple[SourceState, SourceState]] = [("up", "up"), ("down", "up"), ("down", "down")]
    told = [
        returns.speakers([status("a", a), status("b", b)], order, at)
        for at, (a, b) in enumerate(night)
    ]

    assert told == [{}, {"a": "b"}, {"a": "b"}]


def test_one_that_flaps_does_not_get_its_rows_back_at_every_answer() -> None:
    returns = Returns()
    changes = 0
    before: frozenset[str] = frozenset()
    # Ten minutes in which it is away for five seconds and up for ten, over and over.
    for second in range(600):
        state: SourceState = "down" if second % 15 < 5 else "up"
        away = returns.away([status("a", state)], ORDER, float(second))
        changes += away != before
        before = away

    assert changes == 1
    assert before == {"a"}


def test_one_that_stays_gets_its_rows_back_and_later_each_time() -> None:
    returns = Returns()

    def held_for(began: float) -> float:
        returns.away([status("a", "stale")], ORDER, began)
        at = began + 1.0
        while returns.away([status("a", "up")], ORDER, at):
            at += 1.0
        return at - began - 1.0

    assert held_for(0.0) == HELD_SECONDS
    assert held_for(60.0) == 2 * HELD_SECONDS
    assert held_for(180.0) == 4 * HELD_SECONDS
    assert held_for(5000.0) == HELD_SECONDS


def test_without_a_standby_it_has_its_rows_at_once() -> None:
    returns = Returns()

    assert returns.away([status("a", "down")], {}, 0.0) == {"a"}
    assert returns.away([status("a", "up")], {}, 5.0) == frozenset()
