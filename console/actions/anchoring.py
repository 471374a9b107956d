"""The keeper's other duty: the journal's head goes to a witness outside, again and again."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from console.journal.anchor import publish_anchor
from console.journal.errors import JournalError

if TYPE_CHECKING:
    from console.facts.entry import JournalHead
    from console.journal.anchor import AnchorPlace
    from console.journal.protocol import Journal
    from console.settings.secrets import SecretResolver

REMEMBERED = 500
"""How many heads of its own a keeper holds against the chain at each anchoring."""


@dataclass(slots=True)
class Anchoring:
    """Anchors a journal every ``every_seconds``, where it has grown since."""

    place: AnchorPlace
    every_seconds: float
    resolver: SecretResolver | None = None
    _due_at: float = 0.0
    _published: list[JournalHead] = field(default_factory=list)
    _told: str = ""

    async def go(self, journal: Journal, now: float) -> str:
        """Anchor the head if that is due at ``now`` (Unix seconds); return what is to be told.

        A chain that is broken, or is no longer the one this keeper anchored before, is not
        anchored: that is told instead. The same sentence is told once.
        """
        if now < self._due_at:
            return ""
        self._due_at = now + self.every_seconds
        try:
            sentence = await asyncio.to_thread(self._anchor, journal)
        except JournalError as fault:
            sentence = f"not anchored: {fault.sentence}"
        told, self._told = self._told, sentence
        return "" if sentence == told else sentence

    def _anchor(self, journal: Journal) -> str:
        judged = journal.verify(tuple(self._published))
        if not judged.ok:
            return f"NOT ANCHORED: the journal is {judged.sentence}"
        head = judged.head
        if head is None or head in self._published[-1:]:
            return self._told
        publish_anchor(self.place.where, head, auth=self.place.auth, resolver=self.resolver)
        self._published = [*self._published[1 - REMEMBERED :], head]
        return f"anchored: entry {head.seq} of {journal.place}"
