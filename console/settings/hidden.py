"""Values that must not be seen: a wrapper that never shows itself, and redaction by value."""

import re
from collections.abc import Iterable
from typing import NoReturn
from urllib.parse import quote, quote_plus

REDACTED = "[secret]"

_AS_GO_WRITES = {ord(character): f"\\u{ord(character):04x}" for character in "<>&"}


class SecretValue:
    """A secret in memory; every way of showing it by accident shows ``[secret]`` instead."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """Return the value itself, for the one place that sends it."""
        return self._value

    def __repr__(self) -> str:
        return REDACTED

    __str__ = __repr__

    def __format__(self, _spec: str) -> str:
        return REDACTED

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, SecretValue):
            return NotImplemented
        return self._value == other._value

    def __hash__(self) -> int:
        return hash((SecretValue, self._value))

    def __reduce__(self) -> NoReturn:
        message = "a secret is never pickled or copied out of memory"
        raise TypeError(message)


def redact(text: str, secrets: Iterable[SecretValue]) -> str:
    """Return ``text`` with every secret replaced, also where it is quoted or encoded.

    The ways are those of URLs, Base64 and JSON, the latter also as Go writes it.
    """
    spellings = _spellings(secrets)
    if not spellings:
        return text
    # In one pass, so that a short secret is not found again inside the mark.
    return re.sub("|".join(map(re.escape, spellings)), REDACTED, text)


def redact_bytes(
    body: bytes, secrets: Iterable[SecretValue], *, least_characters: int = 1
) -> bytes:
    """Return ``body`` with every secret replaced; a body without any is returned as it is.

    In a body that is data a short secret may well be a word of its own (a password that is also a
    job's name): ``least_characters`` leaves spellings alone that are shorter.
    """
    spellings = [
        spelling.encode("utf-8", "surrogateescape")
        for spelling in _spellings(secrets)
        if len(spelling) >= least_characters
    ]
    if not any(spelling in body for spelling in spellings):
        return body
    return re.sub(b"|".join(map(re.escape, spellings)), REDACTED.encode(), body)


def _spellings(secrets: Iterable[SecretValue]) -> list[str]:
    """Return the ways to write each secret, longest first.

    A secret inside another must not leave the other's ends behind.
    """
    # Most starts have no secret to hide and wait for neither.
    import json
    from base64 import b64encode

    found: set[str] = set()
    for secret in secrets:
        value = secret.reveal()
        if value:
            raw = value.encode("utf-8", "surrogateescape")
            found |= {value, quote(raw, safe=""), quote_plus(raw), b64encode(raw).decode()}
            in_json = json.dumps(value)[1:-1]
            found |= {in_json, in_json.translate(_AS_GO_WRITES)}
    return sorted(found, key=len, reverse=True)
