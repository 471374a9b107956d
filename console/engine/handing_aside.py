"""What screens may ask of handovers and postmortems, done in the engine's thread."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, TypeVar

from console.actions.refusal import ActionRefused
from console.engine.handle import Refused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from console.actions.handovers import HandoverWish
    from console.engine.acting import Acting
    from console.engine.service import Engine
    from console.facts.entry import Entry
    from console.facts.snapshot import Snapshot
    from console.reports.handover_document import HandoverDocument

Answer = TypeVar("Answer")


class HandsOverAside:
    """What `EngineThread` does about what is handed on; callbacks come from its thread."""

    _engine: Engine | None

    @property
    def latest(self) -> Snapshot | None:
        """Return the newest Snapshot."""
        raise NotImplementedError

    def _spawn_acting(
        self,
        make: Callable[[Acting], Awaitable[Answer]],
        deliver: Callable[[Answer | Refused], None],
        waits_for: str = "",
    ) -> None:
        raise NotImplementedError

    def request_handover(
        self, since: float, to: str, deliver: Callable[[HandoverDocument | Refused], None]
    ) -> None:
        """Gather what the shift since ``since`` (Unix seconds) leaves to ``to``, empty: anybody."""

        async def make(acting: Acting) -> HandoverDocument:
            engine = self._engine
            if engine is None:
                raise ActionRefused.forbidden("handover", "nothing was read yet")
            return acting.handover(await engine.shift_facts(since), since, to)

        self._spawn_acting(make, deliver)

    def request_postmortem(self, incident: str, deliver: Callable[[str | Refused], None]) -> None:
        """Tell one incident after the fact, as Markdown."""

        async def make(acting: Acting) -> str:
            engine = self._engine
            found = None if engine is None else await engine.postmortem_facts(incident)
            if found is None or isinstance(found, Refused):
                said = "nothing was read yet" if found is None else "; ".join(found.sentences)
                raise ActionRefused.forbidden("postmortem", said)
            return await asyncio.to_thread(acting.postmortem, found)

        self._spawn_acting(make, deliver)

    def write_handover(
        self, wish: HandoverWish, deliver: Callable[[Entry | Refused], None]
    ) -> None:
        """Write a handover into the journal."""
        self._spawn_acting(lambda acting: acting.hand_over(wish), deliver)

    def accept_handover(
        self, deliver: Callable[[tuple[Entry, tuple[str, ...]] | Refused], None]
    ) -> None:
        """Accept the newest handover that somebody else wrote, and take over what they held."""
        self._spawn_acting(lambda acting: acting.accept(self.latest), deliver)
