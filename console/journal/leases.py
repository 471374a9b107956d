"""Who holds a lease, as text that names a process, and whether that process still lives."""

from __future__ import annotations

import functools
import hashlib
import re
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from console.domain.text import visible

if TYPE_CHECKING:
    from console.domain.entry import Lease, Who

KEEPER_LEASE = "keeper"
"""The lease of whoever ends overrides when they are due."""

LONGEST_LEASE_SECONDS = 60.0
"""The longest lease anybody takes. One that ends later was written by a clock that was ahead, and
how old it is nobody knows: it counts as lapsed."""

_PROC = Path("/proc")
_PLACED = re.compile(
    r"@(?P<host>[^@\s]+):(?P<pid>\d+) .* ~(?P<place>[0-9a-f]{12})\.(?P<began>\d+)$"
)


def holder_name(who: Who, op_id: str) -> str:
    """Return this process as a holder of leases: who, where, which operation.

    The end (`` ~…``) names the kernel's boot, the space of process numbers and the moment the
    process began, so that a number used anew is not taken for it; `shown_holder` leaves it out.
    """
    place, began = _place(), _began(who.pid)
    mark = f" ~{place}.{began}" if place and began is not None else ""
    return f"{visible(who.name, 64)}@{who.host}:{who.pid} {op_id}{mark}"


def shown_holder(holder: str) -> str:
    """Return a holder for people."""
    return re.sub(r" ~[0-9a-f]{12}\.\d+$", "", holder)


def is_dead(holder: str) -> bool:
    """Tell whether the process that holds a lease has certainly ended.

    Only what ran on this host, since this boot and among the same process numbers can be known.
    """
    parts = _PLACED.search(holder)
    if parts is None or parts["host"] != socket.gethostname() or parts["place"] != _place():
        return False
    return _began(int(parts["pid"])) != int(parts["began"])


def in_force(lease: Lease | None, now: float) -> bool:
    """Tell whether a lease counts at ``now`` (Unix seconds, on the clock that wrote it)."""
    return (
        lease is not None
        and now < lease.expires_at <= now + LONGEST_LEASE_SECONDS
        and not is_dead(lease.holder)
    )


@functools.cache
def _place() -> str:
    """Return what tells this boot and this space of process numbers from others; empty: unknown."""
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        space = (_PROC / "self/ns/pid").stat().st_ino
    except (OSError, ValueError):
        return ""  # not Linux: no process is ever called dead
    return hashlib.sha256(f"{boot} {space}".encode()).hexdigest()[:12]


def _began(pid: int) -> int | None:
    """Return when a process began, in the kernel's ticks since its boot; None: there is none."""
    try:
        status = (_PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
        fields = status.rpartition(")")[2].split()
        return None if fields[0] in ("Z", "X") else int(fields[19])
    except (OSError, ValueError, IndexError):
        return None
