"""The Textual app: installs the screens, the themes and the engine's messages, and restores the
terminal on the way out.
"""

from __future__ import annotations

import asyncio
import logging
import os
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from textual import events
from textual.binding import Binding, BindingType

import themes
from console.actions.keymap import QUIT_KEY, KeymapError, keymap
from console.actions.registry import SUSPEND_KEY
from console.domain.text import visible
from console.engine.gc_tuning import QuietCollector
from console.screens.base import (
    ActionAsked,
    ActionCame,
    CareCame,
    ConsoleScreen,
    CopyAsked,
    DecisionCame,
    EngineStarted,
    OutlooksArrived,
    ProblemArrived,
    ReloadFinished,
    SnapshotArrived,
    keyed,
)
from console.screens.dispatcher import Doing
from console.screens.fleet import FleetScreen
from console.screens.session import Session
from console.screens.terminal import (
    HANGUP_CODE,
    KEEP_TITLE,
    TerminalGuard,
    can_be_resumed,
    crash_sentence,
    terminal_lost,
    title_sequence,
)
from themes.glyphs import glyphs
from themes.palette import palette, textual_theme
from widgets.diff_renderer import FrugalApp
from widgets.prompt import Prompt

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

    from textual.driver import Driver
    from textual.message import Message
    from textual.screen import Screen

    from console.actions.keymap import Keymap
    from console.actions.spec import Mode
    from console.domain.snapshot import Snapshot
    from console.domain.text import ConsoleOptions
    from console.engine.client import EngineHandle, Player, ReloadOutcome
    from console.settings.load import Loaded

log = logging.getLogger(__name__)

BAD_CONFIGURATION = 78


REPLAY_KEYS = {"f4": "toggle", "f6": "back", "f7": "step", "f8": "before", "f9": "next"}
"""Keys of a replay: pause, a tick back and on, the rule event before and the next one."""


