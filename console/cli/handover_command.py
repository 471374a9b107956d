"""``midwatch handover``: write, list, edit and accept what a shift leaves to the next."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from console.actions.record_actions import ACCEPT, WRITE
from console.cli.action_session import (
    DONE,
    NOTHING_CHANGED,
    SUPERSEDED,
    Session,
    has_terminal,
    look,
    opened,
    run_async,
    told,
)
from console.cli.bootstrap import prepare, refuse_existing, write_whole
from console.cli.command_line import CommandError, Parser, UsageError, add_shared, flags
from console.domain.text import visible
from console.domain.timestamps import timestamp
from console.engine.client import wish_of
from console.handover.accept import accept_with_holds, require_writes, write_handover
from console.handover.record import USUAL, handovers_in, shift_start, to_accept
from console.journal import JournalError, TargetTouchedError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from console.cli.bootstrap import Prepared
    from console.handover.handover_document import HandoverDocument, ShiftFacts
    from console.handover.record import HandoverRecord

LONGEST_LINE = 4000
_STANDARD_ERROR = 2


def edited(text: str, environ: Mapping[str, str], name: str) -> str:
    """Return ``text`` as it was left in ``$VISUAL`` or ``$EDITOR``; empty where it was emptied.

    Control characters but line ends are made visible. Raises `UsageError` where no editor is
    named, `CommandError` where it cannot be started or ends with a failure.
    """
    command = environ.get("VISUAL") or environ.get("EDITOR") or ""
    try:
        argv = shlex.split(command)
    except ValueError as fault:
        raise UsageError(f"EDITOR {visible(command, 100)} cannot be understood: {fault}") from fault
    if not argv:
        raise UsageError("no editor is named; set EDITOR, or leave --edit out")
    with tempfile.TemporaryDirectory(prefix="midwatch-") as directory:
        path = Path(directory) / name
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        # What the command prints may go to a file; the editor belongs on the terminal.
        out = None if sys.stdout.isatty() else _STANDARD_ERROR
        try:
            code = subprocess.run([*argv, str(path)], stdout=out, check=False).returncode
            kept = path.read_text(encoding="utf-8", errors="replace")
        except OSError as fault:
            raise CommandError(
                f"{visible(argv[0], 100)} cannot be used: {visible(fault.strerror or str(fault))}"
            ) from fault
    if code:
        raise CommandError(f"{visible(argv[0], 100)} ended with {code}; nothing was written")
    lines = [visible(line.expandtabs(4), LONGEST_LINE) for line in kept.splitlines()]
    return "\n".join(lines).strip() + "\n" if any(map(str.strip, lines)) else ""


LIST_SCHEMA = "midwatch.handovers/1"
_LOOK_SECONDS = 30.0


def run(shared: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Print a handover and write it where that is confirmed; or list them, or accept one."""
    chosen = parser().parse_all(arguments)
    if chosen.accept is not None:
        return run_async(_accept(shared, chosen))
    if chosen.list:
        return run_async(_list(shared, chosen))
    if chosen.json and chosen.edit:
        raise UsageError("--edit is for the text, --json for scripts; choose one")
    if chosen.edit and not has_terminal():
        raise UsageError("there is no terminal to edit on; leave --edit out")
    if chosen.output is not None:
        refuse_existing(Path(chosen.output), force=chosen.force)
    return run_async(_handover(shared, chosen))


