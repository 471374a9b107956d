"""Compares two evaluations and returns what changed, as sentences and as rule transitions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from console.domain.entry import number_of
from console.domain.severity import Breaker, BreakerState, Severity
from console.domain.snapshot import Change
from console.domain.text import visible
from console.evaluation.dependencies import CULPRIT_ERROR_RATIO
from console.evaluation.lazy_views import FindingsView
from console.evaluation.overrides import held_word
from console.metrics.units import a_minute, clock, name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from console.domain.action import Override
    from console.domain.entry import Record
    from console.domain.samples import SourceStatus
    from console.domain.severity import Finding, Route
    from console.domain.snapshot import Dependency, Snapshot
    from console.evaluation.evidence import Evidence
    from console.evaluation.observations import LabelledValue, Observed, Statics
    from console.evaluation.row_labels import Fold, Identity, RouteFacts

    Codes = NDArray[np.uint8]
    Mask = NDArray[np.bool_]

KEPT = 200
KEPT_SECONDS = 86400.0
CAUSE_TOLD_SECONDS = 30.0
TOLD_AT_ONCE = 8
"""More of one kind in one evaluation are told as a number, because nobody reads a flood."""

_BREAKER_VERBS = {
    BreakerState.CLOSED: "closed",
    BreakerState.OPEN: "opened",
    BreakerState.HALF_OPEN: "went half-open",
    BreakerState.DISABLED: "was disabled",
    BreakerState.FORCED_OPEN: "was forced open",
    BreakerState.METRICS_ONLY: "only watches now",
}


def remember(old: Sequence[Change], new: Iterable[Change], now: float) -> tuple[Change, ...]:
    """Return the changes of the last day, newest first, at most 200."""
    kept = [change for change in old if now - change.at <= KEPT_SECONDS]
    return tuple(sorted([*new, *kept], key=lambda change: -change.at)[:KEPT])


def source_changes(
    sources: Sequence[SourceStatus], before: Mapping[str, str], now: float
) -> list[Change]:
    """Tell which sources went away or came back."""
    found = []
    for source in sources:
        was = before.get(source.name)
        if was is None or was == source.state:
            continue
        if source.state == "down":
            text = f"source {name(source.name)} is down"
            found.append(Change(now, source.name, text, "source"))
        elif source.state == "up" and was in ("down", "stale"):
            text = f"source {name(source.name)} answers again"
            found.append(Change(now, source.name, text, "source"))
    return found


def breaker_changes(evidence: Evidence, before: Codes, no_answer: Mask) -> list[Change]:
    """Tell which models' own breakers moved, and whether anything still answers."""
    states = evidence.breakers.states
    unknown = int(BreakerState.UNKNOWN)
    moved = np.flatnonzero((states != before) & (states != unknown) & (before != unknown))
    found = []
    for row in moved.tolist():
        model = evidence.statics.rows[row].model
        state, share = evidence.breaker(row), evidence.breaker_share(row)
        text = f"{name(model)}'s breaker {_moved(Breaker(state, share=share))}"
        if no_answer[row]:
            refused = a_minute(evidence.value("bad_rate", row))
            whom = "them" if share.alike < share.replicas else "it"
            text += f"; nothing answers for {whom}; {refused} requests a minute fail"
        found.append(Change(evidence.now, model, text, "breaker"))
    return _few(found, "breakers of models moved")


def _moved(breaker: Breaker) -> str:
    extent = f" ({breaker.extent})" if breaker.extent else ""
    return f"{_BREAKER_VERBS[breaker.state]}{extent}"


def dependency_changes(
    dependencies: Sequence[Dependency],
    breakers_before: Mapping[str, tuple[BreakerState, float]],
    bad_before: Mapping[str, float],
    now: float,
) -> list[Change]:
    """Tell which dependencies' breakers moved, and which dependencies turned bad or well."""
    found = []
    for dependency in dependencies:
        shown_name = name(dependency.name)
        was = breakers_before.get(dependency.name)
        state = dependency.breaker.state
        moved = was is not None and was[0] is not state and state is not BreakerState.UNKNOWN
        if moved:
            text = f"{shown_name}'s breaker {_moved(dependency.breaker)}"
            found.append(Change(now, dependency.name, text, "breaker"))
        only_breaker = not (dependency.error_ratio.value or 0.0) > CULPRIT_ERROR_RATIO
        if dependency.since is not None and dependency.name not in bad_before:
            if moved and only_breaker:
                continue
            found.append(Change(now, dependency.name, dependency.text, "dependency"))
        elif dependency.since is None and dependency.name in bad_before:
            text = f"{shown_name} is no longer failing"
            found.append(Change(now, dependency.name, text, "dependency"))
    return _few(found, "dependencies changed")


