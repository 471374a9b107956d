"""``midwatch decide MODEL DECISION``: a retraining decision, with the evidence as it is now."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING

from console.actions import decision_record
from console.actions.decision_record import (
    DecisionWish,
    check_review_by,
    require_writes,
    write_decision,
)
from console.actions.decision_sinks import prepare_with_sends
from console.cli import decisions_command
from console.cli.action_session import (
    DONE,
    NOTHING_CHANGED,
    PARTIAL,
    REFUSED,
    SUPERSEDED,
    has_terminal,
    look,
    opened,
    reason_of,
    run_async,
    told,
)
from console.cli.command_line import Parser, UsageError, add_shared
from console.decisions.decision_log import decisions_in
from console.domain.action import ActionRefused
from console.domain.decision import DECISION_KINDS, DecisionRecord
from console.domain.text import visible
from console.journal import TargetTouchedError
from console.reports.decision_text import document, does_it, told_text
from console.settings.problems import nearest

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from console.actions.decision_record import PreparedDecision
    from console.actions.decision_sinks import PreparedSend
    from console.cli.action_session import Session
    from console.domain.action import Outcome

SCHEMA = "midwatch.decision/1"


def run(shared: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Freeze, show, ask, write; return the exit code."""
    chosen = parser().parse_all(arguments)
    return run_async(_decide(shared, chosen, reason_of(chosen)))


def parser() -> Parser:
    """Return the command's own parser."""
    made = Parser("midwatch decide", f"Write a retraining decision: {', '.join(DECISION_KINDS)}.")
    made.add_argument("model", metavar="MODEL", help="the model it is about")
    made.add_argument("decision", metavar="DECISION", help="what is decided")
    made.add_argument("--reason", metavar="TEXT", help="why; required, and stands in the record")
    made.add_argument(
        "--review-by", metavar="DATE", help="when it is looked at again: 2026-12-01, or 14d"
    )
    texts = (
        ("--approver", "NAME", "another person who is asked to approve it; tier 1 always asks"),
        ("--reverse-if", "TEXT", "what would make you reverse it"),
        ("--expect", "TEXT", "the effect that is expected"),
        ("--check", "TEXT", "how the effect will be checked"),
        ("--trigger", "TEXT", "what prompted it (default: the worst rule that holds)"),
        ("--incident", "ID", "the incident it belongs to"),
        ("--to", "VERSION", "the version that is to serve; the alias is moved there"),
        ("--break-glass", "REASON", "go against what a guard says; stands in the record"),
    )
    for flag, metavar, text in texts:
        made.add_argument(flag, metavar=metavar, default="", help=text)
    made.add_argument(
        "--option", metavar="TEXT", action="append", default=[], help="considered (repeatable)"
    )
    decisions_command.add_flags(made)
    made.add_argument("--no-send", action="store_true", help="send it nowhere, only write it down")
    made.add_argument("--dry-run", action="store_true", help="show what would be written; no more")
    made.add_argument("--yes", action="store_true", help="do not ask; needed without a terminal")
    made.add_argument("--instant", action="store_true", help="one look at the numbers, no second")
    made.add_argument("--json", action="store_true", help="a document for scripts")
    add_shared(made)
    return made


def parse_review_by(text: str, now: float) -> float:
    """Return a review date as Unix seconds; raises `UsageError`."""
    try:
        return decision_record.parse_review_by(text, now)
    except ValueError as fault:
        raise UsageError(f"--review-by {fault}") from fault


def _wish(chosen: argparse.Namespace, reason: str, now: float) -> DecisionWish:
    if not chosen.review_by:
        raise UsageError(
            "say when it is looked at again: --review-by DATE (2026-12-01, or 14d); "
            "a decision nobody reviews is forgotten"
        )
    review_by = parse_review_by(chosen.review_by, now)
    check_review_by(review_by, now)
    return DecisionWish(
        model=chosen.model,
        kind=_kind(chosen.decision),
        reason=reason,
        review_by=review_by,
        approver=chosen.approver,
        reverse_if=chosen.reverse_if,
        expected=chosen.expect,
        checked_by=chosen.check,
        trigger=chosen.trigger,
        options=tuple(chosen.option),
        incident=chosen.incident,
        despite=chosen.break_glass,
        to_version=chosen.to,
    )


def _kind(text: str) -> str:
    kind = text.strip().upper().replace("_", "-")
    if kind not in DECISION_KINDS:
        close = nearest(kind, DECISION_KINDS) or f"there are {', '.join(DECISION_KINDS)}"
        raise UsageError(f"{visible(text, 60)} is no decision; {close}")
    return kind