def parser() -> Parser:
    """Return the command's own parser."""
    made = Parser("midwatch handover", "What this shift leaves to the next.")
    made.add_argument("--since", default=USUAL, metavar="T", help="12h (default), or a UTC time")
    made.add_argument("--to", default="", metavar="NAME", help="who comes next")
    made.add_argument("-o", "--output", metavar="FILE", help="write the document there")
    made.add_argument("--force", action="store_true", help="replace FILE if it exists")
    form = made.add_mutually_exclusive_group()
    form.add_argument("--markdown", action="store_true", help="as text, which is the default")
    form.add_argument("--json", action="store_true", help="a document, see docs/handover.md")
    made.add_argument("--edit", action="store_true", help="open it in $EDITOR first")
    made.add_argument("--yes", action="store_true", help="write it into the journal, do not ask")
    made.add_argument("--dry-run", action="store_true", help="only print, write nothing")
    made.add_argument("--instant", action="store_true", help="one look at the numbers, no second")
    what = made.add_mutually_exclusive_group()
    what.add_argument("--list", action="store_true", help="list the handovers on the record")
    what.add_argument(
        "--accept", nargs="?", const="", metavar="ID", help="accept the newest one, or this one"
    )
    add_shared(made)
    return made


# Writing


async def _handover(shared: argparse.Namespace, chosen: argparse.Namespace) -> int:
    now = time.time()
    try:
        since = shift_start(chosen.since, now)
    except ValueError as fault:
        raise UsageError(f"--since: {fault}") from fault
    async with contextlib.AsyncExitStack() as stack:
        session = None
        try:
            session = await stack.enter_async_context(opened(shared))
        except JournalError as fault:
            told("note", f"the journal cannot be used: {fault.sentence}")
        prepared = (
            prepare(flags(shared), needs_source=False) if session is None else (session.prepared)
        )
        document = await _document(prepared, session, chosen, since)
        return await _told_and_written(prepared, session, chosen, document)


async def _document(
    prepared: Prepared, session: Session | None, chosen: argparse.Namespace, since: float
) -> HandoverDocument:
    from console.handover.build import handover
    from console.handover.handover_document import Shift
    from console.journal import declared_name, gather_who
    from console.reports.redact import cleaned

    facts = await _facts(prepared, since, instant=chosen.instant)
    settings = prepared.loaded.settings
    who = (
        session.bench.who
        if session is not None
        else gather_who(*declared_name(settings, os.environ), os.environ)
    )
    now = time.time()
    shift = Shift(
        since,
        now,
        who.name,
        f"{who.person}@{who.host}",
        to=chosen.to.strip(),
        due_at=settings.shift.next_end(now),
    )
    return cleaned(handover(facts, shift), prepared.resolver.known())


async def _facts(prepared: Prepared, since: float, *, instant: bool) -> ShiftFacts:
    """Look at the fleet twice, a refresh apart, as `status` does, and gather the shift."""
    engine = prepared.engine()
    engine.on_problem = lambda sentence: told("note", sentence)
    try:
        await engine.once(remembers=not instant, limit_seconds=_LOOK_SECONDS)
        if engine.settings.sources and not instant:
            await asyncio.sleep(engine.settings.refresh_seconds)
            await engine.once(limit_seconds=_LOOK_SECONDS)
        return await engine.shift_facts(since)
    finally:
        await engine.close()


async def _told_and_written(
    prepared: Prepared,
    session: Session | None,
    chosen: argparse.Namespace,
    document: HandoverDocument,
) -> int:
    from console.handover.handover_text import handover_blocks
    from console.reports.markdown import markdown
    from console.reports.status import as_json

    text = markdown(handover_blocks(document))
    if chosen.edit:
        text = edited(text, os.environ, "handover.md")
        if not text:
            sys.stderr.write("cancelled: the text was emptied, nothing was written\n")
            return NOTHING_CHANGED
    shown = f"{as_json(document)}\n" if chosen.json else text
    if chosen.output is not None:
        write_whole(Path(chosen.output), shown.encode(), force=chosen.force)
    else:
        sys.stdout.write(shown)
        sys.stdout.flush()
    if session is None:
        sys.stderr.write("it is not in the journal: the journal cannot be used\n")
        return NOTHING_CHANGED
    return await _written(session, chosen, document, text)