def route_changes(
    routes: Fold[RouteFacts], before: Fold[RouteFacts] | None, now: float
) -> list[Change]:
    """Tell whose traffic goes elsewhere now; a fold taken again has no news."""
    if before is None or before is routes:
        return []
    found = []
    for row, route in routes.result.by_row.items():
        model = routes.statics.rows[row].model
        old_row = before.statics.index.get(model)
        was = before.result.by_row.get(old_row) if old_row is not None else None
        if was is not None and was != route:
            text = f"{name(model)} went from {_place(was)} to {_place(route)}"
            found.append(Change(now, model, text, "route"))
    return _few(found, "routes of models changed")


def _place(route: Route) -> str:
    return f"{name(route.target)} ({name(route.level)})" if route.level else name(route.target)


def override_changes(
    held: Mapping[str, Override] | None, before: Mapping[str, Override] | None, now: float
) -> list[Change]:
    """Tell which overrides began, moved their end, or are no longer in force; None is unknown."""
    if held is None or before is None:
        return []
    found = []
    for op_id, override in held.items():
        was = before.get(op_id)
        if was is None:
            text = _began(override)
            found.append(Change(override.began_at, _subject(override), text, "override"))
        elif was.ends_at != override.ends_at and override.ends_at is not None:
            text = f"{_held(override)} ends at {clock(override.ends_at)} now"
            found.append(Change(now, _subject(override), text, "override"))
    for op_id, override in before.items():
        if op_id not in held:
            text = f"{_held(override)} is no longer in force"
            found.append(Change(now, _subject(override), text, "override"))
    return _few(found, "overrides changed")


def _began(override: Override) -> str:
    why = f' "{name(override.reason)}"' if override.reason else ""
    ends = "no end" if override.ends_at is None else f"ends at {clock(override.ends_at)}"
    return f"{_held(override)}{why}, {ends}"


def _held(override: Override) -> str:
    return f"{name(override.target)} {held_word(override)} by {name(override.by) or 'nobody'}"


def _subject(override: Override) -> str:
    return override.target.removeprefix("dep:")


def identity_changes(
    present: Mapping[str, Identity], before: Mapping[str, Identity], now: float
) -> tuple[list[Change], frozenset[str]]:
    """Tell whose version, code or training data changed, and return those models.

    A version that was not known before is learned, not changed.
    """
    found = []
    for model, identity in present.items():
        text = _became(model, before.get(model), identity)
        if text:
            found.append(Change(now, model, text))
    models = frozenset(change.subject for change in found)
    return _few(found, "models changed version, code or data"), models


_MADE_OF = (
    ("version", "went from {} to {}"),
    ("code", "runs other code: {} to {}"),
    ("data_snapshot", "learned from other data: {} to {}"),
    ("trained_at", "was trained anew: {} to {}"),
)


def _became(model: str, before: Identity | None, now: Identity) -> str:
    """Return the first thing that differs in words, from the version down; empty for nothing."""
    for part, words in _MADE_OF if before is not None else ():
        old, new = getattr(before, part), getattr(now, part)
        if old and new and old != new:
            return f"{name(model)} {words.format(name(old), name(new))}"
    return ""


def told_changes(
    observed: Observed, statics: Statics, earlier: Sequence[Change], now: float
) -> list[Change]:
    """Return what others tell of the last day and was not told yet, at the time they give.

    These are no differences from an evaluation before, so that a console that has just begun
    knows them too.
    """
    known = {(one.at, one.subject, one.text) for one in earlier}
    starts = process_starts(observed.labelled.get("process_start", ()), statics, now)
    found = (*observed.told, *starts)
    return [
        one
        for one in found
        if now - one.at <= KEPT_SECONDS and (one.at, one.subject, one.text) not in known
    ]


def process_starts(began: Iterable[LabelledValue], statics: Statics, now: float) -> list[Change]:
    """Tell whose newest process began within the last day: a deploy, or a crash.

    ``began`` holds Unix seconds; processes that serve many models are told once a moment.
    """
    by_start: dict[float, list[str]] = {}
    for item in began:
        if item.labels[0] in statics.index and 0.0 <= now - item.value <= KEPT_SECONDS:
            by_start.setdefault(item.value, []).append(item.labels[0])
    found = []
    for at, models in by_start.items():
        if len(models) > TOLD_AT_ONCE:
            found.append(Change(at, "", f"a process that serves {len(models)} models started"))
            continue
        found += [Change(at, model, f"a process of {name(model)} started") for model in models]
    return found


