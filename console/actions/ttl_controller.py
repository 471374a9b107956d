"""Ends overrides when they are due and anchors the journal, for ``midwatch keep``."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from console.actions.ack_renewal import Holding
from console.actions.overrides import lost_of, lost_overrides
from console.actions.recovery import settle_all
from console.actions.undo import note_gone, prepare_end, still_held
from console.domain.action import ActionRefused, Confirmation
from console.domain.text import visible
from console.journal.anchor import publish_anchor
from console.journal.chain import JournalError
from console.journal.leases import KEEPER_LEASE, holder_name, shown_holder
from console.journal.override_log import overrides_in_force
from console.settings.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from console.actions.executor import ActionExecutor
    from console.domain.action import Override
    from console.domain.entry import JournalHead
    from console.journal.anchor import AnchorPlace
    from console.journal.store_base import Journal
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


EVERY_SECONDS = 5.0
SERVICE_GRACE_SECONDS = 10.0
"""How long past its end a service that ends an override itself is waited for."""

RETRY_SECONDS = 30.0
WATCH_SECONDS = 10.0
"""How often the states held by hand are looked at."""

KEEPER_LEASE_SECONDS = 15.0
"""How long a keeper counts as alive after its last sign."""


@dataclass(slots=True)
class Keeper:
    """Ends what is due, as the one keeper of a journal; others stand by.

    ``every_seconds`` is the longest pause between two looks. ``tell`` is told what happens. All it
    knows is in the journal, so that a restarted keeper goes on where the last one stopped.
    ``anchoring`` None anchors nothing.
    """

    actor: ActionExecutor
    tell: Callable[[str], None]
    every_seconds: float = EVERY_SECONDS
    anchoring: Anchoring | None = None
    holding: Holding = field(init=False)
    _retry_at: dict[str, float] = field(default_factory=dict)
    _standing_by: bool = False
    _watch_at: float = 0.0
    _suspects: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        """Keep holds on incidents too, with the same actor."""
        self.holding = Holding(self.actor, self.tell)

    async def run(self, ended: asyncio.Event) -> None:
        """Keep until ``ended``; a fault of the journal is told, and tried again."""
        told = ""
        beating = asyncio.create_task(self._beat())
        try:
            while not ended.is_set():
                try:
                    pause_seconds = await self.look()
                    told = ""
                except JournalError as fault:
                    pause_seconds = self.every_seconds
                    if fault.sentence != told:
                        self.tell(f"cannot keep: {fault.sentence}")
                    told = fault.sentence
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(pause_seconds):
                        await ended.wait()
        finally:
            beating.cancel()
            await self.leave()

    async def leave(self) -> None:
        """Give the lease back, so that the next keeper need not wait for its end."""
        with contextlib.suppress(JournalError):  # the lease then ends by itself
            await asyncio.to_thread(self.actor.bench.journal.drop_lease, KEEPER_LEASE, self._me)

    async def look(self) -> float:
        """Settle what was cut off, end what is due; return the seconds until the next look.

        Raises ``JournalError``.
        """
        if not await self._is_keeper():
            return self.every_seconds
        for outcome in await settle_all(self.actor.bench):
            self.tell(f"{outcome.op_id}: {outcome.sentence}")
        overrides = await asyncio.to_thread(overrides_in_force, self.actor.bench.journal)
        for override in overrides:
            if self._due_at(override) <= self.actor.bench.clock():
                await self._end(override)
        await self._watch(overrides)
        holds_seconds = await self.holding.look()
        await self._anchor()
        left = [self._due_at(each) - self.actor.bench.clock() for each in overrides]
        return min([self.every_seconds, holds_seconds, *(max(0.1, each) for each in left)])

    async def _anchor(self) -> None:
        if self.anchoring is None:
            return
        bench = self.actor.bench
        if said := await self.anchoring.go(bench.journal, bench.clock()):
            self.tell(visible(said, 800))

    async def _watch(self, overrides: Sequence[Override]) -> None:
        """Write down, once, what is held by hand in the record and no longer so in the world.

        Seen twice in a row, because somebody may be changing it by our own pipeline meanwhile.
        """
        bench = self.actor.bench
        if bench.clock() < self._watch_at:
            return
        self._watch_at = bench.clock() + WATCH_SECONDS
        gone = await lost_overrides(bench, overrides)
        for override, state in gone:
            if override.op_id not in self._suspects:
                continue
            draft = lost_of(override, state, bench.clock())
            await asyncio.to_thread(bench.journal.append, draft)
            what = f"{override.verb} {override.target} by {override.by}"
            self.tell(visible(f"LOST: {what}: now {state}, and not by us", 800))
        self._suspects = {override.op_id for override, _ in gone}

    async def _beat(self) -> None:
        """Stay alive for others while an end is read back, which takes longer than a lease."""
        while True:
            await asyncio.sleep(KEEPER_LEASE_SECONDS / 3.0)
            if not self._standing_by:
                # What is wrong with the journal is told by the next look.
                with contextlib.suppress(JournalError):
                    await self._take_lease()

    async def _take_lease(self) -> str:
        bench = self.actor.bench
        lease = await asyncio.to_thread(
            bench.journal.take_lease, KEEPER_LEASE, self._me, KEEPER_LEASE_SECONDS, bench.clock()
        )
        return lease.holder

    @property
    def _me(self) -> str:
        return holder_name(self.actor.bench.who, "keeper")

    async def _is_keeper(self) -> bool:
        holder = await self._take_lease()
        mine = holder == self._me
        if not mine and not self._standing_by:
            self.tell(f"standing by: {shown_holder(holder)} keeps this journal")
        self._standing_by = not mine
        return mine

    def _due_at(self, override: Override) -> float:
        if override.ends_at is None:
            return float("inf")
        return max(override.ends_at, self._retry_at.get(override.op_id, 0.0))

    async def _end(self, override: Override) -> None:
        """End one override; what goes wrong is told and tried again, never dropped."""
        actor, now = self.actor, self.actor.bench.clock()
        what = f"{override.verb} {override.target} by {override.by}"
        try:
            prepared = await prepare_end(
                actor, override, f"its end was due; begun: {override.reason}"
            )
            if not still_held(override, prepared):
                await note_gone(actor, override, f"it was {prepared.before} already")
                self.tell(f"ended: {what}: it was {prepared.before} already, nothing was sent")
                return
            late = now - (override.ends_at or now)
            if override.enforced_by == "service" and late < SERVICE_GRACE_SECONDS:
                self._retry_at[override.op_id] = now + 1.0
                return
            outcome = await actor.perform(prepared, Confirmation(yes=True, by_yes=True))
        except ActionRefused as refused:
            self._again(override, now, f"OVERDUE: {what} cannot be ended: {refused}")
            return
        if outcome.kind in ("applied", "no_op"):
            self._retry_at.pop(override.op_id, None)
            self.tell(f"ended: {what}: {outcome.sentence}")
        else:
            late_words = format_duration(max(1.0, round(now - (override.ends_at or now))))
            self._again(
                override,
                now,
                f"OVERDUE by {late_words}: {what}: {outcome.kind}: {outcome.sentence}",
            )

    def _again(self, override: Override, now: float, sentence: str) -> None:
        self._retry_at[override.op_id] = now + RETRY_SECONDS
        self.tell(visible(sentence, 800))
