"""A text in the operator's own editor: an argument list, no shell, a private file."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from console.cli.exits import CommandError, UsageError
from console.facts.text import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

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
