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
    told,
)
from console.cli.command_line import Parser, UsageError, add_shared
from console.domain.action import ActionRefused
from console.domain.text import visible
from console.settings.durations import DurationError, parse_duration
from console.settings.problems import nearest

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

LONGEST_SECONDS = 240.0


def run(shared: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Drill; 0 passed, else the code of what went wrong."""
    parser = Parser("midwatch drill", "An action and its way back on purpose, in the record.")
    parser.add_argument("model", metavar="MODEL")
    parser.add_argument("what", metavar="breaker|fallback|rollback")
    parser.add_argument("--to", metavar="NAME", default="", help="which fallback")
    parser.add_argument("--hold", metavar="TIME", default="5s", help="how long it is held")
    parser.add_argument(
        "--settle", metavar="TIME", default="60s", help="how long a breaker may take to close"
    )
    add_flags(parser)
    add_shared(parser)
    chosen = parser.parse_all(arguments)
    if chosen.what not in DRILLS:
        close = nearest(chosen.what, DRILLS) or ", ".join(DRILLS)
        raise UsageError(f"there is no drill {visible(chosen.what, 40)}; {close}")
    return run_async(_drill(shared, chosen, reason_of(chosen)))


def _seconds(flag: str, text: str) -> float:
    try:
        seconds = parse_duration(text)
    except DurationError as fault:
        raise UsageError(f"{flag} {visible(text, 40)}: {fault}") from fault
    if seconds > LONGEST_SECONDS:
        raise UsageError(f"{flag} is at most 4m: a drill is short")
    return seconds


async def _drill(shared: argparse.Namespace, chosen: argparse.Namespace, reason: str) -> int:
    hold_seconds = _seconds("--hold", chosen.hold)
    settle_seconds = _seconds("--settle", chosen.settle)
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
            hold_seconds=hold_seconds,
            settle_seconds=settle_seconds,
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
