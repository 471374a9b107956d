"""Removes secrets, people's names and control characters from a document."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

import msgspec

from console.domain.text import visible
from console.settings.secret_references import redact

if TYPE_CHECKING:
    from collections.abc import Iterable

    from console.settings.secret_references import SecretValue

Document = TypeVar("Document", bound=msgspec.Struct)

LONGEST_TEXT = 4000
_KEPT_AS_IT_IS = frozenset({"schema"})
_OF_LINES = frozenset({"drawing"})
"""Fields whose line ends mean something."""


def cleaned(document: Document, secrets: Iterable[SecretValue] = ()) -> Document:
    """Return the document with every secret replaced and every control character made visible.

    Secrets go first: a text cut in the middle of one would leave its beginning behind.
    """
    known = tuple(secrets)
    plain: dict[str, object] = msgspec.to_builtins(document)
    return msgspec.convert(
        {name: _clean(name, value, known) for name, value in plain.items()}, type(document)
    )


def _clean(name: str, value: object, secrets: tuple[SecretValue, ...]) -> object:
    if isinstance(value, str):
        if name in _KEPT_AS_IT_IS:
            return value
        if name in _OF_LINES:
            lines = redact(value, secrets).split("\n")
            return "\n".join(visible(line, LONGEST_TEXT) for line in lines)
        return visible(redact(value, secrets), LONGEST_TEXT)
    if isinstance(value, dict):
        return {key: _clean(key, each, secrets) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [_clean("", each, secrets) for each in value]
    return value


_LEAST_CHARACTERS = 2
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Roles:
    """Replaces people's names by roles; with ``named`` every text stays as it is.

    ``people`` are in the order of their first part; ``kept`` are names that mean a model or a
    dependency, which no person's role may replace. A name that starts with ``#`` is a channel.
    """

    def __init__(
        self, people: Iterable[str], *, kept: Iterable[str] = (), named: bool = False
    ) -> None:
        stay = {"", *kept}
        listed = [one for one in dict.fromkeys(people) if one not in stay and one[:1] != "#"]
        self.roles = {one: one if named else _role(number) for number, one in enumerate(listed)}
        said = [re.escape(one) for one in listed if len(one) >= _LEAST_CHARACTERS]
        # The longest first: a name inside another must not leave the other's ends behind.
        pattern = "|".join(sorted(said, key=len, reverse=True))
        self._pattern = (
            None if named or not said else re.compile(rf"(?<![\w-])(?:{pattern})(?![\w-])")
        )

    def who(self, name: str) -> str:
        """Return the role of somebody, or the name of what is nobody's."""
        return self.roles.get(name, name)

    def text(self, text: str) -> str:
        """Return a sentence with every known name replaced."""
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda match: self.roles[match.group(0)], text)


def _role(number: int) -> str:
    """Return responder A to Z, then responder 27 and on."""
    return f"responder {_LETTERS[number] if number < len(_LETTERS) else number + 1}"
