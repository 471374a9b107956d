"""One action through the shell: session opened, preview, question, second person, exit code."""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import sys
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from console.actions.action_record import blast_json
from console.actions.approval import APPROVAL_SECONDS, SHORTEST_REASON, approval_of, ask_approval
from console.actions.executor import ActionExecutor
from console.actions.fleet_view import DEPENDENCY_PREFIX, subject_of
from console.actions.prepare import ActionEnvironment
from console.actions.preview import preview_lines, preview_text, request_lines
from console.actions.write_gate import mode_of_command
from console.cli.bootstrap import prepare
from console.cli.command_line import NOT_ALLOWED, CommandError, UsageError, flags
from console.controls.registry import ControlRegistry
from console.domain.action import ActionRefused, Confirmation, WritesNotAllowed
from console.domain.text import visible
from console.journal import JournalError, JournalReadOnlyError, open_configured
from console.settings.durations import DurationError, parse_duration
from console.settings.problems import nearest
from console.settings.schema import SHIFT_END

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    from console.cli.bootstrap import Prepared
    from console.cli.command_line import Parser
    from console.domain.action import Outcome, PreparedAction
    from console.domain.snapshot import Snapshot

DONE = 0
NOTHING_CHANGED = 1
UNVERIFIED = 4
PARTIAL = 5
SUPERSEDED = 6
REFUSED = 7

CODES = {
    "applied": DONE,
    "no_op": DONE,
    "rejected": NOTHING_CHANGED,
    "failed": NOTHING_CHANGED,
    "unverified": UNVERIFIED,
    "partial": PARTIAL,
    "superseded": SUPERSEDED,
    "diverged": PARTIAL,
}

LOOK_LIMIT_SECONDS = 15.0
NAME_SECONDS = 3.0
SECOND_LOOK_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Session:
    """One command's hold on configuration, journal and controls."""

    prepared: Prepared
    actor: ActionExecutor

    @property
    def bench(self) -> ActionEnvironment:
        """What the actor works with."""
        return self.actor.bench


def add_flags(parser: Parser) -> None:
    """Add the flags that every action command takes."""
    parser.add_argument(
        "--reason",
        metavar="TEXT",
        help="why it is done; required, and stands in the record",
    )
    parser.add_argument(
        "--ttl",
        metavar="TIME",
        help=f"when a held state ends: 15m, 1h (default), 4h, {SHIFT_END}",
    )
    parser.add_argument("--incident", metavar="ID", default="", help="the incident it belongs to")
    parser.add_argument(
        "--dry-run", action="store_true", help="show everything that would happen; send nothing"
    )
    parser.add_argument("--yes", action="store_true", help="do not ask; needed without a terminal")
    parser.add_argument(
        "--break-glass",
        metavar="REASON",
        default="",
        help="go without what a guard or class C3 asks for; stands in the record",
    )
    parser.add_argument("--instant", action="store_true", help="one look at the numbers, no second")
    parser.add_argument("--json", action="store_true", help="a document for scripts")


def ttl_of(chosen: argparse.Namespace, bench: ActionEnvironment | None = None) -> float | None:
    """Return ``--ttl`` in seconds from now, None where it was not given.

    The end of the shift stands in the settings: without a ``bench`` it is not known yet, None.
    """
    if chosen.ttl is None:
        return None
    if chosen.ttl.strip() == SHIFT_END:
        return None if bench is None else _shift_end_seconds(bench)
    try:
        return parse_duration(chosen.ttl)
    except DurationError as fault:
        sentence = f"--ttl {visible(chosen.ttl, 40)}: {fault}, or {SHIFT_END}"
        raise UsageError(sentence) from fault


def _shift_end_seconds(bench: ActionEnvironment) -> float:
    now = bench.clock()
    return float(round(bench.settings.shift.next_end(now) - now))


