"""The log file: small, rotated, readable by its owner alone, without secrets."""

from __future__ import annotations

import logging
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from console.cli.exits import CommandError
from console.facts.text import visible
from console.settings.hidden import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from console.settings.hidden import SecretValue

LARGEST_BYTES = 2_000_000
KEPT_FILES = 3

_CREDENTIALS_IN_URL = r"(?i)(?P<scheme>[a-z][a-z0-9+.-]*://)[^/\s@]+@"
_AUTHORIZATION = r"(?i)\b(authorization|bearer|basic|password|token|secret)(\W+)\S+"


class CleanFormatter(logging.Formatter):
    """One line an event: control characters visible, secrets and what looks like one left out."""

    def __init__(self, form: str) -> None:
        super().__init__(form)
        self.secrets: Callable[[], Iterable[SecretValue]] = tuple

    def format(self, record: logging.LogRecord) -> str:
        """Return the event as text; a traceback keeps its own lines."""
        text = redact(super().format(record), self.secrets())
        # Compiled with the first line that is logged: most starts of the console log nothing.
        shown = re.sub(_CREDENTIALS_IN_URL, r"\g<scheme>•••@", text)
        clean = re.sub(_AUTHORIZATION, r"\1\2•••", shown)
        return "\n".join(visible(line, limit=2000) for line in clean.splitlines())


def start_log(file: str) -> None:
    """Log to ``file``; raises `CommandError` where it cannot be written."""
    from logging.handlers import RotatingFileHandler

    path = Path(file).expanduser()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Made with the right mode before anything is written into it.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
        handler = RotatingFileHandler(
            path, maxBytes=LARGEST_BYTES, backupCount=KEPT_FILES, encoding="utf-8", delay=True
        )
    except OSError as fault:
        raise CommandError(
            f"the log {visible(file)} cannot be written: {fault.strerror}; name another file"
        ) from fault
    handler.setFormatter(CleanFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    # A disk that fills up must not print tracebacks over the console; what it shows goes on.
    logging.raiseExceptions = False
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    for chatty in ("httpx", "httpcore", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def keep_out_of_log(secrets: Callable[[], Iterable[SecretValue]]) -> None:
    """Leave out of the log, from now on, whatever ``secrets`` returns when a line is written."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, CleanFormatter):
            handler.formatter.secrets = secrets
