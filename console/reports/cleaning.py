"""Everything a document says, made harmless to show and free of secrets, before it is written."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from console.facts.text import visible
from console.settings.hidden import redact

if TYPE_CHECKING:
    from collections.abc import Iterable

    from console.settings.hidden import SecretValue

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
