"""Operators as processes: one line of JSON in, a child that acts, its result in a file out.

A program without threads that has imported everything forks for each, so that a fault costs
milliseconds and not the start of an interpreter. Run as a module by `tests.faults.areas`.
"""

from __future__ import annotations

import asyncio
import json
import os
import resource
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace

from console.actions.executor import ActionExecutor
from console.actions.prepare import ActionEnvironment
from console.controls.registry import ControlRegistry
from console.domain.action import ActionRefused, ActionRequest, Confirmation
from console.journal import JournalError, gather_who, open_journal
from console.settings.load import Flags, load

if TYPE_CHECKING:
    from console.settings.schema import Settings

YES = Confirmation(yes=True, by_yes=True)


def settings_of(config: Path) -> Settings:
    return load(Flags(config=config), {"HOME": str(config.parent)}).settings


def journal_url(journal: Path | str) -> str:
    return f"sqlite:///{journal}" if isinstance(journal, Path) else journal


def environment(
    settings: Settings, journal: Path | str, *, name: str = "ana", ahead_seconds: float = 0.0
) -> ActionEnvironment:
    """Return what an operator acts with, on a clock that may be wrong.

    ``journal`` is a SQLite file, or the URL of a database.
    """
    who = gather_who(name, "test", {})
    who = replace(who, os_user=name, uid=5000 + sum(map(ord, name)), login_uid=None)
    opened = open_journal(journal_url(journal), who=who, environment="test")
    clock = lambda: time.time() + ahead_seconds  # noqa: E731
    return ActionEnvironment(settings, ControlRegistry(settings, None), opened, who, clock)


async def act(bench: ActionEnvironment, verb: str = "trip") -> dict[str, object]:
    """Do one verb and return its outcome as a person would be told."""
    actor = ActionExecutor(bench, "armed")
    request = ActionRequest(verb, "fraud-scorer", "a fault is tried", ttl_seconds=600.0)
    try:
        prepared = await actor.prepare(request, None)
        outcome = await actor.perform(prepared, YES)
    except (ActionRefused, JournalError) as fault:
        return {"kind": "refused", "text": str(fault)}
    return {
        "kind": outcome.kind,
        "text": outcome.sentence,
        "op": outcome.op_id,
        "watched": outcome.watch_until is not None,
        "recorded": outcome.recorded,
    }


def _child(wish: dict[str, object], settings: Settings) -> None:
    out = Path(str(wish["out"]))
    if limit := wish.get("file_limit"):
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(str(limit)), resource.RLIM_INFINITY))
    try:
        journal = str(wish["journal"])
        where = journal if "://" in journal else Path(journal)
        bench = environment(settings, where, name=str(wish["name"]))
        result = asyncio.run(act(bench, str(wish.get("verb", "trip"))))
    except JournalError as fault:
        result = {"kind": "refused", "text": fault.sentence}
    except BaseException as fault:  # noqa: BLE001  # that is what is looked for
        result = {"kind": "crash", "text": repr(fault)}
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    out.write_text(json.dumps(result), encoding="utf-8")


def main() -> None:
    settings = settings_of(Path(sys.argv[1]))
    print("ready", flush=True)
    for line in sys.stdin:
        wish = json.loads(line)
        if "wait" in wish:
            _, status = os.waitpid(wish["wait"], 0)
            print(status, flush=True)
            continue
        pid = os.fork()
        if pid == 0:
            try:
                _child(wish, settings)
            finally:
                os._exit(0)
        print(pid, flush=True)


if __name__ == "__main__":
    main()
