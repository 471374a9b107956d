"""Exit codes, a promise to scripts, and the errors that lead to them."""

from __future__ import annotations

OK = 0
FAILED = 1
S2 = 1
S1 = 2
UNKNOWN = 3
BAD_USAGE = 64
INTERNAL = 70
NO_OUTPUT = 74
BAD_CONFIG = 78
INTERRUPTED = 130
BROKEN_PIPE = 141


class UsageError(Exception):
    """The command line cannot be understood; the message says what was found and what is close."""


class CommandError(Exception):
    """The command cannot do what was asked; the message says why and what to do."""

    def __init__(self, message: str, code: int = FAILED) -> None:
        super().__init__(message)
        self.code = code
