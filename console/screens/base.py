"""Base class of full screens: keys from the registry, messages of the engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeVar, cast

from msgspec.structs import replace
from textual.binding import Binding
from textual.message import Message
from textual.screen import Screen

from console.actions.keymap import Command, matching, parse
from console.actions.registry import ACTIONS, BY_ID
from console.actions.spec import ActionContext, Place
from console.actions.write_gate import refusal
from console.domain.text import visible
from console.screens.fleet_order import SMALLEST
from console.screens.panels.footer import footer_line
from console.screens.session import Session
from console.screens.spans import fitted
from console.screens.tables.incidents import Listed, incidents_of
from widgets.grid import Grid
from widgets.lines import Lines, Run
from widgets.prompt import Prompt

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from textual import events

    from console.actions.availability import Outlook
    from console.actions.decision_record import PreparedDecision
    from console.actions.keymap import Keymap
    from console.actions.spec import ActionSpec
    from console.domain.action import Outcome
    from console.domain.decision import DecisionRecord
    from console.domain.incident import CareWish, CloseCheck, IncidentView
    from console.domain.snapshot import Snapshot
    from console.engine.client import EngineHandle, Refused, ReloadOutcome, SeriesSet


class SnapshotArrived(Message):
    """The engine finished a tick; a newer one takes the place of one not yet looked at."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        super().__init__()

    def can_replace(self, message: Message) -> bool:
        """Tell that only the newest of several waiting ones matters."""
        return isinstance(message, SnapshotArrived)


class SeriesArrived(Message):
    """The source answered a range query for what is on screen."""

    def __init__(self, answer: SeriesSet) -> None:
        self.answer = answer
        super().__init__()


class StripsArrived(Message):
    """The source answered for the strips beside the signals."""

    def __init__(self, answer: SeriesSet) -> None:
        self.answer = answer
        super().__init__()


class PlotDrawn(Message):
    """A plot was drawn aside; ``made_for`` is what it was asked for."""

    def __init__(self, made_for: tuple[str, str, str, int, int], lines: list[str]) -> None:
        self.made_for = made_for
        self.lines = lines
        super().__init__()


class ProblemArrived(Message):
    """The engine tells a fault of its own, as a sentence."""

    def __init__(self, sentence: str) -> None:
        self.sentence = sentence
        super().__init__()


class EngineStarted(Message):
    """The engine was made and polls."""

    def __init__(self, engine: EngineHandle) -> None:
        self.engine = engine
        super().__init__()


class ReloadFinished(Message):
    """The configuration was read again, or refused."""

    def __init__(self, outcome: ReloadOutcome) -> None:
        self.outcome = outcome
        super().__init__()


class ActionAsked(Message):
    """A screen was asked for an action that is the app's to do."""

    def __init__(self, spec: ActionSpec, argument: str = "") -> None:
        self.spec = spec
        self.argument = argument
        super().__init__()


class ActionCame(Message):
    """An operation that was sent came one step on, or to its end.

    ``stage`` and ``sentence`` are the pipeline's words while ``answer`` is None.
    """

    def __init__(
        self, op_id: str, stage: str, sentence: str = "", answer: Outcome | Refused | None = None
    ) -> None:
        self.op_id = op_id
        self.stage = stage
        self.sentence = sentence
        self.answer = answer
        super().__init__()


class CareCame(Message):
    """The engine said what became of a wish about an incident; ``key`` names it in the log."""

    def __init__(self, key: str, wish: CareWish, answer: Outcome | Refused) -> None:
        self.key = key
        self.wish = wish
        self.answer = answer
        super().__init__()


class IncidentArrived(Message):
    """The engine gathered one incident as a whole, or said why it could not."""

    def __init__(self, incident: str, answer: IncidentView | Refused) -> None:
        self.incident = incident
        self.answer = answer
        super().__init__()


