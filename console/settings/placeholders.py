"""Placeholders in an operator's own PromQL: ``$window``, ``$match``, and ``$$`` for a dollar."""

import re

from console.settings.problems import cut, nearest

PLACEHOLDERS = ("$window", "$match")
ALLOWED = "$window, $match, and $$ for a dollar; nothing else after a $"

# The longest name is taken, so that $windows is a fault and not $window followed by an s.
_DOLLAR = re.compile(r"\$(\$|\{[^}]*\}?|[A-Za-z0-9_]+)?")


class PlaceholderError(ValueError):
    """A ``$`` that stands for nothing; ``found``, ``allowed`` and ``hint`` make the sentence."""

    def __init__(self, found: str, allowed: str, hint: str = "") -> None:
        super().__init__(f"found {found}; allowed {allowed}")
        self.found = found
        self.allowed = allowed
        self.hint = hint


def check_placeholders(promql: str) -> None:
    """Raise ``PlaceholderError`` at the first ``$`` that is no known placeholder, or if empty."""
    if not promql.strip():
        raise PlaceholderError("an empty expression", "PromQL with $window and $match")
    for match in _DOLLAR.finditer(promql):
        found = match.group()
        if found != "$$" and found not in PLACEHOLDERS:
            hint = nearest(found.replace("{", "").replace("}", ""), PLACEHOLDERS)
            raise PlaceholderError(f'the placeholder "{cut(found)}"', ALLOWED, hint)
