"""An actor on a real journal and real HTTP services, as a command would make one."""

from __future__ import annotations

import os
import time
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING

from msgspec.structs import replace

from console.actions.executor import ActionExecutor
from console.actions.prepare import ActionEnvironment
from console.controls.registry import ControlRegistry
from console.domain.action import ActionRequest, Confirmation
from console.journal import gather_who, open_journal
from console.settings.load import Flags, load
from console.settings.secrets import SecretResolver, list_references

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from console.domain.action import Mode, Outcome, PreparedAction

YES = Confirmation(yes=True, by_yes=True)
GLASS = Confirmation(yes=True, by_yes=True, break_glass="nobody else is awake")


def _uid_of(account: str) -> int:
    """Return a number of its own for each account, as a host gives them."""
    return 1001 + zlib.crc32(account.encode()) % 50_000


@contextmanager
def actor(
    config: Path,
    *,
    name: str = "ana",
    account: str = "ana",
    mode: Mode = "armed",
    clock: Callable[[], float] = time.time,
) -> Iterator[ActionExecutor]:
    """Open what a configuration names, as ``name`` on the login ``account``."""
    settings = load(Flags(config=config), {"HOME": str(config.parent)}).settings
    references = [each.reference for each in list_references(settings)]
    resolver = SecretResolver(references, os.environ)
    resolver.start()
    who = replace(
        gather_who(name, "test", {}),
        os_user=account,
        uid=_uid_of(account),
        login_user=None,
        login_uid=None,
    )
    journal = open_journal(settings.journal.url, who=who, environment="test")
    try:
        yield ActionExecutor(
            ActionEnvironment(settings, ControlRegistry(settings, resolver), journal, who, clock),
            mode,
        )
    finally:
        journal.close()
        resolver.close()


def trip(**options: object) -> ActionRequest:
    return ActionRequest("trip", "fraud-scorer", "too many timeouts", **options)  # type: ignore[arg-type]


async def do(
    acting: ActionExecutor, request: ActionRequest, confirmation: Confirmation = YES
) -> tuple[PreparedAction, Outcome]:
    """Prepare and perform."""
    prepared = await acting.prepare(request, None)
    return prepared, await acting.perform(prepared, confirmation)


def write_config(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path