class MidwatchApp(FrugalApp[None], inherit_bindings=False):
    """Shows the engine's Snapshots and hands keys to the registry of actions.

    ``make_engine`` is called in a thread after the first paint; ``clock`` returns Unix seconds.
    """

    CSS_PATH = str(Path(themes.__file__).parent / "midwatch.tcss")
    # A box lies over the numbers, which live on around it.
    CSS = "Textbox, Confirm, ConfirmBox, RungBox, DrawnBox { background: transparent; }"
    TITLE = "Midwatch"
    ENABLE_COMMAND_PALETTE = False
    ESCAPE_TO_MINIMIZE = False
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(QUIT_KEY, "quit", "Quit", show=False, priority=True),
        Binding(SUSPEND_KEY, "suspend_process", "Suspend", show=False, priority=True),
        *(
            Binding(key, f"replay('{what}')", show=False, priority=True)
            for key, what in REPLAY_KEYS.items()
        ),
    ]

    def __init__(
        self,
        loaded: Loaded,
        options: ConsoleOptions,
        make_engine: Callable[[], EngineHandle],
        *,
        keys: Keymap | None = None,
        clock: Callable[[], float] = time.time,
        zone: tzinfo | None = None,
        player: Player | None = None,
    ) -> None:
        super().__init__()
        self.animation_level = "none"
        self._make_engine = make_engine
        self._keymap = loaded.settings.keymap
        self._declared_theme = loaded.settings.theme
        theme_name = options.theme if options.colour else "mono"
        self.fault: Exception | None = None
        mode: Mode = "read_only" if options.read_only or not options.write else "armed"
        self.session = Session(
            keys=keys or keymap(loaded.settings.keymap),
            glyphs=glyphs(options.ascii),
            roles=palette(theme_name).styles,
            clock=clock,
            zone=zone,
            mode=mode,
            environment=loaded.settings.environment,
            panes=loaded.settings.panes,
            title=options.title,
            player=player,
        )
        if options.ascii:
            self.add_class("-ascii")
        self.begin_in_theme(textual_theme(theme_name))
        self._doing = Doing(
            self, self.session, theme_name, lambda: self.console_screen, self.request_reload
        )
        self.guard: TerminalGuard | None = None
        self.over_picture = False
        self._notice = options.notice
        self._title_shown = ""
        self._own_loop: asyncio.AbstractEventLoop | None = None
        self._collector = QuietCollector()

    # Coming and going

    def get_driver_class(self) -> type[Driver]:
        """Return the driver that takes what the terminal sends as outside text."""
        chosen = super().get_driver_class()
        from textual.drivers.linux_driver import LinuxDriver

        from widgets.terminal_driver import TerminalDriver

        return TerminalDriver if chosen is LinuxDriver else chosen

    def input_failed(self, fault: Exception) -> None:
        """End with a sentence and code 1 where reading the keyboard failed."""
        self.fault = self.fault or fault
        self.exit(return_code=1)

    def input_dropped(self, count: int) -> None:
        """Say that a paste was cut."""
        self._tell(ProblemArrived(f"{count} characters of what was pasted were left out"))

    def action_suspend_process(self) -> None:
        """Stop as Ctrl-Z does elsewhere, unless nobody could bring the console back."""
        if can_be_resumed():
            super().action_suspend_process()
        elif (screen := self.console_screen) is not None:
            screen.say("not suspended: no shell with job control waits here to bring it back", "s3")

    def get_default_screen(self) -> Screen[None]:
        """Return the fleet screen; it is there from the first frame on."""
        return keyed(FleetScreen, self.session.keys)(self.session)

    def on_mount(self) -> None:
        """Start the watches, and the engine once the first frame is out."""
        self._own_loop = asyncio.get_running_loop()
        self.set_interval(1.0, self._every_second)
        self.call_after_refresh(self._start_engine)

    def _start_engine(self) -> None:
        if self._notice and (screen := self.console_screen) is not None:
            screen.say(self._notice)
        # What the engine imports is slow: a thread of its own keeps keys answered meanwhile.
        threading.Thread(target=self._run_engine, name="midwatch start", daemon=True).start()

    def _run_engine(self) -> None:
        try:
            engine = self._make_engine()
            if not self.is_headless:
                self._collector.begin()
            engine.start(
                lambda snapshot: self._tell(SnapshotArrived(snapshot)),
                lambda sentence: self._tell(ProblemArrived(sentence)),
            )
        except Exception as error:  # what fails here must be told on screen, not end a thread
            log.exception("the engine could not start")
            self._tell(ProblemArrived(f"the engine could not start: {error}"))
            return
        self._tell(EngineStarted(engine))

    def _tell(self, message: Message) -> None:
        """Post a message from any thread."""
        self.post_message(message)

    def leave(self, code: int = 0) -> None:
        """End the console with an exit code; safe from signal handlers and other threads."""
        self.call_soon(self.exit, None, code)

    def call_soon(self, does: Callable[..., object], *arguments: object) -> None:
        """Run something on the app's loop as soon as it is free; nothing when it has ended."""
        if self._own_loop is not None and not self._own_loop.is_closed():
            self._own_loop.call_soon_threadsafe(does, *arguments)

    def _every_second(self) -> None:
        if not self.is_headless and terminal_lost():
            if self.guard is not None:
                self.guard.leave(HANGUP_CODE)
            else:
                self.exit(return_code=HANGUP_CODE)
            return
        self._collector.look()
        self.session.take_mode()
        screen = self.console_screen
        if screen is not None:
            # Under a box as well: help is not read over a clock that stands still.
            screen.show_clock()

    def on_unmount(self) -> None:
        """Let the engine go."""
        if self.session.engine is not None:
            self.session.engine.stop()

    def _handle_exception(self, error: Exception) -> None:
        """Keep the fault for `run` to tell; a traceback helps nobody at three at night."""
        self.fault = self.fault or error
        log.critical("the console crashed", exc_info=error)
        self._return_code = 1
        if self._exception is None:
            self._exception = error
            self._exception_event.set()
        self._close_messages_no_wait()

    # News

    @property
    def console_screen(self) -> ConsoleScreen | None:
        """The uppermost screen of the console, under dialogs."""
        for screen in reversed(self.screen_stack):
            if isinstance(screen, ConsoleScreen):
                return screen if screen.ready else None
        return None

    async def on_event(self, event: events.Event) -> None:
        """Finish what a key does before the next key is looked at.

        Textual hands a key to the focused widget and goes on to the next one: letters typed
        quickly after ``/`` would run as actions while the prompt is still opening.
        """
        if isinstance(event, events.Key) and not event.is_forwarded:
            self._collector.key_pressed()
            if self._keys_are_actions:
                for priority in (True, False):
                    if await self._check_bindings(event.key, priority=priority):
                        return
        await super().on_event(event)

    @property
    def _keys_are_actions(self) -> bool:
        """Whether a key means an action now: not in a box, and not while text is typed."""
        top = self.screen_stack[-1] if self._screen_stack else None
        return isinstance(top, ConsoleScreen) and top.ready and not top.query_one(Prompt).is_open

    def on_snapshot_arrived(self, message: SnapshotArrived) -> None:
        """Show the newest tick on the uppermost screen of the console."""
        self.session.snapshot = message.snapshot
        if self.session.player is not None:
            self.session.title = self.session.player.words
        self.session.environment = message.snapshot.environment
        self.session.problem = ""
        if self.session.sent.entries:
            self.session.sent.watch(message.snapshot, self.session.clock())
        self._show_title(message.snapshot)
        if (screen := self.console_screen) is not None:
            screen.show_snapshot()

    def _show_title(self, snapshot: Snapshot) -> None:
        """Let the terminal's title say what is worst, for whoever looks at another window."""
        severity = self.session.glyphs.severity
        sequence = title_sequence(snapshot, lambda level: severity.get(level, ""))
        if sequence != self._title_shown and self._driver is not None:
            self._driver.write(sequence if self._title_shown else KEEP_TITLE + sequence)
            self._title_shown = sequence

    def action_replay(self, what: str) -> None:
        """Move in a recording; a live console has nothing to move in."""
        player, screen = self.session.player, self.console_screen
        if player is None or screen is None:
            return
        moves: dict[str, Callable[[], str]] = {
            "toggle": player.toggle,
            "back": lambda: player.step(-1),
            "step": lambda: player.step(1),
            "before": lambda: player.jump(-1),
            "next": lambda: player.jump(1),
        }
        said = moves[what]()
        self.session.title = player.words
        screen.show_clock()
        if said:
            screen.say(said)

    def on_problem_arrived(self, message: ProblemArrived) -> None:
        """Say on screen what is wrong with the engine itself."""
        self.session.problem = visible(message.sentence, 300)
        screen = self.console_screen
        if screen is not None:
            screen.show_clock()
            screen.say(message.sentence, "error")

    def on_engine_started(self, message: EngineStarted) -> None:
        """Let screens ask the engine from now on."""
        self.session.engine = message.engine
        self.session.take_mode()
        screen = self.console_screen
        if screen is not None:
            screen.show_series()

    def on_action_came(self, message: ActionCame) -> None:
        """Show how far something that was sent is."""
        self._doing.came(message)

    def on_care_came(self, message: CareCame) -> None:
        """Show what became of something done about an incident."""
        self._doing.care_came(message)

    def on_copy_asked(self, message: CopyAsked) -> None:
        """Copy what a screen wants copied."""
        self._doing.copy_and_show(message)

    def on_decision_came(self, message: DecisionCame) -> None:
        """Send a decision on once it stands."""
        self._doing.decision_came(message)

    def on_outlooks_arrived(self, message: OutlooksArrived) -> None:
        """Keep what could be done to the model that is looked at."""
        self.session.outlooks = (message.model, message.found)
        screen = self.console_screen
        if screen is not None:
            screen.show_next()

    def on_reload_finished(self, message: ReloadFinished) -> None:
        """Say how the reload went."""
        outcome = message.outcome
        screen = self.console_screen
        if screen is None:
            return
        sentence = outcome.sentence
        if outcome.applied and self.session.engine is not None:
            now = self.session.engine.settings
            self.session.panes = now.panes
            if now.keymap != self._keymap or now.theme != self._declared_theme:
                sentence += "; keys and theme change at the next start"
            screen.show_look()
        screen.say(sentence, "text" if outcome.applied else "error")
        if outcome.problems:
            self._doing.show_box(
                "The configuration was refused; the old one stays", outcome.problems
            )

    # Actions that are the app's

    def on_action_asked(self, message: ActionAsked) -> None:
        """Do an action that a screen passed on, unless something speaks against it."""
        message.stop()
        screen = self.console_screen
        if screen is None:
            return
        reason = screen.reason_against(message.spec, message.argument)
        if reason is not None:
            screen.say(reason, "s3")
            return
        self._doing.do(message.spec, message.argument, screen)

    def request_reload(self) -> None:
        """Ask the engine to read the configuration again."""
        if self.session.engine is not None:
            self.session.engine.request_reload(self._reloaded)

    def _reloaded(self, outcome: ReloadOutcome) -> None:
        self._tell(ReloadFinished(outcome))


