"""Bytes from the terminal in, key, mouse and paste events out: bounded, whatever the bytes are."""

from __future__ import annotations

import os
import re
import selectors
import signal
import termios
import time
from codecs import getincrementaldecoder
from typing import TYPE_CHECKING, Final

from textual import events
from textual._parser import ParseError
from textual._xterm_parser import XTermParser
from textual.drivers.linux_driver import LinuxDriver

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from textual.message import Message

PASTE_LIMIT: Final = 65_536
"""Characters of one paste that are kept; 1 MB took a minute and 2.6 GB to swallow."""

READ_PASTE: Final = 20
"""More printable characters in one read were not typed: a terminal without bracketed paste."""

RAW_PASTE: Final = 256
"""So many plain characters in reads that follow at once were not typed either."""

_SEQUENCE: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|O[ -~]|[ -~])?")
"""What a key that is no letter, a mouse or an answer of the terminal sends."""

BURST_GAP_SECONDS: Final = 0.2
PASTE_STALL_SECONDS: Final = 5.0
"""A paste whose end does not come is ended, or every key after it would be part of it."""

_BEGIN, _END = "\x1b[200~", "\x1b[201~"
_READ_BYTES = 4096
_OTHER_SCREEN = "\x1b[?1049h"


class InputText:
    """Turns bytes into text for the parser; what is too much is left out and counted.

    Bytes that are not UTF-8 are dropped where they would be keys and shown as U+FFFD in a paste.
    """

    def __init__(self) -> None:
        self._decode = getincrementaldecoder("utf-8")(errors="replace").decode
        self._in_paste = False
        self._held = ""  # the beginning of an end marker, inside a paste
        self._tail = ""  # the beginning of a begin marker that was passed on already
        self._kept = 0
        self._burst = 0
        self._read_at = float("-inf")
        self.dropped = 0

    def feed(self, data: bytes, now: float) -> str:
        """Return what ``data``, read at ``now`` (monotonic seconds), gives the parser."""
        if now - self._read_at > BURST_GAP_SECONDS:
            self._burst = 0
        self._read_at = now
        return "".join(self._parts(self._decode(data)))

    def stalled(self, now: float) -> str:
        """Return the end of a paste whose own end has not come, else nothing."""
        if not self._in_paste or now - self._read_at <= PASTE_STALL_SECONDS:
            return ""
        self._in_paste, self._held = False, ""
        return _END

    def _parts(self, text: str) -> Iterator[str]:
        while text:
            if self._in_paste:
                text = self._held + text
                self._held = ""
                body, found, text = text.partition(_END)
                if not found:
                    self._held = _beginning_of(_END, body)
                    body = body[: len(body) - len(self._held)]
                yield self._kept_of(body)
                if found:
                    self._in_paste = False
                    yield _END
                continue
            joined = self._tail + text
            at = joined.find(_BEGIN)
            if at < 0:
                self._tail = _beginning_of(_BEGIN, joined)
                yield self._keys(text)
                return
            passed = at + len(_BEGIN) - len(self._tail)
            self._tail = ""
            before, marker = text[: max(0, passed - len(_BEGIN))], text[max(0, passed - 6) : passed]
            yield self._keys(before)
            yield marker
            self._in_paste, self._kept = True, 0
            text = text[passed:]

    def _kept_of(self, body: str) -> str:
        room = max(0, PASTE_LIMIT - self._kept)
        self._kept += len(body)
        self.dropped += max(0, len(body) - room)
        return body[:room]

    def _keys(self, text: str) -> str:
        text = text.replace("\ufffd", "")
        plain = _SEQUENCE.sub("", text) if "\x1b" in text else text
        pasted = sum(map(str.isprintable, plain)) > READ_PASTE or self._burst >= RAW_PASTE
        if not pasted or not plain:
            self._burst += len(plain) if plain == text else 0
            return text
        # What follows at once is the rest of it. An escape in the midst of it is no key either.
        self._burst = max(self._burst, RAW_PASTE)
        room = max(0, RAW_PASTE + PASTE_LIMIT - self._burst)
        self._burst += len(plain)
        self.dropped += max(0, len(plain) - room)
        return f"{_BEGIN}{plain[:room]}{_END}" if room else ""


