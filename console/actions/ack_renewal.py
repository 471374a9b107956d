"""Renews the silences behind acknowledgements while they last, and releases those that are over."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from console.actions.acknowledge import Ground, read_log, release
from console.actions.incident_executor import PreparedCare, perform_care
from console.actions.recovery import settle_target
from console.actions.silences import (
    declared_place,
    pager_place,
    places_of,
    prepared_of,
    silence_end,
)
from console.controls.protocol import ControlError
from console.controls.registry import ALERTS_PREFIX
from console.domain.action import ActionRefused, Confirmation
from console.domain.incident import Care
from console.domain.text import visible
from console.incidents.state import holds_in_force
from console.journal.chain import new_ulid
from console.metrics.units import format_clock
from console.settings.schema import ShiftSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from console.actions.executor import ActionExecutor
    from console.domain.control import JsonValue, PreparedChange
    from console.domain.entry import Entry
    from console.domain.incident import Hold
    from console.domain.snapshot import Snapshot
    from console.incidents.state import CareLog
    from console.settings.endpoint_tables import AlertSettings

LOOK_SECONDS: Final = 10.0
"""How often alert sources are asked about what is held."""

RESOLVED_SECONDS: Final = 90.0
"""How long alerts must be missing before what was held is let go.

An Alertmanager that was started anew is told of its alerts again within a minute.
"""

RETRY_SECONDS: Final = 30.0

OVERLAP_SECONDS: Final = 3600.0
"""How long before a shift's end what is taken belongs to the next one already."""


@dataclass(frozen=True, slots=True)
class _Place:
    """What one alert source says of a hold: how many of its alerts go on, and what runs out."""

    going: int = 0
    change: PreparedChange | None = None


@dataclass(slots=True)
class Holding:
    """Renews and ends holds, as a keeper or an armed console does; all it knows is in the journal.

    ``tell`` is told what happens. ``resolved_seconds`` and ``look_seconds`` are as the constants.
    """

    actor: ActionExecutor
    tell: Callable[[str], None]
    resolved_seconds: float = RESOLVED_SECONDS
    look_seconds: float = LOOK_SECONDS
    _look_at: dict[str, float] = field(default_factory=dict)
    _gone_at: dict[str, float] = field(default_factory=dict)

    async def look(self, snapshot: Snapshot | None = None) -> float:
        """Renew what is due and end what is over; return the seconds until the next look.

        ``snapshot`` tells what became of incidents that no alert source tells of. Raises
        ``JournalError``.
        """
        bench = self.actor.bench
        now = bench.clock()
        log, seq = await asyncio.to_thread(read_log, bench.journal, now)
        holds = holds_in_force(log)
        known = {hold.op_id for hold in holds}
        for times in (self._look_at, self._gone_at):
            for op_id in times.keys() - known:
                del times[op_id]
        for hold in holds:
            if self._look_at.get(hold.op_id, 0.0) > now and hold.ends_at > now:
                continue
            self._look_at[hold.op_id] = now + self.look_seconds
            try:
                await self._care_for(hold, log, seq, snapshot)
            except (ActionRefused, ControlError) as refused:
                self._again(hold, f"{_what(hold)} cannot be kept: {refused}")
        ends = [each.ends_at - bench.clock() for each in holds]
        return max(0.1, min([self.look_seconds, *ends]))

    async def _care_for(
        self, hold: Hold, log: CareLog, seq: int, snapshot: Snapshot | None
    ) -> None:
        bench = self.actor.bench
        ground = Ground(
            hold.incident, Care(hold.incident, hold.began_at, hold=hold), log, seq, bench.clock()
        )
        if hold.ends_at <= bench.clock():
            await self._end(hold, ground, "its end came")
            return
        shift_end = shift_end_of(hold, log.get(hold.incident, ()), bench.settings.shift)
        if shift_end is not None and shift_end <= bench.clock():
            await self._end(hold, ground, f"{hold.by}'s shift ended at {format_clock(shift_end)}")
            return
        alerts = alerts_of(log.get(hold.incident, ()), hold)
        # A pager's acknowledgement is not renewed: it stands until the incident ends there.
        names = [
            name for name in hold.place.split(", ") if name and pager_place(bench, name) is None
        ]
        if not names:
            if _is_over(hold, snapshot):
                await self._missing(hold, ground)
            return
        places = [
            await self._at(name, hold, ground, alerts[name])
            for name in names
            if name in alerts and declared_place(bench, name) is not None
        ]
        if not places:
            return
        if not any(each.going for each in places):
            await self._missing(hold, ground)
            return
        self._gone_at.pop(hold.op_id, None)
        changes = tuple(each.change for each in places if each.change is not None)
        if changes:
            await self._renew(hold, ground, changes)

    async def _at(
        self, name: str, hold: Hold, ground: Ground, alerts: Sequence[Mapping[str, str]]
    ) -> _Place:
        """Return how a hold stands at one alert source; raises ``ControlError``."""
        from console.controls.alert_api import target_of
        from console.controls.alertmanager import AlertmanagerControl

        bench = self.actor.bench
        control = bench.controls[f"{ALERTS_PREFIX}{name}"]
        declared = declared_place(bench, name)
        assert isinstance(control, AlertmanagerControl)
        assert declared is not None
        there = await control.alerts_there()
        going = [each for each in alerts if target_of(tuple(sorted(each.items()))) in there]
        if not going:
            return _Place()
        seen = await control.read(ground.now)
        if seen.error:
            raise ControlError(seen.error)
        late = [
            each
            for each in going
            if _runs_out(seen.left_seconds(target_of(tuple(sorted(each.items())))), declared)
        ]
        until = silence_end(declared, hold.ends_at, ground.now)
        self._look_at[hold.op_id] = ground.now + min(
            self.look_seconds, declared.ack_silence_seconds / 4.0
        )
        if not late:
            return _Place(len(going))
        variables: dict[str, JsonValue] = {
            "op_id": hold.op_id,
            "by": hold.by,
            "reason": hold.reason,
            "incident": hold.incident,
            "until": until,
            "alerts": [dict(each) for each in late],
        }
        change = control.prepare("ack", variables, seen)
        return _Place(len(going), None if change.already else change)

    async def _renew(self, hold: Hold, ground: Ground, changes: tuple[PreparedChange, ...]) -> None:
        bench = self.actor.bench
        await settle_target(bench, ground.target)
        action = prepared_of(
            bench, new_ulid(bench.clock()), f"Keep {_what(hold)}", hold.reason, ground, changes, ()
        )
        outcome = await self.actor.perform(action, Confirmation(yes=True, by_yes=True))
        if outcome.kind not in ("applied", "no_op", "superseded"):
            self._again(hold, f"{_what(hold)} may not be held any more: {outcome.sentence}")

    async def _missing(self, hold: Hold, ground: Ground) -> None:
        """Let go of what has been over for a while."""
        since = self._gone_at.setdefault(hold.op_id, ground.now)
        pause_seconds = min(self.look_seconds, self.resolved_seconds)
        self._look_at[hold.op_id] = ground.now + pause_seconds
        if ground.now - since >= self.resolved_seconds:
            await self._end(hold, ground, "it is over")

    async def _end(self, hold: Hold, ground: Ground, why: str) -> None:
        bench = self.actor.bench
        await settle_target(bench, ground.target)
        plan = release(ground, bench.who, new_ulid(bench.clock()), "", why=why)
        places = await places_of(bench, plan, ground)
        prepared = PreparedCare("release", plan, ground, places.action)
        outcome = await perform_care(self.actor, prepared)
        if outcome.kind != "superseded":
            self.tell(visible(f"let go: {_what(hold)}: {why}; {outcome.sentence}", 800))

    def _again(self, hold: Hold, sentence: str) -> None:
        self._look_at[hold.op_id] = self.actor.bench.clock() + RETRY_SECONDS
        self.tell(visible(sentence, 800))