class CopyAsked(Message):
    """A screen wants a text on the clipboard; ``show`` also puts it in a box titled ``what``."""

    def __init__(self, text: str, what: str, *, show: bool = False) -> None:
        self.text = text
        self.what = what
        self.show = show
        super().__init__()


class OutlooksArrived(Message):
    """The engine said what could be done to a model."""

    def __init__(self, model: str, found: tuple[Outlook, ...]) -> None:
        self.model = model
        self.found = found
        super().__init__()


class DecisionCame(Message):
    """The engine wrote a decision, or did not."""

    def __init__(self, prepared: PreparedDecision, answer: DecisionRecord | Refused) -> None:
        self.prepared = prepared
        self.answer = answer
        super().__init__()


COMMAND_HINT = "a command; Tab completes, :help lists them"

AnyScreen = TypeVar("AnyScreen", bound="ConsoleScreen")

PLACES_IN_ORDER: tuple[Place, ...] = ("fleet", "model", "incidents", "incident", "handover")

SAID_SECONDS = 6.0
"""How long an answer to a key stands in the bottom line."""


def bindings_for(place: Place, keys: Keymap) -> list[Binding]:
    """Return Textual's bindings for the actions of a place."""
    return [
        Binding(
            "comma" if key == "," else key,
            f"ask('{spec.id}')",
            spec.title,
            show=False,
            id=spec.id,
            tooltip=spec.tooltip,
        )
        for spec in ACTIONS
        if spec.in_place(place)
        for key in keys.keys[spec.id]
    ]


def keyed(screen: type[AnyScreen], keys: Keymap) -> type[AnyScreen]:
    """Return the screen's class with the bindings of the keymap in force."""
    bindings = bindings_for(screen.PLACE, keys)
    made = type(screen.__name__, (screen,), {"BINDINGS": bindings}, inherit_bindings=False)
    return cast("type[AnyScreen]", made)


