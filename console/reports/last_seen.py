"""The last known screen: kept by a console once a minute, painted at the next start at once.

Read and painted before anything else is imported, so this module imports next to nothing. The
file is plain text, a fact a line and its parts between tabs: it needs no parser to be loaded.
"""

from __future__ import annotations

import os
import stat
import sys
import time
from io import StringIO
from zlib import adler32, crc32

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from console.domain.snapshot import Snapshot
    from console.settings.secret_references import SecretValue

FORM = "midwatch last seen 1"
EVERY_SECONDS = 60.0
OLDEST_SECONDS = 86_400.0
"""A picture older than a day helps nobody."""

MOST_BYTES = 65_536
MOST_ROWS = 60
SWITCH = "MIDWATCH_LAST_SEEN"
"""``0`` in the environment: nothing is kept and nothing painted."""

FIRST_TICK = 4
"""The first looks leave rules open that need a second: a picture of them would call rows well."""

MARKS = (
    (1, "■1", "#1"),
    (2, "▲2", "^2"),
    (5, "◆3", "+3"),
    (6, "·4", ".4"),
    (3, "?-", "?-"),
    (4, "– ", "- "),
)
"""Codes of `Severity` as the table draws them, and in ASCII."""

_WIDTHS = (2, 30, 9, 9, 8)
_HEADS = ("", "MODEL", "REQ/S", "P95", "ERRORS", "WHY")
_ALONE = frozenset(("--ascii", "--read-only", "--write", "--no-discovery"))
_NAMING = frozenset(("--config", "--prometheus", "--scrape"))
_WITH_VALUE = _NAMING | {"--theme", "--log"}
_VARIABLES = ("CONFIG", "PROMETHEUS", "SCRAPE", "ENVIRONMENT")
_ENTER = "\x1b[?1049h\x1b[?25l\x1b[H\x1b[2J"
LEAVE = "\x1b[?1049l\x1b[?25h"


def place_of(arguments: Sequence[str], environ: Mapping[str, str]) -> str | None:
    """Return the file of the fleet that a console's arguments name, None where it keeps none.

    A console knows its fleet by what it is told to read, which is not written down here.
    """
    if environ.get(SWITCH, "1") in ("0", "false", "no", "off"):
        return None
    named: list[str] = []
    rest = list(arguments)
    while rest:
        flag, given, value = rest.pop(0).partition("=")
        if flag in _ALONE and not given:
            continue
        if flag not in _WITH_VALUE or not (given or rest):
            return None
        value = value if given else rest.pop(0)
        if flag == "--config":
            value = os.path.abspath(os.path.expanduser(value))
        if flag in _NAMING:
            named.append(f"{flag}={_without_credentials(value)}")
    named += [_without_credentials(environ.get(f"MIDWATCH_{name}", "")) for name in _VARIABLES]
    named.append(environ.get("XDG_CONFIG_HOME", ""))
    whole = "\0".join(named).encode("utf-8", "surrogateescape")
    state = environ.get("XDG_STATE_HOME") or os.path.expanduser("~/.local/state")
    return os.path.join(state, "midwatch", f"last-seen-{crc32(whole):08x}{adler32(whole):08x}")


def _without_credentials(value: str) -> str:
    scheme, found, rest = value.partition("://")
    server, slash, path = rest.partition("/")
    return f"{scheme}{found}{server.rpartition('@')[2]}{slash}{path.partition('?')[0]}"


# Keeping


def keep(snapshot: Snapshot, place: str, secrets: Iterable[SecretValue]) -> None:
    """Write what a fleet looks like into ``place``, for its owner's eyes only.

    Raises ``OSError``. What would be cleaned from an export is cleaned here.
    """
    from console.settings.secret_references import redact

    text = redact(_text(snapshot), secrets).encode("utf-8", "replace")
    directory, name = os.path.split(place)
    os.makedirs(directory, mode=0o700, exist_ok=True)
    beside = os.path.join(directory, f".{name}.{os.getpid()}")
    handle = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    try:
        with open(handle, "wb") as file:
            file.write(text)
        os.replace(beside, place)
    except OSError:
        os.unlink(beside)
        raise


