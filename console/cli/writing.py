"""A file written whole or not at all."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from console.cli.exits import CommandError
from console.facts.text import visible

if TYPE_CHECKING:
    from pathlib import Path


def refuse_existing(target: Path, *, force: bool) -> None:
    """Raise `CommandError` where the name is taken, before anything slow begins."""
    if os.path.lexists(target) and not force:
        raise CommandError(f"{visible(str(target))} exists; --force replaces it")


def write_whole(target: Path, content: bytes, *, force: bool) -> None:
    """Write whole or not at all: somebody else may read the file at this moment."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if not force:
            with target.open("xb") as file:
                file.write(content)
            return
        beside = target.with_name(f".{target.name}.{os.getpid()}")
        with beside.open("xb") as file:
            file.write(content)
        beside.replace(target)
    except FileExistsError as fault:
        raise CommandError(f"{visible(str(target))} exists; --force replaces it") from fault
    except OSError as fault:
        reason = visible(fault.strerror or str(fault))
        raise CommandError(f"{visible(str(target))} cannot be written: {reason}") from fault