async def _written(
    session: Session, chosen: argparse.Namespace, document: HandoverDocument, text: str
) -> int:
    if chosen.dry_run:
        return DONE
    if chosen.yes:
        require_writes(WRITE, session.actor.mode)
    elif not has_terminal():
        sys.stderr.write("only printed; --yes writes it into the journal, to be accepted\n")
        return DONE
    elif not _sure("Y writes it into the journal, Enter only prints it: "):
        sys.stderr.write("not written into the journal\n")
        return DONE
    entry = await asyncio.to_thread(
        write_handover,
        session.bench.journal,
        wish_of(text, document),
        session.actor.mode,
        session.bench.clock(),
    )
    told("written", f"as {entry.op_id}, entry {entry.seq}")
    told(
        "next",
        f"from their own login, the next person runs: midwatch handover --accept {entry.op_id}",
    )
    return DONE


# Accepting


async def _accept(shared: argparse.Namespace, chosen: argparse.Namespace) -> int:
    async with opened(shared) as session:
        bench = session.bench
        if not chosen.dry_run:
            require_writes(ACCEPT, session.actor.mode)
        records = await asyncio.to_thread(handovers_in, bench.journal)
        found = to_accept(records, bench.who, chosen.accept)
        sys.stderr.write(f"{_listed(found)}\n\n{_shown(found)}\n")
        if chosen.dry_run:
            print("dry run: nothing was written")
            return DONE
        if not chosen.yes and not _asked():
            sys.stderr.write("not accepted\n")
            return NOTHING_CHANGED
        snapshot = await look(session, (), instant=True) if found.holds else None
        try:
            entry, taken = await accept_with_holds(session.actor, found, snapshot)
        except TargetTouchedError as fault:
            print(f"superseded: {visible(fault.sentence, 600)}")
            return SUPERSEDED
        if chosen.json:
            made = {
                "schema": "midwatch.acceptance/1",
                "handover": found.id,
                "entry": entry.seq,
                "taken_over": list(taken),
            }
            print(json.dumps(made))
        else:
            print(f"accepted: the handover of {visible(found.who.name, 60)} ({found.id})")
        for sentence in taken:
            told("held", sentence)
        return DONE


def _asked() -> bool:
    if not has_terminal():
        raise UsageError("there is no terminal to ask on; --yes goes ahead without asking")
    return _sure("Y accepts it, Enter cancels: ")


def _sure(question: str) -> bool:
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip() == "Y"


def _shown(record: HandoverRecord) -> str:
    return "\n".join(visible(line, 4000) for line in record.text.splitlines())


# Listing


async def _list(shared: argparse.Namespace, chosen: argparse.Namespace) -> int:
    async with opened(shared) as session:
        records = await asyncio.to_thread(handovers_in, session.bench.journal)
        if chosen.json:
            listed = [_document_of(each) for each in records]
            print(json.dumps({"schema": LIST_SCHEMA, "handovers": listed}, indent=2))
            return DONE
        for each in records:
            print(_listed(each))
        if not records:
            sys.stderr.write("no handover is on the record\n")
        return DONE


def _listed(record: HandoverRecord) -> str:
    by = f"{visible(record.who.name, 40)} ({visible(record.account, 80)})"
    to = f" to {visible(record.to, 40)}" if record.to else ""
    if record.accepted_at is None:
        state = "waits for somebody to accept it"
    else:
        state = f"accepted {timestamp(record.accepted_at)} by {visible(record.accepted_by, 40)}"
    broken = "" if record.intact else "  TEXT IS NOT WHAT ITS DIGEST SAYS"
    return f"{record.id}  {timestamp(record.written_at)}  {by}{to}  {state}{broken}"


def _document_of(record: HandoverRecord) -> dict[str, object]:
    accepted = record.accepted_at
    return {
        "id": record.id,
        "entry": record.seq,
        "written_at": timestamp(record.written_at),
        "since": None if record.since is None else timestamp(record.since),
        "by": record.who.name,
        "account": record.account,
        "to": record.to or None,
        "digest": record.digest,
        "intact": record.intact,
        "accepted_by": record.accepted_by or None,
        "accepted_account": record.accepted_account or None,
        "accepted_at": None if accepted is None else timestamp(accepted),
        "text": record.text,
    }