def level_changes(
    evidence: Evidence,
    severities: Codes,
    before: Codes,
    findings: Mapping[int, tuple[Finding, ...]],
    earlier: Sequence[Change],
) -> list[Change]:
    """Tell which rows rose to S1 or S2 and which left them; 0 in ``before`` is never judged.

    A row whose cause was told within the last 30 s does not rise a second time in words.
    """
    acute = int(Severity.S2)
    told = {change.subject for change in earlier if evidence.now - change.at <= CAUSE_TOLD_SECONDS}
    risen = (severities <= acute) & (before > severities)
    left = (before > 0) & (before <= acute) & (severities > acute)
    found = []
    for row in np.flatnonzero(risen)[np.argsort(severities[risen], kind="stable")].tolist():
        model = evidence.statics.rows[row].model
        if model in told:
            continue
        worst = findings[row][0]
        text = f"{name(model)} {worst.level.label}: {worst.text}"
        found.append(Change(evidence.now, model, text, "level"))
        if len(found) > TOLD_AT_ONCE:
            text = f"{int(risen.sum())} models rose to S1 or S2 at once"
            return [Change(evidence.now, "", text, "level")]
    back = []
    for row in np.flatnonzero(left).tolist():
        model = evidence.statics.rows[row].model
        text = _left_text(model, Severity(int(severities[row])))
        back.append(Change(evidence.now, model, text, "level"))
    return found + _few(back, "models are no longer at S1 or S2")


def _left_text(model: str, level: Severity) -> str:
    if level is Severity.UNKNOWN:
        return f"{name(model)} is unknown now: no current data"
    if level is Severity.UNJUDGED:
        return f"{name(model)} is no longer raised, and nothing can be judged of it now"
    if level is Severity.OK:
        return f"{name(model)} is ok again"
    return f"{name(model)} is down to {level.label}"


def _few(found: list[Change], summary: str) -> list[Change]:
    if len(found) <= TOLD_AT_ONCE:
        return found
    return [Change(found[0].at, "", f"{len(found)} {summary}", found[0].kind)]


_TEXT_CHARACTERS = 200


def written_changes(
    record: Record, environment: str, earlier: Sequence[Change], now: float
) -> list[Change]:
    """Return the journal's changes of the last day that ``earlier`` does not have yet.

    They stand at the time their writers gave, so a console that has just begun knows them too.
    """
    known = {(one.at, one.subject, one.text) for one in earlier}
    found = []
    for entry in record.entries:
        if entry.kind != "change" or entry.environment != environment:
            continue
        at = number_of(entry.details.get("at"))
        at = entry.at if at is None else at
        subject = entry.target.removeprefix("dep:")
        if subject.startswith("inc:"):
            subject = ""
        about = f"{name(subject)}: " if subject else ""
        text = f"{about}{visible(entry.why, _TEXT_CHARACTERS)} ({name(entry.who.name)})"
        if 0.0 <= now - at <= KEPT_SECONDS and (at, subject, text) not in known:
            found.append(Change(at, subject, text, "written"))
    return found


TOLD_TO: Final = Severity.S3
MOST_MOVES: Final = 300
"""Of one step, so many are told: when a whole fleet falls, nobody reads each row's fall."""


@dataclass(frozen=True, slots=True)
class RuleMove:
    """A rule of at least S3 that began to hold for a model, or (``ceased``) no longer does."""

    model: str
    finding: Finding
    ceased: bool = False


def rule_moves(now: Snapshot, before: Snapshot | None) -> tuple[RuleMove, ...]:
    """Return at most 300 moves, those that began first; the first Snapshot has none that ceased."""
    began = (RuleMove(model, finding) for model, finding in _new(now, before))
    ended: Iterator[RuleMove] = iter(())
    if before is not None:
        ended = (RuleMove(model, finding, True) for model, finding in _new(before, now))
    found: list[RuleMove] = []
    for move in (*began, *ended):
        if len(found) >= MOST_MOVES:
            break
        found.append(move)
    return tuple(found)


def _new(here: Snapshot, there: Snapshot | None) -> Iterator[tuple[str, Finding]]:
    """Yield what holds here and not there."""
    mine, theirs = here.findings, None if there is None else there.findings
    if isinstance(mine, FindingsView):
        rows = mine.rows_beyond(theirs if isinstance(theirs, FindingsView) else None, TOLD_TO)
    else:
        rows = list(mine)
    for row in rows[:MOST_MOVES]:
        model = here.rows[row].model
        known = _rules(model, there)
        for finding in mine.get(row, ()):
            if _is_told(finding) and finding.rule not in known:
                yield model, finding


def _rules(model: str, there: Snapshot | None) -> frozenset[str]:
    if there is None:
        return frozenset()
    row = there.index.get(model)
    findings: Mapping[int, tuple[Finding, ...]] = there.findings
    if row is None or row not in findings:
        return frozenset()
    return frozenset(each.rule for each in findings[row] if _is_told(each))


def _is_told(finding: Finding) -> bool:
    """Tell whether a rule's beginning is news: a row that is not judged is no event."""
    return finding.level <= TOLD_TO and finding.level is not Severity.UNJUDGED
