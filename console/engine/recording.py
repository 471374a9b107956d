"""A recording of the console on disk: written tick by tick, read from any moment on.

A file is one line of JSON, then frames. Each frame has its length, its checksum and its time, and
is handed to the operating system before the next: what a killed process wrote is there to its last
whole tick. Every few minutes a frame stands by itself, so that reading can begin there.
"""

from __future__ import annotations

import json
import logging
import os
import struct
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Final

from console.domain.text import visible
from console.domain.version import VERSION
from console.engine.recording_codec import BadRecording, Decoder, Encoder
from console.reports.redact import Roles
from console.settings.secret_references import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from console.domain.snapshot import Snapshot
    from console.engine.recording_codec import Sparing
    from console.settings.schema import Settings
    from console.settings.secret_references import SecretValue

log = logging.getLogger(__name__)

FORMAT: Final = "midwatch-recording/1"
_MAGIC: Final = f'{{"format": "{FORMAT}"'.encode()
_HEAD: Final = struct.Struct("<IIdB")
"""Bytes that follow, their CRC-32, the tick's time (Unix seconds), and flags."""

_WHOLE, _EVENT = 1, 2
DAY_BYTES: Final = 48 * 1000 * 1000
"""What a day may take; beyond its pace, numbers of rows that are well are kept less often."""

SAVED_SECONDS: Final = 600.0
"""So much of the pace may be saved up for when much happens."""

WHOLE_EVERY: Final = 180
"""Frames from one that stands by itself to the next."""

LARGEST_FRAME: Final = 64 * 1024 * 1024
LARGEST_HEADER: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Moment:
    """One frame of a file: where it begins, when it was, and whether something came up or went."""

    offset: int
    size: int
    crc: int
    at: float
    whole: bool
    event: bool
    path: Path


def header_of(settings: Settings, redacted: str) -> dict[str, object]:
    """Return what a file says of itself; nothing of it is secret."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "environment": settings.environment,
        "refresh_seconds": settings.refresh_seconds,
        "panes": list(settings.panes),
        "shift_ends": list(settings.shift.ends),
        "shift_zone": settings.shift.zone,
        "redacted": redacted,
    }


class Writer:
    """Appends ticks to one file, which it makes; only its owner can read it."""

    def __init__(
        self, path: Path, header: Mapping[str, object], redactor: Redactor | None = None
    ) -> None:
        """Make the file; raises ``OSError``, also where there is one already."""
        self._redactor = redactor
        self._number = 0
        self._left = 0.0
        self._last_at: float | None = None
        self._raised: object = None
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
        self._file = os.open(path, flags, 0o600)
        self.path = path
        self.written = os.write(self._file, json.dumps(header).encode() + b"\n")

    def add(self, snapshot: Snapshot) -> None:
        """Write one tick; raises ``OSError``."""
        whole = self._number % WHOLE_EVERY == 0
        if whole:
            self._encoder = Encoder() if self._redactor is None else Encoder(self._redactor.text)
            self._packer = zlib.compressobj(6, zlib.DEFLATED, -15)
        if self._redactor is not None:
            self._redactor.look(snapshot)
        raw = self._encoder.frame(snapshot, sparing=self._sparing(snapshot.taken_at))
        packed = self._packer.compress(raw) + self._packer.flush(zlib.Z_SYNC_FLUSH)
        raised = raised_of(snapshot)
        event = self._number > 0 and raised != self._raised
        self._raised = raised
        flags = (_WHOLE if whole else 0) | (_EVENT if event else 0)
        head = _HEAD.pack(len(packed), zlib.crc32(packed), snapshot.taken_at, flags)
        size = _write_all(self._file, head + packed)
        self.written += size
        self._left -= size
        self._number += 1

    def _sparing(self, at: float) -> Sparing:
        """Return what is left out where more was written than the pace of a day allows."""
        pace = DAY_BYTES / 86400.0
        gone = SAVED_SECONDS if self._last_at is None else max(0.0, at - self._last_at)
        self._last_at = at
        self._left = min(self._left + gone * pace, SAVED_SECONDS * pace)
        if self._left > 0.0:
            return ""
        return "well" if self._left > -SAVED_SECONDS * pace / 2.0 else "all"

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)


def _write_all(file: int, data: bytes) -> int:
    left = memoryview(data)
    while left:
        left = left[os.write(file, left) :]
    return len(data)


def raised_of(snapshot: Snapshot) -> frozenset[tuple[str, str, int]]:
    """Return every rule that calls, by row and level: what a jump goes to is that it changes."""
    return frozenset(
        (snapshot.rows[row].model, each.rule, int(each.level))
        for row, found in snapshot.findings.items()
        for each in found
    )


class Redactor:
    """Takes secrets out of every text, and people's names unless ``named``; knows who was seen."""

    def __init__(self, secrets: Callable[[], Iterable[SecretValue]], *, named: bool) -> None:
        self._secrets = secrets
        self._named = named
        self._people: dict[str, None] = {}
        self._roles = Roles((), named=named)

    @property
    def words(self) -> str:
        """Return what was taken out, as the file says it."""
        return "secrets" if self._named else "secrets and people"

    def look(self, snapshot: Snapshot) -> None:
        """Learn the people of a tick before its texts are written."""
        if self._named:
            return
        before = len(self._people)
        for entry in snapshot.record.entries:
            who = entry.who
            self._people |= dict.fromkeys((who.name, who.os_user, who.login_user or ""))
        for row in snapshot.rows:
            self._people |= dict.fromkeys((row.oncall.primary, row.oncall.secondary))
            self._people |= dict.fromkeys(row.oncall.escalation)
        for incident in snapshot.incidents:
            self._people |= dict.fromkeys((incident.acked_by,))
            for alert in incident.alerts:
                self._people |= dict.fromkeys(silence.by for silence in alert.silences)
        if len(self._people) != before:
            kept = [row.model for row in snapshot.rows]
            kept += [each.name for each in snapshot.dependencies]
            self._roles = Roles(self._people, kept=kept)

    def text(self, text: str) -> str:
        """Return a text without what nobody else may read."""
        known = tuple(self._secrets())
        return self._roles.text(redact(text, known) if known else text)


