"""The engine's loop: faults told and survived, fallbacks, reload, ranges and explanations."""

import asyncio
import queue
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import pytest

from console.domain.samples import Answer
from console.domain.signals import ReadingState
from console.domain.snapshot import Snapshot
from console.engine.client import ReloadOutcome
from console.engine.service import Engine
from console.engine.thread import EngineThread
from console.evaluation.evaluate import evaluate
from console.metrics.queries import Query
from console.settings.load import Flags, Loaded, load
from console.settings.problems import Problem, SettingsError
from console.settings.schema import CostSettings, ModelSettings, Settings, SourceSettings
from tests.engine.fakes import NOW, FakeSource, loaded, seen, settings_of

VALUES = {"requests_rate": 2.0, "latency_p95": 0.4, "error_ratio": 0.0, "cost_per_hour": 7.2}


def source_of(name: str = "one", **values: float) -> FakeSource:
    return FakeSource(name=name, models=seen("alpha", "beta", source=name), values=VALUES | values)


async def test_a_tick_carries_values_from_source_to_snapshot() -> None:
    engine = Engine(loaded(settings_of("one")), sources=[source_of()])
    snapshot = await engine.tick()
    assert [row.model for row in snapshot.rows] == ["alpha", "beta"]
    assert snapshot.reading("latency_p95", snapshot.index["beta"]).value == 0.4
    assert snapshot.reading("requests_rate", 0).value == 2.0
    assert snapshot.reading("ttft_p95", 0).state is ReadingState.NO_DATA
    assert engine.latest is snapshot
    await engine.close()


async def test_a_hanging_source_does_not_hold_up_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("console.engine.service.GRACE_SECONDS", 0.05)
    slow, quick = source_of("one"), source_of("two")
    slow.delay_seconds = 30.0
    quick.models = seen("gamma", source="two")
    engine = Engine(loaded(settings_of("one", "two")), sources=[slow, quick])
    snapshot = await asyncio.wait_for(engine.tick(), 2.0)
    assert snapshot.reading("latency_p95", snapshot.index["gamma"]).value == 0.4
    assert snapshot.reading("latency_p95", snapshot.index["alpha"]).state is ReadingState.NO_DATA
    await engine.close()


async def test_first_numbers_are_shown_before_slow_questions_are_answered() -> None:
    released = asyncio.Event()

    class Waiting(FakeSource):
        async def ask(self, queries: Sequence[Query], now: float) -> list[Answer]:
            if any(query.cadence != "tick" for query in queries):
                await released.wait()
            return await super().ask(queries, now)

    source = Waiting(name="one", models=seen("alpha"), values=VALUES | {"cost_increase": 1.0})
    engine = Engine(loaded(settings_of("one")), sources=[source])
    early: list[Snapshot] = []
    whole: list[Snapshot] = []

    def show(snapshot: Snapshot) -> None:
        early.append(snapshot)
        released.set()

    def publish(snapshot: Snapshot) -> None:
        whole.append(snapshot)
        engine.stop()

    await asyncio.wait_for(engine.run(publish, early=show), 60.0)
    assert len(early) == len(whole) == 1
    assert early[0].reading("latency_p95", 0).value == 0.4
    assert early[0].tick < whole[0].tick, "one look each"
    assert whole[0].reading("latency_p95", 0).value == 0.4
    await engine.close()


async def test_two_looks_at_a_server_with_a_past_are_a_refresh_apart_and_nobody_waits() -> None:
    asked_at: list[float] = []

    class Noting(FakeSource):
        async def ask(self, queries: Sequence[Query], now: float) -> list[Answer]:
            if any(query.cadence == "tick" for query in queries):
                asked_at.append(now)
            return await super().ask(queries, now)

    source = Noting(name="one", kind="prometheus", models=seen("alpha"), values=VALUES)
    declared = SourceSettings(name="one", kind="prometheus", url="http://127.0.0.1:9")
    settings = Settings(sources=(declared,), refresh_seconds=3600.0)
    engine = Engine(loaded(settings), sources=[source], clock=lambda: NOW)
    snapshot = await asyncio.wait_for(engine.look_twice(), 60.0)
    assert asked_at == [NOW - 3600.0, NOW]
    assert snapshot.taken_at == NOW
    assert snapshot.tick == 2
    assert not snapshot.pending
    await engine.close()


