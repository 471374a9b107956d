"""Decides whether this session may change the world; every action passes here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from console.actions.write_actions import WRITES, WRITES_BY_VERB

if TYPE_CHECKING:
    from console.actions.spec import ActionContext, ActionSpec, Mode
    from console.domain.action import Mode as Mode_action
    from console.settings.schema import Settings

ARMED_SECONDS = 1800.0
"""How long a console stays armed."""


class Arming(Struct, frozen=True):
    """Whether a console may change the world: the ``writes`` setting, and until when it is armed.

    ``until`` is Unix seconds; None is not armed.
    """

    writes: Literal["never", "armed", "open"] = "never"
    until: float | None = None

    def mode(self, now: float) -> Mode:
        """Return what this console may do at ``now``; an arming that ran out is none."""
        if self.writes == "never":
            return "read_only"
        if self.writes == "open":
            return "open"
        return "armed" if self.until is not None and now < self.until else "read_only"

    def left_seconds(self, now: float) -> float | None:
        """Return how long it stays armed, None where time does not end it."""
        if self.mode(now) != "armed" or self.until is None:
            return None
        return self.until - now

    def switched(self, now: float) -> Arming:
        """Return it armed for 30 min from ``now``, or disarmed where it was armed."""
        armed = self.mode(now) == "armed"
        return Arming(self.writes, None if armed else now + ARMED_SECONDS)

    @property
    def fixed(self) -> str:
        """Return why no key can change it, empty where one can."""
        match self.writes:
            case "never":
                return 'the configuration says writes = "never"; no key or flag can raise that'
            case "open":
                return 'the configuration says writes = "open"; nothing has to be armed'
            case _:
                return ""


def allowed(spec: ActionSpec, mode: Mode) -> str | None:
    """Return None when ``spec`` may run in this mode, or the sentence that refuses it.

    Keys, palette, commands and direct calls all pass here; hiding a key protects nothing.
    """
    if not spec.writes or mode in ("armed", "open"):
        return None
    what = "record" if spec.danger == "C0" else "world"
    return f"{spec.title} changes the {what} and this session is read-only"


def refusal(spec: ActionSpec, mode: Mode, context: ActionContext) -> str | None:
    """Return why ``spec`` cannot run now: the gate first, then its place, then its own reason."""
    if (reason := allowed(spec, mode)) is not None:
        return reason
    if not spec.in_place(context.place):
        return f"{spec.title} is not for this screen"
    return spec.disabled(context)


__all__ = [
    "ARMED_SECONDS",
    "WRITES",
    "WRITES_BY_VERB",
    "mode_of_command",
    "require",
    "require_writable",
]


def mode_of_command(settings: Settings) -> Mode_action:
    """Return what a headless command may do: its own confirmation stands for arming."""
    return "read_only" if settings.writes == "never" else "armed"


def require_writable(what: str, mode: Mode_action) -> None:
    """Raise `WritesNotAllowed` unless this session may write; ``what`` changes, in a few words."""
    if mode == "read_only":
        sentence = f"{what} changes the record and this session is read-only"
        # Loaded here: keys ask this module before the first frame, and dataclasses take time.
        from console.domain.action import Guard, WritesNotAllowed

        raise WritesNotAllowed((Guard("read_only", "forbid", sentence),))


def require(verb: str, mode: Mode_action) -> None:
    """Raise `WritesNotAllowed` unless ``verb`` may change the world in this mode."""
    reason = allowed(WRITES_BY_VERB[verb], mode)
    if reason is not None:
        # Loaded here: keys ask this module before the first frame, and dataclasses take time.
        from console.domain.action import Guard, WritesNotAllowed

        raise WritesNotAllowed((Guard("read_only", "forbid", reason),))
