"""Values that must not be seen: a wrapper that never shows itself, and redaction by value."""

import re
from base64 import b64encode
from collections.abc import Iterable
from typing import NoReturn
from urllib.parse import quote, quote_plus

REDACTED = "[secret]"


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
    """Return ``text`` with every secret replaced, also where it is URL-quoted or Base64 encoded."""
    spellings: set[str] = set()
    for secret in secrets:
        value = secret.reveal()
        if value:
            encoded = b64encode(value.encode()).decode()
            spellings |= {value, quote(value, safe=""), quote_plus(value), encoded}
    if not spellings:
        return text
    # The longest first: a secret inside another must not leave the other's ends behind. In one
    # pass, so that a short secret is not found again inside the mark.
    longest_first = sorted(spellings, key=len, reverse=True)
    return re.sub("|".join(map(re.escape, longest_first)), REDACTED, text)
