"""``midwatch drill MODEL breaker|fallback|rollback``: an action and its way back, on purpose."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from console.actions.drill import DRILLS, drill, drill_request
from console.actions.fleet_view import FleetView
from console.actions.preview import preview_text
from console.actions.write_gate import require
from console.cli.action_session import (
    DONE,
    NOTHING_CHANGED,
    UNVERIFIED,
    add_flags,
    code_of,
    confirmed,
    document,
    look,
    opened,
    reason_of,
    rehearse,
    run_async,
    target_faults,
    told,
)
from console.cli.command_line import Parser, add_shared, duration, one_of
from console.domain.action import ActionRefused
from console.domain.text import visible

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

LONGEST_SECONDS = 240.0


def parser() -> Parser:
    """Return the command's own parser."""
    made = Parser("midwatch drill", "An action and its way back on purpose, in the record.")
    made.add_argument("model", metavar="MODEL", help="a model")
    made.add_argument(
        "what",
        metavar="|".join(DRILLS),
        type=made.value(one_of(DRILLS, "drill")),
        help="what is tried",
    )
    made.add_argument("--to", metavar="NAME", default="", help="which fallback")
    short = duration(0.0, LONGEST_SECONDS, "at most 4m: a drill is short")
    for flag, usual, text in (
        ("--hold", 5.0, "how long it is held (default 5s)"),
        ("--settle", 60.0, "how long a breaker may take to close (default 60s)"),
    ):
        made.add_argument(
            flag, metavar="TIME", type=made.value(short, flag), default=usual, help=text
        )
    add_flags(made)
    add_shared(made)
    return made


def run(shared: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Drill; 0 passed, else the code of what went wrong."""
    chosen = parser().parse_all(
        arguments, reason_of, also=lambda made: target_faults(shared, made.model)
    )
    return run_async(_drill(shared, chosen, reason_of(chosen)))


async def _drill(shared: argparse.Namespace, chosen: argparse.Namespace, reason: str) -> int:
    async with opened(shared) as session:
        request = drill_request(chosen.what, chosen.model, reason, chosen.to)
        if not chosen.dry_run:
            require(request.verb, session.actor.mode)
        sight = FleetView(session.bench.settings, None, session.bench.clock())
        if request.verb == "fallback" and not request.to and chosen.model in sight.rows:
            rungs = sight.rows[chosen.model].fallbacks
            to = rungs[0].name if rungs else ""
            request = drill_request(chosen.what, chosen.model, reason, to)
        snapshot = await look(session, (chosen.model,), instant=chosen.instant)
        prepared = await session.actor.prepare(request, snapshot)
        if chosen.dry_run:
            return await rehearse(session, prepared, chosen)
        sys.stderr.write(preview_text(prepared))
        if prepared.forbidden:
            raise ActionRefused(prepared.forbidden)
        confirmation = await confirmed(session, prepared, chosen)
        if confirmation is None:
            sys.stderr.write("cancelled, nothing was sent\n")
            return NOTHING_CHANGED
        done = await drill(
            session.actor,
            prepared,
            confirmation,
            hold_seconds=chosen.hold,
            settle_seconds=chosen.settle,
            tell=lambda sentence: told("drill", sentence),
        )
    word = "passed" if done.passed else "FAILED"
    if chosen.json:
        made = {
            **document(prepared, done.there),
            "drill": {"passed": done.passed, "states": list(done.states), "text": done.sentence},
        }
        print(json.dumps(made, indent=2, ensure_ascii=False))
    else:
        what = f"{visible(chosen.model, 80)} {chosen.what}"
        print(f"drill {word}: {what}: {visible(done.sentence, 600)}")
    if done.passed:
        return DONE
    if done.back is None:
        return code_of(done.there) or NOTHING_CHANGED
    return code_of(done.back) or UNVERIFIED
