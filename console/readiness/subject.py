"""One model as readiness judges it, what a verdict is, and the judgements that checks share."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from msgspec import Struct

from console.domain.entry import Verification
from console.domain.proof import CheckState, Exercised, Proofs
from console.domain.signals import ReadingState
from console.domain.text import visible
from console.settings.durations import format_duration

if TYPE_CHECKING:
    from console.domain.model import ModelRow
    from console.domain.signals import Reading
    from console.domain.snapshot import Snapshot
    from console.settings.schema import ModelSettings, Settings

DAY_SECONDS = 86400.0


FOUR_SIGNALS: Mapping[str, tuple[str, ...]] = {
    "latency": ("latency_p95", "latency_p99", "latency_p50", "latency_mean", "ttft_p95"),
    "traffic": ("requests_rate",),
    "errors": ("error_ratio",),
    "saturation": ("saturation", "queue_depth", "kv_cache", "in_flight"),
}
"""The golden signals, and by which readings each is known, the best first."""

DARK = "no number of it arrives now"


class Past(Struct, frozen=True, kw_only=True):
    """What the last days showed of one model; None was not asked or not answered.

    ``peak_per_second`` is the rate of the busiest half hour and ``oldest_review_seconds`` the
    highest age of the review queue over ``span_seconds``.
    """

    peak_per_second: float | None = None
    oldest_review_seconds: float | None = None
    span_seconds: float = 0.0


class Subject(Struct, frozen=True, kw_only=True):
    """One model to be judged at ``now`` (Unix seconds), and all that is known about it.

    ``row`` is its index in the Snapshot. ``chain`` is what reading the whole journal showed, a
    sentence where that failed, None where it was not read now.
    """

    snapshot: Snapshot
    row: int
    settings: Settings
    proofs: Proofs
    now: float
    past: Past = Past()
    chain: Verification | str | None = None

    @property
    def model(self) -> ModelRow:
        """The row's static facts."""
        return self.snapshot.rows[self.row]

    @property
    def target(self) -> str:
        """What entries of the journal call the row."""
        return self.model.model

    @property
    def declared(self) -> ModelSettings | None:
        """What the configuration says of it."""
        return self.settings.models.get(self.model.model)

    @property
    def record_read(self) -> bool:
        """Whether the journal could be read, so that an absent entry means none."""
        return self.snapshot.record.state in ("open", "absent")

    @property
    def dark(self) -> bool:
        """Whether no number of it arrives at all: nobody can say then what is measured."""
        return all(
            self.reading(name).state is ReadingState.NO_DATA
            for names in FOUR_SIGNALS.values()
            for name in names
        )

    def reading(self, signal: str) -> Reading:
        """Return one of its readings."""
        return self.snapshot.reading(signal, self.row)

    def passed(self, what: str) -> Exercised | None:
        """Return the newest exercise of this kind that passed."""
        return self.proofs.passed.get((self.target, what))


class Verdict(Struct, frozen=True, kw_only=True):
    """What the console itself can say of a check; times in Unix seconds, as in `CheckResult`."""

    state: CheckState
    text: str
    by: str = ""
    at: float | None = None
    until: float | None = None
    evidence: str = ""
    sha256: str = ""
    entry: int | None = None
    entry_hash: str = ""


def passes(text: str) -> Verdict:
    """Return a pass."""
    return Verdict(state="pass", text=text)


def fails(text: str) -> Verdict:
    """Return a failure."""
    return Verdict(state="fail", text=text)


def does_not_apply(text: str) -> Verdict:
    """Return that the check does not concern this model."""
    return Verdict(state="n-a", text=text)


def not_known(text: str) -> Verdict:
    """Return that it could not be looked at."""
    return Verdict(state="unknown", text=text)


UNREAD = "the journal could not be read"
PRESENT = (ReadingState.OK, ReadingState.NO_TRAFFIC, ReadingState.TOO_FEW)
DOUBTFUL = (ReadingState.STALE, ReadingState.ERROR)


def best_answer(subject: Subject, signals: tuple[str, ...]) -> tuple[str, ReadingState]:
    """Return the first of several signals that answers, else the least bad of them."""
    states = [(name, subject.reading(name).state) for name in signals]
    for wanted in (PRESENT, DOUBTFUL):
        for name, state in states:
            if state in wanted:
                return name, state
    return signals[0], ReadingState.NO_DATA


DRILL_DAYS: Mapping[str, float] = {
    "breaker": 90,
    "fallback": 30,
    "rollback": 90,
    "human": 180,
    "source-away": 180,
    "handover": 30,
}
"""How long an exercise of each kind proves something."""


def judge_exercise(subject: Subject, what: str, noun: str) -> Verdict:
    """Judge by the newest exercise: one that failed counts against an older one that passed."""
    if not subject.record_read:
        return not_known(UNREAD)
    last = subject.proofs.exercised.get((subject.target, what))
    if last is None:
        return fails(f"{noun}: never drilled; midwatch drill {visible(subject.target, 60)} {what}")
    until = last.at + DRILL_DAYS[what] * DAY_SECONDS
    state: CheckState = "pass" if last.passed else "fail"
    if last.passed and until <= subject.now:
        state = "expired"
    did = "drilled" if last.drill else "used"
    times = [
        f"{word} in {seconds:.0f} s"
        for word, seconds in (("seen", last.detect_seconds), ("back", last.recover_seconds))
        if seconds is not None
    ]
    said = f": {visible(last.text, 160)}" if not last.passed else ""
    return Verdict(
        state=state,
        text=", ".join(
            [f"{noun} {did} {day(last.at)}{'' if last.passed else ', FAILED'}{said}", *times]
        ),
        by=last.by,
        at=last.at,
        until=until,
        entry=last.entry,
        entry_hash=last.entry_hash,
    )


def unmeasured(subject: Subject, reading: Reading, what: str) -> Verdict:
    """Return why a reading has no value to judge: unknown, or failed where nobody measures it."""
    if reading.state in DOUBTFUL:
        return not_known(f"{what}: {reading.state.label}")
    if reading.history_seconds is not None or reading.state is not ReadingState.NO_DATA:
        return not_known(f"{what}: {reading.state.label.replace('_', ' ')}")
    return not_known(DARK) if subject.dark else fails(f"nothing measures {what}")


WEEK_SECONDS = 6 * DAY_SECONDS
"""History from which a week's peak is known: the last day may still be under way."""


def covers_a_week(subject: Subject) -> bool:
    """Tell whether the past that was looked at is long enough for a peak of a week."""
    return subject.past.span_seconds >= WEEK_SECONDS


def rungs(subject: Subject) -> list[str]:
    """Return the names of the fallbacks, best first."""
    return [each.name for each in subject.model.fallbacks]


def joined(names: list[str]) -> str:
    """Return names on one line."""
    return ", ".join(visible(each, 40) for each in names)


def span_words(seconds: float) -> str:
    """Return a length of time in whole days, or as a duration under one."""
    if seconds >= DAY_SECONDS:
        return f"{seconds / DAY_SECONDS:.0f} d"
    return format_duration(max(60.0, seconds // 60 * 60))


def day(at: float) -> str:
    """Return the day of Unix seconds, UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


def moment_of(text: str) -> float | None:
    """Return Unix seconds of an ISO 8601 date or time, None for anything else."""
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
