"""``midwatch readiness``: the 30 checks; attesting one, taking it back, signing the whole off."""

from __future__ import annotations

import asyncio
import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from console.cli.action_session import (
    DONE,
    NOTHING_CHANGED,
    PARTIAL,
    has_terminal,
    look,
    opened,
    run_async,
    told,
)
from console.cli.bootstrap import prepare, refuse_existing, write_whole
from console.cli.command_line import (
    FAILED,
    OK,
    UNKNOWN,
    CommandError,
    Parser,
    UsageError,
    add_shared,
    flags,
)
from console.domain.entry import JournalHead
from console.domain.text import visible
from console.domain.timestamps import timestamp
from console.settings.durations import DurationError, parse_duration
from console.settings.problems import nearest

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from console.cli.action_session import Session
    from console.domain.entry import Entry, EntryDraft
    from console.domain.proof import ModelReadiness
    from console.domain.snapshot import Snapshot

VERBS = {"attest": ("CHECK", "MODEL"), "withdraw": ("CHECK", "MODEL"), "sign-off": ("MODEL",)}
LIMIT_SECONDS = 60.0


def parser() -> Parser:
    """Return the command's own parser."""
    made = Parser("midwatch readiness", "30 checks of production readiness, from live evidence.")
    made.add_argument(
        "words",
        nargs="*",
        metavar="MODEL | attest CHECK MODEL | withdraw CHECK MODEL | sign-off MODEL",
        help="one model; or a check by id or number, and the model it is about",
    )
    made.add_argument("--json", action="store_true", help="a document for scripts")
    made.add_argument("--markdown", action="store_true", help="the review as an auditor reads it")
    made.add_argument("-o", "--output", metavar="FILE", help="write it there")
    made.add_argument("--force", action="store_true", help="replace FILE if it exists")
    made.add_argument("--evidence", metavar="LINK|FILE", help="attest: what proves it")
    made.add_argument("--until", metavar="TIME", help="attest: 90d, or 2026-12-31")
    made.add_argument(
        "--not-applicable", action="store_true", help="attest: the check does not concern the model"
    )
    made.add_argument("--reason", metavar="TEXT", default="", help="what is attested or signed")
    made.add_argument("--approver", metavar="NAME", default="", help="sign-off: who approves it")
    made.add_argument(
        "--despite", metavar="TEXT", default="", help="sign-off: why, although gates are closed"
    )
    made.add_argument("--dry-run", action="store_true", help="say what would be written; no more")
    made.add_argument("--yes", action="store_true", help="do not ask; needed without a terminal")
    add_shared(made)
    return made


