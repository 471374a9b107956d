"""What every driver offers: read a state, change it, compare and set."""

from collections.abc import Collection, Mapping
from typing import Protocol

from console.domain.control import (
    ControlState,
    JsonValue,
    Lookup,
    Offer,
    PreparedCall,
    PreparedChange,
    Proof,
    SendResult,
    TargetResult,
    TargetState,
)

TOLD_ONLY = ("escalate",)
"""Kinds of control that may be told something and cannot be read back."""

NOT_READ = "what it was told cannot be read back"


class ControlError(Exception):
    """A change that cannot be prepared; the text is one sentence with what to do."""

    @property
    def sentence(self) -> str:
        """Return the reason, safe to show."""
        return str(self)


class Control(Protocol):
    """One thing that can be read and changed, whatever carries it out.

    ``problem`` is empty, or says why the control cannot be used at all.
    """

    @property
    def name(self) -> str:
        """The control's name in the configuration."""

    @property
    def serves(self) -> tuple[str, ...]:
        """The kinds of server it can act on, by metrics profile; empty: any."""

    @property
    def kind(self) -> str:
        """What it controls: breaker, route, fallback, threshold, human, ack, annotate, or ""."""

    @property
    def driver(self) -> str:
        """Who carries it out: http, exec, local."""

    @property
    def problem(self) -> str:
        """Why it cannot be used, as a sentence; empty when it can."""

    @property
    def proof(self) -> Proof:
        """On what its behaviour rests."""

    @property
    def note(self) -> str:
        """What a preview should add about this kind of control."""

    @property
    def offers(self) -> Mapping[str, Offer]:
        """The changes it can make, by action name."""

    async def read(self, now: float) -> ControlState:
        """Read every target; never raises for a target, its ``error`` says what went wrong."""

    def prepare(
        self,
        action: str,
        variables: Mapping[str, JsonValue],
        seen: ControlState,
        *,
        targets: Collection[str] | None = None,
    ) -> PreparedChange:
        """Render one change from the state ``seen``, without sending; raises ``ControlError``.

        ``variables`` must hold ``op_id``, ``by`` and ``reason``. ``targets`` narrows the change.
        """

    async def dry_run(self, change: PreparedChange, now: float) -> SendResult:
        """Ask the service what it would do; raises ``ControlError`` where none is offered."""

    async def send(self, change: PreparedChange, now: float) -> SendResult:
        """Send each call once; what is already so or impossible is left out. Never raises."""

    async def lookup(self, change: PreparedChange, now: float) -> tuple[Lookup, ...]:
        """Look for the operation's marker at each target, before a class C call may go again."""

    async def aclose(self) -> None:
        """Let go of what is held."""


class Driver(Protocol):
    """The part of a control that differs by driver: how one read or one call is carried out.

    ``targets`` are the targets' shown names, in the order of the configuration.
    """

    @property
    def targets(self) -> tuple[str, ...]:
        """Return the targets known so far, as they are shown."""

    async def find(self) -> tuple[str, ...]:
        """Return the targets there are now; raises ``NotFound``."""

    async def read(self, target: str, now: float) -> TargetState:
        """Read one target; never raises, ``error`` says what went wrong."""

    def render(
        self, action: str, variables: Mapping[str, JsonValue], seen: TargetState
    ) -> tuple[str, object]:
        """Return the request as shown, and the payload to send; raises ``ControlError``."""

    async def send(self, action: str, call: PreparedCall, now: float) -> TargetResult:
        """Send one call once; never raises."""

    async def dry_run(self, action: str, call: PreparedCall, now: float) -> TargetResult:
        """Ask what one call would do; never raises."""

    async def lookup(self, action: str, call: PreparedCall, now: float) -> Lookup:
        """Look for the marker of one call; never raises."""

    async def aclose(self) -> None:
        """Let go of what is held."""
