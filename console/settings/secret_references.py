"""References to secrets, a wrapper that never shows its value, and redaction by value."""

import re
from collections.abc import Iterable
from typing import Literal, NoReturn
from urllib.parse import quote, quote_plus

from msgspec import Struct

Scheme = Literal["env", "file", "cmd", "keyring"]
ALLOWED = '"env:NAME", "file:/path", "cmd:program arguments" or "keyring:service/user"'

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


class BadReferenceError(ValueError):
    """A text that is no reference. It may be a secret itself, so it is never repeated."""

    def __init__(self, found: str, allowed: str = ALLOWED) -> None:
        super().__init__(f"found {found}; allowed {allowed}")
        self.found = found
        self.allowed = allowed


class SecretReference(Struct, frozen=True):
    """One reference, taken apart: ``body`` is a variable, path, command line or service/user."""

    scheme: Scheme
    body: str

    @property
    def text(self) -> str:
        """The reference as it is written in the configuration."""
        return f"{self.scheme}:{self.body}"

    @property
    def argv(self) -> tuple[str, ...]:
        """Program and arguments of a ``cmd:`` reference, split as a shell splits words."""
        import shlex

        return tuple(shlex.split(self.body))

    @property
    def service_and_user(self) -> tuple[str, str]:
        """Service and user of a ``keyring:`` reference; the last slash divides them."""
        service, _, user = self.body.rpartition("/")
        return service, user


def parse_reference(text: str) -> SecretReference:
    """Return the reference in ``text``; raise ``BadReferenceError``, which never repeats it."""
    scheme, colon, body = text.partition(":")
    if not colon or scheme not in ("env", "file", "cmd", "keyring"):
        raise BadReferenceError("something that is not a reference to a secret (not shown)")
    if not body.strip() or not body.isprintable():
        raise BadReferenceError(f"{scheme}: with nothing usable after it")
    match scheme:
        case "env":
            if not _VARIABLE.fullmatch(body):
                raise BadReferenceError("env: without the name of a variable", '"env:NAME"')
            return SecretReference("env", body)
        case "file":
            return SecretReference("file", body)
        case "cmd":
            _check_command(body)
            return SecretReference("cmd", body)
        case _:
            service, _, user = body.rpartition("/")
            if not service or not user:
                raise BadReferenceError(
                    "keyring: without a service and a user", '"keyring:service/user"'
                )
            return SecretReference("keyring", body)


def _check_command(body: str) -> None:
    import shlex

    try:
        argv = shlex.split(body)
    except ValueError as error:
        raise BadReferenceError(
            f"cmd: with words that cannot be split ({error})", "quotes that are closed"
        ) from error
    if not argv or not argv[0]:
        raise BadReferenceError("cmd: without a program", '"cmd:program arguments"')


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
