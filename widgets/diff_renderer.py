"""Send a terminal only the cells that changed.

Textual repaints every dirty region from the left edge of its widget. On a slow link bytes are
latency, so ``FrugalApp`` remembers what the terminal shows and sends the difference. This is the
one file that leans on Textual's internals (``App._display``, ``ChopsUpdate``, ``LayoutUpdate``);
it engages only with the version it was proved on, and ``MIDWATCH_FRUGAL=0`` turns it off.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Generic, cast

import textual
from rich.color import ColorSystem
from textual._compositor import ChopsUpdate, CompositorUpdate, LayoutUpdate
from textual.app import App, ReturnType
from textual.strip import Strip

from widgets.frame import LINK, Frame, Run, cells_of, encode

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.style import Style
    from textual import events
    from textual.geometry import Size
    from textual.screen import Screen
    from textual.theme import Theme

PROVED_ON = "8.2.8"
"""The version of Textual whose internals this file was tested against."""

SWITCH = "MIDWATCH_FRUGAL"


def reason_to_stay_off() -> str:
    """Return why frugal painting must not be used here, or an empty text."""
    if os.environ.get(SWITCH, "1") == "0":
        return f"{SWITCH}=0 turns it off"
    version = installed_version()
    if version != PROVED_ON:
        return f"Textual is {version}, proved on {PROVED_ON} only"
    return ""


def installed_version() -> str:
    """Return the version of Textual that is installed.

    ``textual.__version__`` imports ``importlib.metadata``, a tenth of the time to the first frame;
    the name of the installation's own directory says the same.
    """
    beside = Path(textual.__file__).resolve().parents[1] / f"textual-{PROVED_ON}.dist-info"
    if "__version__" not in vars(textual) and beside.is_dir():
        return PROVED_ON
    return textual.__version__


def erases_in_colour(environment: Mapping[str, str]) -> bool:
    """Tell whether this terminal erases in the background colour of the moment, as most do.

    GNU screen does not by default; its name for a terminal is also tmux's old one, which does.
    """
    if "TMUX" in environment:
        return True
    return "STY" not in environment and not environment.get("TERM", "").startswith("screen")


class _Ready(CompositorUpdate):
    """An update already turned into what the terminal is to be sent."""

    def __init__(self, sequences: str) -> None:
        self.sequences = sequences

    def render_segments(self, console: Console) -> str:
        """Return the sequences as they are."""
        return self.sequences


class FrameDiffer:
    """Keeps the terminal's frame and turns Textual's updates into differences from it."""

    def __init__(self) -> None:
        self._frame = Frame(0, 0)
        self._erase_colours = erases_in_colour(os.environ)

    def forget(self) -> None:
        """Take every cell for unknown: the next update paints all it is told."""
        self._frame = Frame(self._frame.width, self._frame.height)

    def difference(
        self,
        update: LayoutUpdate | ChopsUpdate,
        width: int,
        height: int,
        colors: ColorSystem,
    ) -> str:
        """Return the sequences that bring the terminal up to date; empty when it is already."""
        if (width, height) != (self._frame.width, self._frame.height):
            self._frame = Frame(width, height)
        runs: list[Run] = []
        if isinstance(update, LayoutUpdate):
            for y, strips in enumerate(update.strips, update.region.y):
                chars, codes = _expand(strips, colors)
                self._frame.paint(y, update.region.x, chars, codes, runs)
        else:
            self._paint_chops(update, colors, runs)
        return encode(runs, width, erase_colours=self._erase_colours)

    def _paint_chops(self, update: ChopsUpdate, colors: ColorSystem, runs: list[Run]) -> None:
        for y, first, last in update.spans:
            for end, (x, strip) in zip(update.chop_ends[y], update.chops[y].items(), strict=False):
                # A chop outside the span may hold what lies under another widget: never read it.
                if strip is None or x >= last or end <= first:
                    continue
                chars, codes = _expand((strip,), colors)
                start = max(first - x, 0)
                stop = min(last, end) - x
                if start or stop < len(chars):
                    start, stop = _whole_characters(chars, start, stop)
                    chars, codes = chars[start:stop], codes[start:stop]
                self._frame.paint(y, x + start, chars, codes, runs)


def _whole_characters(chars: list[str], start: int, stop: int) -> tuple[int, int]:
    """Widen a range of cells so that it cuts no wide character in half."""
    while start > 0 and chars[start : start + 1] == [""]:
        start -= 1
    while stop < len(chars) and chars[stop] == "":
        stop += 1
    return start, stop


def _code_of(style: Style | None, colors: ColorSystem) -> str:
    if style is None:
        return ""
    code = style._ansi
    if code is None:
        code = Strip.render_ansi(style, colors)
    if style._link:
        return f"{code}{LINK}id={style._link_id};{style._link}"
    return code


def _expand(strips: Iterable[Strip], colors: ColorSystem) -> tuple[list[str], list[str]]:
    """Return the characters and the SGR codes of the strips, one of each for a cell."""
    chars: list[str] = []
    codes: list[str] = []
    for strip in strips:
        for text, style, control in strip:
            if control:
                continue
            cells = cells_of(text)
            chars.extend(cells)
            codes.extend([_code_of(style, colors)] * len(cells))
    return chars, codes


class FrugalApp(App[ReturnType], Generic[ReturnType]):
    """An app that sends only changed cells; ``frugal_off_reason`` says why when it does not."""

    frugal_off_reason: str = ""
    """Empty while frugal painting is in use."""

    _differ: FrameDiffer | None = None
    _painted_size: Size | None = None

    def begin_in_theme(self, theme: Theme) -> None:
        """Take a theme before anything is drawn.

        Setting ``theme`` instead would parse every style sheet and style every widget twice.
        """
        self.register_theme(theme)
        self.set_reactive(App.theme, theme.name)
        self.add_class(f"-theme-{theme.name}", update=False)
        self.set_class(theme.dark, "-dark-mode", update=False)
        self.set_class(not theme.dark, "-light-mode", update=False)
        self._refresh_truecolor_filter(self.ansi_theme)
        self.stylesheet.set_variables(self.get_css_variables())

    @property
    def frugal(self) -> bool:
        """Whether only changed cells are sent; decided at the first paint."""
        return self._differ is not None and not self.frugal_off_reason

    def forget_screen(self) -> None:
        """Send everything anew at the next paint, because the terminal may show something else."""
        if self._differ is not None:
            self._differ.forget()

    def action_repaint(self) -> None:
        """Paint the whole screen again, for a terminal that was written over."""
        self.forget_screen()
        self.screen.refresh(self.screen.size.region)
        for widget in self.screen.walk_children():
            widget.refresh()

    def on_resize(self, event: events.Resize) -> None:
        """Trust nothing after a resize or a resume: terminals rewrap or clear what they show."""
        self.forget_screen()
        if event.size == self._painted_size:
            # Textual does nothing about a resize to the same size, which a resume also reports.
            self.action_repaint()

    def _display(self, screen: Screen[object], renderable: RenderableType | None) -> None:
        if self._differ is None:
            self._differ = FrameDiffer()
            self.frugal_off_reason = reason_to_stay_off()
        ready = self._to_send(renderable)
        if ready is None:
            super()._display(screen, renderable)
        elif ready.sequences:
            super()._display(screen, cast("RenderableType", ready))
        else:
            self.post_display_hook()

    def _to_send(self, renderable: RenderableType | None) -> _Ready | None:
        """Return the difference to send, or ``None`` to let Textual paint in its own way."""
        if self.frugal_off_reason or self._differ is None:
            return None
        will_be_written = (
            self._running
            and not self._closed
            and not self._batch_count
            and not self.is_headless
            and self._driver is not None
            and not self._driver.is_inline
        )
        if not will_be_written or not isinstance(renderable, (LayoutUpdate, ChopsUpdate)):
            return None
        self._painted_size = self.size
        width, height = self.size
        colors = self.console._color_system or ColorSystem.TRUECOLOR
        try:
            return _Ready(self._differ.difference(renderable, width, height, colors))
        except Exception as error:  # noqa: BLE001 - more bytes beat no picture at three at night
            self.frugal_off_reason = f"failed and was turned off: {error!r}"
            self.log.error(self.frugal_off_reason)
            return None
