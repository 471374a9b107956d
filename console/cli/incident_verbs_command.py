"""``midwatch ack|release|snooze|escalate|merge|severity|note|close``: one verb on one incident."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from console.actions.incident_executor import PreparedCare, perform_care, prepare_care, require_care
from console.cli.action_session import (
    DONE,
    NOTHING_CHANGED,
    code_of,
    has_terminal,
    iso,
    opened,
    output_may_fail,
    run_async,
    told,
)
from console.cli.command_line import Parser, UsageError, add_shared, duration, moment
from console.cli.command_table import COMMANDS
from console.domain.incident import CareWish
from console.domain.text import visible

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from console.cli.action_session import Session
    from console.domain.action import Outcome
    from console.domain.snapshot import Snapshot

SCHEMA = "midwatch.care/1"
LOOK_SECONDS = 12.0
_LONG_SNOOZE_SECONDS = 3600.0


def run(shared: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Do the command that stands first in ``arguments``; return its exit code."""
    command, *rest = arguments
    chosen = parser(command).parse_all(rest)
    return run_async(_care(shared, chosen, wish_of(command, chosen)))


def parser(command: str) -> Parser:
    """Return the command's own parser."""
    made = Parser(f"midwatch {command}", f"{COMMANDS[command].summary.capitalize()}.")
    if command == "note":
        made.add_argument("words", metavar="ID TEXT", nargs="*", help="an incident and the note")
        made.add_argument("--change", metavar="TEXT", help="a change of the world instead")
        made.add_argument("--about", metavar="TARGET", default="", help="a model, or dep:NAME")
        made.add_argument(
            "--at",
            metavar="TIME",
            type=made.value(moment, "--at"),
            help="when it was: 10m (ago), or a moment",
        )
    else:
        made.add_argument(
            "incident", metavar="ID", help="an incident, or a model or dep:NAME that has one"
        )
        made.add_argument("--reason", metavar="TEXT", default="", help="why; stands in the record")
    _add_own(made, command)
    made.add_argument("--dry-run", action="store_true", help="show what would be done; do nothing")
    made.add_argument("--yes", action="store_true", help="do not ask")
    made.add_argument("--json", action="store_true", help="a document for scripts")
    add_shared(made)
    return made


def _add_own(made: Parser, command: str) -> None:
    match command:
        case "ack" | "snooze":
            usual = "1h" if command == "ack" else "30m"
            for flag, text in (
                ("--ttl", f"when it ends (default {usual})"),
                ("--next-check", "when you look at it next"),
            ):
                made.add_argument(
                    flag, metavar="TIME", type=made.value(duration(), flag), help=text
                )
        case "escalate":
            made.add_argument(
                "--to", metavar="NAME", action="append", default=[],
                help="who is called (repeatable; default: who is declared next)",
            )  # fmt: skip
        case "merge":
            made.add_argument("--into", metavar="ID", required=True, help="where it belongs")
        case "severity":
            made.add_argument("level", metavar="LEVEL", help="S1, S2, S3 or S4")
        case "close":
            made.add_argument(
                "--verdict",
                metavar="useful|noise|unclear",
                required=True,
                help="was the page useful",
            )
            made.add_argument(
                "--decision", metavar="ID|HOLD", default="",
                help="the decision on retraining, or HOLD where nothing was to decide",
            )  # fmt: skip
        case _:
            return


def wish_of(command: str, chosen: argparse.Namespace) -> CareWish:
    """Return what is wished for; raises `UsageError`."""
    if command == "note":
        return _note_wish(chosen)
    return CareWish(
        verb=command,  # type: ignore[arg-type]
        incident=chosen.incident,
        reason=chosen.reason,
        ttl_seconds=getattr(chosen, "ttl", None),
        next_check_seconds=getattr(chosen, "next_check", None),
        to=tuple(getattr(chosen, "to", ())),
        into=getattr(chosen, "into", ""),
        level=getattr(chosen, "level", ""),
        verdict=getattr(chosen, "verdict", ""),
        decision=getattr(chosen, "decision", ""),
        confirmed=chosen.yes or chosen.dry_run,
    )


def _note_wish(chosen: argparse.Namespace) -> CareWish:
    if chosen.change is not None:
        if chosen.words:
            raise UsageError("--change is about a model or nothing: name it with --about")
        return CareWish("change", incident=chosen.about, reason=chosen.change, at=chosen.at)
    if chosen.about or chosen.at is not None:
        raise UsageError("--about and --at belong to --change")
    if len(chosen.words) < 2:
        raise UsageError("say what is noted on which incident: midwatch note ID TEXT")
    incident, *words = chosen.words
    return CareWish("note", incident=incident, reason=" ".join(words))


