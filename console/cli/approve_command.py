"""``midwatch approve OP``: the second person, from another login, on the shared journal."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING

from console.actions.approval import approve, waiting
from console.actions.decision_log import decision_waiting
from console.actions.write_gate import require_writable
from console.cli.action_session import DONE, NOTHING_CHANGED, has_terminal, opened, run_async
from console.cli.command_line import Parser, UsageError, add_shared
from console.domain.text import visible

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from console.domain.entry import Entry


def run(shared: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Show what waits, ask, and write the approval."""
    parser = Parser("midwatch approve", "Confirm, as the second person, what somebody waits for.")
    parser.add_argument("op", metavar="OP", help="the operation that waits")
    parser.add_argument("--reason", metavar="TEXT", default="approved", help="stands in the record")
    parser.add_argument("--yes", action="store_true", help="do not ask; needed without a terminal")
    parser.add_argument("--json", action="store_true", help="a document for scripts")
    add_shared(parser)
    return run_async(_approve(shared, parser.parse_all(arguments)))


async def _approve(shared: argparse.Namespace, chosen: argparse.Namespace) -> int:
    async with opened(shared) as session:
        require_writable("Approve", session.actor.mode)
        bench = session.bench
        op_id = chosen.op.strip().upper()
        asked = await asyncio.to_thread(decision_waiting, bench.journal, op_id, bench.clock())
        if asked is None:
            asked = await asyncio.to_thread(waiting, bench.journal, op_id, bench.clock())
        sys.stderr.write(_told(asked))
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


def _told(asked: Entry) -> str:
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
