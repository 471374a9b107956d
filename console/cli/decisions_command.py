"""``midwatch decisions``: what was decided, what is due, and what came of it."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING

from console.actions.decided import check_closing, close_decision, decisions_in, find_decision
from console.actions.decisions import require_writes
from console.actions.refusal import ActionRefused
from console.cli import sending
from console.cli.acting import (
    DONE,
    NOTHING_CHANGED,
    SUPERSEDED,
    has_terminal,
    opened,
    run_async,
    told,
)
from console.cli.asking import iso
from console.cli.exits import CommandError, UsageError
from console.cli.parsing import Parser, add_shared
from console.facts.text import visible
from console.journal import TargetTouchedError
from console.reports.decided import document, listed, told_text

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from console.actions.decided import Decided
    from console.facts.decision import DecisionRecord
    from console.journal import Journal

SCHEMA = "midwatch.decisions/1"
_VERBS = ("show", "close", "send")


def run(shared: argparse.Namespace, arguments: Sequence[str]) -> int:
    """List, show one, or close one; return the exit code."""
    chosen = parser().parse_all(arguments)
    words: list[str] = chosen.words
    if words and words[0] in _VERBS:
        if len(words) != 2:
            raise UsageError(f"name one decision: midwatch decisions {words[0]} ID")
        if words[0] == "show":
            return run_async(_show(shared, words[1], as_json=chosen.json))
        if words[0] == "send":
            return run_async(sending.send_decision(shared, chosen, words[1]))
        if not (chosen.outcome or "").strip():
            raise UsageError("say what came of it: --outcome TEXT is required")
        return run_async(_close(shared, chosen, words[1]))
    if len(words) > 1:
        raise UsageError("midwatch decisions takes one MODEL, or show ID, close ID, send ID")
    return run_async(_list(shared, chosen, words[0] if words else None))


def parser() -> Parser:
    """Return the command's own parser."""
    made = Parser("midwatch decisions", "Retraining decisions: list, show, close, send on.")
    made.epilog = (
        "Exit code: 0 listed, closed or sent; closing: 1 not written, 6 superseded, 7 refused, "
        "8 writes not allowed; sending: as every action; 64 bad usage."
    )
    made.add_argument("words", nargs="*", metavar="MODEL | show ID | close ID | send ID")
    made.add_argument("--due", action="store_true", help="overdue, or due in the next 7 days")
    made.add_argument("--outcome", metavar="TEXT", help="close: what came of it")
    made.add_argument("--dry-run", action="store_true", help="say what would be done; no more")
    made.add_argument("--yes", action="store_true", help="do not ask; needed without a terminal")
    sending.add_flags(made)
    made.add_argument("--json", action="store_true", help="a document for scripts")
    add_shared(made)
    return made


async def _list(shared: argparse.Namespace, chosen: argparse.Namespace, model: str | None) -> int:
    from console.fleet.decisions import overdue_findings

    async with opened(shared) as session:
        now = session.bench.clock()
        decided = await _decided(session.bench.journal, model)
        found = [
            each
            for each in decided.records
            if not chosen.due or each.state(now) in ("due", "overdue")
        ]
        late = overdue_findings(decided.records, now)
        if chosen.json:
            made = {
                "schema": SCHEMA,
                "taken_at": iso(now),
                "decisions": [document(each, now) for each in found],
                "overdue": [
                    {"model": name, "rule": each.rule, "level": each.level.label, "text": each.text}
                    for name, each in late.items()
                ],
                "unreadable_entries": list(decided.unreadable),
            }
            print(json.dumps(made, indent=2))
            return DONE
        for record in found:
            print(listed(record, now))
        sys.stderr.write(_footing(decided, found, model, len(late)))
        return DONE


async def _decided(journal: Journal, model: str | None = None) -> Decided:
    decided = await asyncio.to_thread(decisions_in, journal, model)
    for seq in decided.unreadable:
        told("note", f"entry {seq} is a decision that this version cannot read")
    return decided