async def _care(shared: argparse.Namespace, chosen: argparse.Namespace, wish: CareWish) -> int:
    if wish.verb == "snooze" and not wish.confirmed and not _sure(wish):
        sys.stderr.write("cancelled, nothing was written\n")
        return NOTHING_CHANGED
    async with opened(shared, _quiet) as session:
        if not chosen.dry_run:
            require_care(session.actor.mode)
        from dataclasses import replace

        snapshot = None if wish.verb == "change" else await look_at_incidents(session)
        asked = replace(wish, confirmed=True)
        prepared = await prepare_care(session.bench, asked, snapshot)
        return await do_care(session, prepared, as_json=chosen.json, dry_run=chosen.dry_run)


async def do_care(
    session: Session, prepared: PreparedCare, *, as_json: bool, dry_run: bool = False
) -> int:
    """Do it, or with ``dry_run`` show it; print what became of it and return the exit code."""
    if dry_run:
        if as_json:
            print(json.dumps(document(prepared, None), indent=2, ensure_ascii=False))
        else:
            print("\n".join(lines_of(prepared)))
            print("dry run: nothing was sent or written")
        return DONE
    outcome = await perform_care(session.actor, prepared)
    with output_may_fail(outcome.sentence):
        if as_json:
            print(json.dumps(document(prepared, outcome), indent=2, ensure_ascii=False))
        else:
            print(f"{outcome.kind}: {visible(outcome.sentence, 800)}")
    if outcome.kind in ("applied", "partial") and not as_json:
        told("op", prepared.op_id)
    return code_of(outcome)


async def look_at_incidents(session: Session) -> Snapshot | None:
    """Return the incidents as they are now; None where there is no place to read them from."""
    settings = session.prepared.loaded.settings
    if not settings.alerts and not settings.sources:
        return None
    engine = session.prepared.engine()
    engine.on_problem = lambda sentence: told("note", sentence)
    try:
        return await session.prepared.two_looks(engine, LOOK_SECONDS)
    finally:
        await engine.close()


def _sure(wish: CareWish) -> bool:
    if wish.ttl_seconds is None or wish.ttl_seconds <= _LONG_SNOOZE_SECONDS:
        return True
    if not has_terminal():
        raise UsageError("a snooze of more than an hour is asked about; --yes goes without asking")
    sys.stderr.write("it is out of sight for more than an hour; Y goes on, Enter cancels: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip() == "Y"


def lines_of(prepared: PreparedCare) -> list[str]:
    """Return what would be done, for people."""
    plan = prepared.intended
    lines = [f"{plan.title}   class C0", f"  then     {plan.sentence}", f"  reason   {plan.reason}"]
    if prepared.local_because:
        lines.append(f"  local    {prepared.local_because}")
    if prepared.action is not None:
        lines.append(f"  effect   {prepared.action.blast.effect}")
        lines += [f"  unproven {each}" for each in prepared.action.unproven]
        for change in prepared.action.changes:
            lines += [f"  note     {change.note}"] if change.note else []
            for call in change.calls:
                lines += [f"  sends    {line}" for line in call.shown.splitlines() if line]
    return [visible(line, 2000) for line in lines]


def document(prepared: PreparedCare, outcome: Outcome | None) -> dict[str, object]:
    """Return a wish and what became of it, for scripts."""
    plan, action = prepared.intended, prepared.action
    calls = [] if action is None else [call for each in action.changes for call in each.calls]
    made: dict[str, object] = {
        "schema": SCHEMA,
        "op": plan.op_id,
        "verb": prepared.verb,
        "incident": None if prepared.ground is None else prepared.ground.id,
        "title": plan.title,
        "reason": plan.reason,
        "ends_at": None if plan.hold_until is None else iso(plan.hold_until),
        "local": plan.hold_until is not None and action is None,
        "local_because": prepared.local_because or None,
        "requests": [call.shown for call in calls],
        "outcome": None,
    }
    if outcome is not None:
        made["outcome"] = {"kind": outcome.kind, "text": outcome.sentence, "at": iso(outcome.at)}
    return made


def _quiet(_stage: str, _sentence: str) -> None:
    return None
