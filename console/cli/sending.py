"""A decision sent on from the shell: each place shown, asked about, sent and read back."""

from __future__ import annotations

import asyncio
import json
import sys
from argparse import Namespace
from typing import TYPE_CHECKING

from console.actions.decided import decisions_in, find_decision
from console.actions.decisions import require_writes
from console.actions.preview import preview_text
from console.actions.refusal import ActionRefused
from console.actions.sending import prepare_unsent
from console.cli.acting import (
    CODES,
    DONE,
    NOTHING_CHANGED,
    PARTIAL,
    REFUSED,
    look,
    opened,
    told,
)
from console.cli.asking import confirmed
from console.cli.exits import CommandError, UsageError
from console.facts.decision import DECISION_SINKS
from console.facts.text import visible
from console.reports.decided import listed
from console.settings.problems import nearest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.actions.sending import PreparedSend
    from console.cli.acting import Session
    from console.cli.parsing import Parser
    from console.facts.action import Outcome

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
