"""The write side of a running console: journal, controls and the write gate."""

from __future__ import annotations

import asyncio
import logging
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec.structs import replace as structs_replace

from console.actions.ack_renewal import Holding
from console.actions.approval import APPROVAL_SECONDS, approval_of, ask_for
from console.actions.availability import Outlook, outlooks
from console.actions.decision_record import write_decision
from console.actions.decision_sinks import prepare_with_sends
from console.actions.executor import ActionExecutor
from console.actions.incident_executor import care_for
from console.actions.prepare import ActionEnvironment
from console.actions.record_actions import ACCEPT
from console.actions.recovery import settle_all
from console.actions.target_state import holder_of
from console.actions.undo import prepare_end, prepare_renew, prepare_undo
from console.actions.write_gate import ARMED_SECONDS, Arming
from console.controls.registry import ControlRegistry
from console.decisions.decision_log import decisions_in, find_decision
from console.domain.action import ActionRefused, Together, WritesNotAllowed
from console.domain.text import visible
from console.engine.client import Refused, WriteState
from console.handover.accept import accept_with_holds, require_writes, write_handover
from console.handover.record import handovers_in, to_accept
from console.journal.chain import JournalError, TargetTouchedError
from console.journal.identity import gather_who, is_shared_login
from console.journal.leases import KEEPER_LEASE
from console.journal.opening import declared_name, open_configured

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from console.actions.decision_record import DecisionWish, PreparedDecision
    from console.domain.action import ActionRequest, Confirmation, Outcome, PreparedAction
    from console.domain.decision import DecisionRecord
    from console.domain.entry import Entry, Who
    from console.domain.incident import CareWish
    from console.domain.snapshot import Snapshot
    from console.handover.handover_document import HandoverDocument, ShiftFacts
    from console.handover.record import HandoverWish
    from console.journal.store_base import Journal
    from console.reports.postmortem import PostmortemFacts
    from console.settings.load import Loaded
    from console.settings.schema import Settings
    from console.settings.secrets import SecretResolver

log = logging.getLogger(__name__)

RETRY_SECONDS = 30.0


async def keep_holds(
    acting: Acting, latest: Callable[[], Snapshot | None], tell: Callable[[str], None]
) -> None:
    """Keep holds until cancelled; what goes wrong is told once, and tried again."""
    told = ""
    while True:
        problem, pause_seconds = "", RETRY_SECONDS
        try:
            pause_seconds = await acting.keep_holds(latest(), tell)
        except JournalError as fault:
            problem = fault.sentence
        except Exception as fault:
            log.exception("keeping holds failed")
            problem = visible(repr(fault), 300)
        if problem and problem != told:
            tell(f"holds on incidents are not kept: {problem}")
        told = problem
        await asyncio.sleep(pause_seconds)


APPROVAL_POLL_SECONDS = 1.0
HOLDS_SECONDS = 10.0
"""How long a console that keeps no holds waits before it looks whether it should."""