def _text(snapshot: Snapshot) -> str:
    lines = [f"{FORM}\t{snapshot.taken_at:.0f}\t{_clean(snapshot.environment)}"]
    codes = snapshot.severities.tolist()
    lines.append("\t".join(str(codes.count(code)) for code, _, _ in MARKS))
    for index in snapshot.order[:MOST_ROWS].tolist():
        reasons = snapshot.findings.get(index, ())
        cells = (
            str(int(snapshot.severities[index])),
            snapshot.rows[index].model,
            _number(snapshot, "requests_rate", index),
            _number(snapshot, "latency_p95", index),
            _number(snapshot, "error_ratio", index),
            reasons[0].text if reasons else "",
        )
        lines.append("\t".join(_clean(cell) for cell in cells))
    return "\n".join(lines)[:MOST_BYTES]


def _number(snapshot: Snapshot, signal: str, index: int) -> str:
    from console.domain.signals import ReadingState
    from console.metrics.units import format_signal

    reading = snapshot.reading(signal, index)
    return format_signal(signal, reading.value if reading.state is ReadingState.OK else None)


def _clean(text: str) -> str:
    return "".join(each if each.isprintable() else "?" for each in text)[:200]


# Painting


class Picture(StringIO):
    """What `paint` put on the terminal, and how to take it back.

    It stands for standard error meanwhile: what is said there would be drawn over the picture, and
    is written once a terminal is there for it.
    """

    def __init__(self, saved: list[int | list[bytes | int]]) -> None:
        super().__init__()
        self._saved: list[int | list[bytes | int]] | None = saved
        self._shown = True
        self._errors, sys.stderr = sys.stderr, self

    def release_keys(self) -> None:
        """Give the keyboard back as it was; what was typed stays queued."""
        import termios

        saved, self._saved = self._saved, None
        if saved is not None:
            termios.tcsetattr(0, termios.TCSANOW, saved)

    def hand_over(self) -> None:
        """Leave the screen to the console, which draws over the picture."""
        self.release_keys()
        self._shown = False
        sys.stderr = self._errors

    def take_back(self) -> None:
        """Leave no trace of the picture, and write what was said meanwhile."""
        self.release_keys()
        if self._shown:
            _write(LEAVE)
        self._shown = False
        sys.stderr = self._errors
        sys.stderr.write(self.getvalue())
        self.truncate(0)


def paint(arguments: Sequence[str], environ: Mapping[str, str]) -> Picture | None:
    """Paint the last known screen of this fleet; None where there is none, and nothing is done.

    Keys typed from now on wait for the console and are not echoed.
    """
    place = place_of(arguments, environ)
    if (
        place is None
        or environ.get("TERM", "dumb") == "dumb"
        or not (os.isatty(0) and os.isatty(1))
    ):
        return None
    try:
        text = _read(place)
        size = os.get_terminal_size(1)
    except (OSError, ValueError):
        return None
    painted = picture(
        text, time.time(), size.columns, size.lines, ascii_only="--ascii" in arguments
    )
    if painted is None:
        return None
    import termios

    try:
        saved = termios.tcgetattr(0)
        quiet = list(saved)
        quiet[3] &= ~(termios.ECHO | termios.ICANON)
        termios.tcsetattr(0, termios.TCSANOW, quiet)
    except termios.error:
        return None
    _write(_ENTER + painted)
    return Picture(saved)