class ConsoleScreen(Screen[None], inherit_bindings=False):
    """A screen that asks the registry what a key does and does what concerns itself alone."""

    PLACE: ClassVar[Place] = "fleet"

    def __init__(self, session: Session) -> None:
        super().__init__()
        self.session = session
        self._said = ""
        self._said_role = "text"
        self._said_until = 0.0
        self._asking: tuple[str, Callable[[str], None]] | None = None

    @property
    def ready(self) -> bool:
        """Whether the parts are there: not before composing, nor while the screen goes away."""
        return self.is_mounted and bool(self.query("#footer"))

    @property
    def context(self) -> ActionContext:
        """What actions are judged by now."""
        return ActionContext(place=self.PLACE, columns=self.size.width, lines=self.size.height)

    @property
    def chosen_signal(self) -> str:
        """The signal that ``?`` explains now, empty when none is chosen."""
        return ""

    @property
    def chosen_fact(self) -> str:
        """The column that ``?`` explains where it is no signal, empty when none is chosen."""
        return ""

    @property
    def column_keys(self) -> Sequence[str]:
        """The keys of the fleet's columns that this screen shows, for the legend."""
        return ()

    @property
    def close_checks(self) -> Sequence[CloseCheck]:
        """The checklist to read before an incident is closed, where this screen knows it."""
        return ()

    def action_ask(self, action_id: str) -> None:
        """Run an action of the registry by its id, as a key does."""
        self.ask(BY_ID[action_id])

    def ask(self, spec: ActionSpec, argument: str = "") -> None:
        """Run an action if nothing speaks against it; otherwise say what does."""
        reason = self.reason_against(spec, argument)
        if reason is not None:
            self.say(reason, "s3")
        elif not self.perform(spec, argument):
            self.post_message(ActionAsked(spec, argument))

    def reason_against(self, spec: ActionSpec, argument: str = "") -> str | None:
        """Return why an action cannot run here and now, None when it can."""
        context = replace(self.context, argument=argument)
        if not spec.in_place(context.place) and spec.in_place("fleet"):
            # What is done to models can be asked for by its command from every screen.
            context = replace(context, place="fleet") if spec.writes else context
        reason = refusal(spec, self.session.mode, context)
        if reason is not None and spec.writes and self.session.mode == "read_only":
            key = self.session.keys.first_key("arm") or ":arm"
            return f"{reason}: {context.unarmable or f'{key} arms it for 30 min'}"
        return reason

    def in_session(self, context: ActionContext, model: str = "") -> ActionContext:
        """Return a context with what this session says of acting, on ``model`` above all."""
        session, writing = self.session, self.session.writing
        has_engine = session.engine is not None
        return replace(
            context,
            has_engine=has_engine,
            marked_count=len(session.marked),
            unwritable="" if has_engine else "the engine is still starting",
            unarmable="" if writing is None else writing.unarmable,
            unable=session.unable(model),
        )

    def with_incident(self, context: ActionContext, listed: Listed | None) -> ActionContext:
        """Return a context with the one incident that is meant, and its runbook."""
        if listed is None:
            return context
        book = "" if listed.incident is None else listed.incident.runbook
        return replace(context, incident=listed.id, incident_count=1, runbook=book)

    def with_row(self, context: ActionContext, snapshot: Snapshot | None) -> ActionContext:
        """Return a context with the incidents and the runbook of the row it is about."""
        found = incidents_of(snapshot, context.model)
        row = None if snapshot is None else snapshot.index.get(context.model)
        told = [one.incident.runbook for one in found if one.incident is not None]
        own = "" if snapshot is None or row is None else snapshot.rows[row].runbook
        return replace(
            context,
            incident=found[0].id if len(found) == 1 else "",
            incident_count=len(found),
            runbook=own or next((one for one in told if one), ""),
        )

    def show_sent(self) -> None:
        """Show how far what was sent is; a screen with a line for it draws that line anew."""
        session = self.session
        if session.sent.entries and self.ready:
            line = session.sent.line(session.clock(), self.size.width, session.glyphs, "")
            self.say("".join(run.text for run in line))

    def show_next(self) -> None:
        """Show what could be done next, where this screen has a line for it."""

    def ask_line(self, line: str) -> None:
        """Run what was typed after ``:``."""
        understood = parse(line)
        if isinstance(understood, Command):
            self.ask(understood.spec, understood.argument)
        else:
            self.say(understood, "s3")

    def perform(self, spec: ActionSpec, argument: str) -> bool:
        """Do an action that concerns this screen alone; False hands it to the app."""
        raise NotImplementedError

    def say(self, text: str, role: str = "text") -> None:
        """Show a sentence in the bottom line for a moment."""
        self._said = visible(text, 300)
        self._said_role = role
        self._said_until = self.session.clock() + SAID_SECONDS
        self.show_footer()

    @property
    def said(self) -> tuple[str, str] | None:
        """The sentence of the bottom line and its role while it stands."""
        if self._said and self.session.clock() < self._said_until:
            return self._said, self._said_role
        self._said = ""
        return None

    def show_snapshot(self) -> None:
        """Show the session's Snapshot; called for every new one while this screen is on top."""
        raise NotImplementedError

    def show_clock(self) -> None:
        """Show what follows the clock alone; called every second while this screen is on top."""
        raise NotImplementedError

    def show_look(self) -> None:
        """Take over the session's roles and glyphs, after a change of theme."""
        roles = self.session.roles
        for lines in self.query(Lines):
            lines.show_roles(roles)
        for grid in self.query(Grid):
            grid.show_roles(roles)
        self.query_one(Prompt).show_roles(roles)

    def show_footer(self) -> None:
        """Show an answer to the last key, or the keys."""
        said, session = self.said, self.session
        if said is not None:
            line = fitted([Run(*said)], self.size.width, session.glyphs.ellipsis)
        else:
            line = footer_line(
                self.context, session.mode, session.keys, self.size.width, session.glyphs
            )
        self.query_one("#footer", Lines).show_lines([line])

    @property
    def too_small(self) -> bool:
        """Whether there is room for one sentence only."""
        return self.size.width < SMALLEST[0] or self.size.height < SMALLEST[1]

    def show_part(self, selector: str, lines: int) -> None:
        """Give a part so many lines of the screen, or hide it for none."""
        part = self.query_one(selector)
        part.display = lines > 0
        part.styles.height = max(1, lines)

    def show_size(self) -> None:
        """Say that the screen is too small, and how small."""
        width, height = self.size
        self.query_one("#header", Lines).show_lines(
            [
                [Run(f"{SMALLEST[0]}x{SMALLEST[1]} is the least Midwatch can show itself in.")],
                [Run(f"This terminal has {width}x{height}. q quits.")],
            ]
        )

    def show_series(self) -> None:
        """Ask again for what the charts show, after a change of range."""

    def on_prompt_changed(self, message: Prompt.Changed) -> None:
        """Hint at the commands that begin like what is typed."""
        message.stop()
        if message.label == ":":
            found = matching(message.text)
            message.prompt.show_hint("  ".join(found) if found else "no such command")

    def on_paste(self, event: events.Paste) -> None:
        """Say that what was pasted is no key; the prompt takes it while it is open."""
        if not self.query_one(Prompt).is_open:
            count = len(event.text)
            self.say(f"{count} pasted characters are no keys: open : or / to paste into", "s3")

    def on_key(self, event: events.Key) -> None:
        """Complete a command with Tab; answer a key that has no action here."""
        prompt = self.query_one(Prompt)
        if not prompt.is_open:
            self.answer_other_key(event.character if event.is_printable else event.key)
            return
        if event.key != "tab":
            return
        event.stop()
        event.prevent_default()
        found = matching(prompt.text, 1)
        if prompt.label == ":" and found and " " not in prompt.text.strip():
            prompt.replace_text(found[0].partition(" ")[0] + " ")

    @property
    def models_meant(self) -> Sequence[str]:
        """The models that an action on this screen can be about, most urgent first."""
        model = self.context.model
        return (model,) if model else ()

    def answer_other_key(self, key: str | None) -> None:
        """Act on the one model meant with a key of the fleet screen, or say where the key works."""
        spec = None if key is None else self.session.keys.elsewhere(self.PLACE, key)
        if spec is None:
            return
        meant = self.models_meant
        if not spec.writes or spec.in_place("incident") or not meant:
            where = next((name for name in PLACES_IN_ORDER if spec.in_place(name)), "fleet")
            self.say(f"{key} ({spec.title.lower()}) is for the {where} screen; Esc goes back", "s3")
        elif len(meant) > 1:
            names = ", ".join(visible(name, 40) for name in meant[:3])
            more = f" and {len(meant) - 3} more" if len(meant) > 3 else ""
            self.say(f"which of {names}{more}? Open the model, then {key}", "s3")
        else:
            self.ask(spec)

    def on_prompt_submitted(self, message: Prompt.Submitted) -> None:
        """Run a command line; a screen takes the labels it opened itself."""
        message.stop()
        if message.label == ":":
            self.ask_line(message.text)
        elif self._asking is not None and message.label == self._asking[0]:
            (_, then), self._asking = self._asking, None
            then(message.text.strip())
        else:
            self.take_text(message.label, message.text)

    def ask_text(self, label: str, hint: str, then: Callable[[str], None], text: str = "") -> None:
        """Ask for a line of text in the prompt and hand it on; Escape hands on nothing."""
        self._asking = (label, then)
        self.query_one(Prompt).open(label, text, hint)

    def take_text(self, label: str, text: str) -> None:
        """Use a text typed into the prompt that this screen opened with ``label``."""

    def words(self) -> Sequence[str]:
        """Return the models' names as commands may be given them."""
        snapshot = self.session.snapshot
        return () if snapshot is None else [row.model for row in snapshot.rows]
