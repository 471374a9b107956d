"""``midwatch overrides|renew|end|undo|resolve|approve``: what is in force by hand, and its ends."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING

from console.actions.acknowledge import read_log
from console.actions.approval import approve, waiting
from console.actions.decision_record import decision_waiting
from console.actions.incident_commands import care_entry
from console.actions.incident_executor import prepare_care
from console.actions.overrides import note_ended_by_service
from console.actions.readiness_record import sign_off_waiting
from console.actions.recovery import note_truth
from console.actions.target_state import holder_of, lease_name
from console.actions.undo import prepare_end, prepare_renew, prepare_undo
from console.actions.write_gate import require, require_writable
from console.cli.action_session import (
    DONE,
    NOTHING_CHANGED,
    add_flags,
    ask_and_do,
    has_terminal,
    iso,
    look,
    opened,
    reason_of,
    run_async,
    told,
    ttl_of,
)
from console.cli.command_line import Parser, UsageError, add_shared, one_of
from console.cli.command_table import COMMANDS
from console.domain.action import ActionRefused, Outcome
from console.domain.incident import CareWish
from console.domain.text import visible
from console.journal import Question
from console.journal.leases import KEEPER_LEASE
from console.journal.override_log import overrides_in_force
from console.journal.store_base import whole_op
from console.settings.durations import format_duration

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from console.actions.prepare import ActionEnvironment
    from console.cli.action_session import Session
    from console.domain.action import OutcomeKind, Override
    from console.domain.entry import Entry

SCHEMA = "midwatch.overrides/1"
_TRUTHS = {"applied": "applied", "not": "failed"}


def run(shared: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Do the command that stands first in ``arguments``; return its exit code."""
    command, *rest = arguments
    checks = {"overrides": (), "approve": (), "resolve": (reason_of,), "end": (reason_of,)}
    chosen = parser(command).parse_all(rest, *checks.get(command, (reason_of, ttl_of)))
    match command:
        case "overrides":
            return run_async(_list(shared, as_json=chosen.json))
        case "resolve":
            return run_async(_resolve(shared, chosen, reason_of(chosen)))
        case "approve":
            return run_async(_approve(shared, chosen))
        case _:
            return run_async(_way(command, shared, chosen, reason_of(chosen)))


def parser(command: str) -> Parser:
    """Return the command's own parser."""
    made = Parser(f"midwatch {command}", f"{COMMANDS[command].summary.capitalize()}.")
    if command == "overrides":
        made.add_argument("--json", action="store_true", help="a document for scripts")
    elif command == "approve":
        made.add_argument("op", metavar="OP", help="the operation that waits, or its last letters")
        made.add_argument("--reason", metavar="TEXT", default="approved", help="on the record")
        made.add_argument("--yes", action="store_true", help="do not ask; needed with no terminal")
        made.add_argument("--json", action="store_true", help="a document for scripts")
    else:
        made.add_argument(
            "op", metavar="OP", help="the operation, the last letters of it, or its target"
        )
        add_flags(made)
    if command == "resolve":
        made.add_argument(
            "--as",
            dest="truth",
            metavar="applied|not",
            type=made.value(one_of(_TRUTHS, "truth")),
            required=True,
            help="what is true, as you have seen it with your own eyes",
        )
    add_shared(made)
    return made


async def _list(shared: argparse.Namespace, *, as_json: bool) -> int:
    async with opened(shared) as session:
        bench = session.bench
        now = bench.clock()
        found = await asyncio.to_thread(overrides_in_force, bench.journal)
        if session.actor.mode != "read_only":
            found = await note_ended_by_service(bench, found)
        keeper = await asyncio.to_thread(holder_of, bench.journal, KEEPER_LEASE, now)
        begun = await asyncio.to_thread(bench.journal.unsettled)
        if as_json:
            made = {
                "schema": SCHEMA,
                "taken_at": iso(now),
                "keeper": keeper or None,
                "unsettled": [
                    {
                        "op": each.op_id,
                        "verb": each.action,
                        "target": each.target,
                        "at": iso(each.at),
                    }
                    for each in begun
                ],
                "overrides": [document(each, now, keeper_lives=bool(keeper)) for each in found],
            }
            print(json.dumps(made, indent=2, ensure_ascii=False))
            return DONE
        for override in found:
            print(line(override, now, keeper_lives=bool(keeper)))
        for each in begun:
            print(
                f"{each.op_id}  {each.action:<9} {visible(each.target, 80):<22} BEGUN, and how it "
                f"ended is not written: midwatch keep --once reads it back"
            )
        sys.stderr.write(_footing(found, keeper, now) if found or not begun else "")
        return DONE