async def test_a_fault_in_a_tick_is_told_and_the_loop_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    engine = Engine(loaded(settings_of("one")), sources=[source_of()])
    published: list[Snapshot] = []
    problems: list[str] = []
    engine.on_problem = problems.append
    calls: list[int] = []

    def failing(*given: object, **more: object) -> object:
        calls.append(1)
        if len(calls) == 1:
            raise ZeroDivisionError("\x1b[2J oh")
        return evaluate(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr("console.engine.service.evaluate", failing)

    def publish(snapshot: Snapshot) -> None:
        published.append(snapshot)
        engine.stop()

    await asyncio.wait_for(engine.run(publish), 5.0)
    assert len(published) == 1
    assert len(problems) == 1
    assert "\x1b" not in problems[0]
    await engine.close()


async def test_a_lasting_problem_is_told_once_a_minute() -> None:
    now = [1_790_000_000.0]
    source = source_of()
    source.crash = ValueError("wrong")
    engine = Engine(loaded(settings_of("one")), sources=[source], clock=lambda: now[0])
    problems: list[str] = []
    engine.on_problem = problems.append
    for _ in range(5):
        await engine.once()
        now[0] += 5.0
    assert len(problems) == 1
    now[0] += 60.0
    await engine.once()
    assert len(problems) == 2
    await engine.close()


async def test_a_source_that_goes_away_leaves_stale_values_and_its_fallback_steps_in() -> None:
    now = [1_790_000_000.0]
    settings = settings_of("one", "two")
    first = msgspec.structs.replace(settings.sources[0], fallback="two")
    settings = msgspec.structs.replace(settings, sources=(first, settings.sources[1]))
    main, standby = source_of("one"), source_of("two", latency_p95=9.0)
    engine = Engine(loaded(settings), sources=[main, standby], clock=lambda: now[0])

    async def later() -> Snapshot:
        now[0] += 1.0
        return await engine.once()

    snapshot = await engine.once()
    assert snapshot.reading("latency_p95", 0).value == 0.4
    assert not any(standby.asked)
    main.down = "connection refused"
    snapshot = await later()
    assert snapshot.sources[0].state in ("stale", "down")
    snapshot = await later()
    assert (snapshot.rows[0].source, snapshot.reading("latency_p95", 0).value) == ("two", 9.0)
    main.down = None
    await later()
    # It is trusted again after a while without a miss.
    now[0] += 20.0
    await later()
    snapshot = await later()
    assert (snapshot.rows[0].source, snapshot.reading("latency_p95", 0).value) == ("one", 0.4)
    await engine.close()


async def test_without_a_fallback_the_last_values_stay_and_are_stale() -> None:
    now = [1_790_000_000.0]
    main = source_of("one")
    engine = Engine(loaded(settings_of("one")), sources=[main], clock=lambda: now[0])
    await engine.once()
    main.down = "connection refused"
    now[0] += 1.0
    snapshot = await engine.once()
    reading = snapshot.reading("latency_p95", 0)
    assert (reading.state, reading.value) == (ReadingState.STALE, 0.4)
    assert reading.at == pytest.approx(1_790_000_000.0)
    assert snapshot.sources[0].error == "connection refused"
    await engine.close()


async def test_rows_learn_what_their_source_says_they_are_made_of() -> None:
    source = source_of()
    facts = ("alpha", "v2", "eu", "2026-09-28", "9be2c1", "2026-10-02", "xgboost")
    source.labelled["info"] = (facts, ("alpha", "v3", "eu", "", "77aa01", "", ""))
    engine = Engine(loaded(settings_of("one")), sources=[source])
    await engine.once()
    row = (await engine.once()).rows[0]
    assert row.region == "eu"
    assert row.info["code"] == "9be2c1 + 77aa01"
    assert row.info["data_snapshot"] == "2026-09-28"
    await engine.close()


async def test_once_without_memory_leaves_what_needs_it_pending() -> None:
    engine = Engine(loaded(settings_of("one")), sources=[source_of()])
    snapshot = await engine.once(remembers=False)
    assert snapshot.tick == 1
    await engine.close()


def budgeted(usd: float) -> Settings:
    models = {"alpha": ModelSettings(cost=CostSettings(budget_month_usd=usd))}
    return settings_of("one", models=models)


async def test_a_reload_keeps_sources_and_a_bad_file_keeps_everything() -> None:
    answers: list[Loaded | SettingsError] = [
        SettingsError([Problem("f.toml", 3, "writes", "x", "never", "")]),
        loaded(budgeted(720.0)),
        loaded(budgeted(720.0)),
    ]

    def again() -> Loaded:
        given = answers.pop(0)
        if isinstance(given, SettingsError):
            raise given
        return given

    source = source_of()
    engine = Engine(loaded(budgeted(1440.0)), sources=[source], load_again=again)
    before = await engine.once()
    assert before.rows[0].budget_month_usd == 1440.0

    refused = await engine.reload()
    assert not refused.applied
    assert "writes" in refused.problems[0]
    assert engine.settings == budgeted(1440.0)

    assert (await engine.reload()).applied
    snapshot = await engine.once()
    assert snapshot.rows[0].budget_month_usd == 720.0
    assert not source.closed
    assert "nothing changed" in (await engine.reload()).sentence
    await engine.close()


async def test_a_reload_ends_sources_that_left_and_makes_new_ones() -> None:
    old, new = source_of("one"), source_of("two")
    engine = Engine(
        loaded(settings_of("one")),
        sources=[old],
        make_source=lambda settings: new,
        load_again=lambda: loaded(settings_of("two")),
    )
    await engine.once()
    assert (await engine.reload()).applied
    assert old.closed
    snapshot = await engine.once()
    assert [status.name for status in snapshot.sources] == ["two"]
    assert snapshot.rows[0].source == "two"
    await engine.close()


async def test_ranges_of_measured_and_derived_signals() -> None:
    engine = Engine(loaded(budgeted(720.0)), sources=[source_of()])
    await engine.once()
    found = await engine.series("alpha", ("latency_p95", "spend_burn", "ttft_p95"), 3600, 60)
    latency, spend, ttft = found.series
    assert len(latency.times) >= 60
    assert latency.values.tolist() == pytest.approx([0.4] * len(latency.values))
    assert spend.values[0] == pytest.approx(7.2)
    assert ttft.error is not None or np.nan_to_num(ttft.values).max() == 0.0
    unknown = await engine.series("nobody \x1b[2J", ("latency_p95",), 3600, 60)
    assert unknown.series[0].error is not None
    assert "\x1b" not in unknown.series[0].error
    await engine.close()


async def test_ranges_of_an_absent_source_are_what_the_ticks_saw() -> None:
    source = source_of()
    engine = Engine(loaded(settings_of("one")), sources=[source])
    await engine.once()
    source.down = "connection refused"
    found = (await engine.series("alpha", ("latency_p95",), 3600, 60)).series[0]
    assert found.error == "connection refused"
    assert found.values.tolist() == pytest.approx([0.4])
    await engine.close()


async def test_explanations_name_query_source_and_what_would_fill_a_gap() -> None:
    engine = Engine(loaded(settings_of("one")), sources=[source_of()])
    await engine.once()
    latency = engine.explain("alpha", "latency_p95")
    assert (latency.source, latency.profile, latency.state) == ("one", "midwatch", ReadingState.OK)
    assert "model_request_duration_seconds" in latency.promql
    assert latency.value_text == ".4s"
    assert latency.window_seconds == 300.0
    pace = engine.explain("alpha", "cost_pace")
    assert pace.state is ReadingState.NO_DATA
    assert "models.alpha.cost.budget_month" in pace.hint
    assert engine.explain("nobody", "latency_p95").state is ReadingState.NO_DATA
    await engine.close()


def test_the_thread_publishes_answers_and_ends() -> None:
    made: list[Engine] = []

    def make() -> Engine:
        made.append(Engine(loaded(settings_of("one")), sources=[source_of()]))
        return made[0]

    handle = EngineThread(make, settings_of("one"))
    assert handle.latest is None
    assert len(handle.history("alpha", "latency_p95", 60).values) == 0
    assert handle.explain("alpha", "latency_p95").hint == "nothing was read yet"
    arrived, delivered = threading.Event(), threading.Event()
    handle.start(lambda snapshot: arrived.set(), lambda sentence: None)
    assert arrived.wait(5)
    handle.request_series("alpha", ("latency_p95",), 600, 40, lambda found: delivered.set())
    assert delivered.wait(5)
    told: queue.Queue[ReloadOutcome] = queue.Queue()
    handle.request_reload(told.put)
    assert told.get(timeout=5).sentence == "there is no configuration to read again"
    before = time.monotonic()
    handle.stop()
    assert time.monotonic() - before < 15
    assert made[0].source("one").closed  # type: ignore[union-attr]


def test_an_engine_that_cannot_be_made_is_told() -> None:
    def make() -> Engine:
        raise OSError("no such thing \x1b[2J")

    handle = EngineThread(make, settings_of("one"))
    told: queue.Queue[str] = queue.Queue()
    handle.start(lambda snapshot: None, told.put)
    assert "\x1b" not in told.get(timeout=5)
    handle.stop()


async def test_a_source_that_cannot_be_set_up_is_shown_as_down(tmp_path: Path) -> None:
    config = tmp_path / "config.toml"
    config.write_text(
        'version = 1\n[[sources]]\nname = "prom"\nkind = "prometheus"\n'
        f'url = "https://127.0.0.1:1"\nca_file = "{tmp_path}/absent.pem"\n'
    )
    config.chmod(0o600)
    engine = Engine(load(Flags(config=config), {"HOME": str(tmp_path)}))
    snapshot = await engine.once()
    assert snapshot.sources[0].state in ("down", "starting", "stale")
    assert snapshot.sources[0].error
    await engine.close()
