"""Why an action is not done at all, before anything is sent."""

from __future__ import annotations

from console.facts.action import Guard


class ActionRefused(Exception):
    """A guard speaks against it; nothing was sent. ``guards`` say which, each with its reason."""

    def __init__(self, guards: tuple[Guard, ...]) -> None:
        super().__init__("; ".join(guard.sentence for guard in guards))
        self.guards = guards

    @classmethod
    def forbidden(cls, guard: str, sentence: str) -> ActionRefused:
        """Return the refusal by one objection that nothing overrules."""
        return cls((Guard(guard, "forbid", sentence),))


class WritesNotAllowed(ActionRefused):
    """This session may not change the world."""


class NotConfirmed(ActionRefused):
    """The confirmation does not reach what the class of the change asks for."""