def line(override: Override, now: float, *, keeper_lives: bool) -> str:
    """Return one override as a line: what, whose, how long still, what follows, why."""
    left = override.left_seconds(now)
    match override.state(now, keeper_lives=keeper_lives):
        case "overdue":
            when = f"OVERDUE {format_duration(max(1, round(-(left or 0.0))))}"
        case "no end":
            when = "NO END" + (f" (due in {_whole(left)})" if left is not None else "")
        case state:
            when = f"{_whole(left)}{'!' if state == 'ends soon' else ''}"
    sure = "" if override.certain else " UNVERIFIED"
    if override.lost:
        sure += f" LOST: now {override.lost}"
    drill = " drill" if override.drill else ""
    if (ahead := override.ahead_seconds(now)) > 0:
        sure += f" BEGINS IN THE FUTURE: the clock that wrote it was {_whole(ahead)} ahead"
    return visible(
        f"{override.op_id}  {override.verb:<9} {override.target:<22} {override.wanted:<14} "
        f'{override.by:<10} {when} → {override.ends_in}{sure}{drill}  "{override.reason}"',
        1000,
    )


def _whole(seconds: float | None) -> str:
    return format_duration(max(1.0, float(round(seconds or 0.0))))


def _footing(found: Sequence[Override], keeper: str, now: float) -> str:
    if not found:
        return "nothing is held by hand\n"
    lives = bool(keeper)
    lacking = [each for each in found if each.enforcer(keeper_lives=lives) == "nobody"]
    if lacking:
        return f"{len(lacking)} with NO END enforced: no keeper runs; start: midwatch keep\n"
    return f"keeper: {visible(keeper, 200)}\n" if keeper else ""


def document(override: Override, now: float, *, keeper_lives: bool) -> dict[str, object]:
    """Return an override for scripts."""
    left = override.left_seconds(now)
    return {
        "op": override.op_id,
        "verb": override.verb,
        "target": override.target,
        "wanted": override.wanted,
        "by": override.by,
        "reason": override.reason,
        "incident": override.incident or None,
        "began_at": iso(override.began_at),
        "ends_at": None if override.ends_at is None else iso(override.ends_at),
        "ahead_seconds": round(override.ahead_seconds(now), 1) or None,
        "left_seconds": None if left is None else round(left, 1),
        "state": override.state(now, keeper_lives=keeper_lives),
        "ends_in": override.ends_in,
        "enforced_by": override.enforcer(keeper_lives=keeper_lives),
        "certain": override.certain,
        "lost": override.lost or None,
        "drill": override.drill,
    }


async def _way(
    command: str, shared: argparse.Namespace, chosen: argparse.Namespace, reason: str
) -> int:
    async with opened(shared) as session:
        actor = session.actor
        if not chosen.dry_run:
            require(command, actor.mode)
        op = await _whole_op(session, chosen.op) if command == "undo" else chosen.op
        if command == "undo" and await _is_care(session, op):
            from console.cli.incident_verbs_command import do_care, look_at_incidents

            seen = await look_at_incidents(session)
            wish = CareWish("undo", op_id=op, reason=reason)
            care = await prepare_care(session.bench, wish, seen)
            return await do_care(session, care, as_json=chosen.json, dry_run=chosen.dry_run)
        if command == "undo":
            snapshot = await look(session, (), instant=True)
            prepared = await prepare_undo(
                actor, op, reason, ttl_of(chosen, session.bench), snapshot
            )
            return await ask_and_do(session, prepared, chosen)
        override = await asyncio.to_thread(actor.override, chosen.op)
        if command == "end":
            prepared = await prepare_end(actor, override, reason)
        else:
            snapshot = await look(session, (override.target,), instant=True)
            prepared = await prepare_renew(
                actor, override, reason, ttl_of(chosen, session.bench), snapshot
            )
        return await ask_and_do(session, prepared, chosen)


async def _whole_op(session: Session, text: str) -> str:
    """Return the id of the operation that ``text`` names; raises `UsageError` for several."""
    try:
        return await asyncio.to_thread(whole_op, session.bench.journal, text)
    except ValueError as fault:
        raise UsageError(visible(str(fault), 600)) from fault


async def _is_care(session: Session, op: str) -> bool:
    """Tell whether an operation did something about an incident rather than about a model."""
    bench = session.bench
    log, _ = await asyncio.to_thread(read_log, bench.journal, bench.clock())
    return care_entry(log, op) is not None


