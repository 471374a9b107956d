"""Placeholders in PromQL that an operator or a profile wrote."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from console.signals.matchers import ExpressionError

if TYPE_CHECKING:
    from collections.abc import Mapping

_PLACEHOLDER = re.compile(r"\$(\$|[A-Za-z_][A-Za-z0-9_]*)?")


def filled(text: str, values: Mapping[str, str]) -> str:
    """Return ``text`` with ``$name`` replaced from ``values`` and ``$$`` by a dollar, in one pass.

    What is put in is never read again, so a label value holding ``$window`` stays itself.
    Raises `ExpressionError` for any other placeholder.
    """

    def put(found: re.Match[str]) -> str:
        name = found.group(1)
        if name == "$":
            return "$"
        if name is None or name not in values:
            allowed = ", ".join(f"${known}" for known in sorted(values))
            raise ExpressionError(
                f"{found.group(0)} is not a placeholder; there are {allowed} and $$ for a dollar"
            )
        return values[name]

    return _PLACEHOLDER.sub(put, text)


def names(text: str) -> frozenset[str]:
    """Return the placeholder names in ``text``."""
    return frozenset(
        found.group(1) for found in _PLACEHOLDER.finditer(text) if found.group(1) not in (None, "$")
    )
