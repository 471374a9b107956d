"""Judging a change by reading the world back: never by the answer to the request."""

from __future__ import annotations

import asyncio
import itertools
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
    brief: bool = False,
) -> Seen:
    """Read until every target holds the wanted state ``stable_for`` reads in a row, or too late.

    Times come from ``change.verify``, in seconds. With ``brief`` it ends as soon as every target
    reads the same ``stable_for`` times in a row, whatever that is; one read is never enough, and
    none is taken for the whole because the time was over after it.
    """
    plan = change.verify
    stable_for = max(2, plan.stable_for)
    deadline = time.monotonic() + plan.within_seconds
    watched = {call.target: _Watched() for call in change.calls}
    for reads in itertools.count(1):
        state = await control.read(clock())
        for call in change.calls:
            _note(watched[call.target], state.of(call.target), change, call.target)
        settled = all(
            (each.reach in GOOD or (brief and each.reach != "unknown"))
            and each.in_a_row >= stable_for
            for each in watched.values()
        )
        # Where reading is slow the time is over after one: what that says is no proof.
        late = reads >= stable_for and time.monotonic() + plan.every_seconds > deadline
        if settled or late:
            break
        await asyncio.sleep(plan.every_seconds)
    return _seen(watched, stable_for)


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
    may_come: bool = False
    """Some target took the change, or may have, and reads as before: it may come true later."""

    @property
    def late_only(self) -> bool:
        """Tell whether nothing but time speaks for it: every target can be read, none is so."""
        return self.kind == "unverified" and self.may_come and not self.unknown


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
    third, late = _third_and_late(changes, seen, answers)
    words, states = _words(changes), _states(seen)
    told = "; ".join(dict.fromkeys(each.sentence for each in answers if each and each.sentence))
    said = f"; {told}" if told else ""
    if total and done == total:
        plain = {each.verdict for each in answers if each} <= {"accepted"}
        return Judgement("applied", f"{words}: {states}{'' if plain else said}", done, total)
    if done:
        missing = f"; not known: {', '.join(unknown)}" if unknown else ""
        sentence = f"{words} on {done} of {total} targets: {states}{missing}{said}"
        return Judgement("partial", sentence, done, total, unknown, bool(late))
    if third:
        names = ", ".join(f"{name} is {text}" for name, text in third.items())
        missing = f"; not known: {', '.join(unknown)}" if unknown else ""
        sentence = f"{words} led to another state: {names}{missing}{said}; look at it"
        return Judgement("diverged", sentence, 0, total, unknown, bool(late))
    if unknown:
        why = "; ".join(dict.fromkeys(word for each in seen for word in each.errors.values()))
        sentence = f"{words} may have happened: it cannot be read back ({why}){said}; look at it"
        return Judgement("unverified", sentence, 0, total, unknown)
    if late:
        refused = all(name in rejected for name in late)
        how = "was refused, and cannot be read back" if refused else "was sent and is not so yet"
        sentence = f"{words} {how}: {states}{said}"
        return Judgement("unverified", sentence, 0, total, may_come=True)
    if rejected:
        return Judgement("rejected", f"{words} was refused{said}", 0, total)
    return Judgement("failed", f"{words} did not happen: {states}{said}", 0, total)


def _third_and_late(
    changes: Sequence[PreparedChange],
    seen: Sequence[Seen],
    answers: Sequence[SendResult | None],
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the targets in a state nobody asked for, and those that read as before after a yes.

    ``None`` for an answer counts as one that may have been a yes.
    """
    third: dict[str, str] = {}
    late: list[str] = []
    for change, each, answer in zip(changes, seen, answers, strict=True):
        said = {} if answer is None else {result.target: result for result in answer.results}
        for call in change.calls:
            found = said.get(call.target)
            if each.reached.get(call.target) == "unknown" and found is not None:
                # A refusal is no proof while nobody can look: it is looked at again later.
                if found.verdict == "rejected" and found.sent:
                    late.append(call.target)
                continue
            if each.reached.get(call.target) != "not" or call.already:
                continue
            text = each.states.get(call.target, "?")
            if call.seen.known and text != call.seen.text:
                third[call.target] = text
            elif call.target not in said or said[call.target].verdict != "rejected":
                late.append(call.target)
    return third, tuple(late)


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


def judge_told(
    changes: Sequence[PreparedChange], answers: Sequence[SendResult | None]
) -> Judgement:
    """Return what became of what can only be told: at best it was taken, never that it arrived.

    ``done`` counts the receivers that took it. Answers are None where nothing is known of them.
    """
    words, total = _words(changes), sum(len(each.calls) for each in changes)
    results = [result for each in answers if each for result in each.results]
    taken = sum(each.verdict == "accepted" for each in results)
    told = "; ".join(dict.fromkeys(each.sentence for each in results if each.sentence))
    said = f" ({told})" if told else ""
    names = tuple(call.target for change in changes for call in change.calls)
    if results and all(each.verdict == "rejected" for each in results):
        return Judgement("rejected", f"{words} was refused{said}", 0, total)
    if total and taken == total:
        sentence = f"{words} was taken{said}; whether anybody is reached cannot be read back"
    else:
        sentence = f"{words} may have gone out{said}; it is not sent again, and cannot be read back"
    return Judgement("unverified", sentence, taken, total, names)


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