async def _resolve(shared: argparse.Namespace, chosen: argparse.Namespace, reason: str) -> int:
    """Write what a person says is true of an unverified operation; it unlocks the target."""
    kind: OutcomeKind = "applied" if chosen.truth == "applied" else "failed"
    async with opened(shared) as session:
        require_writable("Resolve", session.actor.mode)
        bench = session.bench
        op = await _whole_op(session, chosen.op)
        intent, settled = await asyncio.to_thread(_operation, bench, op)
        sentence = f"{bench.who.name} says it was {chosen.truth.replace('not', 'not applied')}"
        ttl_seconds = intent.details.get("ttl_seconds")
        ends_at = intent.at + ttl_seconds if isinstance(ttl_seconds, int | float) else None
        outcome = Outcome(intent.op_id, kind, sentence, at=bench.clock(), ends_at=ends_at)
        told("resolve", f"{intent.action} {intent.target} ({intent.op_id}): {sentence}")
        if chosen.dry_run:
            return DONE
        if not chosen.yes and not _sure(intent):
            return NOTHING_CHANGED
        await asyncio.to_thread(_write_truth, bench, intent, outcome, reason, settled)
        print(f"resolved: {intent.action} {visible(intent.target, 80)}: {sentence}")
        return DONE


def _sure(intent: Entry) -> bool:
    if not has_terminal():
        raise UsageError("there is no terminal to ask on; --yes goes ahead without asking")
    sys.stderr.write(f"type {intent.target} to write it down, Enter cancels: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip() == intent.target


def _operation(bench: ActionEnvironment, op: str) -> tuple[Entry, bool]:
    """Return the intent of an operation, and whether it has an outcome. Blocks."""
    wanted = op.strip().upper()
    found = bench.journal.entries(Question(op_id=wanted, kinds=("intent", "outcome")))
    intent = next((each for each in found if each.kind == "intent"), None)
    if intent is None:
        raise ActionRefused.forbidden("unknown_op", f"{visible(op, 60)} names no operation")
    busy = holder_of(bench.journal, lease_name(intent.target), bench.clock())
    if busy:
        raise ActionRefused.forbidden("busy", f"{busy} is acting on it now; wait and look again")
    return intent, any(each.kind == "outcome" for each in found)


def _write_truth(
    bench: ActionEnvironment, intent: Entry, outcome: Outcome, reason: str, settled: bool
) -> None:
    from console.actions.action_record import consequences, outcome_of

    if not settled:
        overrides = overrides_in_force(bench.journal)
        drafts = consequences(intent, outcome, overrides)
        bench.journal.append_all([outcome_of(intent, outcome, ()), *drafts])
    note_truth(bench, intent, outcome, "resolved", reason)


async def _approve(shared: argparse.Namespace, chosen: argparse.Namespace) -> int:
    async with opened(shared) as session:
        require_writable("Approve", session.actor.mode)
        bench = session.bench
        op_id = await _whole_op(session, chosen.op)
        asked = await asyncio.to_thread(decision_waiting, bench.journal, op_id, bench.clock())
        if asked is None:
            now = bench.clock()
            asked = await asyncio.to_thread(sign_off_waiting, bench.journal, op_id, now)
        if asked is None:
            asked = await asyncio.to_thread(waiting, bench.journal, op_id, bench.clock())
        sys.stderr.write(_waiting_text(asked))
        if not chosen.yes:
            if not has_terminal():
                raise UsageError("there is no terminal to ask on; --yes goes ahead without asking")
            sys.stderr.write(f"type {asked.target} to approve, Enter cancels: ")
            sys.stderr.flush()
            if sys.stdin.readline().strip() != asked.target:
                sys.stderr.write("not approved\n")
                return NOTHING_CHANGED
        entry = await asyncio.to_thread(
            approve, bench.journal, asked, bench.who, chosen.reason, bench.clock()
        )
        if chosen.json:
            print(json.dumps({"schema": "midwatch.approval/1", "op": op_id, "entry": entry.seq}))
        else:
            print(f"approved: {visible(str(asked.details.get('title')), 200)}")
        return DONE


def _waiting_text(asked: Entry) -> str:
    """Return what is asked, by whom and why, with what speaks against it."""
    facts = [
        ("asked by", f"{asked.who.name} ({asked.who.person}@{asked.who.host})"),
        ("state", "" if asked.details.get("members") else f"{asked.before} → {asked.wanted}"),
        ("effect", str(asked.blast.get("effect") or "")),
        ("reason", asked.why),
        ("command", str(asked.details.get("command") or "")),
    ]
    members = asked.details.get("members")
    facts += [("member", _member(each)) for each in members] if isinstance(members, list) else []
    guards = asked.details.get("guards")
    facts += [("against", str(each)) for each in guards] if isinstance(guards, list) else []
    lines = [f"  {label:<9}{visible(text, 600)}" for label, text in facts if text]
    title = visible(str(asked.details.get("title")), 200)
    return "\n".join([f"{title}   (operation {asked.op_id})", *lines, ""])


def _member(kept: object) -> str:
    """Return one operation of a set, as the person who asked saw it."""
    if not isinstance(kept, dict):
        return ""
    said = f"{kept.get('title')}: {kept.get('before')} → {kept.get('wanted')}"
    return f"{said} ({kept.get('effect')})" if kept.get("effect") else said