async def _decide(shared: argparse.Namespace, chosen: argparse.Namespace, reason: str) -> int:
    sinks = () if chosen.no_send else decisions_command.sinks_of(chosen)
    if chosen.no_send and chosen.send is not None:
        raise UsageError("--send and --no-send exclude each other")
    async with opened(shared) as session:
        bench = session.bench
        wish = _wish(chosen, reason, bench.clock())
        if not chosen.dry_run:
            require_writes(session.actor.mode)
        prepared = await _prepared(session, wish, sinks, instant=chosen.instant)
        sys.stderr.write(_shown(prepared))
        sys.stderr.flush()
        if chosen.dry_run:
            return _rehearsed(prepared, as_json=chosen.json)
        if prepared.refused:
            raise ActionRefused(prepared.refused)
        if not chosen.yes and not _sure():
            sys.stderr.write("cancelled, nothing was written\n")
            return NOTHING_CHANGED
        return await _write(session, prepared, chosen)


async def _prepared(
    session: Session, wish: DecisionWish, sinks: Sequence[str] | None, *, instant: bool
) -> PreparedDecision:
    decided = await asyncio.to_thread(decisions_in, session.bench.journal, wish.model)
    for seq in decided.unreadable:
        told("note", f"entry {seq} is a decision that this version cannot read")
    snapshot = await look(session, (wish.model,), instant=instant)
    return await prepare_with_sends(session.actor, wish, snapshot, sinks)


def _shown(prepared: PreparedDecision) -> str:
    marks = {"warn": "note", "refuse": "AGAINST", "forbid": "REFUSED"}
    against = "".join(
        f"  {marks[each.level]:<9}{visible(each.sentence, 600)}\n" for each in prepared.guards
    )
    unsent = "".join(
        f"  {'note':<9}not sent to {each.sink}: {visible(each.problem, 600)}\n"
        for each in prepared.sends
        if each.problem
    )
    return f"{told_text(prepared.decision)}{against}{unsent}"


def _sure() -> bool:
    if not has_terminal():
        raise UsageError("there is no terminal to ask on; --yes goes ahead without asking")
    sys.stderr.write("Y writes it down, Enter cancels: ")
    sys.stderr.flush()
    return sys.stdin.readline().strip() == "Y"


def _rehearsed(prepared: PreparedDecision, *, as_json: bool) -> int:
    if as_json:
        print(json.dumps(_document(prepared, None, ""), indent=2))
    else:
        print("dry run: nothing was written")
    return REFUSED if prepared.refused else DONE


async def _write(session: Session, prepared: PreparedDecision, chosen: argparse.Namespace) -> int:
    bench, decision = session.bench, prepared.decision
    done: list[tuple[PreparedSend, Outcome | None, str]] = []
    try:
        await asyncio.to_thread(
            write_decision, bench.journal, prepared, session.actor.mode, confirmed=True
        )
        code, kind = (PARTIAL, "pending") if decision.needs_approval else (DONE, "applied")
        sentence = f"{decision.kind} {decision.model} is written as {decision.id}"
    except TargetTouchedError as fault:
        code, kind, sentence = SUPERSEDED, "superseded", fault.sentence
    if not chosen.json:
        print(f"{kind}: {visible(sentence, 600)}", flush=True)
    if kind == "applied":
        done = await decisions_command.send_each(session, prepared.sends, yes=chosen.yes)
        code = decisions_command.code_after_writing(done)
    if chosen.json:
        made = _document(
            prepared, kind, sentence, decisions_command.sent_document(done) if done else None
        )
        print(json.dumps(made, indent=2))
    else:
        print(decisions_command.sent_lines(done), end="")
    _tell_what_follows(prepared, kind, shared=bench.journal.shared)
    return code


def _tell_what_follows(prepared: PreparedDecision, kind: str, *, shared: bool) -> None:
    decision = prepared.decision
    if kind == "pending":
        told("waiting", f"a second person, on another login: midwatch approve {decision.id}")
        if decision.sends:
            told("then", f"midwatch decisions send {decision.id} sends it on")
        if not shared:
            told("note", "this journal is of one host; another login needs one that is shared")
    moved = any(each.sink == "alias" for each in decision.sends)
    if kind != "superseded" and not moved and (command := does_it(decision)):
        told("next", f"nothing that serves was changed; to carry it out: {command}")


def _document(
    prepared: PreparedDecision,
    kind: str | None,
    sentence: str,
    sent: list[dict[str, object]] | None = None,
) -> dict[str, object]:
    decision = prepared.decision
    record = DecisionRecord(decision=decision, digest=prepared.digest, account="")
    made = document(record, decision.taken_at)
    since = ("account", "approved_by", "approved_at", "closed_by", "closed_at", "outcome", "sent")
    for name in since:
        del made[name]
    return {
        "schema": SCHEMA,
        "decision": made,
        "guards": [
            {"id": each.id, "level": each.level, "text": each.sentence} for each in prepared.guards
        ],
        "command": does_it(decision) or None,
        "sends": [decisions_command.planned(each) for each in prepared.sends]
        if sent is None
        else sent,
        "outcome": None if kind is None else {"kind": kind, "text": sentence},
    }