def _read(place: str) -> str:
    """Return a file that is this user's own; raises ``OSError`` or ``ValueError``."""
    handle = os.open(place, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    try:
        facts = os.fstat(handle)
        if not stat.S_ISREG(facts.st_mode) or facts.st_uid != os.geteuid():
            raise ValueError("not a file of one's own")
        return os.read(handle, MOST_BYTES).decode("utf-8", "replace")
    finally:
        os.close(handle)


def picture(
    text: str, now: float, columns: int, lines: int, *, ascii_only: bool = False
) -> str | None:
    """Return what is written to a cleared terminal of this size; None for what cannot be read.

    ``now`` is Unix seconds. Attributes only, no colour: nothing here is as it looked.
    """
    first, *rows = text.split("\n")
    form, _, facts = first.partition("\t")
    taken, _, environment = facts.partition("\t")
    if form != FORM or not taken.isdecimal() or columns < 40 or lines < 8 or not rows:
        return None
    age_seconds = now - int(taken)
    if not 0 <= age_seconds <= OLDEST_SECONDS:
        return None
    seen = f"LAST SEEN {_age(age_seconds)} ago"
    counts = zip(MARKS, rows[0].split("\t"), strict=False)
    marks = "  ".join(f"{_mark(str(mark[0]), ascii_only)} {count}" for mark, count in counts)
    head = f" MIDWATCH  {environment}   {marks}   "
    out = [
        f"\x1b[1;1H{_cut(head, columns - len(seen) - 2, ascii_only)}\x1b[1;7m {seen} \x1b[m",
        f"\x1b[3;1H\x1b[1m{_cut(_row(_HEADS), columns, ascii_only)}\x1b[m",
    ]
    for number, row in enumerate(rows[1 : lines - 4]):
        level, *cells = (*row.split("\t"), *[""] * 6)[:6]
        line = _cut(_row((_mark(level, ascii_only), *cells)), columns, ascii_only)
        out.append(f"\x1b[{number + 4};1H\x1b[2m{line}\x1b[m")
    note = f" {seen}: no current numbers. The console is starting; keys wait for it."
    out.append(f"\x1b[{lines};1H\x1b[2m{_cut(note, columns - 1, ascii_only)}\x1b[m")
    return "".join(out)


def _mark(level: str, ascii_only: bool) -> str:
    for code, drawn, plain in MARKS:
        if str(code) == level:
            return plain if ascii_only else drawn
    return ""


def _row(cells: Sequence[str]) -> str:
    *columns, why = cells
    mark, model, *numbers = (
        f"{cell[:width]:<{width}}" if place < 2 else f"{cell[:width]:>{width}}"
        for place, (cell, width) in enumerate(zip(columns, _WIDTHS, strict=True))
    )
    return f" {mark} {model} {' '.join(numbers)}  {why}"


def _cut(text: str, columns: int, ascii_only: bool) -> str:
    """Return text of at most so many cells, without anything that a terminal would obey."""
    shown = "".join(each if each.isprintable() else "?" for each in text)
    if shown.isascii():
        return shown[: max(0, columns)].ljust(max(0, columns))
    if ascii_only:
        return _cut(shown.encode("ascii", "replace").decode("ascii"), columns, ascii_only)
    from unicodedata import combining, east_asian_width

    kept, cells = [], 0
    for each in shown:
        width = 0 if combining(each) else 2 if east_asian_width(each) in "WF" else 1
        if cells + width > columns:
            break
        kept.append(each)
        cells += width
    return "".join(kept) + " " * max(0, columns - cells)


def _age(seconds: float) -> str:
    for name, length in (("h", 3600.0), ("m", 60.0)):
        if seconds >= length:
            return f"{seconds / length:.0f}{name}"
    return f"{seconds:.0f}s"


def _write(text: str) -> None:
    written = text.encode("utf-8", "replace")
    while written:
        written = written[os.write(1, written) :]


def keeper_of(
    place: str | None, secrets: Callable[[], Iterable[SecretValue]], tell: Callable[[str], None]
) -> Callable[[Snapshot], None]:
    """Return what keeps a Snapshot's picture, at most once a minute; a full disk is told once."""
    kept_at = float("-inf")
    failed = place is None

    def take(snapshot: Snapshot) -> None:
        nonlocal kept_at, failed
        now = time.monotonic()
        if failed or place is None or not snapshot.rows or now - kept_at < EVERY_SECONDS:
            return
        if snapshot.tick < FIRST_TICK:
            return
        kept_at = now
        try:
            keep(snapshot, place, secrets())
        except OSError as fault:
            failed = True
            tell(f"the last known screen cannot be kept: {fault.strerror}")

    return take
