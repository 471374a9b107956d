"""What all screens of one console share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from console.actions.registry import PANES
from console.screens.curves import DEFAULT_RANGE, RANGES, next_range

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import tzinfo

    from console.actions.keymap import Keymap
    from console.actions.spec import Mode
    from console.engine.handle import EngineHandle
    from console.facts.snapshot import Snapshot
    from themes.glyphs import Glyphs


class Session(Struct, eq=False):
    """The state of one console; only the app changes it.

    ``clock`` returns Unix seconds, ``zone`` None is this machine's own time zone. ``roles`` maps
    a role to its style; ``panes`` are the live panes the operator wants, in their fixed order.
    ``engine`` and ``snapshot`` are None until the first of each is there.
    """

    keys: Keymap
    glyphs: Glyphs
    roles: Mapping[str, str]
    clock: Callable[[], float]
    zone: tzinfo | None = None
    mode: Mode = "read_only"
    environment: str = ""
    title: str = ""
    problem: str = ""
    panes: tuple[str, ...] = PANES
    range_name: str = DEFAULT_RANGE
    engine: EngineHandle | None = None
    snapshot: Snapshot | None = None

    @property
    def range_seconds(self) -> float:
        """The time range of charts, in seconds."""
        return RANGES[self.range_name]

    def change_range(self, name: str, step: int) -> tuple[bool, str]:
        """Take another range, by name or ``step`` places on; return whether it did, in words."""
        if name and name not in RANGES:
            return False, f"ranges are {', '.join(RANGES)}"
        wanted = name or next_range(self.range_name, step)
        if wanted == self.range_name:
            return False, f"the range is {wanted}"
        self.range_name = wanted
        return True, f"range {wanted}"
