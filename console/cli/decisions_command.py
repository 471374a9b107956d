"""``midwatch decisions``: what was decided, what is due, what came of it; sends decisions on."""

from __future__ import annotations

import asyncio
import json
import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from console.actions.decision_record import check_closing, close_decision, require_writes
from console.actions.decision_sinks import prepare_unsent
from console.actions.preview import preview_text
from console.cli.action_session import (
    CODES,
    DONE,
    NOTHING_CHANGED,
    PARTIAL,
    REFUSED,
    SUPERSEDED,
    confirmed,
    has_terminal,
    iso,
    look,
    opened,
    run_async,
    told,
)
from console.cli.command_line import CommandError, Parser, UsageError, add_shared
from console.decisions.decision_log import decisions_in, find_decision
from console.domain.action import ActionRefused
from console.domain.decision import DECISION_SINKS
from console.domain.text import visible
from console.journal import TargetTouchedError
from console.reports.decision_text import document, listed, told_text
from console.settings.problems import nearest

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from console.actions.decision_sinks import PreparedSend
    from console.cli.action_session import Session
    from console.decisions.decision_log import Decided
    from console.domain.action import Outcome
    from console.domain.decision import DecisionRecord
    from console.journal import Journal

SCHEMA = "midwatch.decision_sends/1"


def add_flags(parser: Parser) -> None:
    """Add what says where a decision is sent on."""
    parser.add_argument(
        "--send",
        metavar="WHERE",
        help=f"send it only there: {','.join(DECISION_SINKS)}, as models.NAME.decisions declares",
    )


def sinks_of(chosen: Namespace) -> tuple[str, ...] | None:
    """Return the places named by ``--send``, None for all that are declared."""
    if chosen.send is None:
        return None
    wanted = tuple(dict.fromkeys(each.strip() for each in chosen.send.split(",") if each.strip()))
    for each in wanted:
        if each not in DECISION_SINKS:
            close = nearest(each, DECISION_SINKS) or f"there are {', '.join(DECISION_SINKS)}"
            raise UsageError(f"--send {visible(each, 40)}: nothing of that name; {close}")
    if not wanted:
        raise UsageError(f"--send names nothing; there are {', '.join(DECISION_SINKS)}")
    return wanted


async def send_each(
    session: Session, sends: Sequence[PreparedSend], *, yes: bool
) -> list[tuple[PreparedSend, Outcome | None, str]]:
    """Show, ask and send one after the other; a no or a fault of one keeps no other back.

    The text says why there is no outcome: declined, or why it cannot be sent.
    """
    done: list[tuple[PreparedSend, Outcome | None, str]] = []
    for each in sends:
        if each.action is None:
            told("not sent", f"{each.sink}: {each.problem}")
            done.append((each, None, each.problem))
            continue
        sys.stderr.write(preview_text(each.action))
        sys.stderr.flush()
        try:
            asked = Namespace(yes=yes, break_glass="")
            confirmation = await confirmed(session, each.action, asked)
            if confirmation is None:
                told("not sent", f"{each.sink}: declined")
                done.append((each, None, "declined"))
                continue
            outcome = await session.actor.perform(each.action, confirmation)
        except (ActionRefused, CommandError) as fault:
            told("not sent", f"{each.sink}: {fault}")
            done.append((each, None, str(fault)))
            continue
        done.append((each, outcome, outcome.sentence))
    return done


def sent_lines(done: Sequence[tuple[PreparedSend, Outcome | None, str]]) -> str:
    """Return what became of each, a line each."""
    return "".join(
        f"{'not sent' if outcome is None else outcome.kind}: {each.sink}: {visible(text, 600)}\n"
        for each, outcome, text in done
    )


def sent_document(
    done: Sequence[tuple[PreparedSend, Outcome | None, str]],
) -> list[dict[str, object]]:
    """Return the same for scripts."""
    return [
        {
            **planned(each),
            "outcome": None if outcome is None else {"kind": outcome.kind, "text": text},
            "problem": text if outcome is None else None,
        }
        for each, outcome, text in done
    ]


def planned(send: PreparedSend) -> dict[str, object]:
    """Return one thing to be sent for scripts."""
    action = send.action
    return {
        "sink": send.sink,
        "op": None if action is None else action.op_id,
        "control": None if action is None else action.changes[0].control,
        "before": None if action is None else action.before,
        "wanted": None if action is None else action.wanted,
        "problem": send.problem or None,
    }


