"""The refusal to write because somebody else wrote about the same target meanwhile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.facts.text import visible
from console.journal.errors import TargetTouchedError

if TYPE_CHECKING:
    from console.journal.chain import Row


def touched(row: Row) -> TargetTouchedError:
    """Return the refusal that names who wrote what about the target, and when."""
    entry = row.entry()
    what = visible(f"{entry.kind} {entry.action}".strip(), 80)
    return TargetTouchedError(
        entry,
        f"{visible(entry.who.name, 64)} wrote {what} about {visible(entry.target, 80)} "
        f"at {visible(row.at, 40)} meanwhile; nothing was written, look again",
    )
