"""A recorded outage replayed shows what was seen live; a killed recorder loses no tick."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC
from functools import partial
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pytest

from console.app import MidwatchApp
from console.demo.demo_fleet import DemoFleet
from console.domain.text import ConsoleOptions
from console.engine.recording import (
    DAY_BYTES,
    Recording,
    Redactor,
    Writer,
    header_of,
    open_recording,
)
from console.engine.recording_codec import BadRecording, Decoder, Encoder, long, short
from console.engine.replay import ReplayEngine, moment_of, settings_of
from console.engine.service import Engine
from console.engine.thread import EngineThread
from console.settings.load import Flags, Loaded, load
from console.settings.schema import Settings
from console.settings.secret_references import SecretValue
from console.sources.factory import build_source
from tests.screens.support import picture, until
from tests.support.overrides import entry
from tests.support.snapshots import SAMPLE_NOW, big_snapshot, sample_snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from console.domain.snapshot import Snapshot
    from console.engine.recording import _Place
    from console.settings.schema import SourceSettings
    from console.sources.base import Source

TICKS = 24
LIMIT_SECONDS = 90.0


@pytest.fixture(scope="module")
def fleet() -> Iterator[DemoFleet]:
    made = DemoFleet(scenario="outage", seed=3, speed=20.0)
    made.start()
    yield made
    made.stop()


def config_of(fleet: DemoFleet, folder: Path) -> Path:
    path = folder / "config.toml"
    path.write_text(fleet.config_toml().replace('refresh = "5s"', 'refresh = "1s"'))
    path.chmod(0o600)
    return path


class Tape(Recording):
    """The live ticks themselves, as if they were a recording."""

    def __init__(self, recording: Recording, snapshots: list[Snapshot]) -> None:
        super().__init__(recording.header, recording.moments)
        self._snapshots = snapshots

    def read(self, number: int, last: _Place | None = None) -> _Place:
        place = super().read(number, last)
        place.snapshot = self._snapshots[number]
        return place


@pytest.fixture(scope="module")
def recorded(
    fleet: DemoFleet, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, list[Snapshot]]:
    folder = tmp_path_factory.mktemp("recorded")
    found = load(Flags(config=config_of(fleet, folder)), {"HOME": str(folder)})
    quick = msgspec.structs.replace(found.settings, refresh_seconds=1.0)

    def make(settings: SourceSettings) -> Source:
        source = build_source(settings, None, interval_seconds=1.0)
        source.preload(fleet.history())  # type: ignore[attr-defined]
        return source

    engine = Engine(Loaded(quick, found.origins, found.path), make_source=make)
    writer = Writer(folder / "r.mwr", header_of(quick, "nothing"))
    live: list[Snapshot] = []

    def keep(snapshot: Snapshot) -> None:
        live.append(snapshot)
        writer.add(snapshot)
        if len(live) >= TICKS:
            engine.stop()

    async def run() -> None:
        await engine.run(keep)
        await engine.close()

    asyncio.run(run())
    writer.close()
    return writer.path, live


def _shows(app: MidwatchApp, at: float) -> bool:
    return app.session.snapshot is not None and app.session.snapshot.taken_at == at


async def shown(recording: Recording, numbers: list[int]) -> list[list[str]]:
    """Return what fleet, incidents and the worst model look like at these ticks."""
    engine = ReplayEngine(recording, speed=0.0)
    loaded = Loaded(settings_of(recording), {}, None)
    app = MidwatchApp(
        loaded, ConsoleOptions(read_only=True), lambda: engine,
        clock=engine.clock, zone=UTC, player=engine,
    )  # fmt: skip
    found: list[list[str]] = []
    async with app.run_test(size=(140, 44)) as pilot:
        for number in numbers:
            at = recording.moments[number].at
            engine.go_to(at)
            came = partial(_shows, app, at)
            await until(pilot, came, f"tick {number} never came", LIMIT_SECONDS)
            for key in ("", "I"):
                if key:
                    await pilot.press(key)
                await pilot.pause(0.3)
                app._every_second()
                await pilot.pause()
                found.append(picture(app))
                if key:
                    await pilot.press("escape")
                    await pilot.pause()
    return found


def _differences(one: str, other: str) -> str:
    """Return what differs in words and numbers; a dot of a curve may move by one with 4 digits."""
    drawn = range(0x2800, 0x2900)
    return "".join(
        f"{a!r} was {b!r}; "
        for a, b in zip(one, other, strict=True)
        if a != b and ord(a) not in drawn and ord(b) not in drawn
    )


async def test_a_recorded_outage_looks_as_it_looked_live_at_ten_moments(
    recorded: tuple[Path, list[Snapshot]],
) -> None:
    path, live = recorded
    recording = open_recording(path)
    assert len(recording.moments) == TICKS
    assert recording.lost == []
    assert any(each.event for each in recording.moments), "no rule began or ceased in the outage"
    numbers = [round(each) for each in np.linspace(0, TICKS - 1, 10)]
    there = await shown(recording, numbers)
    here = await shown(Tape(recording, live), numbers)
    assert len(there) == 20
    assert "REPLAY paused" in there[0][0]
    assert len({tuple(each) for each in there}) >= 10
    for number, (one, other) in enumerate(zip(there, here, strict=True)):
        assert [_differences(*pair) for pair in zip(one, other, strict=True)] == [""] * len(one), (
            f"picture {number} differs"
        )


def test_everything_judged_comes_back_as_it_was(
    recorded: tuple[Path, list[Snapshot]],
) -> None:
    path, live = recorded
    recording = open_recording(path)
    place = None
    for number, was in enumerate(live):
        place = recording.read(number, place)
        now = place.snapshot
        assert now is not None
        for name in ("findings", "incidents", "overrides", "care", "rows", "changes", "record"):
            kept, lived = getattr(now, name), getattr(was, name)
            assert kept == (dict(lived) if name in ("findings", "care") else lived), name
        assert np.array_equal(now.severities, was.severities)
        assert np.array_equal(now.order, was.order)
        for name, column in was.columns.items():
            kept_column = now.columns[name]
            assert np.array_equal(kept_column.states, column.states)
            assert np.allclose(kept_column.values, column.values, rtol=2e-3, equal_nan=True)


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        (1.4449, 1.444), (1.4451, 1.446), (1.44501, 1.446), (1234.0, 1234.0), (0.12340, 0.1234),
        (-99996.0, -99990.0), (1e-7, 1e-7), (0.0, 0.0), (3.0, 3.0), (8.149999999999999, 8.149),
        (0.035, 0.035), (0.03499999999999999, 0.03499),
    ],
)  # fmt: skip
def test_four_digits_are_kept_so_that_three_are_shown_right(value: float, kept: float) -> None:
    (made,) = long(*short(np.array([value])))
    assert made == pytest.approx(kept, rel=1e-12)
    if abs(value) < 9999.0:
        assert f"{made:.2e}" == f"{value:.2e}"
        assert f"{made:.1f}" == f"{value:.1f}"


def test_what_is_no_number_stays_none() -> None:
    values = np.array([np.nan, np.inf, -np.inf, 5.0])
    assert np.array_equal(long(*short(values)), values, equal_nan=True)


def test_a_recorder_that_is_killed_is_replayed_to_its_last_tick(
    fleet: DemoFleet, tmp_path: Path
) -> None:
    path = tmp_path / "killed.mwr"
    command = [sys.executable, "-m", "console", "record", str(path), "--config"]
    environ = {**os.environ, "HOME": str(tmp_path)}
    recorder = subprocess.Popen(
        [*command, str(config_of(fleet, tmp_path))], env=environ, stderr=subprocess.DEVNULL
    )
    try:
        limit = time.monotonic() + LIMIT_SECONDS
        while time.monotonic() < limit:
            if path.exists() and path.stat().st_size > 1000:
                try:
                    if len(open_recording(path).moments) >= 4:
                        break
                except BadRecording:
                    pass
            time.sleep(0.2)
    finally:
        recorder.send_signal(signal.SIGKILL)
        recorder.wait(30)
    recording = open_recording(path)
    count = len(recording.moments)
    assert count >= 4
    snapshot = recording.read(count - 1).snapshot
    assert snapshot is not None
    assert "fraud-scorer" in snapshot.index
    shown = subprocess.run(
        [sys.executable, "-m", "console", "replay", str(path), "--plain"],
        env=environ, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert shown.returncode == 0, shown.stderr
    assert shown.stdout.startswith(f"REPLAY {count}/{count}\n")
    assert "fraud-scorer" in shown.stdout
    # A write that was cut off in the middle loses that tick alone, and is said.
    path.write_bytes(path.read_bytes()[:-7])
    cut = open_recording(path)
    assert len(cut.moments) == count - 1
    assert "not whole" in cut.lost[0]


def written(path: Path, count: int, redactor: Redactor | None = None) -> Path:
    writer = Writer(path, header_of(Settings(environment="prod"), "nothing"), redactor)
    for number in range(count):
        writer.add(sample_snapshot(SAMPLE_NOW + 5.0 * number, number))
    writer.close()
    return path


def test_damage_and_strange_files_are_told(tmp_path: Path) -> None:
    path = written(tmp_path / "r.mwr", 3)
    whole = path.read_bytes()
    recording = open_recording(path)
    spot = recording.moments[1].offset + 10
    path.write_bytes(whole[:spot] + bytes([whole[spot] ^ 255]) + whole[spot + 1 :])
    with pytest.raises(BadRecording, match="is damaged at byte"):
        open_recording(path).read(2)
    assert open_recording(path).read(0).snapshot is not None
    path.write_bytes(whole.replace(b"midwatch-recording/1", b"midwatch-recording/9", 1))
    with pytest.raises(BadRecording, match="this version reads midwatch-recording/1"):
        open_recording(path)
    path.write_bytes(b"PK\x03\x04 nothing of ours")
    with pytest.raises(BadRecording, match="is no recording"):
        open_recording(path)
    assert path.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("name", ["os:system", "..settings.schema:Settings", "action:ULID"])
def test_a_file_names_no_class_beyond_the_domain(name: str) -> None:
    frame = Encoder().frame(sample_snapshot())
    document = msgspec.msgpack.decode(frame)
    document["classes"][name] = []
    with pytest.raises(BadRecording):
        Decoder().take(msgspec.msgpack.encode(document))


def test_secrets_and_people_are_taken_out(tmp_path: Path) -> None:
    base = sample_snapshot()
    said = entry(5, why="joel gave me hunter2secret")
    snapshot = replace(base, record=replace(base.record, entries=(said,)))
    known = (SecretValue("hunter2secret"),)
    for named in (True, False):
        writer = Writer(
            tmp_path / f"{named}.mwr",
            header_of(Settings(), "x"),
            Redactor(lambda: known, named=named),
        )
        writer.add(snapshot)
        writer.close()
        back = open_recording(writer.path).read(0).snapshot
        assert back is not None
        (kept,) = back.record.entries
        assert "hunter2secret" not in kept.why
        assert (kept.who.name == said.who.name) is named


def test_a_folder_of_files_is_read_as_one(tmp_path: Path) -> None:
    now = time.time()
    for segment in range(3):
        path = tmp_path / "parts" / f"{segment:03d}.mwr"
        path.parent.mkdir(exist_ok=True)
        writer = Writer(path, header_of(Settings(), "nothing"))
        for number in range(5):
            writer.add(sample_snapshot(now + 5.0 * (5 * segment + number), 5 * segment + number))
        writer.close()
    times = [each.at for each in open_recording(tmp_path / "parts").moments]
    assert times == [pytest.approx(now + 5.0 * number) for number in range(15)]


def test_a_day_of_200_models_keeps_to_its_bytes(tmp_path: Path) -> None:
    """Every number moves by chance at every tick, which is more than any fleet does."""
    writer = Writer(tmp_path / "r.mwr", header_of(Settings(), "nothing"))
    seconds, step = 1500.0, 10.0
    base = big_snapshot(200)
    random = np.random.default_rng(1)
    for number in range(round(seconds / step)):
        columns = {
            name: replace(each, values=each.values * random.normal(1.0, 0.1, 200))
            for name, each in base.columns.items()
        }
        at = SAMPLE_NOW + step * number
        writer.add(replace(base, columns=columns, taken_at=at, tick=number))
    writer.close()
    saved = DAY_BYTES / 86400.0 * 600.0
    assert writer.written <= DAY_BYTES / 86400.0 * seconds + saved + 300_000


async def test_a_replay_is_paused_stepped_and_jumps_to_what_a_rule_did(
    recorded: tuple[Path, list[Snapshot]],
) -> None:
    recording = open_recording(recorded[0])
    events = [number for number, each in enumerate(recording.moments) if each.event]
    engine = ReplayEngine(recording, speed=1000.0)
    seen: list[float] = []
    engine.start(lambda snapshot: seen.append(snapshot.taken_at), lambda _: None)
    try:
        limit = time.monotonic() + LIMIT_SECONDS
        while len(seen) < TICKS and time.monotonic() < limit:
            await asyncio.sleep(0.02)
        assert seen == [each.at for each in recording.moments]
        assert engine.words.endswith("end")
        engine.jump(-1)
        await _at(engine, recording.moments[events[-1]].at)
        assert engine.clock() == recording.moments[events[-1]].at
        engine.step(-1)
        await _at(engine, recording.moments[events[-1] - 1].at)
        assert "paused" in engine.words
        assert engine.step(-1000) == ""
        await _at(engine, recording.moments[0].at)
        assert engine.step(-1) == "the recording begins here"
        refused: list[object] = []
        engine.perform_care(None, refused.append)
        assert "nothing is sent" in str(refused[0])
        assert engine.writing.mode == "read_only"
    finally:
        engine.stop()


def test_a_replay_answers_whatever_a_screen_may_ask() -> None:
    asked = {name for name in dir(EngineThread) if not name.startswith("_")}
    assert asked <= set(dir(ReplayEngine))


async def _at(engine: ReplayEngine, at: float) -> None:
    limit = time.monotonic() + LIMIT_SECONDS
    while engine.latest is None or engine.latest.taken_at != at:
        assert time.monotonic() < limit
        await asyncio.sleep(0.02)


def test_a_moment_is_named_by_the_clock_or_in_full(tmp_path: Path) -> None:
    recording = open_recording(written(tmp_path / "r.mwr", 3))
    begin = recording.moments[0].at
    clock = time.strftime("%H:%M:%S", time.gmtime(begin + 5.0))
    at = moment_of(clock, recording)
    assert at is not None
    assert abs(at - begin - 5.0) < 1.0
    full = moment_of("2026-11-23T03:12:21Z", recording)
    assert full == 1_795_403_541.0
    assert moment_of("half past three", recording) is None
