"""``midwatch lease show|break``: who acts on what now, and the way past one that acts no more."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING

from console.actions.target_state import lease_name
from console.actions.write_gate import require_writable
from console.cli.action_session import (
    DONE,
    NOTHING_CHANGED,
    REFUSED,
    has_terminal,
    iso,
    opened,
    reason_of,
    run_async,
)
from console.cli.command_line import CommandError, Parser, UsageError, add_shared, one_of
from console.domain.entry import EntryDraft, Lease
from console.domain.text import visible
from console.journal.chain import new_ulid
from console.journal.leases import KEEPER_LEASE, LONGEST_LEASE_SECONDS, is_dead, shown_holder
from console.settings.durations import format_duration

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

SCHEMA = "midwatch.leases/1"
_VERBS = ("show", "break")


def parser() -> Parser:
    """Return the command's own parser."""
    made = Parser("midwatch lease", "Who acts on what now; break what holds on without acting.")
    made.add_argument(
        "verb",
        metavar="|".join(_VERBS),
        type=made.value(one_of(_VERBS, "midwatch lease")),
        help="list the leases, or break one",
    )
    made.add_argument("name", nargs="?", metavar="TARGET", help="a model, dep:NAME, or keeper")
    made.add_argument("--reason", metavar="TEXT", help="break: why; stands in the record")
    made.add_argument("--yes", action="store_true", help="do not ask; needed without a terminal")
    made.add_argument("--json", action="store_true", help="show: a document for scripts")
    add_shared(made)
    return made


def run(shared: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Show the leases of the journal, or break one with a reason that stands in the record."""
    chosen = parser().parse_all(arguments)
    if chosen.verb == "show":
        return run_async(_show(shared, chosen))
    if not chosen.name:
        raise UsageError("name what is held: midwatch lease break MODEL, dep:NAME or keeper")
    return run_async(_break(shared, chosen, reason_of(chosen)))


def state_of(lease: Lease, now: float) -> str:
    """Return whether a lease counts at ``now`` (Unix seconds), and why not if so."""
    if is_dead(lease.holder):
        return "dead"
    if lease.expires_at > now + LONGEST_LEASE_SECONDS:
        return "from the future"
    return "in force" if lease.expires_at > now else "lapsed"


async def _show(shared: argparse.Namespace, chosen: argparse.Namespace) -> int:
    async with opened(shared) as session:
        now = session.bench.clock()
        leases = await asyncio.to_thread(session.bench.journal.leases, now)
    if chosen.json:
        listed = [
            {
                "name": each.name,
                "holder": shown_holder(each.holder),
                "state": state_of(each, now),
                "left_seconds": round(each.expires_at - now, 1),
                "fence": each.fence,
            }
            for each in leases
        ]
        made = {"schema": SCHEMA, "taken_at": iso(now), "leases": listed}
        print(json.dumps(made, indent=2, ensure_ascii=False))
        return DONE
    for each in leases:
        left = each.expires_at - now
        when = f"{format_duration(max(1.0, round(abs(left))))} {'left' if left > 0 else 'ago'}"
        print(
            f"{visible(each.name, 80):<30} {state_of(each, now):<16} {when:<12} "
            f"{visible(shown_holder(each.holder), 200)}"
        )
    if not leases:
        sys.stderr.write("nobody holds a lease\n")
    return DONE


async def _break(shared: argparse.Namespace, chosen: argparse.Namespace, reason: str) -> int:
    async with opened(shared) as session:
        require_writable("Breaking a lease", session.actor.mode)
        bench = session.bench
        now = bench.clock()
        leases = await asyncio.to_thread(bench.journal.leases, now)
        name = chosen.name if chosen.name == KEEPER_LEASE else lease_name(chosen.name)
        lease = next((each for each in leases if each.name in (name, chosen.name)), None)
        if lease is None:
            known = ", ".join(visible(each.name, 60) for each in leases) or "none is held"
            raise CommandError(f"there is no lease on {visible(chosen.name, 60)}: {known}", REFUSED)
        holder = visible(shown_holder(lease.holder), 200)
        state = state_of(lease, now)
        sys.stderr.write(f"{visible(lease.name, 80)}: {state}, {holder}\n")
        if state == "in force":
            sys.stderr.write(
                f"it ends by itself in {format_duration(max(1.0, round(lease.expires_at - now)))}; "
                "whoever holds it may be sending now, and two who act at once undo each other\n"
            )
        if not chosen.yes:
            if not has_terminal():
                raise UsageError("there is no terminal to ask on; --yes goes ahead without asking")
            sys.stderr.write(f"type {chosen.name} to break it, Enter cancels: ")
            sys.stderr.flush()
            if sys.stdin.readline().strip() != chosen.name:
                sys.stderr.write("cancelled, nothing was broken\n")
                return NOTHING_CHANGED
        draft = EntryDraft(
            kind="lease_broken",
            at=now,
            action="break",
            target="" if lease.name == KEEPER_LEASE else chosen.name,
            op_id=new_ulid(now),
            why=reason,
            details={
                "lease": lease.name,
                "holder": shown_holder(lease.holder),
                "state": state,
                "left_seconds": round(lease.expires_at - now, 1),
            },
        )
        # Written down first: a lease that is broken without a word would look like a lapsed one.
        await asyncio.to_thread(bench.journal.append, draft)
        await asyncio.to_thread(bench.journal.drop_lease, lease.name, lease.holder)
        print(f"broken: the lease on {visible(lease.name, 80)} of {holder}")
        return DONE
