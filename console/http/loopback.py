"""Asks ports of this host, all at once and with one deadline: loopback only, no secret is sent.

It exists beside `console.http.client` because it runs before the first frame, where the client
library would cost more than the whole look may.
"""

from __future__ import annotations

import re
import socket
import threading
import time
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Sequence

HOST = "127.0.0.1"
LARGEST_BYTES = 2 * 1024 * 1024
_PIECE_BYTES = 65536
_LENGTH = re.compile(rb"\r\ncontent-length:[ ]*([0-9]{1,12})", re.IGNORECASE)


class Place(Struct, frozen=True):
    """One port and the path that tells what listens there."""

    port: int
    path: str


def look(places: Sequence[Place], limit_seconds: float) -> dict[Place, bytes]:
    """Return the body of every place that answered 200 by the deadline, as far as it came."""
    found: dict[Place, bytes] = {}
    until = time.monotonic() + limit_seconds
    # As daemons: one that hangs on a silent port must not keep the program from ending.
    threads = [
        threading.Thread(target=_ask, args=(place, until, found), daemon=True) for place in places
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return {place: found[place] for place in places if place in found}


def _ask(place: Place, until: float, found: dict[Place, bytes]) -> None:
    """Put what a place answers into ``found``; whatever goes wrong, nothing is there for us."""
    path, seen = place.path, b""
    for _ in range(2):
        seen = _get(place.port, path, until)
        head, _, body = seen.partition(b"\r\n\r\n")
        status = head.split(b" ", 2)[1:2]
        if status == [b"200"]:
            found[place] = body
        if not status or not status[0].startswith(b"3") or path.endswith("/"):
            return
        # LiteLLM and others have their metrics behind a final slash.
        path += "/"


def _get(port: int, path: str, until: float) -> bytes:
    # HTTP/1.0: the answer comes in one piece and ends with the connection.
    asked = f"GET {path} HTTP/1.0\r\nHost: {HOST}:{port}\r\nConnection: close\r\n\r\n".encode()
    answer = bytearray()
    try:
        left = until - time.monotonic()
        if left <= 0:
            return b""
        with socket.create_connection((HOST, port), timeout=left) as wire:
            wire.sendall(asked)
            while not _is_whole(answer) and (left := until - time.monotonic()) > 0:
                wire.settimeout(left)
                piece = wire.recv(_PIECE_BYTES)
                if not piece:
                    break
                answer += piece
    except OSError:
        # Refused, reset or silent: what came until then may still tell what is there.
        pass
    return bytes(answer)


def _is_whole(answer: bytearray) -> bool:
    """Tell whether an answer is all there; some servers leave the connection open after it."""
    head, found, body = answer.partition(b"\r\n\r\n")
    told = _LENGTH.search(head)
    length = LARGEST_BYTES if told is None else min(LARGEST_BYTES, int(told.group(1)))
    return bool(found) and len(body) >= length
