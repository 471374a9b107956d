"""What all screens of one console share."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from console.actions.registry import PANES
from console.domain.text import visible
from console.screens.operations import ActionLog
from console.screens.panels.curves import DEFAULT_RANGE, RANGES, next_range
from console.screens.spans import age_text

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import tzinfo

    from console.actions.availability import Outlook
    from console.actions.keymap import Keymap
    from console.actions.spec import Mode
    from console.domain.snapshot import Snapshot
    from console.engine.client import EngineHandle, Player, WriteState
    from console.settings.schema import ShiftSettings
    from themes.glyphs import Glyphs


class Session(Struct, eq=False):
    """The state of one console; only the app changes it.

    ``clock`` returns Unix seconds, ``zone`` None is this machine's own time zone. ``roles`` maps
    a role to its style; ``panes`` are the live panes the operator wants, in their fixed order.
    ``engine``, ``snapshot`` and ``writing`` are None until the first of each is there. ``mode``
    follows ``writing``; the gate itself stands in the engine. ``marked`` are models marked to be
    acted on together, ``outlooks`` what could be done to the model looked at last.
    ``leaving_without`` are operations on their way that a quit was told of already. ``player`` is
    there in a replay alone.
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
    writing: WriteState | None = None
    sent: ActionLog = field(default_factory=ActionLog)
    marked: frozenset[str] = frozenset()
    outlooks: tuple[str, tuple[Outlook, ...]] = ("", ())
    leaving_without: frozenset[str] = frozenset()
    player: Player | None = None

    def take_mode(self) -> None:
        """Take over what the engine's gate says; an arming runs out by itself."""
        if self.engine is not None:
            self.writing = self.engine.writing
            self.mode = self.writing.mode

    @property
    def range_seconds(self) -> float:
        """The time range of charts, in seconds."""
        return RANGES[self.range_name]

    @property
    def shift_zone(self) -> tzinfo | None:
        """The zone that shifts are told in, None is this machine's own."""
        from console.domain.shift import zone_named

        return zone_named(self._shift.zone) or self.zone

    @property
    def shift_end(self) -> float:
        """When the next shift ends, in Unix seconds."""
        return self._shift.next_end(self.clock(), self.zone)

    @property
    def _shift(self) -> ShiftSettings:
        from console.settings.schema import ShiftSettings

        return ShiftSettings() if self.engine is None else self.engine.settings.shift

    def change_range(self, name: str, step: int) -> tuple[bool, str]:
        """Take another range, by name or ``step`` places on; return whether it did, in words."""
        if name and name not in RANGES:
            return False, f"ranges are {', '.join(RANGES)}"
        wanted = name or next_range(self.range_name, step)
        if wanted == self.range_name:
            return False, f"the range is {wanted}"
        self.range_name = wanted
        return True, f"range {wanted}"

    def outlooks_of(self, model: str) -> tuple[Outlook, ...] | None:
        """Return what could be done to ``model``, None while it is not known."""
        return self.outlooks[1] if self.outlooks[0] == model and self.outlooks[1] else None

    @property
    def idle_words(self) -> str:
        """Return what stands in the place of the log while nothing was sent."""
        state = self.writing
        if state is not None and state.problem:
            return state.problem
        if state is not None and state.settled:
            return f"verified at start: {'; '.join(state.settled)}"
        key = self.keys.first_key("arm")
        if self.mode == "read_only" and not (state is not None and state.unarmable) and key:
            return f"nothing; {key} arms this console for 30 min"
        return "nothing sent yet"

    def unable(self, model: str) -> dict[str, str]:
        """Return by verb why nothing declared can do it to ``model``."""
        found = self.outlooks_of(model) or ()
        return {one.verb: one.undeclared for one in found if one.undeclared}

    @property
    def write_words(self) -> tuple[tuple[str, str], ...]:
        """Return what the header says of writing, each text with its role."""
        state = self.writing
        if state is None:
            return (("ARMED", "armed"),) if self.mode != "read_only" else (("READ-ONLY", "dim"),)
        words: list[tuple[str, str]] = []
        if state.mode == "armed" and state.armed_left_seconds is not None:
            words.append((f"ARMED {age_text(state.armed_left_seconds)}", "armed"))
        else:
            words.append(("OPEN", "armed") if state.mode == "open" else ("READ-ONLY", "dim"))
        if state.who and state.mode != "read_only":
            words.append((visible(state.who, 24), "text"))
        if state.shared_login:
            words.append(("shared login", "s3" if state.mode != "read_only" else "dim"))
        return tuple(words)