def _footing(
    decided: Decided, found: Sequence[DecisionRecord], model: str | None, late_models: int
) -> str:
    if not found:
        about = "" if model is None else f" about {visible(model, 80)}"
        return f"no decision{about} is {'due' if decided.records else 'written'}\n"
    if not late_models:
        return ""
    models = "1 model has" if late_models == 1 else f"{late_models} models have"
    return f"{models} overdue decisions; midwatch decisions close ID --outcome TEXT\n"


async def _show(shared: argparse.Namespace, wanted: str, *, as_json: bool) -> int:
    async with opened(shared) as session:
        now = session.bench.clock()
        try:
            record = find_decision(await _decided(session.bench.journal), wanted)
        except ActionRefused as fault:
            raise CommandError(str(fault)) from fault
        if as_json:
            print(json.dumps({"schema": SCHEMA, "decisions": [document(record, now)]}, indent=2))
            return DONE
        print(listed(record, now))
        print(told_text(record.decision), end="")
        for label, text in _since(record):
            print(f"  {label:<9}{visible(text, 2000)}")
        return DONE


def _since(record: DecisionRecord) -> list[tuple[str, str]]:
    """Return what happened to a decision after it was taken."""
    facts = [("written", f"{iso(record.decision.taken_at)} by {record.account}")]
    if record.approved_at is not None:
        facts.append(("approved", f"{iso(record.approved_at)} by {record.approved_by}"))
    elif record.pending:
        facts.append(("pending", f"midwatch approve {record.decision.id}, from another login"))
    for each in record.sent:
        outcome = each.outcome or "under way"
        facts.append(("sent", f"{iso(each.at)} {each.sink}: {outcome}, {each.text} ({each.op_id})"))
    if not record.pending and record.unsent and record.closed_at is None:
        waiting = ", ".join(each.sink for each in record.unsent)
        facts.append(("unsent", f"{waiting}: midwatch decisions send {record.decision.id}"))
    if record.closed_at is not None:
        facts.append(("closed", f"{iso(record.closed_at)} by {record.closed_by}: {record.outcome}"))
    facts.append(("digest", record.digest))
    return facts


async def _close(shared: argparse.Namespace, chosen: argparse.Namespace, wanted: str) -> int:
    async with opened(shared) as session:
        bench = session.bench
        if not chosen.dry_run:
            require_writes(session.actor.mode)
        head = await asyncio.to_thread(bench.journal.head)
        record = find_decision(await _decided(bench.journal), wanted)
        decision = record.decision
        check_closing(record, chosen.outcome)
        sys.stderr.write(f"{listed(record, bench.clock())}\n")
        if chosen.dry_run:
            print("dry run: nothing was written")
            return DONE
        if not chosen.yes and not _sure():
            sys.stderr.write("cancelled, nothing was written\n")
            return NOTHING_CHANGED
        try:
            await asyncio.to_thread(
                close_decision,
                bench.journal,
                record,
                chosen.outcome,
                session.actor.mode,
                bench.clock(),
                seen_seq=0 if head is None else head.seq,
            )
        except TargetTouchedError as fault:
            print(f"superseded: {visible(fault.sentence, 600)}")
            return SUPERSEDED
        if chosen.json:
            closed = find_decision(await _decided(bench.journal), decision.id)
            made = {"schema": SCHEMA, "decisions": [document(closed, bench.clock())]}
            print(json.dumps(made, indent=2))
        else:
            name = visible(decision.model, 80)
            print(f"closed: {decision.kind} {name} ({visible(decision.id, 40)})")
        return DONE


def _sure() -> bool:
    if not has_terminal():
        raise UsageError("there is no terminal to ask on; --yes goes ahead without asking")
    sys.stderr.write("Y closes it, Enter cancels: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip() == "Y"
