"""Runs the registry's actions that concern the console as a whole; asks before leaving."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Protocol

from console.actions.record_actions import CARE_WRITES
from console.domain.text import visible
from console.screens.base import ConsoleScreen, CopyAsked, keyed
from console.screens.tables.incidents import find_incident
from console.screens.terminal import clipboard_sequence
from themes.palette import THEMES, palette, textual_theme

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual.app import App

    from console.actions.spec import ActionSpec
    from console.screens.base import ActionCame, CareCame, DecisionCame
    from console.screens.flows.control import ActingDesk
    from console.screens.flows.decision import DecidingDesk
    from console.screens.flows.incident import CareDesk
    from console.screens.panels.footer import BoxLine
    from console.screens.session import Session


def words_before_leaving(session: Session) -> str:
    """Return what is to be said instead of leaving, empty to leave.

    It is said once: the next quit leaves, unless another action was sent meanwhile.
    """
    flying = [one for one in session.sent.entries if one.in_flight]
    ids = frozenset(one.op_id for one in flying)
    if ids <= session.leaving_without:
        return ""
    session.leaving_without = ids
    key = session.keys.first_key("quit") or "quit"
    if len(flying) == 1:
        title = flying[0].title
        what, whose = f"{title[:1].upper()}{title[1:]} is still on its way", "it is"
    else:
        what, whose = f"{len(flying)} actions are still on their way", "they are"
    return f"{what}; {key} once more leaves, {whose} verified at the next start"


class Desk(Protocol):
    """Takes a writing action from the key to what becomes of it."""

    def begin(self, spec: ActionSpec, argument: str, screen: ConsoleScreen) -> None:
        """Ask what has to be asked, and do it."""
        ...


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
        self._care: CareDesk | None = None
        self._deciding: DecidingDesk | None = None

    def do(self, spec: ActionSpec, argument: str, screen: ConsoleScreen) -> None:
        """Do an action that nothing speaks against."""
        if spec.writes:
            self._desk_for(spec, argument).begin(spec, argument, screen)
            return
        does: dict[str, Callable[[], object]] = {
            "quit": lambda: self._leave_or_ask(screen),
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
            "suspend": lambda: self._app.call_later(self._app.run_action, "suspend_process"),
            "arm": lambda: self._arm(screen),
            "overrides": lambda: self._open_screen("overrides", screen),
            "journal": lambda: self._open_screen("journal", screen),
            "incidents": lambda: self._incidents(argument),
            "incident.open": lambda: self._incident(argument or screen.context.incident, screen),
            "runbook": lambda: self._runbook(screen),
            "handover": lambda: self._handover(argument, screen),
            "decisions": lambda: self._open_screen("decisions", screen),
            "readiness": lambda: self._readiness(argument or screen.context.model, screen),
            "money": lambda: self._open_screen("money", screen),
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

    def _readiness(self, model: str, screen: ConsoleScreen) -> None:
        from console.screens.readiness import ReadinessScreen

        snapshot = self._session.snapshot
        if snapshot is None or model not in snapshot.index:
            screen.say(f"there is no model {visible(model, 60)}", "s3")
            return
        made = keyed(ReadinessScreen, self._session.keys)(self._session)
        made.model = model
        self._app.push_screen(made)

    def _handover(self, argument: str, screen: ConsoleScreen) -> None:
        from console.screens.handover import HandoverScreen, read_span

        span = read_span(argument, self._session.clock())
        if isinstance(span, str):
            screen.say(span, "s3")
            return
        made = keyed(HandoverScreen, self._session.keys)(self._session)
        made.span = span
        self._app.push_screen(made)

    def _incidents(self, model: str = "") -> None:
        from console.screens.incidents import IncidentsScreen

        made = keyed(IncidentsScreen, self._session.keys)(self._session)
        made.model = model
        self._app.push_screen(made)

    def _incident(self, key: str, screen: ConsoleScreen) -> None:
        from console.screens.incident import IncidentScreen

        if not key:
            # Several touch the row: somebody has to say which.
            self._incidents(screen.context.model)
            return
        from console.domain.incident import INCIDENT_PREFIX

        key = key.removeprefix(INCIDENT_PREFIX)
        if find_incident(self._session.snapshot, key) is None:
            screen.say(f"there is no incident {visible(key, 40)}; :incidents lists them", "s3")
        elif isinstance(screen, IncidentScreen):
            screen.show_incident(key)
        else:
            made = keyed(IncidentScreen, self._session.keys)(self._session)
            made.show_incident(key)
            self._app.push_screen(made)

    def _runbook(self, screen: ConsoleScreen) -> None:
        context = screen.context
        about = visible(context.incident or context.model, 60)
        self.copy_and_show(CopyAsked(context.runbook, f"Runbook for {about}", show=True))

    def copy_and_show(self, message: CopyAsked) -> None:
        """Ask the terminal to copy a text, and show it: nobody hears whether a terminal did."""
        screen = self._current()
        if screen is None:
            return
        asked = self.copy(message.text, screen, message.what)
        if message.show:
            lines = [visible(line, 4000) for line in message.text.splitlines()]
            said = "Your terminal was asked to copy this." if asked else "It was not copied."
            self.show_box(message.what, [*lines, "", said])

    def _box(self, which: str, argument: str, screen: ConsoleScreen) -> None:
        from console.screens.dialogs.read import box

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

        from console.screens.dialogs.read import RegistryCommands

        self._app.push_screen(CommandPalette(providers=[RegistryCommands]))

    # Acting

    def _desk_for(self, spec: ActionSpec, argument: str) -> Desk:
        """Return who takes an action further: incidents and models are acted on differently."""
        undoes = spec.command == "undo" and not argument and self._undoes_care
        if undoes or spec in CARE_WRITES:
            return self._care_desk()
        return self._deciding_desk() if spec.command == "decide" else self._acting_desk()

    def _acting_desk(self) -> ActingDesk:
        if self._desk is None:
            from console.screens.flows.control import ActingDesk

            self._desk = ActingDesk(self._app, self._session, self._current)
        return self._desk

    @property
    def _undoes_care(self) -> bool:
        """Whether the newest thing that can be undone was done about an incident."""
        last = self._session.sent.last_undoable(self._session.clock())
        return last is not None and last.cares

    def _care_desk(self) -> CareDesk:
        if self._care is None:
            from console.screens.flows.incident import CareDesk

            self._care = CareDesk(self._app, self._session, self._current)
        return self._care

    def _leave_or_ask(self, screen: ConsoleScreen) -> None:
        if said := words_before_leaving(self._session):
            screen.say(said, "s2")
        else:
            self._app.exit()

    def _deciding_desk(self) -> DecidingDesk:
        if self._deciding is None:
            from console.screens.flows.decision import DecidingDesk

            send = self._acting_desk().send
            self._deciding = DecidingDesk(self._app, self._session, self._current, send)
        return self._deciding

    def decision_came(self, message: DecisionCame) -> None:
        """Send a decision on once it stands."""
        self._deciding_desk().came(message)

    def came(self, message: ActionCame) -> None:
        """Show how far something that was sent is."""
        if self._desk is not None:
            self._desk.came(message)

    def care_came(self, message: CareCame) -> None:
        """Show what became of something done about an incident."""
        self._care_desk().came(message)

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
        from console.screens.exports import save_text, saved_path

        path = saved_path(argument, "pictures", screen.PLACE, "svg", self._session.clock())
        picture = self._app.export_screenshot(title="midwatch")
        screen.say(*save_text(picture, path, "the picture"))