def reason_of(chosen: argparse.Namespace) -> str:
    """Return ``--reason``; without one the command is refused."""
    reason = (chosen.reason or "").strip()
    if not reason:
        raise UsageError("say why: --reason TEXT is required and stands in the record")
    if len(reason) < SHORTEST_REASON:
        raise UsageError("say why in at least three letters: --reason TEXT stands in the record")
    return str(reason)


def target_faults(shared: argparse.Namespace, target: str) -> list[str]:
    """Return the sentence that says why ``target`` names nothing, for a refusal of other faults.

    Asks the sources for `NAME_SECONDS`; what is not known then is no fault.
    """
    prepared = prepare(flags(shared), needs_source=False, warns=False)
    settings = prepared.loaded.settings
    snapshot = asyncio.run(prepared.quick_look(NAME_SECONDS))
    named = target.removeprefix(DEPENDENCY_PREFIX)
    if named != target:
        known, noun = list(settings.dependencies), "dependency"
    else:
        found = () if snapshot is None else snapshot.rows
        known, noun = sorted({*settings.models, *(row.model for row in found)}), "model"
    if named in known or not known:
        return []
    listed = ", ".join(visible(each, 60) for each in known[:8]) + (", …" if known[8:] else "")
    close = nearest(named, known) or f"there are {listed}"
    return [f"there is no {noun} {visible(named, 60)}; {close}"]


@contextlib.asynccontextmanager
async def opened(
    shared: argparse.Namespace, progress: Callable[[str, str], None] | None = None
) -> AsyncIterator[Session]:
    """Hold journal and controls for the length of a ``with``; raises ``JournalError``."""
    prepared = prepare(flags(shared), needs_source=False)
    settings = prepared.loaded.settings
    journal = await asyncio.to_thread(
        open_configured, prepared.loaded, prepared.resolver, os.environ
    )
    shelf = ControlRegistry(settings, prepared.resolver)
    try:
        from console.journal import declared_name, gather_who

        who = gather_who(*declared_name(settings, os.environ), os.environ)
        bench = ActionEnvironment(settings, shelf, journal, who, time.time)
        yield Session(prepared, ActionExecutor(bench, mode_of_command(settings), progress or told))
    finally:
        await shelf.aclose()
        await asyncio.to_thread(journal.close)


def told(stage: str, sentence: str) -> None:
    """Tell a stage of the pipeline on standard error."""
    sys.stderr.write(f"{stage:<8} {visible(sentence, 600)}\n")
    sys.stderr.flush()


def run_async(work: Awaitable[int]) -> int:
    """Run a command to its exit code; refusals and faults of the journal become sentences."""

    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A terminal that cannot show an arrow must not end what is under way.
            stream.reconfigure(errors="backslashreplace")

    async def whole() -> int:
        return await work

    try:
        return asyncio.run(whole())
    except WritesNotAllowed as fault:
        raise CommandError(
            f'{fault}: the configuration says writes = "never"', NOT_ALLOWED
        ) from fault
    except ActionRefused as fault:
        lines = "\n  ".join(visible(guard.sentence, 600) for guard in fault.guards)
        raise CommandError(f"refused, nothing was sent:\n  {lines}", REFUSED) from fault
    except JournalReadOnlyError as fault:
        raise CommandError(fault.sentence, NOT_ALLOWED) from fault
    except JournalError as fault:
        raise CommandError(
            f"nothing was sent, because the journal cannot be used: {fault.sentence}",
            NOTHING_CHANGED,
        ) from fault


async def look(session: Session, models: tuple[str, ...], *, instant: bool) -> Snapshot | None:
    """Return the fleet as it is, so that a preview has numbers; None where none can be had.

    Rates need two looks at a scraped service; a second is taken where the first has none.
    """
    if not session.prepared.loaded.settings.sources:
        return None
    engine = session.prepared.engine()
    engine.on_problem = lambda sentence: told("note", sentence)
    try:
        async with asyncio.timeout(LOOK_LIMIT_SECONDS):
            snapshot = await engine.once()
            index = {row.model: number for number, row in enumerate(snapshot.rows)}
            wanted = [index[model] for model in models if model in index]
            known = all(snapshot.reading("requests_rate", row).known for row in wanted)
            if instant or known:
                return snapshot
            refresh_seconds = session.prepared.loaded.settings.refresh_seconds
            await asyncio.sleep(min(refresh_seconds, SECOND_LOOK_SECONDS))
            return await engine.once()
    except TimeoutError:
        told("note", f"no numbers within {LOOK_LIMIT_SECONDS:.0f} s; going on without")
        return None
    finally:
        await engine.close()


