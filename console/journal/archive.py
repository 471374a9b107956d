"""Whole segments that are old enough leave the journal for files, and never a single entry."""

from __future__ import annotations

import hashlib
import os
from typing import TYPE_CHECKING, Protocol

from msgspec.structs import replace

from console.domain.entry import EntryDraft, Segment
from console.domain.text import visible
from console.journal.chain import JournalError, iso
from console.journal.export import line_of, rows_in
from console.journal.store_base import Pruned

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from console.domain.entry import Entry, Verification
    from console.journal.chain import Row


class _Record(Protocol):
    def verify(self) -> Verification: ...
    def segments(self) -> tuple[Segment, ...]: ...
    def unsettled(self) -> tuple[Entry, ...]: ...


def prune(
    journal: _Record,
    now: float,
    keep_seconds: float,
    directory: Path,
    rows_of: Callable[[int], Sequence[Row]],
    remove: Callable[[Segment, EntryDraft], None],
) -> Pruned:
    """Archive every segment whose last entry is older than ``keep_seconds`` before ``now``.

    Oldest first, and it stops at the first that must stay. Raises `JournalError` if the chain is
    broken: an archive must not launder an edited entry.
    """
    judged = journal.verify()
    if not judged.ok:
        raise JournalError(f"nothing was archived, the journal is broken: {judged.sentence}")
    here = [segment for segment in journal.segments() if segment.archive is None]
    open_operations = journal.unsettled()
    archived: list[Segment] = []
    kept: list[str] = []
    for segment in here[:-1]:
        reason = _reason_to_stay(segment, now, keep_seconds, open_operations)
        if reason:
            kept.append(f"segment {segment.number} stays: {reason}")
            break
        done = _write(segment, rows_of(segment.number), directory)
        remove(done, _note(done, now))
        archived.append(done)
    if not kept and here:
        kept.append(f"segment {here[-1].number} stays: it is the one being written")
    return Pruned(archived=tuple(archived), kept=tuple(kept))


def _reason_to_stay(
    segment: Segment, now: float, keep_seconds: float, open_operations: Sequence[Entry]
) -> str:
    if segment.last_at > now - keep_seconds:
        days = keep_seconds / 86400
        return f"its last entry is younger than {days:g} days"
    for intent in open_operations:
        if segment.first_seq <= intent.seq <= segment.last_seq:
            return (
                f"entry {intent.seq} is an intent without an outcome "
                f"({visible(intent.action, 40)} {visible(intent.target, 80)}); settle it first"
            )
    return ""


def _note(segment: Segment, now: float) -> EntryDraft:
    return EntryDraft(
        kind="pruned",
        at=now,
        why="older than the journal keeps",
        details={
            "segment": segment.number,
            "first_seq": segment.first_seq,
            "last_seq": segment.last_seq,
            "head_hash": segment.head_hash,
            "archive": segment.archive,
            "archive_sha256": segment.archive_sha256,
        },
    )


def _write(segment: Segment, rows: Sequence[Row], directory: Path) -> Segment:
    """Write the archive, durably, and read it back before anything is dropped."""
    began = iso(segment.first_at)[:10]
    name = f"journal-{rows[0].chain[-8:]}-segment-{segment.number:05d}-{began}.jsonl"
    path = directory / name
    part = directory / f".{name}.{os.getpid()}.part"
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.writelines(line_of(row) for row in rows)
                file.flush()
                os.fsync(file.fileno())
            digest = _check(part, rows)
            # A link, because a rename would silently replace an archive of the same name.
            _publish(part, path, digest)
        finally:
            part.unlink(missing_ok=True)
        _sync(directory)
    except OSError as error:
        raise JournalError(
            f"the archive {visible(str(path), 300)} cannot be written: "
            f"{visible(error.strerror or '')}; nothing left the journal"
        ) from error
    return replace(segment, archive=name, archive_sha256=digest)


def _check(part: Path, rows: Sequence[Row]) -> str:
    content = part.read_bytes()
    if list(rows_in(content.splitlines(keepends=True))) != list(rows):
        raise JournalError("the archive reads back differently; nothing left the journal")
    return hashlib.sha256(content).hexdigest()


def _publish(part: Path, path: Path, digest: str) -> None:
    """Give the archive its name; one left by an attempt that broke off is the same, or refused."""
    try:
        path.hardlink_to(part)
    except FileExistsError as error:
        if hashlib.sha256(path.read_bytes()).hexdigest() != digest:
            raise JournalError(
                f"{visible(str(path), 300)} exists and holds something else; nothing left the "
                "journal: move it away"
            ) from error


def _sync(directory: Path) -> None:
    handle = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
