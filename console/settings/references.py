"""References to secrets: where a value is to be found, never the value itself."""

import re
from typing import Literal

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