def run(shared: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Print readiness, or write a proof or a sign-off; return the exit code."""
    from pathlib import Path

    chosen = parser().parse_all(arguments)
    words: list[str] = chosen.words
    if words and words[0] in VERBS and len(words) > 1:
        wanted = VERBS[words[0]]
        if len(words) != 1 + len(wanted):
            raise UsageError(f"midwatch readiness {words[0]} {' '.join(wanted)}")
        if words[0] == "sign-off":
            return run_async(_sign_off(shared, chosen, words[1]))
        return run_async(_attest(shared, chosen, words[0], words[1], words[2]))
    if len(words) > 1:
        raise UsageError(
            "midwatch readiness takes one MODEL, or attest, withdraw or sign-off before it"
        )
    if chosen.json and chosen.markdown:
        raise UsageError("--json and --markdown exclude each other")
    if chosen.output is not None:
        refuse_existing(Path(chosen.output), force=chosen.force)
    return run_async(_show(shared, chosen, words[0] if words else ""))


# Reading


async def _show(shared: argparse.Namespace, chosen: argparse.Namespace, model: str) -> int:
    from pathlib import Path

    from console.reports.markdown import markdown
    from console.reports.readiness_text import (
        fleet_lines,
        model_lines,
        readiness_blocks,
        readiness_document,
    )
    from console.reports.redact import cleaned
    from console.reports.status import as_json

    prepared = prepare(flags(shared))
    engine = prepared.engine()
    engine.on_problem = lambda sentence: told("note", sentence)
    try:
        snapshot = await prepared.two_looks(engine, LIMIT_SECONDS)
        _check_known(snapshot, model)
        found = await engine.readiness((model,) if model else ())
        head = _head(snapshot)
    finally:
        await engine.close()
    environment, now = prepared.loaded.settings.environment, snapshot.taken_at
    if chosen.json:
        document = readiness_document(found, environment, now, head)
        text = f"{as_json(cleaned(document, prepared.resolver.known()))}\n"
    elif chosen.markdown:
        text = markdown(readiness_blocks(found, environment, now, head))
    else:
        lines = model_lines(found[0]) if model else fleet_lines(found)
        text = "\n".join(lines) + "\n"
    if chosen.output is None:
        sys.stdout.write(text)
    else:
        write_whole(Path(chosen.output), text.encode(), force=chosen.force)
    return exit_code(found)


def _head(snapshot: Snapshot) -> JournalHead | None:
    """Return the journal's last entry as last read, None where none was."""
    for one in snapshot.record.entries[:1]:
        return JournalHead(chain=one.chain, seq=one.seq, hash=one.hash, at=one.at)
    return None


def exit_code(found: Sequence[ModelReadiness]) -> int:
    """Return 1 where a gate of tier 1 fails or expired, 3 where one is not known, else 0."""
    states = {gate.state for each in found for gate in each.closed_gates}
    if states - {"unknown"}:
        return FAILED
    return UNKNOWN if states else OK


def _check_known(snapshot: Snapshot, model: str) -> None:
    if model and model not in snapshot.index:
        known = [row.model for row in snapshot.rows]
        close = nearest(model, known) or f"{len(known)} models are known: midwatch status"
        raise CommandError(f"there is no model {visible(model, 80)}; {close}")


# Writing


async def _attest(
    shared: argparse.Namespace, chosen: argparse.Namespace, verb: str, check: str, model: str
) -> int:
    from console.actions.readiness_record import (
        AttestWish,
        check_to_attest,
        draft_of_attestation,
        draft_of_withdrawal,
        evidence_named,
        write_proof,
    )
    from console.actions.write_gate import require_writable

    async with opened(shared) as session:
        if not chosen.dry_run:
            require_writable("Attesting readiness", session.actor.mode)
        check_to_attest(check)
        now = session.bench.clock()
        if verb == "withdraw":
            await _known_here(session, model)
            draft = draft_of_withdrawal(check, model, chosen.reason, now)
        else:
            evidence = None
            if chosen.evidence:
                evidence = await asyncio.to_thread(evidence_named, chosen.evidence)
            snapshot = await _known_here(session, model)
            row = None if snapshot is None else snapshot.index.get(model)
            version = "" if snapshot is None or row is None else snapshot.rows[row].version
            declared = session.bench.settings.models.get(model)
            draft = draft_of_attestation(
                AttestWish(
                    check=check,
                    target=model,
                    note=chosen.reason,
                    evidence=evidence,
                    until=None if chosen.until is None else until_of(chosen.until, now),
                    version=version,
                    not_applicable=chosen.not_applicable,
                    tier=2 if declared is None else declared.tier,
                ),
                now,
            )
        for line in _proof_lines(draft):
            sys.stderr.write(f"  {line}\n")
        if chosen.dry_run:
            print("dry run: nothing was written")
            return DONE
        if not chosen.yes and not _sure("Y writes it, Enter cancels: "):
            sys.stderr.write("cancelled, nothing was written\n")
            return NOTHING_CHANGED
        entry = await asyncio.to_thread(
            write_proof, session.bench.journal, draft, session.actor.mode
        )
        _print_written(entry, chosen, "attested" if verb == "attest" else "taken back")
        return DONE


def until_of(text: str, now: float) -> float:
    """Return an end in Unix seconds: ``90d`` from now, or a date (its last second, UTC)."""
    try:
        return now + parse_duration(text)
    except DurationError:
        try:
            day = datetime.fromisoformat(text)
        except ValueError as fault:
            raise UsageError(
                f"--until {visible(text, 40)}: give a length such as 90d, or a date as 2026-12-31"
            ) from fault
    if len(text) == len("2026-12-31"):
        day = day.replace(hour=23, minute=59, second=59)
    return (day if day.tzinfo else day.replace(tzinfo=UTC)).timestamp()


async def _known_here(session: Session, model: str) -> Snapshot | None:
    """Return the fleet, None where it cannot be read; raises for a model nobody knows."""
    snapshot = await look(session, (model,), instant=True)
    declared = session.bench.settings.models
    if model not in declared and (snapshot is None or model not in snapshot.index):
        known = sorted({*declared, *(() if snapshot is None else snapshot.index)})
        close = nearest(model, known) or f"{len(known)} are known: midwatch status"
        raise CommandError(f"there is no model {visible(model, 80)}; {close}")
    return snapshot


def _proof_lines(draft: EntryDraft) -> list[str]:
    details = draft.details
    until = details.get("until")
    return [
        f"check    {details.get('check')} of {visible(draft.target, 80)}: {draft.wanted}",
        f"says     {visible(draft.why, 300)}",
        *(
            [f"evidence {visible(str(details['evidence']), 200)}"]
            if details.get("evidence")
            else []
        ),
        *([f"sha256   {details['sha256']}"] if details.get("sha256") else []),
        *([f"version  {visible(str(details['version']), 60)}"] if details.get("version") else []),
        *([f"until    {timestamp(until)}"] if isinstance(until, float) else []),
    ]


def _print_written(entry: Entry, chosen: argparse.Namespace, did: str, *, waits: str = "") -> None:
    if chosen.json:
        made = {
            "schema": "midwatch.readiness_entry/1",
            "op": entry.op_id,
            "entry": entry.seq,
            "hash": entry.hash,
            "did": did,
            "waits_for": waits or None,
        }
        print(json.dumps(made))
    else:
        print(f"{did}: entry {entry.seq}, operation {entry.op_id}, hash {entry.hash}")
        if waits:
            print(f"it counts once {visible(waits, 60)} runs: midwatch approve {entry.op_id}")


def _sure(question: str) -> bool:
    if not has_terminal():
        raise UsageError("there is no terminal to ask on; --yes goes ahead without asking")
    sys.stderr.write(question)
    sys.stderr.flush()
    return sys.stdin.readline().strip() == "Y"


async def _sign_off(shared: argparse.Namespace, chosen: argparse.Namespace, model: str) -> int:
    from console.actions.readiness_record import sign_off_drafts, write_sign_off
    from console.actions.write_gate import require_writable
    from console.reports.readiness_text import model_lines

    async with opened(shared) as session:
        if not chosen.dry_run:
            require_writable("Signing off readiness", session.actor.mode)
        found = await _judged(session, model)
        drafts = sign_off_drafts(
            found,
            session.bench.who,
            chosen.reason,
            session.bench.clock(),
            approver=chosen.approver.strip(),
            despite=chosen.despite,
        )
        sys.stderr.write("\n".join(model_lines(found)) + "\n")
        if chosen.dry_run:
            print("dry run: nothing was written")
            return DONE
        if not chosen.yes and not _sure("Y signs this off, Enter cancels: "):
            sys.stderr.write("cancelled, nothing was written\n")
            return NOTHING_CHANGED
        entry = await asyncio.to_thread(
            write_sign_off, session.bench.journal, drafts, session.actor.mode
        )
        waits = chosen.approver.strip() if len(drafts) > 1 else ""
        _print_written(entry, chosen, "signed off", waits=waits)
        return PARTIAL if waits else DONE


async def _judged(session: Session, model: str) -> ModelReadiness:
    engine = session.prepared.engine()
    engine.on_problem = lambda sentence: told("note", sentence)
    try:
        snapshot = await session.prepared.two_looks(engine, LIMIT_SECONDS)
        _check_known(snapshot, model)
        return (await engine.readiness((model,)))[0]
    finally:
        await engine.close()