def shift_end_of(hold: Hold, entries: Sequence[Entry], shift: ShiftSettings) -> float | None:
    """Return when the shift of whoever has it ends (Unix seconds); None: no shifts are declared.

    What is taken within an hour of a shift's end, as when it is handed over, is the next shift's.
    """
    if shift == ShiftSettings():
        return None
    taken = [
        each.at
        for each in entries
        if each.kind == hold.kind
        and each.who.name == hold.by
        and each.details.get("step") in ("taken", "renewed")
    ]
    return shift.next_end(max(taken, default=hold.began_at) + OVERLAP_SECONDS)


def alerts_of(entries: Sequence[Entry], hold: Hold) -> dict[str, list[dict[str, str]]]:
    """Return the labels of the alerts that a hold was told of, by alert source."""
    kept: object = {}
    for entry in entries:
        if entry.op_id == hold.op_id and isinstance(entry.details.get("alerts"), dict):
            kept = entry.details["alerts"]
    found: dict[str, list[dict[str, str]]] = {}
    for name, alerts in kept.items() if isinstance(kept, dict) else ():
        listed = alerts if isinstance(alerts, list) else []
        found[str(name)] = [
            {str(key): str(value) for key, value in each.items()}
            for each in listed
            if isinstance(each, dict)
        ]
    return found


def _runs_out(left_seconds: float, declared: AlertSettings) -> bool:
    return left_seconds < declared.ack_silence_seconds / 2.0


def _is_over(hold: Hold, snapshot: Snapshot | None) -> bool:
    """Tell whether this console sees that it is over; what it does not see may go on elsewhere."""
    if snapshot is None:
        return False
    found = next((each for each in snapshot.incidents if each.id == hold.incident), None)
    return found is not None and found.state == "resolved"


def _what(hold: Hold) -> str:
    return f"{hold.kind} of {hold.title or hold.incident} by {hold.by}"
