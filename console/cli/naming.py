"""Names from the command line found in a Snapshot, or said what is close."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.cli import exits
from console.cli.exits import CommandError
from console.facts.text import visible
from console.settings.problems import nearest

if TYPE_CHECKING:
    from console.facts.snapshot import Snapshot

_SHOWN_NAMES = 8


def row_of(snapshot: Snapshot, model: str) -> int:
    """Return the row of a model; raises `CommandError` that says why there is none."""
    row = snapshot.index.get(model)
    if row is not None:
        return row
    away = [status for status in snapshot.sources if status.state != "up"]
    if away:
        reason = away[0].error or f"it is {away[0].state}"
        raise CommandError(
            f"model {visible(model)} is not known, and source {visible(away[0].name)} is away: "
            f"{visible(reason)}",
            exits.UNKNOWN,
        )
    known = [row.model for row in snapshot.rows]
    if not known:
        raise CommandError(
            f"there is no model {visible(model)}, nor any other: the sources answer but know no "
            "model; docs/profiles.md says which metrics are recognised",
            exits.BAD_USAGE,
        )
    more = ", …" if len(known) > _SHOWN_NAMES else ""
    hint = nearest(model, known) or (
        "models: " + ", ".join(visible(name, 60) for name in known[:_SHOWN_NAMES]) + more
    )
    raise CommandError(f"there is no model {visible(model)}; {hint}", exits.BAD_USAGE)
