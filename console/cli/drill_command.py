"""``midwatch drill``: an action and its way back on purpose, a source away, and the calendar."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sys
import time
from typing import TYPE_CHECKING

from console.actions.drill import (
    DRILLS,
    DrillPlan,
    drill,
    drill_request,
    write_observed,
)
from console.actions.drill_guard import DrillWatch, drill_guards
from console.actions.fleet_view import FleetView
from console.actions.preview import preview_text
from console.actions.write_gate import require, require_writable
from console.cli.action_session import (
    DONE,
    NOTHING_CHANGED,
    UNVERIFIED,
    add_flags,
    code_of,
    confirmed,
    document,
    has_terminal,
    look,
    opened,
    reason_of,
    rehearse,
    run_async,
    target_faults,
    told,
)
from console.cli.command_line import Parser, UsageError, add_shared, duration, one_of
from console.domain.action import ActionRefused
from console.domain.severity import Severity
from console.domain.text import visible
from console.domain.timestamps import stamped, timestamp
from console.journal import Question
from console.readiness.drill_calendar import HYPOTHESES, calendar
from console.readiness.proofs import PROOF_KINDS, fold_proofs
from console.readiness.subject import DRILL_DAYS

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator, Sequence

    from console.cli.action_session import Session
    from console.domain.action import Guard
    from console.domain.proof import Proofs
    from console.domain.snapshot import Snapshot
    from console.engine.service import Engine
    from console.readiness.drill_calendar import DrillDue
    from console.settings.schema import SourceSettings

LONGEST_SECONDS = 240.0


def parser() -> Parser:
    """Return the command's own parser."""
    made = Parser("midwatch drill", "An action and its way back on purpose, in the record.")
    made.add_argument("model", metavar="MODEL", nargs="?", help="a model")
    made.add_argument(
        "what",
        metavar="|".join(DRILL_DAYS),
        nargs="?",
        type=made.value(one_of(DRILL_DAYS, "drill")),
        help="what is tried",
    )
    made.add_argument("--due", action="store_true", help="what was never drilled, or is due again")
    made.add_argument("--all", action="store_true", help="--due: what is not due, too")
    made.add_argument("--to", metavar="NAME", default="", help="which fallback")
    made.add_argument("--hypothesis", metavar="TEXT", default="", help="what you expect to see")
    short = duration(0.0, LONGEST_SECONDS, "at most 4m: a drill is short")
    for flag, usual, text in (
        ("--hold", 5.0, "how long it is held (default 5s)"),
        ("--settle", 60.0, "how long all may take to be as before (default 60s)"),
    ):
        made.add_argument(
            flag, metavar="TIME", type=made.value(short, flag), default=usual, help=text
        )
    add_flags(made)
    add_shared(made)
    return made


