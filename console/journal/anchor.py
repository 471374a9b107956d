"""Writes the hash of the journal's newest entry to a witness outside, and checks a journal
against it.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from console.domain.entry import JournalHead
from console.domain.text import visible
from console.http import Answer, Endpoint, Wire, WireError
from console.http.endpoint import shown
from console.journal.chain import JournalError, canonical, iso, seconds

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from console.settings.endpoint_tables import AuthSettings
    from console.settings.schema import AnchorSettings
    from console.settings.secrets import SecretResolver

LARGEST_ANCHOR_BYTES = 8 * 1024 * 1024
TIMEOUT_SECONDS = 10.0
_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class AnchorPlace:
    """A file's path or a URL, and the proof that the URL asks for."""

    where: str
    auth: AuthSettings | None = None


def anchor_place(declared: AnchorSettings | None) -> AnchorPlace | None:
    """Return the place that the configuration declares, None where it declares none."""
    if declared is None:
        return None
    if declared.url is None:
        return AnchorPlace(declared.file or "")
    return AnchorPlace(declared.url, bearer(declared.secret))


def bearer(secret: str | None) -> AuthSettings | None:
    """Return the proof made of a token's reference, None without one."""
    from console.settings.endpoint_tables import AuthSettings

    return AuthSettings(type="bearer", secret=secret) if secret else None


def publish_anchor(
    where: str,
    head: JournalHead,
    *,
    auth: AuthSettings | None = None,
    resolver: SecretResolver | None = None,
) -> None:
    """Append the head to a file, or POST it to a URL as form fields; raise `JournalError`.

    The place must be one that whoever can write the journal cannot write: another host, a log
    that only grows. The same head may be sent twice.
    """
    if not _is_url(where):
        _append(Path(where).expanduser(), _line(head))
        return
    fields = {
        "chain": head.chain,
        "seq": str(head.seq),
        "hash": head.hash,
        "at": iso(head.at),
    }
    _ask(where, auth, resolver, lambda wire: wire.post_form("", fields))


def read_anchors(
    where: str, *, auth: AuthSettings | None = None, resolver: SecretResolver | None = None
) -> tuple[JournalHead, ...]:
    """Return every head that a file or a URL holds: one JSON object a line, or a JSON array.

    Raises `JournalError` where it cannot be read or holds anything else; an anchor that is not
    there proves nothing, so it is never taken for an empty one.
    """
    if _is_url(where):
        content = _ask(where, auth, resolver, lambda wire: wire.get(""))
    else:
        content = _content_of(Path(where).expanduser())
    heads = _parsed(content, _named(where))
    if not heads:
        raise JournalError(f"the anchor {_named(where)} holds nothing yet")
    return heads


def anchors_at(
    place: AnchorPlace | None, resolver: SecretResolver | None
) -> tuple[JournalHead, ...]:
    """Return the heads that a place holds, none where there is no place; raise `JournalError`."""
    return () if place is None else read_anchors(place.where, auth=place.auth, resolver=resolver)


def _is_url(where: str) -> bool:
    return where.startswith(("http://", "https://"))


def _named(where: str) -> str:
    return shown(where) if _is_url(where) else visible(where, 200)


def _line(head: JournalHead) -> bytes:
    document = {"at": iso(head.at), "chain": head.chain, "hash": head.hash, "seq": head.seq}
    return canonical(document) + b"\n"


def _append(path: Path, line: bytes) -> None:
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            # One write, so that lines of two consoles never mix.
            written = os.write(handle, line)
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise JournalError(
            f"the anchor {visible(str(path), 200)} cannot be written: "
            f"{visible(error.strerror or '')}"
        ) from error
    if written != len(line):
        raise JournalError(f"the anchor {visible(str(path), 200)} took only part of a line")


def _content_of(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_ANCHOR_BYTES + 1)
    except OSError as error:
        raise JournalError(
            f"the anchor {visible(str(path), 200)} cannot be read: {visible(error.strerror or '')}"
        ) from error
    if len(content) > LARGEST_ANCHOR_BYTES:
        raise JournalError(f"the anchor {visible(str(path), 200)} is larger than 8 MiB")
    return content


def _ask(
    url: str,
    auth: AuthSettings | None,
    resolver: SecretResolver | None,
    request: Callable[[Wire], Awaitable[Answer]],
) -> bytes:
    """Return the body of one request; blocks, so it is not for a thread that runs a loop."""

    async def once() -> bytes:
        endpoint = Endpoint(urls=(url,), auth=auth, timeout_seconds=TIMEOUT_SECONDS)
        wire = Wire(endpoint, resolver, max_bytes=LARGEST_ANCHOR_BYTES)
        try:
            return (await request(wire)).body
        finally:
            await wire.aclose()

    try:
        return asyncio.run(once())
    except WireError as error:
        raise JournalError(f"the anchor cannot be reached: {error.sentence}") from error


def _parsed(content: bytes, named: str) -> tuple[JournalHead, ...]:
    try:
        if content.lstrip().startswith(b"["):
            documents = json.loads(content)
        else:
            documents = [json.loads(line) for line in content.splitlines() if line.strip()]
        return tuple(_head(document) for document in documents)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise JournalError(
            f"the anchor {named} holds something else than heads of a journal"
        ) from error


def _head(document: dict[str, object]) -> JournalHead:
    chain, seq, hash_, at = (document[key] for key in ("chain", "seq", "hash", "at"))
    number = int(seq) if isinstance(seq, str) else seq
    if not isinstance(number, int) or not isinstance(chain, str) or not isinstance(hash_, str):
        raise TypeError("a head with a field of the wrong type")
    if not _HASH.fullmatch(hash_):
        raise ValueError("a head whose hash is none")
    return JournalHead(chain=chain, seq=number, hash=hash_, at=seconds(str(at)))