class Acting:
    """Prepares and performs what a console asks for, through the one pipeline.

    Nothing is opened before `start`, and the journal not before it is needed or exists already.
    ``clock`` gives Unix seconds. Everything but `state` belongs to the engine's loop.
    """

    def __init__(
        self,
        loaded: Loaded,
        resolver: SecretResolver,
        environ: Mapping[str, str],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._loaded = loaded
        self._resolver = resolver
        self._environ = environ
        self._clock = clock
        self._settings = loaded.settings
        until = clock() + ARMED_SECONDS if loaded.armed_at_start else None
        self._arming = Arming(loaded.settings.writes, until)
        self._controls = ControlRegistry(loaded.settings, resolver)
        self._journal: Journal | None = None
        self._opening = asyncio.Lock()
        self._who: Who | None = None
        self._problem = ""
        self._settled: tuple[str, ...] = ()
        self._holding: Holding | None = None

    @property
    def state(self) -> WriteState:
        """Return what this console may do now and as whom; safe from any thread."""
        now, who, journal = self._clock(), self._who, self._journal
        return WriteState(
            mode=self._arming.mode(now),
            armed_left_seconds=self._arming.left_seconds(now),
            unarmable=self._arming.fixed,
            who="" if who is None else who.name,
            person="" if who is None else who.person,
            shared_login=who is not None and is_shared_login(who),
            shared_journal=journal is not None and journal.shared,
            problem=self._problem,
            settled=self._settled,
        )

    def switch_arming(self) -> None:
        """Arm for 30 min, or take that back; safe from any thread."""
        if not self._arming.fixed:
            self._arming = self._arming.switched(self._clock())

    async def start(self) -> None:
        """Learn who acts, and read back what a crash cut off; raises ``JournalError``.

        A record that is not there yet is not made for somebody who only looks.
        """
        self._who = await asyncio.to_thread(self._gather_who)
        if self._arming.mode(self._clock()) == "read_only" and not _exists(self._settings):
            return
        if self._settings.writes != "never":
            settled = await settle_all(await self._bench())
            self._settled = tuple(f"{each.op_id}: {each.sentence}" for each in settled)

    async def adopt(self, settings: Settings) -> None:
        """Put reloaded settings in force; what was armed stays so unless writing is barred now."""
        barred = (settings.writes == "never") != (self._settings.writes == "never")
        before, self._settings = self._controls, settings
        self._controls = ControlRegistry(settings, self._resolver)
        self._arming = Arming(settings.writes, self._arming.until)
        await before.aclose()
        if barred:  # it is opened again as it may be used now
            await self._close_journal()

    async def prepare(
        self, request: ActionRequest, snapshot: Snapshot | None, together: int = 1
    ) -> PreparedAction:
        """Return what ``request`` would do now; one of several ``together`` is class C3.

        Raises `ActionRefused` and ``JournalError``.
        """
        actor = ActionExecutor(await self._bench(), self.state.mode)
        if not request.purpose:
            prepared = await actor.prepare(request, snapshot)
        elif request.purpose == "undo":
            prepared = await prepare_undo(
                actor, request.ends_op, request.reason, request.ttl_seconds, snapshot
            )
        else:
            override = await asyncio.to_thread(actor.override, request.ends_op)
            if request.purpose == "end":
                prepared = await prepare_end(actor, override, request.reason)
            else:
                prepared = await prepare_renew(
                    actor, override, request.reason, request.ttl_seconds, snapshot
                )
        return replace(prepared, confirm_class="C3") if together > 1 else prepared

    async def perform(
        self,
        prepared: PreparedAction,
        confirmation: Confirmation,
        progress: Callable[[str, str], None],
    ) -> Outcome:
        """Do it; raises what `Actor.perform` raises, and nothing once something was sent."""
        actor = ActionExecutor(await self._bench(), self.state.mode, progress)
        return await actor.perform(prepared, confirmation)

    async def second_person(self, actions: Sequence[PreparedAction]) -> str:
        """Ask on the shared journal and wait for ``midwatch approve``; return who approved.

        Several are asked about, and approved, as one set.

        Raises `ActionRefused` where nobody can be asked or nobody answers, and ``JournalError``.
        """
        bench = await self._bench()
        if not bench.journal.shared:
            raise ActionRefused.forbidden(
                "second_person",
                "a second person can only be asked on a shared journal (postgresql://…); "
                "give a break-glass reason instead",
            )
        asked = actions[0] if len(actions) == 1 else Together.of(actions)
        await asyncio.to_thread(ask_for, bench.journal, actions, bench.clock())
        until = bench.clock() + APPROVAL_SECONDS
        while bench.clock() < until:
            by = await asyncio.to_thread(
                approval_of, bench.journal, asked, bench.who, bench.clock()
            )
            if by:
                return by
            await asyncio.sleep(APPROVAL_POLL_SECONDS)
        raise ActionRefused.forbidden(
            "second_person", "nobody approved within ten minutes; nothing was sent"
        )

    async def prepare_decision(
        self, wish: DecisionWish, sinks: Collection[str] | None, snapshot: Snapshot | None
    ) -> PreparedDecision:
        """Return a decision as it would stand now; raises `ActionRefused` and ``JournalError``."""
        actor = ActionExecutor(await self._bench(), self.state.mode)
        return await prepare_with_sends(actor, wish, snapshot, sinks)

    async def write_decision(self, prepared: PreparedDecision) -> DecisionRecord:
        """Write a decision that a person confirmed; raises `ActionRefused` and ``JournalError``."""
        bench, mode = await self._bench(), self.state.mode
        try:
            await asyncio.to_thread(write_decision, bench.journal, prepared, mode, confirmed=True)
        except TargetTouchedError as fault:
            raise ActionRefused.forbidden("superseded", fault.sentence) from fault
        decided = await asyncio.to_thread(decisions_in, bench.journal, prepared.decision.model)
        return find_decision(decided, prepared.decision.id)

    async def care(self, wish: CareWish, snapshot: Snapshot | None) -> Outcome:
        """Do something about an incident; raises `ActionRefused` and ``JournalError``."""
        return await care_for(ActionExecutor(await self._bench(), self.state.mode), wish, snapshot)

    def handover(self, facts: ShiftFacts, since: float, to: str = "") -> HandoverDocument:
        """Return what this shift leaves to ``to``, free of secrets; ``since`` in Unix seconds."""
        from console.handover.build import handover
        from console.handover.handover_document import Shift
        from console.reports.redact import cleaned

        who = self._who or self._gather_who()
        now = self._clock()
        ends_at = self._settings.shift.next_end(now)
        account = f"{who.person}@{who.host}"
        shift = Shift(since, now, who.name, account, to=to, due_at=ends_at)
        return cleaned(handover(facts, shift), self._resolver.known())

    def postmortem(self, facts: PostmortemFacts) -> str:
        """Return a postmortem as Markdown, with roles for people and free of secrets."""
        from console.reports.markdown import markdown
        from console.reports.postmortem import postmortem
        from console.reports.postmortem_text import postmortem_blocks
        from console.reports.redact import cleaned

        return markdown(postmortem_blocks(cleaned(postmortem(facts), self._resolver.known())))

    async def hand_over(self, wish: HandoverWish) -> Entry:
        """Write a handover; raises `ActionRefused` and ``JournalError``."""
        bench = await self._bench()
        mode, now = self.state.mode, bench.clock()
        return await asyncio.to_thread(write_handover, bench.journal, wish, mode, now)

    async def accept(self, snapshot: Snapshot | None) -> tuple[Entry, tuple[str, ...]]:
        """Accept the newest handover of somebody else and what they held; raises as `hand_over`."""
        bench = await self._bench()
        mode = self.state.mode
        require_writes(ACCEPT, mode)
        records = await asyncio.to_thread(handovers_in, bench.journal)
        found = to_accept(records, bench.who)
        return await accept_with_holds(ActionExecutor(bench, mode), found, snapshot)

    async def keep_holds(self, snapshot: Snapshot | None, tell: Callable[[str], None]) -> float:
        """Renew and end what is held, while this console may write and no keeper runs.

        Returns the seconds until it is looked at again; raises ``JournalError``.
        """
        if self.state.mode == "read_only" or not _exists(self._settings):
            return HOLDS_SECONDS
        bench = await self._bench()
        if await asyncio.to_thread(holder_of, bench.journal, KEEPER_LEASE, bench.clock()):
            return HOLDS_SECONDS
        if self._holding is None:
            self._holding = Holding(ActionExecutor(bench, self.state.mode), tell)
        self._holding.actor = ActionExecutor(bench, self.state.mode)
        return await self._holding.look(snapshot)

    def outlooks(self, model: str, snapshot: Snapshot | None) -> tuple[Outlook, ...]:
        """Return what could be done to a model by what is measured and declared; asks nobody."""
        return outlooks(model, self._settings, snapshot, self._controls, self._clock())

    async def close(self) -> None:
        """Let go of controls and journal."""
        await self._controls.aclose()
        await self._close_journal()

    async def _close_journal(self) -> None:
        journal, self._journal = self._journal, None
        if journal is not None:
            await asyncio.to_thread(journal.close)

    async def _bench(self) -> ActionEnvironment:
        async with self._opening:
            if self._journal is None:
                try:
                    # Which journal stays as at the start, whether it may be written does not.
                    as_now = structs_replace(
                        self._loaded,
                        settings=structs_replace(
                            self._loaded.settings, writes=self._settings.writes
                        ),
                    )
                    self._journal = await asyncio.to_thread(
                        open_configured, as_now, self._resolver, self._environ
                    )
                except JournalError as fault:
                    self._problem = f"the journal cannot be used: {fault.sentence}"
                    raise
                self._problem = ""
            if self._who is None:
                self._who = await asyncio.to_thread(self._gather_who)
        return ActionEnvironment(
            self._settings, self._controls, self._journal, self._who, self._clock
        )

    def _gather_who(self) -> Who:
        return gather_who(*declared_name(self._settings, self._environ), self._environ)


def _exists(settings: Settings) -> bool:
    """Tell whether there is a record that may hold something cut off."""
    url = settings.journal.url
    if not url.startswith("sqlite:///"):
        return True
    return Path(url.removeprefix("sqlite:///")).expanduser().exists()


def told_refusal(fault: ActionRefused | JournalError) -> Refused:
    """Return why nothing was sent, for a screen."""
    if isinstance(fault, JournalError):
        sentence = f"nothing was sent: the journal cannot be used: {visible(fault.sentence, 600)}"
        return Refused((sentence,), "journal")
    sentences = tuple(visible(guard.sentence, 600) for guard in fault.guards)
    return Refused(sentences, "not_allowed" if isinstance(fault, WritesNotAllowed) else "guard")