def run(
    loaded: Loaded,
    options: ConsoleOptions,
    engine: EngineHandle | Callable[[], EngineHandle],
    take_over: Callable[[], None] | None = None,
    player: Player | None = None,
) -> int:
    """Open the console and return its exit code: 0, 78 for a bad keymap, 128 + signal, 1 a crash.

    ``engine`` (or what makes it) is touched after the first paint only. ``take_over``
    is called before the terminal is taken where a picture is there already, which is drawn over.
    With a ``player`` it is a recording, which tells the time.
    """
    # The palette already leaves colour out; Textual's own way would turn it into true greys.
    os.environ.pop("NO_COLOR", None)
    for name in ("COLUMNS", "LINES"):
        # Exported by a shell long ago; the terminal itself knows its size, and when it changes.
        os.environ.pop(name, None)
    try:
        keys = keymap(loaded.settings.keymap)
    except KeymapError as error:
        for problem in error.problems:
            sys.stderr.write(f"{problem}\n")
        return BAD_CONFIGURATION
    if not logging.getLogger().handlers:
        # Without a log file Python would write warnings over the picture.
        logging.getLogger().addHandler(logging.NullHandler())
    make = engine if callable(engine) else lambda: engine
    if player is None:
        app = MidwatchApp(loaded, options, make, keys=keys)
    else:
        app = MidwatchApp(loaded, options, make, keys=keys, clock=player.clock, player=player)
    if take_over is not None:
        take_over()
        app.over_picture = True
    guard = TerminalGuard(app.leave, app.request_reload)
    app.guard = guard
    guard.install()
    try:
        app.run(mouse=options.mouse)
    except Exception as error:  # noqa: BLE001 - a traceback over a raw terminal helps nobody
        app.fault = app.fault or error
    finally:
        guard.restore()
        guard.remove()
    if app.fault is not None:
        log.critical("the console crashed", exc_info=app.fault)
        sys.stderr.write(crash_sentence(app.fault, options.log_path) + "\n")
        return 1
    return app.return_code or 0
