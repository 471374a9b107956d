"""Leaving well: lost terminals, signals, crashes, and the clipboard of a terminal far away."""

from __future__ import annotations

import base64
import contextlib
import os
import signal
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from console.domain.text import visible

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType

    from console.domain.snapshot import Snapshot

    Handler = Callable[[int, FrameType | None], object] | int | None

HANGUP_CODE = 128 + signal.SIGHUP
TERMINATED_CODE = 128 + signal.SIGTERM
GRACE_SECONDS = 2.0
"""How long a clean exit may take before the process ends whatever it is doing."""

CLIPBOARD_LIMIT = 74_994
"""Bytes of OSC 52 payload that the strictest terminals still take."""

_RESET = (
    "\x1b[23;2t"  # the title that was there
    "\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1015l"  # no mouse reports
    "\x1b[?2004l\x1b[?1004l\x1b[<u"  # no bracketed paste, focus reports or key protocol
    "\x1b[?1049l\x1b[?25h\x1b[0m"  # the first screen, a cursor, no style
)


def terminal_lost() -> bool:
    """Tell whether standard input is no longer a terminal, as after a dropped SSH session."""
    try:
        return not os.isatty(0)
    except OSError:
        return True


def can_be_resumed() -> bool:
    """Tell whether a shell waits for this process's group, which alone could continue it.

    The kernel asks the same before it stops a group on Ctrl-Z (POSIX: not orphaned).
    """
    group, session, pid = os.getpgrp(), os.getsid(0), os.getppid()
    with contextlib.suppress(OSError, ValueError, IndexError):
        while pid > 1 and os.getsid(pid) == session:
            if os.getpgid(pid) != group:
                return True
            # A wrapper of the same job, such as `uv run`: who started it?
            status = Path(f"/proc/{pid}/stat").read_text(errors="replace")
            pid = int(status.rpartition(")")[2].split()[1])
    return False


class TerminalGuard:
    """Remembers how the terminal was, listens to signals, and can end the process for certain.

    A signal's handler runs even while the event loop is busy; when the loop does not end within
    ``GRACE_SECONDS`` the terminal is restored and the process ends with the signal's code.
    """

    def __init__(
        self,
        leave: Callable[[int], None],
        reload: Callable[[], None],
        *,
        grace_seconds: float = GRACE_SECONDS,
    ) -> None:
        self._leave = leave
        self._reload = reload
        self._grace_seconds = grace_seconds
        self._saved = _terminal_state()
        self._before: dict[int, Handler] = {}
        self._timer: threading.Timer | None = None

    def install(self) -> None:
        """Listen to the signals that end or reload; only the main thread may do that.

        SIGUSR2 is one digit from SIGUSR1 and by default would end the process as it stands.
        """
        for number, handler in (
            (signal.SIGHUP, self._on_end),
            (signal.SIGTERM, self._on_end),
            (signal.SIGUSR1, self._on_reload),
            (signal.SIGUSR2, self._on_nothing),
            (signal.SIGINT, self._on_end),
            (signal.SIGQUIT, self._on_end),
        ):
            self._before[number] = signal.signal(number, handler)

    def remove(self) -> None:
        """Give the signals back and call off a forced end."""
        if self._timer is not None:
            self._timer.cancel()
        for number, handler in self._before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
        self._before.clear()

    def leave(self, code: int) -> None:
        """Ask the console to end with this exit code, and see to it that it does."""
        if self._timer is None:
            self._timer = threading.Timer(self._grace_seconds, self._force, (code,))
            self._timer.daemon = True
            self._timer.start()
            self._leave(code)

    def _on_end(self, number: int, _frame: FrameType | None) -> None:
        self.leave(128 + number)

    def _on_reload(self, _number: int, _frame: FrameType | None) -> None:
        self._reload()

    def _on_nothing(self, _number: int, _frame: FrameType | None) -> None:
        return None

    def _force(self, code: int) -> None:
        self.restore()
        os._exit(code)

    def restore(self) -> None:
        """Put the terminal back as it was found; harmless when it already is or is gone."""
        if terminal_lost():
            return
        with contextlib.suppress(OSError):
            os.write(1, _RESET.encode())
        if self._saved is not None:
            import termios

            with contextlib.suppress(termios.error, OSError):
                termios.tcsetattr(0, termios.TCSANOW, self._saved)


def _terminal_state() -> list[int | list[bytes | int]] | None:
    """Return the line settings of standard input, None when it is no terminal."""
    import termios

    try:
        return list(termios.tcgetattr(0))
    except (termios.error, OSError, ValueError):
        return None


def clipboard_sequence(text: str, environment: dict[str, str] | None = None) -> str | None:
    """Return the OSC 52 sequence that copies ``text``, None when it is too long to be taken.

    Inside tmux and screen the sequence is wrapped so that it reaches the terminal outside.
    """
    payload = base64.b64encode(text.encode("utf-8", "replace")).decode("ascii")
    if len(payload) > CLIPBOARD_LIMIT:
        return None
    plain = f"\x1b]52;c;{payload}\a"
    variables = os.environ if environment is None else environment
    if variables.get("TMUX"):
        return f"\x1bPtmux;{plain.replace(chr(27), chr(27) * 2)}\x1b\\"
    if variables.get("STY"):
        return f"\x1bP{plain}\x1b\\"
    return plain


KEEP_TITLE = "\x1b[22;2t"
"""Puts the window's title on the terminal's own stack; `_RESET` takes it from there."""


def title_sequence(snapshot: Snapshot, mark: Callable[[str], str]) -> str:
    """Return the OSC 2 sequence that puts the worst row's state and name into the window's title.

    ``mark`` gives a level's glyph by its name in small letters. ``snapshot.order`` is worst first.
    """
    where = f"midwatch {visible(snapshot.environment, 40)}".strip()
    if not len(snapshot.order):
        return f"\x1b]2;{where}\a"
    row = int(snapshot.order[0])
    state = mark(snapshot.severity(row).label.lower()).strip()
    worst = f"{state} {visible(snapshot.rows[row].model, 60)} · " if state else ""
    return f"\x1b]2;{worst}{where}\a"


def crash_sentence(error: BaseException, log_path: str) -> str:
    """Return what is said after a crash: one sentence, and where the rest is."""
    kind = type(error).__name__
    where = (
        f"the details are in {log_path}"
        if log_path
        else "run it again with --log FILE to keep the details"
    )
    return f"midwatch ended because of a fault of its own ({kind}); {where}"