def code_of(outcome: Outcome) -> int:
    """Return the exit code that is promised for an outcome."""
    code = CODES[outcome.kind]
    return UNVERIFIED if code == DONE and not outcome.recorded else code


def has_terminal() -> bool:
    """Tell whether somebody can be asked."""
    return sys.stdin.isatty() and sys.stderr.isatty()


POLL_SECONDS = 1.0
SCHEMA = "midwatch.action/1"


async def ask_and_do(session: Session, prepared: PreparedAction, chosen: argparse.Namespace) -> int:
    """Show, ask, do, and print what became of it; return the exit code."""
    if chosen.dry_run:
        return await rehearse(session, prepared, chosen)
    if prepared.forbidden:
        sys.stderr.write(preview_text(prepared))
        raise ActionRefused(prepared.forbidden)
    sys.stderr.write(preview_text(prepared))
    sys.stderr.flush()
    confirmation = await confirmed(session, prepared, chosen)
    if confirmation is None:
        sys.stderr.write("cancelled, nothing was sent\n")
        return NOTHING_CHANGED
    outcome = await session.actor.perform(prepared, confirmation)
    show_outcome(prepared, outcome, as_json=chosen.json)
    return code_of(outcome)


async def rehearse(session: Session, prepared: PreparedAction, chosen: argparse.Namespace) -> int:
    """Print everything that would happen; where the service offers a dry run, ask it too."""
    answers: list[str] = []
    for change in prepared.changes:
        if change.has_dry_run:
            control = session.bench.controls[change.control]
            answers.append((await control.dry_run(change, session.bench.clock())).sentence)
    if chosen.json:
        print(json.dumps({**document(prepared), "dry_run": answers}, indent=2, ensure_ascii=False))
    else:
        print(preview_text(prepared, exact=True), end="")
        for answer in answers:
            print(f"  service {visible(answer, 600)}")
        print("dry run: nothing was sent")
    needs_more = prepared.confirm_class == "C3" and not chosen.break_glass
    if prepared.forbidden or (prepared.refused and needs_more):
        return REFUSED
    return DONE


async def confirmed(
    session: Session, prepared: PreparedAction, chosen: argparse.Namespace
) -> Confirmation | None:
    """Return the confirmation that the class asks for, None for a no."""
    if prepared.already:
        return Confirmation(yes=True, by_yes=True)  # nothing will be sent
    if chosen.yes:
        given = Confirmation(yes=True, by_yes=True, break_glass=chosen.break_glass)
    elif not has_terminal():
        raise UsageError("there is no terminal to ask on; --yes goes ahead without asking")
    else:
        typed = _asked(prepared)
        if typed is None:
            return None
        given = Confirmation(yes=True, typed=typed, break_glass=chosen.break_glass)
    if prepared.confirm_class == "C3" and not given.break_glass:
        by = await _second_person(session, prepared)
        given = replace(given, approved_by=by)
    return given


def _asked(prepared: PreparedAction) -> str | None:
    """Return what was typed: ``Y`` for C1, the name for C2 and C3; None cancels."""
    name = prepared.request.target
    if prepared.confirm_class in ("C2", "C3"):
        known = subject_of(name)
        question, wanted = f"type {known} to do it", {name, known}
    else:
        question, wanted = "Y does it", {"Y"}
    while True:
        sys.stderr.write(f"{question}, d shows the exact request, Enter cancels: ")
        sys.stderr.flush()
        answer = sys.stdin.readline().strip()
        if answer == "d":
            for label, text in request_lines(prepared):
                sys.stderr.write(f"  {label:<8}{text}\n")
            continue
        return answer if answer in wanted else None


