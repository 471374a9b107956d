"""Carries an action out: intent into the journal, one send, outcome judged by reading back."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from dataclasses import replace
from typing import TYPE_CHECKING

from console.actions import write_gate
from console.actions.action_record import consequences, intent_of, outcome_of
from console.actions.approval import APPROVAL_SECONDS, approval_of, check_confirmation
from console.actions.prepare import ActionEnvironment, prepare
from console.actions.readback import (
    Seen,
    judge,
    judge_renewal,
    judge_told,
    preconditions_failed,
    read_back,
)
from console.actions.recovery import WATCH_SECONDS, settle_target, watch_words
from console.actions.target_state import LEASE_SECONDS, lease_name
from console.actions.verbs import VERBS
from console.controls.template import changed_since
from console.domain.action import ActionRefused, Guard, NotConfirmed, Outcome
from console.domain.entry import EntryDraft
from console.domain.text import visible
from console.journal.chain import JournalError, TargetTouchedError
from console.journal.leases import holder_name, shown_holder
from console.journal.override_log import named_overrides, overrides_in_force
from console.journal.store_base import Question

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

    from console.domain.action import (
        ActionRequest,
        Confirmation,
        Mode,
        OutcomeKind,
        Override,
        PreparedAction,
        Step,
    )
    from console.domain.control import SendResult
    from console.domain.entry import Entry
    from console.domain.snapshot import Snapshot

log = logging.getLogger(__name__)

LONGEST_SHOWN_SECONDS = APPROVAL_SECONDS + 300.0
"""How old a preview may be when it is confirmed: as long as a second person may take, and some."""

_TOUCHING = (
    *("intent", "outcome", "override", "override_ended", "override_renewed", "resolved"),
    *("ack", "snooze", "close"),
)
_RENEW_LEASE_SECONDS = LEASE_SECONDS / 4


def _quiet(_stage: str, _sentence: str) -> None:
    return None


class ActionExecutor:
    """Does what is asked, or says why not; every change of the world goes through `perform`.

    ``mode`` is what this session may do; a console changes it while it is armed. ``progress`` is
    told each stage: intent, sent, observed.
    """

    def __init__(
        self, bench: ActionEnvironment, mode: Mode, progress: Callable[[str, str], None] = _quiet
    ) -> None:
        self.bench = bench
        self.mode: Mode = mode
        self.progress = progress

    def _tell(self, stage: str, sentence: str) -> None:
        """Tell how far it is; a reader that has gone must not cut an action off half way."""
        try:
            self.progress(stage, sentence)
        except (OSError, ValueError) as fault:
            log.warning("%s could not be told: %s: %s", stage, fault, sentence)

    async def prepare(
        self,
        request: ActionRequest,
        snapshot: Snapshot | None,
        *,
        steps: Sequence[Step] = (),
        lenient: bool = False,
        at_once: int = 1,
    ) -> PreparedAction:
        """Return the action as it would be done now, having settled what was cut off before.

        Raises `ActionRefused` where nothing can act, and ``JournalError``.
        """
        if self.bench.settings.writes != "never":
            await settle_target(self.bench, request.target)
        if snapshot is not None:
            self.bench.journal.name_rows({row.model: row.id for row in snapshot.rows if row.id})
        return await prepare(
            self.bench, request, snapshot, steps=steps, lenient=lenient, at_once=at_once
        )

    async def perform(self, prepared: PreparedAction, confirmation: Confirmation) -> Outcome:
        """Do a prepared action and return what became of it.

        Raises `WritesNotAllowed`, `NotConfirmed`, `ActionRefused`, and ``JournalError`` before
        anything is sent; once something may have been sent there is always an Outcome.
        """
        write_gate.require(_gate_name(prepared.request), self.mode)
        check_confirmation(prepared, confirmation)
        if self.bench.clock() - prepared.prepared_at > LONGEST_SHOWN_SECONDS:
            sentence = "nothing was sent: it was shown too long ago; look again"
            return self._outcome(prepared, "superseded", sentence)
        await self._check_second_person(prepared, confirmation)
        async with self._lease(prepared):
            try:
                intent = await asyncio.to_thread(self._write_intent, prepared, confirmation)
            except TargetTouchedError as fault:
                return self._outcome(prepared, "superseded", f"nothing was sent: {fault.sentence}")
            self._tell("intent", f"{prepared.title}: written down as {prepared.op_id}")
            try:
                outcome, answers = await self._carry_out(prepared, intent)
            except asyncio.CancelledError:
                self._tell("cut off", f"{prepared.title}: cut off; it is verified at next start")
                raise
            return await self._close(intent, outcome, answers)

    async def _check_second_person(
        self, prepared: PreparedAction, confirmation: Confirmation
    ) -> None:
        if not confirmation.approved_by:
            return
        together = confirmation.together
        if together is not None and (prepared.op_id, prepared.digest) not in together.members:
            sentence = f"{prepared.title} is not one of what was approved together"
            raise NotConfirmed((Guard("second_person", "refuse", sentence),))
        asked = prepared if together is None else together
        found = await asyncio.to_thread(
            approval_of, self.bench.journal, asked, self.bench.who, self.bench.clock()
        )
        if not found and not confirmation.break_glass:
            sentence = f"no second person has approved {prepared.op_id}"
            raise NotConfirmed((Guard("second_person", "refuse", sentence),))

    @contextlib.asynccontextmanager
    async def _lease(self, prepared: PreparedAction) -> AsyncIterator[None]:
        """Hold the target while acting, so that two consoles never act on it at once."""
        name = lease_name(prepared.request.target)
        me = holder_name(self.bench.who, prepared.op_id)
        journal = self.bench.journal

        def take() -> str:
            return journal.take_lease(name, me, LEASE_SECONDS, self.bench.clock()).holder

        holder = await asyncio.to_thread(take)
        if holder != me:
            raise ActionRefused.forbidden(
                "busy", f"{shown_holder(holder)} is acting on it now; look again"
            )

        async def keep() -> None:
            while True:
                await asyncio.sleep(_RENEW_LEASE_SECONDS)
                try:
                    await asyncio.to_thread(take)
                except JournalError as fault:
                    log.warning("the lease on %s could not be renewed: %s", name, fault.sentence)

        keeping = asyncio.create_task(keep())
        try:
            yield
        finally:
            keeping.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeping
            try:
                await asyncio.to_thread(journal.drop_lease, name, me)
            except JournalError as fault:
                # It ends by itself in LEASE_SECONDS; the outcome matters more.
                log.warning("the lease on %s could not be given back: %s", name, fault.sentence)

    def _write_intent(self, prepared: PreparedAction, confirmation: Confirmation) -> Entry:
        """Write the intent, durable before anything is sent. Blocks.

        Entries about the target that change nothing (a note, an approval) do not stand against it.
        """
        now = self.bench.clock()
        purpose = prepared.request.purpose
        begins = prepared.ttl_seconds is not None and purpose != "renew"
        drafts = [intent_of(prepared, confirmation, now, holds=begins)]
        if confirmation.break_glass:
            drafts.insert(0, _break_glass(prepared, confirmation, now))
        seq = prepared.seen_seq
        while True:
            try:
                written = self.bench.journal.append_all(drafts, untouched_since=seq)
            except TargetTouchedError as fault:
                since = self.bench.journal.entries(
                    Question(target=prepared.request.target, after_seq=seq)
                )
                if any(entry.kind in _TOUCHING for entry in since):
                    raise
                seq = max((entry.seq for entry in since), default=fault.entry.seq)
                continue
            return written[-1]

    async def _carry_out(
        self, prepared: PreparedAction, intent: Entry
    ) -> tuple[Outcome, list[SendResult]]:
        if prepared.already:
            calls = [call for each in prepared.changes for call in each.calls]
            states = tuple((call.target, call.seen.text) for call in calls)
            # A state that flaps must not be called so from one read.
            if changed := await self._changed_meanwhile(prepared):
                return self._outcome(prepared, "superseded", f"nothing was sent: {changed}"), []
            sentence = f"already {prepared.wanted}; nothing was sent"
            return self._outcome(prepared, "no_op", sentence, after=states), []
        changed = await self._recheck(prepared)
        if changed:
            return self._outcome(prepared, "superseded", f"nothing was sent: {changed}"), []
        bench = self.bench
        now = bench.clock()
        answers = list(
            await asyncio.gather(
                *(bench.controls[each.control].send(each, now) for each in prepared.changes)
            )
        )
        for answer in answers:
            self._tell("sent", answer.sentence)
        # What should have changed nothing needs a short look, not a wait; but it is looked at: a
        # proxy that repeats a request turns the change's own success into a 412.
        brief = all(answer.verdict == "rejected" for answer in answers)
        seen = await asyncio.gather(
            *(
                read_back(each, bench.controls[each.control], bench.clock, brief=brief)
                for each in prepared.changes
                if each.readable
            )
        )
        return self._judged(prepared, intent, seen, answers), answers

    async def _changed_meanwhile(self, prepared: PreparedAction) -> str:
        """Return what differs from the preview in two more reads, or nothing."""
        for _ in range(2):
            await asyncio.sleep(min(each.verify.every_seconds for each in prepared.changes))
            if changed := await self._recheck(prepared):
                return changed
        return ""

    async def _recheck(self, prepared: PreparedAction) -> str:
        """Return what changed since the preview as a sentence, or nothing."""
        found: list[str] = []
        now = self.bench.clock()
        for change in prepared.changes:
            state = await self.bench.controls[change.control].read(now)
            for call in change.calls:
                after = state.of(call.target)
                if after is not None and (call.seen.known or after.known):
                    found.append(changed_since(call.seen, after))
        return "; ".join(each for each in found if each)

    def _judged(
        self,
        prepared: PreparedAction,
        intent: Entry,
        seen: Sequence[Seen],
        answers: Sequence[SendResult],
    ) -> Outcome:
        if any(each.readable for each in prepared.changes):
            verdict = judge(prepared.changes, seen, answers)
        else:
            verdict = judge_told(prepared.changes, answers)
        if preconditions_failed(answers) and verdict.kind in ("rejected", "diverged"):
            told = "; ".join(answer.sentence for answer in answers)
            now = ", ".join(dict.fromkeys(text for each in seen for text in each.states.values()))
            sentence = f"nothing was changed by us: it is no longer as it was seen ({told}): {now}"
            verdict = replace(verdict, kind="superseded", sentence=sentence)
        if prepared.request.purpose == "renew":
            verdict = judge_renewal(verdict, answers)
        ends_at = None if prepared.ttl_seconds is None else intent.at + prepared.ttl_seconds
        states = tuple(pair for each in seen for pair in each.states.items())
        # What alert sources are told of an incident is there at once or not at all.
        watch_until = intent.at + WATCH_SECONDS if verdict.may_come and not prepared.care else None
        return Outcome(
            op_id=prepared.op_id,
            kind="failed" if verdict.late_only and watch_until is None else verdict.kind,
            sentence=verdict.sentence + watch_words(watch_until),
            watch_until=watch_until,
            done=verdict.done,
            total=verdict.total,
            after=states,
            at=self.bench.clock(),
            ends_at=ends_at,
            unknown_targets=verdict.unknown,
        )

    def _outcome(
        self,
        prepared: PreparedAction,
        kind: OutcomeKind,
        sentence: str,
        after: tuple[tuple[str, str], ...] = (),
    ) -> Outcome:
        return Outcome(prepared.op_id, kind, sentence, at=self.bench.clock(), after=after)

    async def _close(
        self, intent: Entry, outcome: Outcome, answers: Sequence[SendResult]
    ) -> Outcome:
        """Write the outcome and what follows from it; without a journal, say so and go on."""

        def write() -> None:
            overrides = overrides_in_force(self.bench.journal)
            drafts = [outcome_of(intent, outcome, answers)]
            self.bench.journal.append_all([*drafts, *consequences(intent, outcome, overrides)])

        self._tell("observed", outcome.sentence)
        try:
            await asyncio.to_thread(write)
        except JournalError as fault:
            sentence = (
                f"{outcome.sentence}. This could not be written to the journal ({fault.sentence}); "
                "the next start reads it back again"
            )
            return replace(outcome, sentence=sentence, recorded=False)
        return outcome

    def override(self, op: str) -> Override:
        """Return the override that ``op`` names; raises `ActionRefused`. Blocks."""
        overrides = overrides_in_force(self.bench.journal)
        found = named_overrides(overrides, op)
        if len(found) == 1:
            return found[0]
        shown = found or overrides
        known = ", ".join(f"{each.op_id} ({each.verb} {each.target})" for each in shown)
        what = f"names {len(found)} overrides" if found else "names no override"
        raise ActionRefused.forbidden(
            "unknown_op", f"{visible(op, 60)} {what}; in force: {visible(known or 'nothing', 600)}"
        )


def _gate_name(request: ActionRequest) -> str:
    if request.decision:
        return "decide"
    return request.purpose or (request.verb if request.verb in VERBS else "end")


def _break_glass(prepared: PreparedAction, confirmation: Confirmation, now: float) -> EntryDraft:
    request = prepared.request
    return EntryDraft(
        kind="break_glass",
        at=now,
        action=request.verb,
        target=request.target,
        op_id=prepared.op_id,
        why=confirmation.break_glass,
        confirm_class=prepared.confirm_class,
        incident=request.incident,
        details={"guards": [guard.sentence for guard in prepared.guards]},
    )
