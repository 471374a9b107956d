"""The beat of alerts: faults become sentences, slow down, and leave what was known with its age."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from console.domain.alert import Alert
from console.domain.severity import Severity
from console.engine.outside_feeds import AlertDesk
from console.evaluation.observations import Observed
from console.incidents.feeds import AlertAnswer, AlertReader, AlertsUnreadable
from console.settings.schema import AlertSettings, Settings, SourceSettings
from tests.engine.fakes import NOW

ALERT = Alert("f1", "am", "Errors", "firing", Severity.S1, NOW - 60.0, model="m")


@dataclass
class FakeReader:
    """A place for alerts under a test's thumb."""

    name: str = "am"
    kind: str = "alertmanager"
    fault: Exception | None = None
    warnings: tuple[str, ...] = ()
    offered: bool = True
    asked_at: list[float] = field(default_factory=list)
    hangs: bool = False
    closed: bool = False

    async def read(self, now: float) -> AlertAnswer:
        self.asked_at.append(now)
        if self.hangs:
            await asyncio.sleep(3600)
        if self.fault is not None:
            raise self.fault
        return AlertAnswer((ALERT,) if self.offered else (), self.warnings, self.offered)

    async def aclose(self) -> None:
        self.closed = True


def declared(name: str = "am", **more: object) -> AlertSettings:
    return AlertSettings(name=name, kind="alertmanager", url="http://h", **more)  # type: ignore[arg-type]


def settings(*places: AlertSettings) -> Settings:
    return Settings(alerts=places or (declared(),), refresh_seconds=5.0)


def desk(reader: AlertReader, chosen: Settings | None = None) -> AlertDesk:
    return AlertDesk(chosen or settings(), lambda _settings, _optional: reader)


async def poll(made: AlertDesk, now: float) -> Observed:
    tasks = made.start(now)
    if tasks:
        await asyncio.wait(tasks)
    return made.observe(Observed(), (), (), now)


async def test_an_answer_is_whole_and_a_silent_place_goes_stale() -> None:
    reader = FakeReader()
    made = desk(reader)
    starting = made.observe(Observed(), (), (), NOW)
    assert (starting.alerts_whole, starting.alert_sources[0].state) == (False, "starting")
    seen = await poll(made, NOW)
    assert seen.alerts_whole
    assert seen.alert_sources[0].state == "up"
    later = made.observe(Observed(), (), (), NOW + 20.0)
    assert later.alert_sources[0].state == "stale"
    assert later.alert_sources[0].error == "no answer for 20 s"
    assert (later.alerts_whole, later.incidents[0].stale_seconds) == (False, 20.0)


async def test_a_fault_keeps_what_is_known_slows_down_and_is_over_by_itself() -> None:
    reader = FakeReader()
    made = desk(reader)
    await poll(made, NOW)
    reader.fault = AlertsUnreadable("a login page")
    for second in range(5, 130, 5):
        seen = await poll(made, NOW + second)
        assert seen.alert_sources[0].state == "stale"
        assert seen.alert_sources[0].error == "a login page"
        assert seen.incidents[0].stale_seconds == second
    gaps = [
        after - before for before, after in zip(reader.asked_at, reader.asked_at[1:], strict=False)
    ]
    assert gaps == [5.0, 5.0, 10.0, 20.0, 40.0, 60.0][: len(gaps)]
    assert len(gaps) >= 5
    reader.fault = None
    made.hasten()
    again = await poll(made, NOW + 130.0)
    assert again.alerts_whole
    assert again.incidents[0].stale_seconds is None


async def test_a_fault_of_the_console_itself_is_told_and_not_raised() -> None:
    seen = await poll(desk(FakeReader(fault=KeyError("\x1b[2J"))), NOW)
    assert seen.alert_sources[0].state == "down"
    assert "the console failed to read it" in (seen.alert_sources[0].error or "")
    assert "\x1b" not in (seen.alert_sources[0].error or "")


async def test_a_place_that_cannot_be_made_is_down_with_the_reason() -> None:
    def broken(_settings: AlertSettings, _optional: bool) -> AlertReader:
        raise ValueError("no such CA file")

    seen = await poll(AlertDesk(settings(), broken), NOW)
    assert seen.alert_sources[0].state == "down"
    assert "no such CA file" in (seen.alert_sources[0].error or "")


async def test_a_hanging_place_is_never_asked_twice_at_once() -> None:
    reader = FakeReader(hangs=True)
    made = desk(reader)
    for second in range(0, 60, 5):
        made.start(NOW + second)
        await asyncio.sleep(0)
    assert len(reader.asked_at) == 1
    await made.close()
    assert reader.closed


async def test_warnings_and_places_without_alerts_are_never_taken_for_none() -> None:
    partial = await poll(desk(FakeReader(warnings=("1 of 2 alerts cannot be read",))), NOW)
    assert not partial.alerts_whole
    without = await poll(desk(FakeReader(offered=False)), NOW)
    assert not without.alerts_whole
    assert without.alert_sources[0].infos == ("it offers no alerts",)


async def test_new_settings_keep_what_an_unchanged_place_knows() -> None:
    readers: dict[str, FakeReader] = {}

    def make(place: AlertSettings, _optional: bool) -> AlertReader:
        return readers.setdefault(f"{place.name}{place.tenant or ''}", FakeReader(place.name))

    made = AlertDesk(settings(declared("one"), declared("two")), make)
    await poll(made, NOW)
    await made.configure(settings(declared("one"), declared("two", tenant="ml")))
    assert (readers["one"].closed, readers["two"].closed) == (False, True)
    seen = made.observe(Observed(), (), (), NOW)
    assert [one.state for one in seen.alert_sources] == ["up", "starting"]


async def test_where_none_is_declared_the_servers_of_the_sources_are_asked() -> None:
    source = SourceSettings(name="prom", kind="prometheus", url="http://h", tenant="ml")
    scrape = SourceSettings(name="direct", kind="scrape", targets=("http://h/metrics",))
    made_of: list[tuple[str, str | None, bool]] = []

    def make(place: AlertSettings, optional: bool) -> AlertReader:
        made_of.append((place.kind, place.tenant, optional))
        return FakeReader()

    AlertDesk(Settings(sources=(source, scrape)), make)
    assert made_of == [("prometheus", "ml", True)]