async def _second_person(session: Session, prepared: PreparedAction) -> str:
    """Wait for ``midwatch approve`` from another login; raises where none can or does come."""
    journal = session.bench.journal
    if not journal.shared:
        reasons = "\n  ".join(visible(guard.sentence, 600) for guard in prepared.refused)
        more = f"\n  {reasons}" if reasons else ""
        raise CommandError(
            f"refused, nothing was sent: {prepared.title} is class C3 and needs a second person, "
            "who can only be asked on a shared journal; --break-glass REASON goes without, and "
            f"stands in the record{more}",
            REFUSED,
        )
    await asyncio.to_thread(ask_approval, journal, prepared, session.bench.clock())
    told("waiting", f"a second person, on another login, runs: midwatch approve {prepared.op_id}")
    until = session.bench.clock() + APPROVAL_SECONDS
    while session.bench.clock() < until:
        by = await asyncio.to_thread(
            approval_of, journal, prepared, session.bench.who, session.bench.clock()
        )
        if by:
            told("approved", f"by {by}")
            return by
        await asyncio.sleep(POLL_SECONDS)
    raise CommandError("nobody approved within ten minutes; nothing was sent", REFUSED)


def show_outcome(prepared: PreparedAction, outcome: Outcome, *, as_json: bool) -> None:
    """Print what became of an action on standard output."""
    with output_may_fail(outcome.sentence):
        _show_outcome(prepared, outcome, as_json=as_json)


@contextlib.contextmanager
def output_may_fail(said: str) -> Iterator[None]:
    """Print for the length of a ``with``; output that takes no more changes no exit code.

    What was done is done: a script has to learn that, not that a pipe was full.
    """
    try:
        yield
        sys.stdout.flush()
    except OSError as fault:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        reason = visible(fault.strerror or "").lower()
        told("note", f"the output cannot be written ({reason}); what became of it: {said}")


def _show_outcome(prepared: PreparedAction, outcome: Outcome, *, as_json: bool) -> None:
    if as_json:
        made = document(prepared, outcome)
        print(json.dumps(made, indent=2, ensure_ascii=False))
        return
    print(f"{outcome.kind}: {prepared.title}: {visible(outcome.sentence, 800)}")
    if outcome.in_force and outcome.ends_at is not None:
        print(
            f"ends {iso(outcome.ends_at)}; earlier: midwatch end {outcome.op_id} --reason TEXT · "
            f"longer: midwatch renew {outcome.op_id} --ttl 1h --reason TEXT"
        )


def document(prepared: PreparedAction, outcome: Outcome | None = None) -> dict[str, object]:
    """Return an action as a document for scripts."""
    request = prepared.request
    made: dict[str, object] = {
        "schema": SCHEMA,
        "op": prepared.op_id,
        "verb": request.verb,
        "target": request.target,
        "reason": request.reason,
        "before": prepared.before,
        "wanted": prepared.wanted,
        "class": prepared.confirm_class,
        "ttl_seconds": prepared.ttl_seconds,
        "enforced_by": prepared.enforced_by or None,
        "guards": [
            {"id": guard.id, "level": guard.level, "text": guard.sentence}
            for guard in prepared.guards
        ],
        "blast": blast_json(prepared.blast),
        "preview": [{"label": label, "text": text} for label, text in preview_lines(prepared)],
        "requests": [call.shown for change in prepared.changes for call in change.calls],
        "command": prepared.command_line,
        "outcome": None,
    }
    if outcome is not None:
        made["outcome"] = {
            "kind": outcome.kind,
            "text": outcome.sentence,
            "done": outcome.done,
            "total": outcome.total,
            "after": dict(outcome.after),
            "at": iso(outcome.at),
            "ends_at": None if outcome.ends_at is None else iso(outcome.ends_at),
        }
    return made


def iso(at: float) -> str:
    """Return Unix seconds as UTC, to the second."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