@dataclass
class Recording:
    """Moments of one or several files in order; ``lost`` says what of them cannot be read."""

    header: Mapping[str, object]
    moments: list[Moment] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)

    def number_at(self, at: float) -> int:
        """Return the number of the last moment not after ``at``, 0 where all are."""
        found = [number for number, each in enumerate(self.moments) if each.at <= at]
        return found[-1] if found else 0

    def read(self, number: int, last: _Place | None = None) -> _Place:
        """Return the tick of a moment; ``last``, where one was read before, may be gone on from.

        Raises `BadRecording` and ``OSError``.
        """
        first = number
        while not self.moments[first].whole:
            first -= 1
        place = last
        if place is None or not first <= place.number < number:
            place = _Place(first - 1, Decoder(), None)
        for each in range(place.number + 1, number + 1):
            moment = self.moments[each]
            if moment.whole:
                place = _Place(each - 1, Decoder(), None)
            place.take(each, moment)
        return place


class _Place:
    """How far a segment is read."""

    def __init__(self, number: int, decoder: Decoder, snapshot: Snapshot | None) -> None:
        self.number = number
        self.snapshot = snapshot
        self._decoder = decoder
        self._unpacker = zlib.decompressobj(-15)

    def take(self, number: int, moment: Moment) -> None:
        """Read the next frame."""
        with moment.path.open("rb") as file:
            file.seek(moment.offset)
            packed = file.read(moment.size)
        if zlib.crc32(packed) != moment.crc:
            raise BadRecording(f"{moment.path} is damaged at byte {moment.offset}")
        try:
            raw = self._unpacker.decompress(packed, LARGEST_FRAME)
        except zlib.error as fault:
            raise BadRecording(f"{moment.path} is damaged: {fault}") from fault
        if self._unpacker.unconsumed_tail:
            raise BadRecording(f"{moment.path} holds a frame of more than 64 MiB")
        self.snapshot = self._decoder.take(raw)
        self.number = number


def open_recording(path: Path) -> Recording:
    """Return what a file, or a folder of them, holds; raises `BadRecording` and ``OSError``.

    An unfinished last frame, as a killed process leaves it, is left out and said.
    """
    files = sorted(path.glob("*.mwr")) if path.is_dir() else [path]
    if not files:
        raise BadRecording(f"{path} holds no recording")
    found: Recording | None = None
    for each in files:
        with each.open("rb") as file:
            line = file.readline(LARGEST_HEADER)
            try:
                header = json.loads(line)
            except ValueError:
                header = None
            if not isinstance(header, dict) or not str(header.get("format")).startswith(
                "midwatch-recording/"
            ):
                raise BadRecording(f"{each} is no recording of midwatch")
            if header["format"] != FORMAT:
                shown = visible(str(header["format"]), 40)
                raise BadRecording(f"{each} is {shown}; this version reads {FORMAT}")
            found = found or Recording(header)
            found.moments += _moments(each, file.tell(), found.lost)
    assert found is not None
    if not found.moments:
        raise BadRecording(f"{path} holds no whole tick yet")
    return found


def _moments(path: Path, offset: int, lost: list[str]) -> Iterator[Moment]:
    size = path.stat().st_size
    ready = False
    with path.open("rb") as file:
        while offset + _HEAD.size <= size:
            file.seek(offset)
            length, crc, at, flags = _HEAD.unpack(file.read(_HEAD.size))
            offset += _HEAD.size
            if offset + length > size or length > LARGEST_FRAME or not 0.0 < at < 1e11:
                lost.append(f"{path.name}: what follows byte {offset - _HEAD.size} is not whole")
                return
            # A segment whose first frame is missing cannot be read.
            ready = ready or bool(flags & _WHOLE)
            if ready:
                yield Moment(
                    offset, length, crc, at, bool(flags & _WHOLE), bool(flags & _EVENT), path
                )
            offset += length
    if offset < size:
        lost.append(f"{path.name}: its last {size - offset} bytes are no whole frame")
