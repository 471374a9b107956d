"""Judging a change by reading the world back: never by the answer to the request."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from console.controls.template import reached

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from console.controls.protocol import Control
    from console.domain.action import OutcomeKind
    from console.domain.control import PreparedChange, Reach, SendResult, TargetState

GOOD: tuple[Reach, ...] = ("wanted", "accepted")


@dataclass(slots=True)
class _Watched:
    """One target: how often in a row it read the same, and what it read last."""

    reach: Reach = "unknown"
    text: str = "?"
    error: str = ""
    in_a_row: int = 0
    was_good: bool = False


@dataclass(frozen=True, slots=True)
class Seen:
    """What reading back showed: how far each target got, by target as shown."""

    reached: Mapping[str, Reach] = field(default_factory=dict)
    states: Mapping[str, str] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)


async def read_back(
    change: PreparedChange,
    control: Control,
    clock: Callable[[], float],
    *,
    once: bool = False,
) -> Seen:
    """Read until every target holds the wanted state ``stable_for`` reads in a row, or too late.

    Times come from ``change.verify``, in seconds. With ``once`` a single read is all.
    """
    plan = change.verify
    deadline = time.monotonic() + plan.within_seconds
    watched = {call.target: _Watched() for call in change.calls}
    while True:
        state = await control.read(clock())
        for call in change.calls:
            _note(watched[call.target], state.of(call.target), change, call.target)
        settled = all(
            each.reach in GOOD and each.in_a_row >= plan.stable_for for each in watched.values()
        )
        if settled or once or time.monotonic() + plan.every_seconds > deadline:
            return _seen(watched, plan.stable_for if not once else 1)
        await asyncio.sleep(plan.every_seconds)


def _note(watch: _Watched, state: TargetState | None, change: PreparedChange, target: str) -> None:
    if state is None or not state.known:
        watch.reach, watch.in_a_row = "unknown", 0
        watch.text = "?" if state is None or state.exists is not False else "absent"
        watch.error = "" if state is None else state.error
        return
    call = next(each for each in change.calls if each.target == target)
    found = reached(call, change.desired, state)
    same_side = (found in GOOD) == (watch.reach in GOOD) and watch.reach != "unknown"
    watch.in_a_row = watch.in_a_row + 1 if same_side else 1
    watch.was_good = watch.was_good or found in GOOD
    watch.reach, watch.text, watch.error = found, state.text, ""


def _seen(watched: Mapping[str, _Watched], stable_for: int) -> Seen:
    """Count a state that would not stay as not known: it may be either."""
    return Seen(
        {
            target: each.reach if each.in_a_row >= stable_for else _unsteady(each)
            for target, each in watched.items()
        },
        {target: each.text for target, each in watched.items()},
        {
            target: each.error or "it did not stay in one state"
            for target, each in watched.items()
            if each.error or each.in_a_row < stable_for
        },
    )


def _unsteady(watch: _Watched) -> Reach:
    return "unknown" if watch.was_good else watch.reach


@dataclass(frozen=True, slots=True)
class Judgement:
    """The outcome of one operation: its kind, its sentence, and how many targets got there."""

    kind: OutcomeKind
    sentence: str
    done: int
    total: int
    unknown: tuple[str, ...] = ()


def judge(
    changes: Sequence[PreparedChange], seen: Sequence[Seen], answers: Sequence[SendResult | None]
) -> Judgement:
    """Return what became of it; ``answers`` are None where nothing is known of the sending.

    A 5xx may have applied and a 2xx may not: only where a target cannot be read does the answer
    count, and then only an answer that proves that nothing changed.
    """
    total = sum(len(each.reached) for each in seen)
    done = sum(how in GOOD for each in seen for how in each.reached.values())
    rejected, unknown = _not_there(seen, answers)
    words, states = _words(changes), _states(seen)
    told = "; ".join(dict.fromkeys(each.sentence for each in answers if each and each.sentence))
    said = f"; {told}" if told else ""
    if total and done == total:
        return Judgement("applied", f"{words}: {states}", done, total)
    if done:
        missing = f"; not known: {', '.join(unknown)}" if unknown else ""
        sentence = f"{words} on {done} of {total} targets: {states}{missing}{said}"
        return Judgement("partial", sentence, done, total, unknown)
    if unknown:
        why = "; ".join(dict.fromkeys(word for each in seen for word in each.errors.values()))
        sentence = f"{words} may have happened: it cannot be read back ({why}){said}; look at it"
        return Judgement("unverified", sentence, 0, total, unknown)
    if rejected:
        return Judgement("rejected", f"{words} was refused{said}", 0, total)
    return Judgement("failed", f"{words} did not happen: {states}{said}", 0, total)


def _not_there(
    seen: Sequence[Seen], answers: Sequence[SendResult | None]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the targets that refused for certain, and those of which nothing is known."""
    rejected: list[str] = []
    unknown: list[str] = []
    for each, answer in zip(seen, answers, strict=True):
        said = {} if answer is None else {result.target: result for result in answer.results}
        for name, how in each.reached.items():
            if how in GOOD:
                continue
            if name in said and said[name].verdict == "rejected":
                rejected.append(name)
            elif how == "unknown":
                unknown.append(name)
    return tuple(rejected), tuple(unknown)


def judge_renewal(verdict: Judgement, answers: Sequence[SendResult]) -> Judgement:
    """Return what became of a renewal: the state was there before, so the answers count as well.

    A read-back cannot show a service's own timer, so an unclear answer stays unverified.
    """
    said = {result.verdict for answer in answers for result in answer.results}
    if verdict.kind != "applied" or said == {"accepted"}:
        return verdict
    told = "; ".join(answer.sentence for answer in answers)
    if said == {"rejected"}:
        return Judgement("rejected", f"not renewed: {told}", 0, verdict.total)
    return Judgement("unverified", f"it may not be renewed: {told}", 0, verdict.total)


def preconditions_failed(answers: Sequence[SendResult]) -> bool:
    """Tell whether every target refused because it had changed since it was read (HTTP 412)."""
    results = [result for answer in answers for result in answer.results]
    return bool(results) and all(result.status == 412 for result in results)


def _words(changes: Sequence[PreparedChange]) -> str:
    return ", ".join(dict.fromkeys(change.label for change in changes))


def _states(seen: Sequence[Seen]) -> str:
    counts: dict[str, int] = {}
    for each in seen:
        for text in each.states.values():
            counts[text] = counts.get(text, 0) + 1
    if len(counts) == 1:
        return f"now {next(iter(counts))}"
    return "now " + ", ".join(f"{number} {text}" for text, number in counts.items())