def run(shared: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Drill; 0 passed, else the code of what went wrong."""
    made = parser()
    if "--due" in arguments:
        return run_async(_due(shared, made.parse_all(arguments)))
    chosen = made.parse_all(
        arguments, reason_of, _named, also=lambda made: target_faults(shared, made.model or "")
    )
    reason = reason_of(chosen)
    if chosen.what in DRILLS:
        return run_async(_drill(shared, chosen, reason))
    return run_async(_observe(shared, chosen, reason))


def _named(chosen: argparse.Namespace) -> None:
    if chosen.model is None or chosen.what is None:
        raise UsageError(f"name a model and one of {', '.join(DRILL_DAYS)}; or --due")


# The calendar


async def _due(shared: argparse.Namespace, chosen: argparse.Namespace) -> int:
    async with opened(shared) as session:
        now = session.bench.clock()
        proofs = await asyncio.to_thread(_proofs, session)
    listed = [
        each
        for each in calendar(session.bench.settings, proofs, now)
        if (chosen.all or each.state != "ok")
        and chosen.model in (None, each.target)
        and chosen.what in (None, each.what)
    ]
    if chosen.json:
        made = {
            "schema": "midwatch.drills/1",
            "taken_at": timestamp(now),
            "drills": [_due_json(each) for each in listed],
        }
        print(json.dumps(made, indent=2))
        return DONE
    for each in listed:
        print(_due_line(each))
    if not listed:
        sys.stderr.write("no drill is due\n")
    return DONE


def _proofs(session: Session) -> Proofs:
    bench = session.bench
    found = bench.journal.entries(Question(kinds=PROOF_KINDS))
    here = [each for each in found if each.environment == bench.settings.environment]
    return fold_proofs(here).proofs


def _due_line(each: DrillDue) -> str:
    last = "never"
    if each.last is not None:
        last = f"{'passed' if each.last.passed else 'FAILED'} {timestamp(each.last.at)[:10]}"
        last += f" by {visible(each.last.by, 40)}"
        for word, seconds in (
            ("detected in", each.last.detect_seconds),
            ("recovered in", each.last.recover_seconds),
        ):
            last += "" if seconds is None else f", {word} {seconds:.0f} s"
    due = "" if each.due_at is None else f"  due {timestamp(each.due_at)[:10]}"
    state = each.state.upper() if each.state in ("failed", "overdue") else each.state
    return (
        f"{visible(each.target, 30):<24} tier {each.tier}  {each.what:<11} {state:<8}{due}  {last}"
    )


def _due_json(each: DrillDue) -> dict[str, object]:
    last = each.last
    return {
        "model": each.target,
        "tier": each.tier,
        "what": each.what,
        "state": each.state,
        "due_at": stamped(each.due_at),
        "last": None
        if last is None
        else {
            "at": timestamp(last.at),
            "by": last.by,
            "passed": last.passed,
            "drill": last.drill,
            "text": last.text,
            "detect_seconds": last.detect_seconds,
            "recover_seconds": last.recover_seconds,
            "entry": last.entry,
        },
    }


# Drills that act


async def _drill(shared: argparse.Namespace, chosen: argparse.Namespace, reason: str) -> int:
    async with opened(shared) as session:
        request = drill_request(chosen.what, chosen.model, reason, chosen.to)
        if not chosen.dry_run:
            require(request.verb, session.actor.mode)
        sight = FleetView(session.bench.settings, None, session.bench.clock())
        if request.verb == "fallback" and not request.to and chosen.model in sight.rows:
            rungs = sight.rows[chosen.model].fallbacks
            to = rungs[0].name if rungs else ""
            request = drill_request(chosen.what, chosen.model, reason, to)
        snapshot = await look(session, (chosen.model,), instant=chosen.instant)
        prepared = await session.actor.prepare(request, snapshot)
        plan = _plan(session, chosen, snapshot)
        if chosen.dry_run:
            _tell_plan(plan)
            return await rehearse(session, prepared, chosen)
        sys.stderr.write(preview_text(prepared))
        _tell_plan(plan)
        if prepared.forbidden:
            raise ActionRefused(prepared.forbidden)
        _check_guards(plan)
        confirmation = await confirmed(session, prepared, chosen)
        if confirmation is None:
            sys.stderr.write("cancelled, nothing was sent\n")
            return NOTHING_CHANGED
        watch = DrillWatch(chosen.model, chosen.what, snapshot)
        async with _watching(session, watch):
            done = await drill(
                session.actor,
                prepared,
                confirmation,
                plan=plan,
                watch=watch,
                tell=lambda sentence: told("drill", sentence),
            )
    if chosen.json:
        made = document(prepared, done.there)
        made["drill"] = {
            "passed": done.passed,
            "states": list(done.states),
            "text": done.sentence,
            "what": plan.what,
            "hypothesis": plan.hypothesis,
            "detect_seconds": done.detect_seconds,
            "recover_seconds": done.recover_seconds,
            "aborted": done.abort or None,
        }
        print(json.dumps(made, indent=2, ensure_ascii=False))
    else:
        _print_result(chosen, done.sentence, passed=done.passed)
    if done.passed:
        return DONE
    if done.back is None:
        return code_of(done.there) or NOTHING_CHANGED
    return code_of(done.back) or UNVERIFIED


def _plan(session: Session, chosen: argparse.Namespace, snapshot: Snapshot | None) -> DrillPlan:
    bench = session.bench
    return DrillPlan(
        chosen.what,
        chosen.hypothesis.strip() or HYPOTHESES[chosen.what],
        chosen.hold,
        chosen.settle,
        drill_guards(bench.settings, snapshot, chosen.model, bench.clock()),
        chosen.break_glass,
    )


def _tell_plan(plan: DrillPlan) -> None:
    told("expect", plan.hypothesis)
    for guard in plan.guards:
        told("against" if guard.level == "refuse" else "note", guard.sentence)


def _check_guards(plan: DrillPlan) -> None:
    against: tuple[Guard, ...] = tuple(each for each in plan.guards if each.level == "refuse")
    if against and not plan.despite:
        raise ActionRefused(against)


@contextlib.asynccontextmanager
async def _watching(session: Session, watch: DrillWatch) -> AsyncIterator[None]:
    """Let an engine tick and feed the watch for the length of a ``with``."""
    if not watch.sees:
        yield
        return
    engine = session.prepared.engine()
    engine.on_problem = lambda sentence: told("note", sentence)
    ticking = asyncio.create_task(engine.run(watch.take))
    deadline = time.monotonic() + LONGEST_SECONDS
    try:
        # Nothing is sent before the console that watches has seen how it is without.
        while not watch.ready and time.monotonic() < deadline:
            await asyncio.sleep(0.2)
        if not watch.ready:
            raise ActionRefused.forbidden(
                "drill_blind",
                f"{visible(watch.model, 60)} was not seen for 4 min: no watch",
            )
        yield
    finally:
        engine.stop()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(ticking, 10.0)
        await engine.close()


def _print_result(chosen: argparse.Namespace, sentence: str, *, passed: bool) -> None:
    word = "passed" if passed else "FAILED"
    print(f"drill {word}: {visible(chosen.model, 80)} {chosen.what}: {visible(sentence, 600)}")


# Drills in which nothing is sent


async def _observe(shared: argparse.Namespace, chosen: argparse.Namespace, reason: str) -> int:
    """Drill what only the console or people do: losing sight of a model, handing over."""
    async with opened(shared) as session:
        if not chosen.dry_run:
            require_writable("A drill", session.actor.mode)
        if chosen.model not in session.bench.settings.models:
            raise UsageError(f"{visible(chosen.model, 60)} is not declared under [models]")
        snapshot = await look(session, (chosen.model,), instant=chosen.instant)
        plan = _plan(session, chosen, snapshot)
        _tell_plan(plan)
        if chosen.dry_run:
            print("dry run: nothing was done or written")
            return DONE
        _check_guards(plan)
        if not chosen.yes and not _sure():
            sys.stderr.write("cancelled, nothing was done\n")
            return NOTHING_CHANGED
        observe = _source_away if chosen.what == "source-away" else _handed_over
        passed, sentence, states, detect, recover = await observe(session, chosen)
        await asyncio.to_thread(
            write_observed,
            session.actor,
            plan,
            chosen.model,
            reason,
            passed=passed,
            sentence=sentence,
            states=states,
            detect_seconds=detect,
            recover_seconds=recover,
        )
    if chosen.json:
        made = {
            "schema": "midwatch.drill/1",
            "model": chosen.model,
            "what": chosen.what,
            "hypothesis": plan.hypothesis,
            "passed": passed,
            "text": sentence,
            "states": list(states),
            "detect_seconds": detect,
            "recover_seconds": recover,
        }
        print(json.dumps(made, indent=2, ensure_ascii=False))
    else:
        _print_result(chosen, sentence, passed=passed)
    return DONE if passed else NOTHING_CHANGED


def _sure() -> bool:
    if not has_terminal():
        raise UsageError("there is no terminal to ask on; --yes goes ahead without asking")
    sys.stderr.write("Y does it, Enter cancels: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip() == "Y"


Observation = tuple[bool, str, tuple[str, ...], float | None, float | None]


async def _source_away(session: Session, chosen: argparse.Namespace) -> Observation:
    """Keep the model's source from this command alone, and see what the console makes of it."""
    from console.sources.factory import WithheldSource, plain_factory

    prepared = session.prepared
    seconds = prepared.loaded.settings.refresh_seconds
    make = plain_factory(prepared.resolver, interval_seconds=seconds)
    sources: list[WithheldSource] = []

    def withheld(settings: SourceSettings) -> WithheldSource:
        made = WithheldSource(make(settings))
        sources.append(made)
        return made

    engine = prepared.engine(withheld)
    engine.on_problem = lambda sentence: told("note", sentence)
    try:
        first = await prepared.two_looks(engine, 30.0)
        before = level_of(first, chosen.model)
        if before is Severity.UNKNOWN:
            return False, "nobody knew how it was before", (before.label,), None, None
        ticks = Ticks(engine, chosen.model)
        for source in sources:
            source.withheld = True
        told("drill", "its sources are kept from this command; nothing else is touched")
        detect = await ticks.until(LONGEST_SECONDS, unknown=True)
        away = ticks.level
        for source in sources:
            source.withheld = False
        recover = await ticks.until(chosen.settle, unknown=False)
        states = (before.label, away.label, ticks.level.label)
    finally:
        await engine.close()
    passed = detect is not None and recover is not None
    sentence = " → ".join(states)
    if detect is None:
        sentence += "; the console never said that it does not know"
    else:
        sentence += f"; unknown after {detect:.0f} s"
    if recover is not None:
        sentence += f", known again after {recover:.0f} s"
    elif detect is not None:
        sentence += "; not known again when watching ended"
    return passed, sentence, states, detect, recover


def level_of(snapshot: Snapshot, model: str) -> Severity:
    """Return a model's level, unknown where it has no row."""
    row = snapshot.index.get(model)
    return Severity.UNKNOWN if row is None else snapshot.severity(row)


class Ticks:
    """Lets an engine tick until a model is known, or is not, and measures how long that takes."""

    def __init__(self, engine: Engine, model: str) -> None:
        self._engine = engine
        self._model = model
        self.level = Severity.UNKNOWN

    async def until(self, limit_seconds: float, *, unknown: bool) -> float | None:
        """Return the seconds until then, None where it did not come within the limit."""
        began_at = time.monotonic()
        while (passed := time.monotonic() - began_at) < limit_seconds:
            self.level = level_of(await self._engine.tick(), self._model)
            if (self.level is Severity.UNKNOWN) is unknown:
                return time.monotonic() - began_at
            await asyncio.sleep(min(self._engine.settings.refresh_seconds, limit_seconds - passed))
        return None


NEWEST_HANDOVER_SECONDS = 86400.0


async def _handed_over(session: Session, chosen: argparse.Namespace) -> Observation:
    """Wait for somebody else to accept the newest handover, and see how long that took."""
    told("drill", "another person, from their own login, runs: midwatch handover --accept")
    deadline = time.monotonic() + chosen.settle
    while True:
        last = (await asyncio.to_thread(_proofs, session)).handover
        if last is None or session.bench.clock() - last.at > NEWEST_HANDOVER_SECONDS:
            sentence = "no handover was written in the last day: midwatch handover --yes writes one"
            return False, sentence, ("none",), None, None
        if last.accepted_at is not None:
            seconds = max(0.0, last.accepted_at - last.at)
            sentence = (
                f"written by {visible(last.by, 40)}, accepted by {visible(last.accepted_by, 40)} "
                f"after {seconds:.0f} s"
            )
            return True, sentence, ("written", "accepted"), None, seconds
        if time.monotonic() >= deadline:
            sentence = f"nobody has accepted the handover of {visible(last.by, 40)}"
            return False, sentence, ("written",), None, None
        await asyncio.sleep(1.0)