def code_after_writing(done: Sequence[tuple[PreparedSend, Outcome | None, str]]) -> int:
    """Return the exit code of a decision that stands: 0, or what its sending came to."""
    for _, outcome, text in done:
        if outcome is None and text != "declined":
            return PARTIAL
        if outcome is not None and (code := CODES[outcome.kind]) != DONE:
            return PARTIAL if code == NOTHING_CHANGED else code
    return DONE


async def send_decision(shared: Namespace, chosen: Namespace, wanted: str) -> int:
    """Send on what a decision that stands still has to be sent on; return the exit code."""
    sinks = sinks_of(chosen)
    async with opened(shared) as session:
        bench = session.bench
        if not chosen.dry_run:
            require_writes(session.actor.mode)
        record = find_decision(await asyncio.to_thread(decisions_in, bench.journal), wanted)
        sys.stderr.write(f"{listed(record, bench.clock())}\n")
        snapshot = await look(session, (record.decision.model,), instant=True)
        sends = await prepare_unsent(session.actor, record, snapshot, sinks)
        if not sends:
            sys.stderr.write("nothing of it is waiting to be sent\n")
            return DONE
        if chosen.dry_run:
            return _rehearsed(sends, as_json=chosen.json)
        done = await send_each(session, sends, yes=chosen.yes)
        if chosen.json:
            print(json.dumps({"schema": SCHEMA, "sends": sent_document(done)}, indent=2))
        else:
            print(sent_lines(done), end="")
        return _code(done)


def _rehearsed(sends: Sequence[PreparedSend], *, as_json: bool) -> int:
    if as_json:
        print(json.dumps({"schema": SCHEMA, "sends": [planned(each) for each in sends]}, indent=2))
    else:
        for each in sends:
            text = preview_text(each.action, exact=True) if each.action else f"{each.problem}\n"
            print(f"{each.sink}: {text}", end="")
        print("dry run: nothing was sent")
    return REFUSED if all(each.action is None for each in sends) else DONE


def _code(done: Sequence[tuple[PreparedSend, Outcome | None, str]]) -> int:
    codes = set()
    for _, outcome, text in done:
        if outcome is not None:
            codes.add(CODES[outcome.kind])
        else:
            codes.add(NOTHING_CHANGED if text == "declined" else REFUSED)
    return codes.pop() if len(codes) == 1 else PARTIAL


DECISIONS_COMMAND_SCHEMA = "midwatch.decisions/1"
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
            return run_async(send_decision(shared, chosen, words[1]))
        if not (chosen.outcome or "").strip():
            raise UsageError("say what came of it: --outcome TEXT is required")
        return run_async(_close(shared, chosen, words[1]))
    if len(words) > 1:
        raise UsageError("midwatch decisions takes one MODEL, or show ID, close ID, send ID")
    return run_async(_list(shared, chosen, words[0] if words else None))


def parser() -> Parser:
    """Return the command's own parser."""
    made = Parser("midwatch decisions", "Retraining decisions: list, show, close, send on.")
    made.add_argument(
        "words",
        nargs="*",
        metavar="MODEL | show OP | close OP | send OP",
        help="of one model; or one decision, by its id or the last letters of it",
    )
    made.add_argument("--due", action="store_true", help="overdue, or due in the next 7 days")
    made.add_argument("--outcome", metavar="TEXT", help="close: what came of it")
    made.add_argument("--dry-run", action="store_true", help="say what would be done; no more")
    made.add_argument("--yes", action="store_true", help="do not ask; needed without a terminal")
    add_flags(made)
    made.add_argument("--json", action="store_true", help="a document for scripts")
    add_shared(made)
    return made


async def _list(shared: argparse.Namespace, chosen: argparse.Namespace, model: str | None) -> int:
    from console.evaluation.rules.holds import overdue_findings

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
                "schema": DECISIONS_COMMAND_SCHEMA,
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
            print(
                json.dumps(
                    {"schema": DECISIONS_COMMAND_SCHEMA, "decisions": [document(record, now)]},
                    indent=2,
                )
            )
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
            made = {
                "schema": DECISIONS_COMMAND_SCHEMA,
                "decisions": [document(closed, bench.clock())],
            }
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
