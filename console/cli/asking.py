"""Preview, question, second person, result: the way of one action through the shell."""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from console.actions.confirming import (
    APPROVAL_SECONDS,
    approval_of,
    ask_approval,
)
from console.actions.preview import preview_lines, preview_text, request_lines
from console.actions.record import blast_json
from console.actions.refusal import ActionRefused
from console.actions.targets import subject_of
from console.cli.acting import DONE, NOTHING_CHANGED, REFUSED, code_of, has_terminal, told
from console.cli.exits import CommandError, UsageError
from console.facts.action import Confirmation
from console.facts.text import visible

if TYPE_CHECKING:
    import argparse

    from console.cli.acting import Session
    from console.facts.action import Outcome, PreparedAction

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