def _beginning_of(marker: str, text: str) -> str:
    """Return the longest end of ``text`` that ``marker`` begins with, but not all of it."""
    for length in range(min(len(marker) - 1, len(text)), 0, -1):
        if text.endswith(marker[:length]):
            return marker[:length]
    return ""


def without_stale_moves(found: Iterable[Message]) -> Iterator[Message]:
    """Yield the events without mouse moves that another move follows at once."""
    waiting: events.MouseMove | None = None
    for event in found:
        if waiting is not None and not isinstance(event, events.MouseMove):
            yield waiting
        waiting = event if isinstance(event, events.MouseMove) else None
        if waiting is None:
            yield event
    if waiting is not None:
        yield waiting


class TerminalDriver(LinuxDriver):
    """Textual's driver with the terminal taken as outside text: no byte of it ends the console."""

    def write(self, data: str) -> None:
        """Write to the terminal, but for what would clear a picture that is there already."""
        if data == _OTHER_SCREEN and getattr(self._app, "over_picture", False):
            # Asked for again, a terminal clears it: a flash before the first frame.
            return
        super().write(data)

    def start_application_mode(self) -> None:
        """Take the terminal, unless it is taken already and still in raw mode.

        The kernel sends SIGCONT with every hang-up, and SIGSTOP comes without a word; taking the
        terminal twice would leave two readers, one of which nobody ends.
        """
        reader = self._key_thread
        if reader is not None and reader.is_alive():
            try:
                line_mode = termios.tcgetattr(self.fileno)[3] & termios.ICANON
            except (termios.error, OSError):
                return
            if not line_mode:
                return
            self.stop_application_mode()
        super().start_application_mode()  # type: ignore[no-untyped-call]

    def _run_input_thread(self) -> None:
        try:
            self.run_input_thread()
        except Exception as fault:  # noqa: BLE001  # told by the app, which ends with a sentence
            failed = getattr(self._app, "input_failed", None)
            self._app.call_later(failed or self._app.panic, fault)

    def _sigtstp_application(self, *_: object) -> None:
        """Give the terminal back and stop with the whole job, as a shell expects of Ctrl-Z."""
        if self._auto_restart:
            self.suspend_application_mode()
            self._must_signal_resume = True
        os.killpg(os.getpgrp(), signal.SIGSTOP)

    def run_input_thread(self) -> None:
        """Read until told to end; a terminal that has gone is left to whoever watches for it."""
        parser, reading = XTermParser(self._debug), InputText()
        told = 0
        with selectors.SelectSelector() as selector:
            selector.register(self.fileno, selectors.EVENT_READ)
            while not self.exit_event.is_set():
                ready = selector.select(0.1)
                now = time.monotonic()
                found: list[Message] = []
                if ready:
                    data = self._read()
                    if not data:
                        self.exit_event.wait(0.1)  # gone: reading again at once would spin
                    elif text := reading.feed(data, now):
                        # Nothing may be fed for nothing: the parser takes "" as the end.
                        found.extend(_parsed(parser, text))
                elif ended := reading.stalled(now):
                    found.extend(_parsed(parser, ended))
                found.extend(parser.tick())
                for event in without_stale_moves(found):
                    self.process_message(event)
                if reading.dropped > told and not ready:
                    self._tell_dropped(reading.dropped - told)
                    told = reading.dropped
        try:
            for _ in parser.feed(""):
                pass
        except (EOFError, ParseError):
            pass

    def _read(self) -> bytes:
        try:
            return os.read(self.fileno, _READ_BYTES)
        except OSError:
            return b""  # EIO after a hang-up

    def _tell_dropped(self, count: int) -> None:
        tell = getattr(self._app, "input_dropped", None)
        if tell is not None:
            self._app.call_later(tell, count)


def _parsed(parser: XTermParser, text: str) -> list[Message]:
    try:
        return list(parser.feed(text))
    except ParseError:
        return []
