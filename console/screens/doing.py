"""What the registry's actions do that concern the console as a whole, not one screen."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from console.facts.text import visible
from console.screens.base import ConsoleScreen, keyed
from console.screens.terminal import clipboard_sequence
from themes.palette import THEMES, palette, textual_theme

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.app import App

    from console.actions.spec import ActionSpec
    from console.screens.acting import ActingDesk
    from console.screens.helptext import BoxLine
    from console.screens.messages import ActionCame
    from console.screens.session import Session


class Doing:
    """Does what a screen handed on to the app.

    ``current`` gives the uppermost screen of the console, ``reload`` asks for the configuration
    to be read again. What opens a screen or a box imports it then: the first frame waits for none.
    """

    def __init__(
        self,
        app: App[None],
        session: Session,
        theme_name: str,
        current: Callable[[], ConsoleScreen | None],
        reload: Callable[[], None],
    ) -> None:
        self._app = app
        self._session = session
        self._theme_name = theme_name
        self._current = current
        self._reload = reload
        self._desk: ActingDesk | None = None

    def do(self, spec: ActionSpec, argument: str, screen: ConsoleScreen) -> None:
        """Do an action that nothing speaks against."""
        if spec.writes:
            self._acting_desk().begin(spec, argument, screen)
            return
        does: dict[str, Callable[[], object]] = {
            "quit": self._app.exit,
            "model.open": lambda: self._open_model(argument or screen.context.model, screen),
            "range.longer": lambda: self._range(argument, 1, screen),
            "range.shorter": lambda: self._range(argument, -1, screen),
            **{
                which: partial(self._box, which, argument, screen)
                for which in ("help", "explain", "sources")
            },
            "palette": self._palette,
            "theme.next": lambda: self._theme(argument, screen),
            "copy": lambda: self.copy(screen.context.model, screen),
            "screenshot": lambda: self._picture(argument, screen),
            "refresh": lambda: self._refresh(screen),
            "reload": self._reload,
            "arm": lambda: self._arm(screen),
            "overrides": lambda: self._open_screen("overrides", screen),
            "journal": lambda: self._open_screen("journal", screen),
        }
        if spec.id in does:
            does[spec.id]()
        else:
            screen.say(f"{spec.title} is not for this screen", "s3")

    # Screens and boxes

    def _open_model(self, name: str, screen: ConsoleScreen) -> None:
        from console.screens.model import ModelScreen

        snapshot = self._session.snapshot
        if snapshot is None or name not in snapshot.index:
            screen.say(f"there is no model {visible(name, 60)}", "s3")
        elif isinstance(screen, ModelScreen):
            screen.show_model(name)
        else:
            made = keyed(ModelScreen, self._session.keys)(self._session)
            made.show_model(name)
            self._app.push_screen(made)

    def _open_screen(self, name: str, screen: ConsoleScreen) -> None:
        """Open a screen that is imported when it is first wanted."""
        from importlib import import_module

        module = import_module(f"console.screens.{name}")
        made = getattr(module, f"{name.capitalize()}Screen")
        if type(screen).__name__ == made.__name__:
            return
        self._app.push_screen(keyed(made, self._session.keys)(self._session))

    def _box(self, which: str, argument: str, screen: ConsoleScreen) -> None:
        from console.screens.boxes import box

        title, lines = box(which, argument, screen)
        if lines:
            self.show_box(title, lines)
        else:
            screen.say(title, "s3")

    def show_box(self, title: str, lines: Sequence[BoxLine]) -> None:
        """Show lines to read over the screen."""
        from widgets.textbox import Textbox

        session = self._session
        ascii_only = session.glyphs.name == "ascii"
        self._app.push_screen(Textbox(title, lines, roles=session.roles, ascii_only=ascii_only))

    def _palette(self) -> None:
        from textual.command import CommandPalette

        from console.screens.palette import RegistryCommands

        self._app.push_screen(CommandPalette(providers=[RegistryCommands]))

    # Acting

    def _acting_desk(self) -> ActingDesk:
        if self._desk is None:
            from console.screens.acting import ActingDesk

            self._desk = ActingDesk(self._app, self._session, self._current)
        return self._desk

    def came(self, message: ActionCame) -> None:
        """Show how far something that was sent is."""
        if self._desk is not None:
            self._desk.came(message)

    def _arm(self, screen: ConsoleScreen) -> None:
        session = self._session
        if session.engine is None:
            return
        session.engine.switch_arming()
        session.take_mode()
        armed = session.mode == "armed"
        said = "armed for 30 min: every change still asks first" if armed else "disarmed: read-only"
        screen.show_clock()
        screen.say(said, "armed" if armed else "text")

    def _refresh(self, screen: ConsoleScreen) -> None:
        if self._session.engine is not None:
            self._session.engine.request_refresh()
            screen.say("asking the sources", "dim")

    # Looks

    def _range(self, argument: str, step: int, screen: ConsoleScreen) -> None:
        changed, sentence = self._session.change_range(argument, step)
        screen.say(sentence)
        if changed:
            screen.show_series()

    def _theme(self, name: str, screen: ConsoleScreen) -> None:
        wanted = name or THEMES[(THEMES.index(self._theme_name) + 1) % len(THEMES)]
        if wanted not in THEMES:
            screen.say(f"themes are {', '.join(THEMES)}", "s3")
            return
        self._theme_name = wanted
        self._session.roles = palette(wanted).styles
        theme = textual_theme(wanted)
        self._app.register_theme(theme)
        self._app.theme = theme.name
        for one in self._app.screen_stack:
            if isinstance(one, ConsoleScreen):
                one.show_look()
        screen.say(f"theme {wanted}")

    def copy(self, text: str, screen: ConsoleScreen, what: str = "") -> bool:
        """Ask the terminal to put ``text`` on its clipboard; False where it cannot be asked."""
        sequence = clipboard_sequence(text)
        driver = self._app._driver
        if sequence is None or driver is None:
            screen.say("this is too long for a terminal's clipboard", "s3")
            return False
        driver.write(sequence)
        screen.say(f"asked your terminal to copy {what or visible(text, 60)}")
        return True

    def _picture(self, argument: str, screen: ConsoleScreen) -> None:
        from console.screens.savedpicture import picture_path, save_picture

        path = picture_path(argument, screen.PLACE, self._session.clock())
        screen.say(*save_picture(self._app.export_screenshot(title="midwatch"), path))
