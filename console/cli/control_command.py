"""``midwatch`` with a verb of `console.actions.verbs`: one action from the shell."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from console.actions.fleet_view import DEPENDENCY_PREFIX, FleetView
from console.actions.verbs import VERBS
from console.actions.write_gate import require
from console.cli.action_session import (
    add_flags,
    ask_and_do,
    look,
    opened,
    reason_of,
    run_async,
    target_faults,
    told,
    ttl_of,
)
from console.cli.command_line import Parser, add_shared
from console.cli.command_table import COMMANDS
from console.domain.action import ActionRequest
from console.domain.text import visible

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence


def parser(verb: str) -> Parser:
    """Return the command's own parser."""
    made = Parser(f"midwatch {verb}", f"{COMMANDS[verb].summary.capitalize()}.")
    shown = "TARGET" if VERBS[verb].for_dependency else "MODEL"
    text = "a model, or dep:NAME" if VERBS[verb].for_dependency else "a model"
    made.add_argument("target", metavar=shown, help=text)
    if verb == "threshold":
        made.add_argument(
            "value",
            metavar="VALUE",
            type=made.value(_threshold),
            help="from 0 to 1; less sure goes to people",
        )
    if verb == "fallback":
        made.add_argument("--to", metavar="NAME", help="which fallback (default: the first)")
    if verb == "rollback":
        made.add_argument("--to", metavar="VERSION", help="to which version, where one is needed")
    add_flags(made)
    add_shared(made)
    return made


def run(shared: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Do the verb that stands first in ``arguments``; return its exit code."""
    verb, *rest = arguments
    chosen = parser(verb).parse_all(
        rest, reason_of, ttl_of, also=lambda made: target_faults(shared, made.target)
    )
    request = ActionRequest(
        verb=verb,
        target=chosen.target,
        reason=reason_of(chosen),
        ttl_seconds=ttl_of(chosen),
        to=getattr(chosen, "to", None) or "",
        value=getattr(chosen, "value", None),
        incident=chosen.incident,
    )
    if chosen.ttl is not None and not VERBS[verb].holds:
        told("note", f"{verb} holds nothing, so --ttl is not used")
    return run_async(_act(shared, chosen, request))


def _threshold(text: str) -> float:
    with contextlib.suppress(ValueError):
        value = float(text)
        if 0.0 <= value <= 1.0:
            return value
    raise ValueError(f"{visible(text, 40)} is no threshold; it is a number from 0 to 1")


async def _act(
    shared: argparse.Namespace, chosen: argparse.Namespace, request: ActionRequest
) -> int:
    async with opened(shared) as session:
        if not chosen.dry_run:
            require(request.verb, session.actor.mode)
        request = replace(request, ttl_seconds=ttl_of(chosen, session.bench))
        sight = FleetView(session.bench.settings, None, session.bench.clock())
        name = request.target.removeprefix(DEPENDENCY_PREFIX)
        is_dependency = name != request.target
        models = sight.sharing(name) if is_dependency else (name,)
        snapshot = await look(session, models, instant=chosen.instant)
        prepared = await session.actor.prepare(_with_rung(request, sight), snapshot)
        return await ask_and_do(session, prepared, chosen)


def _with_rung(request: ActionRequest, sight: FleetView) -> ActionRequest:
    """Return the request with its fallback named: the first of the ladder unless ``--to`` says."""
    if request.verb != "fallback" or request.to or request.target not in sight.rows:
        return request
    from dataclasses import replace

    rungs = sight.rows[request.target].fallbacks
    return replace(request, to=rungs[0].name) if rungs else request
