"""ULIDs: identifiers that sort by time (github.com/ulid/spec)."""

from __future__ import annotations

import secrets

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_RANDOM_BITS = 80
_LARGEST_MS = (1 << 48) - 1


def new_ulid(now: float) -> str:
    """Return a fresh ULID of ``now`` (Unix seconds UTC): 48 bits of time, 80 of chance."""
    ms = min(max(round(now * 1000), 0), _LARGEST_MS)
    number = (ms << _RANDOM_BITS) | secrets.randbits(_RANDOM_BITS)
    return "".join(_ALPHABET[(number >> shift) & 31] for shift in range(125, -1, -5))
