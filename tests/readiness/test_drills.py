"""What speaks against a drill, what ends one, and when one is due."""

from __future__ import annotations

from dataclasses import replace

from msgspec import structs

from console.actions.drill_guard import DrillWatch, drill_guards
from console.domain.proof import Exercised, Proofs
from console.domain.severity import Breaker, BreakerState, Severity
from console.domain.snapshot import Snapshot
from console.readiness.drill_calendar import calendar
from console.readiness.subject import DAY_SECONDS
from console.settings.schema import (
    FallbackSettings,
    ModelSettings,
    ReadinessSettings,
    Settings,
    ShiftSettings,
)
from tests.support.snapshots import SAMPLE_NOW, sample_snapshot

CALM, HURT = "toxicity", "fraud-scorer"
SETTINGS = Settings(
    models={
        HURT: ModelSettings(
            tier=1,
            controls={"breaker": "b", "route": "r"},
            fallbacks=(FallbackSettings("fraud-small"),),
        ),
        "batch": ModelSettings(tier=3),
    }
)


def calm(**changes: object) -> Snapshot:
    """The sample night without its incidents, with the calm model on level ok."""
    found = sample_snapshot()
    levels = found.severities.copy()
    levels[found.index[CALM]] = int(Severity.OK)
    return replace(found, severities=levels, incidents=(), **changes)  # type: ignore[arg-type]


def refusals(settings: Settings, snapshot: Snapshot | None, model: str, now: float) -> set[str]:
    found = drill_guards(settings, snapshot, model, now)
    return {each.id for each in found if each.level == "refuse"}


def test_nobody_drills_what_hurts_or_what_nobody_knows() -> None:
    assert "drill_hurting" in refusals(SETTINGS, calm(), HURT, SAMPLE_NOW)
    assert "drill_unknown" in refusals(SETTINGS, calm(), "price-opt", SAMPLE_NOW)
    assert refusals(SETTINGS, calm(), CALM, SAMPLE_NOW) == set()
    (blind,) = drill_guards(SETTINGS, None, CALM, SAMPLE_NOW)
    assert (blind.id, blind.level) == ("drill_blind", "warn")


def test_drills_begin_in_their_hours_only() -> None:
    hours = ReadinessSettings(drill_hours=("09:00", "16:00"))
    office = structs.replace(SETTINGS, readiness=hours, shift=ShiftSettings(zone="UTC"))
    assert "drill_hours" in refusals(office, calm(), CALM, SAMPLE_NOW), "it is 02:47"
    assert refusals(office, calm(), CALM, SAMPLE_NOW + 8 * 3600.0) == set()
    night = ReadinessSettings(drill_hours=("22:00", "06:00"))
    assert refusals(structs.replace(office, readiness=night), calm(), CALM, SAMPLE_NOW) == set()


def tick(before: Snapshot, model: str, after: float, breaker: BreakerState, bad: float) -> Snapshot:
    row = before.index[model]
    column = before.columns["bad_rate"]
    values = column.values.copy()
    values[row] = bad
    breakers = {**dict(before.breakers), row: Breaker(breaker)}
    return replace(
        before,
        taken_at=before.taken_at + after,
        breakers=breakers,
        columns={**before.columns, "bad_rate": replace(column, values=values)},
    )


def times(watch: DrillWatch) -> tuple[bool, bool]:
    """Whether the console has seen the change, and whether it has seen it over."""
    return watch.detect_seconds is not None, watch.recover_seconds is not None


def test_a_watch_sees_when_the_console_saw_it_and_when_it_was_over() -> None:
    before = tick(calm(), CALM, 0.0, BreakerState.CLOSED, 0.0)
    watch = DrillWatch(CALM, "breaker", before)
    watch.take(tick(before, CALM, 1.0, BreakerState.OPEN, 0.0))
    assert times(watch) == (False, False), "nothing was sent yet"
    watch.began = 0.0
    watch.take(tick(before, CALM, 2.0, BreakerState.CLOSED, 0.0))
    assert times(watch) == (False, False)
    watch.take(tick(before, CALM, 3.0, BreakerState.FORCED_OPEN, 0.0))
    assert times(watch) == (True, False)
    watch.returned = 0.0
    watch.take(tick(before, CALM, 4.0, BreakerState.HALF_OPEN, 0.0))
    assert times(watch) == (True, False)
    watch.take(tick(before, CALM, 5.0, BreakerState.CLOSED, 0.0))
    assert times(watch) == (True, True)
    assert watch.abort == ""


def test_harm_ends_a_drill_and_so_does_losing_sight() -> None:
    before = tick(calm(), CALM, 0.0, BreakerState.CLOSED, 0.0)
    watch = DrillWatch(CALM, "breaker", before)
    watch.began = 0.0
    # 31 requests a second, SLO 99.5%: 1% of the month's error budget are about 4,000 requests.
    watch.take(tick(before, CALM, 0.0, BreakerState.FORCED_OPEN, 31.0))
    watch.take(tick(before, CALM, 60.0, BreakerState.FORCED_OPEN, 31.0))
    assert watch.abort == ""
    watch.take(tick(before, CALM, 200.0, BreakerState.FORCED_OPEN, 31.0))
    assert "error budget" in watch.abort

    blind = DrillWatch(CALM, "breaker", before)
    blind.began = 0.0
    gone = tick(before, CALM, 5.0, BreakerState.FORCED_OPEN, 0.0)
    levels = gone.severities.copy()
    levels[gone.index[CALM]] = int(Severity.UNKNOWN)
    unseen = replace(gone, severities=levels)
    blind.take(unseen)
    assert blind.abort == "", "the watching console has yet to see it"
    blind.take(gone)
    assert blind.ready
    blind.take(unseen)
    blind.take(unseen)
    assert "gone" in blind.abort


def test_the_calendar_lists_what_was_never_done_what_failed_and_what_is_due() -> None:
    def done(what: str, days_ago: float, *, passed: bool = True) -> Exercised:
        return Exercised(
            what=what,
            target=HURT,
            by="ana",
            at=SAMPLE_NOW - days_ago * DAY_SECONDS,
            passed=passed,
            drill=True,
            text="",
        )

    exercises = (done("breaker", 85), done("fallback", 31), done("source-away", 1, passed=False))
    proofs = Proofs(exercised={(HURT, each.what): each for each in exercises})
    found = {(each.target, each.what): each for each in calendar(SETTINGS, proofs, SAMPLE_NOW)}
    assert {key: each.state for key, each in found.items()} == {
        (HURT, "breaker"): "due",
        (HURT, "fallback"): "overdue",
        (HURT, "rollback"): "never",
        (HURT, "source-away"): "failed",
        (HURT, "handover"): "never",
        ("batch", "source-away"): "never",
        ("batch", "handover"): "never",
    }
    late = calendar(SETTINGS, proofs, SAMPLE_NOW)
    assert late[-1].target == "batch", "tier 1 first"
