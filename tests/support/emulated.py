"""A pseudo-terminal with an emulator behind it: what a person would see."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pyte

from tests.support.pty_session import PtySession

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Cell = tuple[str, str, str, bool, bool, bool]
"""A cell's character, foreground, background, bold, underline and reverse."""

_PRIVATE = re.compile(
    rb"\x1b\[[<>=][0-9;]*[a-zA-Z]|\x1b\[\?[0-9;]*[$][a-z]|\x1b\][0-9]+;[^\x07\x1b]*(?:\x07|\x1b\\)"
)
"""Questions, keyboard modes and titles, which a small emulator would print as text."""


class EmulatedSession(PtySession):
    """A `PtySession` whose screen can be read; it shows what it is given by `show`."""

    def __init__(
        self,
        arguments: Sequence[str],
        width: int,
        height: int,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.screen = pyte.Screen(width, height)
        self._stream = pyte.ByteStream(self.screen)
        super().__init__(arguments, width, height, env)

    def resize(self, width: int, height: int) -> None:
        """Change the size of the emulated screen as well."""
        self.screen.resize(height, width)
        super().resize(width, height)

    def show(self, written: bytes) -> None:
        """Let the emulated screen show what was written."""
        self._stream.feed(_PRIVATE.sub(b"", written))

    def cells(self) -> list[list[Cell]]:
        """Return each cell; attributes that a blank does not show are left out."""
        picture = []
        for y in range(self.screen.lines):
            row = self.screen.buffer[y]
            line = []
            for x in range(self.screen.columns):
                c = row[x]
                fg = "" if c.data == " " and not (c.underscore or c.reverse) else c.fg
                bold = False if c.data == " " else c.bold
                line.append((c.data, fg, c.bg, bold, c.underscore, c.reverse))
            picture.append(line)
        return picture

    def text(self) -> str:
        """Return the screen as text."""
        return "\n".join(self.screen.display)
