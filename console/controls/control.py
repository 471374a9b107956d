"""A control: a declaration with its driver; the ``local`` driver that keeps a state itself."""

import asyncio
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Protocol

from console.controls.declaration import MATCH_PREFIX, Change, Declared
from console.controls.protocol import ControlError, Driver
from console.controls.target_discovery import NotFound
from console.controls.template import (
    desired_of,
    fill_text,
    needs_of,
    offer_of,
    proofs_of,
    way_back,
)
from console.domain.control import (
    ControlState,
    Inverse,
    JsonValue,
    Lookup,
    Offer,
    PreparedCall,
    PreparedChange,
    Proof,
    Scalar,
    SendResult,
    TargetResult,
    TargetState,
    VerifyPlan,
    same_value,
)

REQUIRED = ("op_id", "by", "reason")
OPTIONAL = ("ttl_seconds", "until", "incident")
MAX_CONCURRENT_TARGETS = 8
LATER_VERSION = "(the version read then)"
LATER = "as-read-then"


class DrivenControl:
    """One usable control; drivers differ, preparing and planning the way back do not."""

    problem = ""

    def __init__(self, declared: Declared, driver: Driver) -> None:
        self._declared = declared
        self._driver = driver
        self._offers = {
            action: offer_of(declared, action, (*REQUIRED, *OPTIONAL))
            for action in declared.actions
        }

    @property
    def name(self) -> str:
        """The control's name in the configuration."""
        return self._declared.name

    @property
    def kind(self) -> str:
        """What it controls."""
        return self._declared.kind

    @property
    def driver(self) -> str:
        """Who carries it out."""
        return self._declared.settings.driver

    @property
    def proof(self) -> Proof:
        """On what its behaviour rests."""
        return self._declared.proof

    @property
    def note(self) -> str:
        """What a preview should add."""
        return self._declared.note

    @property
    def serves(self) -> tuple[str, ...]:
        """The kinds of server it can act on, by metrics profile; empty: any."""
        return self._declared.serves

    @property
    def offers(self) -> Mapping[str, Offer]:
        """The changes it can make, by action name."""
        return MappingProxyType(self._offers)

    async def aclose(self) -> None:
        """Let go of what the driver holds."""
        await self._driver.aclose()

    async def read(self, now: float) -> ControlState:
        """Read every target at once; a target that cannot be read says so in its ``error``."""
        slots = asyncio.Semaphore(MAX_CONCURRENT_TARGETS)

        async def one(target: str) -> TargetState:
            async with slots:
                return await self._driver.read(target, now)

        try:
            targets = await self._driver.find()
        except NotFound as reason:
            lost = TargetState(self.name, now, error=f"no target is known: {reason}")
            return ControlState(self.name, now, (lost,))
        states = await asyncio.gather(*(one(target) for target in targets))
        return ControlState(self.name, now, tuple(states))

    def prepare(
        self,
        action: str,
        variables: Mapping[str, JsonValue],
        seen: ControlState,
        *,
        targets: Collection[str] | None = None,
    ) -> PreparedChange:
        """Render one change from the state ``seen``, without sending; raises ``ControlError``."""
        if seen.control != self.name:
            raise ControlError(f"the state of {seen.control} is no ground to change {self.name}")
        change, values = self._values(action, variables)
        read = tuple(each.target for each in seen.targets)
        chosen = read if targets is None else tuple(targets)
        strangers = sorted(set(chosen) - set(self._driver.targets))
        if strangers:
            why = seen.error or f"{strangers[0]} is no target of the control {self.name}"
            raise ControlError(f"{action} cannot be prepared: {why}")
        desired = desired_of(proofs_of(self._declared, change), values)
        calls = tuple(
            self._call(action, change, values, desired, _seen(seen, target)) for target in chosen
        )
        offer = self._offers[action]
        plan = change.verify
        return PreparedChange(
            control=self.name,
            action=action,
            label=offer.label,
            op_id=str(values["op_id"]),
            danger=offer.danger,
            retry_class=offer.retry_class,
            desired=desired,
            verify=VerifyPlan()
            if plan is None
            else VerifyPlan(plan.every_seconds, plan.within_seconds, plan.stable_for),
            proof=offer.proof,
            ends_itself=offer.ends_itself
            and any(values.get(name) is not None for name in ("ttl_seconds", "until")),
            calls=calls,
            note=offer.note,
            has_dry_run=offer.has_dry_run,
            has_lookup=offer.has_lookup,
            readable=self._declared.read is not None,
        )

    def _values(
        self, action: str, variables: Mapping[str, JsonValue]
    ) -> tuple[Change, dict[str, JsonValue]]:
        change = self._declared.actions.get(action)
        if change is None:
            known = ", ".join(self._declared.actions) or "nothing"
            raise ControlError(f"the control {self.name} cannot {action}; it can {known}")
        declared: dict[str, JsonValue] = self._declared.vars  # type: ignore[assignment]
        for name, value in variables.items():
            if name in declared and declared[name] != value:
                raise ControlError(
                    f"the variable {name} is fixed by controls.{self.name}.vars and cannot change"
                )
        for name in REQUIRED:
            if not variables.get(name):
                raise ControlError(f"{name} must be given with every change")
        values = {**dict.fromkeys(OPTIONAL), **declared, **variables}
        missing = [name for name in self._offers[action].needs if values.get(name) is None]
        if missing:
            raise ControlError(f"{action} on {self.name} needs a value for {', '.join(missing)}")
        return change, values

    def _call(
        self,
        action: str,
        change: Change,
        values: Mapping[str, JsonValue],
        desired: tuple[str, ...],
        seen: TargetState,
    ) -> PreparedCall:
        already = seen.known and bool(desired) and same_value(seen.value, desired[0])
        objection, impossible = _objection(change, action, seen)
        shown, payload = "", None
        try:
            # Also where it is so already: whoever renews an end sends the same request again.
            shown, payload = self._driver.render(action, values, seen)
        except ControlError:
            if not already and not impossible:
                raise
        inverse, problem = self._inverse(action, values, seen)
        return PreparedCall(
            target=seen.target,
            shown=shown,
            seen=seen,
            already=already,
            objection=objection,
            impossible=impossible,
            inverse=inverse,
            inverse_problem=problem,
            payload=payload,
        )

    def _inverse(
        self, action: str, values: Mapping[str, JsonValue], seen: TargetState
    ) -> tuple[Inverse | None, str]:
        """Return the way back to the state seen, with its exact request, or why there is none."""
        if not seen.known:
            return None, "the state before is not known, so no way back can be planned"
        found = way_back(self._declared, seen.value, values, action)
        if found is None:
            return None, f"no action of {self.name} leads back to {seen.text}"
        verb, added = found
        again = {**values, **dict.fromkeys(OPTIONAL), **added}
        try:
            then = replace(
                seen,
                etag=LATER_VERSION if seen.etag else "",
                matches=tuple((each, LATER) for each in self._declared.actions),
            )
            shown, _ = self._driver.render(verb, again, then)
        except ControlError as error:
            return None, f"the way back cannot be written: {error}"
        needs = {name: again[name] for name in needs_of(self._declared, verb)}
        return Inverse(seen.target, verb, tuple({**needs, **added}.items()), shown), ""

    async def send(self, change: PreparedChange, now: float) -> SendResult:
        """Send each call once; what is already so or impossible is left out. Never raises."""
        slots = asyncio.Semaphore(MAX_CONCURRENT_TARGETS)

        async def one(call: PreparedCall) -> TargetResult:
            if call.payload is None and not call.impossible:
                sentence = f"{call.target}: the request is not at hand; prepare the change again"
                return TargetResult(call.target, "rejected", sentence, False, now)
            if call.impossible:
                return TargetResult(call.target, "rejected", call.objection, False, now)
            async with slots:
                return await self._driver.send(change.action, call, now)

        going = [call for call in change.calls if not call.already]
        return SendResult(tuple(await asyncio.gather(*(one(call) for call in going))))

    async def dry_run(self, change: PreparedChange, now: float) -> SendResult:
        """Ask the service what it would do; raises ``ControlError`` where none is offered."""
        if not self._offers[change.action].has_dry_run:
            raise ControlError(f"{change.action} on {self.name} offers no dry run")
        asked = [call for call in change.calls if call.payload is not None and not call.impossible]
        return SendResult(
            tuple(
                await asyncio.gather(
                    *(self._driver.dry_run(change.action, call, now) for call in asked)
                )
            )
        )

    async def lookup(self, change: PreparedChange, now: float) -> tuple[Lookup, ...]:
        """Look for the operation's marker at each target."""

        async def one(call: PreparedCall) -> Lookup:
            if call.payload is None:
                return Lookup(call.target, None, f"{call.target} was not to be sent to")
            return await self._driver.lookup(change.action, call, now)

        return tuple(await asyncio.gather(*(one(call) for call in change.calls)))


def _seen(seen: ControlState, target: str) -> TargetState:
    state = seen.of(target)
    if state is None:
        raise ControlError(f"{target} has not been read; read the control before changing it")
    return state


def _objection(change: Change, action: str, seen: TargetState) -> tuple[str, bool]:
    """Return what speaks against sending to this target, and whether it forbids it."""
    starts = change.from_states
    if seen.error:
        aims = change.if_match.startswith(MATCH_PREFIX)
        return f"its state is not known: {seen.error}", aims
    if seen.exists is False:
        what = f" ({seen.text})" if seen.value is not None else ""
        return (
            f"{seen.target} says that this is not there{what}; is its name right in vars?",
            True,
        )
    if starts and not any(same_value(seen.value, each) for each in starts):
        return f"{seen.target} is {seen.text}; {action} starts from {', '.join(starts)}", False
    if change.if_match.startswith(MATCH_PREFIX) and dict(seen.matches).get(action) is None:
        return f"{seen.target} answered without what {action} needs to aim at", True
    if change.if_match == "etag" and not seen.etag:
        return (
            f"{seen.target} gave no ETag, so a change in between could not be noticed by it",
            False,
        )
    return "", False


TARGET = "local only"
UNSET = "unset"


class LocalStore(Protocol):
    """Where local states are kept; whoever builds the controls may bring a lasting one."""

    def get(self, control: str) -> Scalar:
        """Return the state of one control, None if it was never set."""

    def put(self, control: str, value: Scalar, op_id: str) -> None:
        """Keep the state of one control, and the operation that set it."""

    def last_operation(self, control: str) -> str:
        """Return the id of the operation that set it last, empty if none did."""


class MemoryStore:
    """Keeps states until this process ends."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Scalar, str]] = {}

    def get(self, control: str) -> Scalar:
        """Return the state of one control, None if it was never set."""
        return self._kept.get(control, (None, ""))[0]

    def put(self, control: str, value: Scalar, op_id: str) -> None:
        """Keep the state of one control."""
        self._kept[control] = (value, op_id)

    def last_operation(self, control: str) -> str:
        """Return the id of the operation that set it last."""
        return self._kept.get(control, (None, ""))[1]


@dataclass(frozen=True, slots=True)
class Payload:
    """The state one call would set."""

    value: str
    op_id: str


class LocalDriver:
    """Sets a state to the first of an action's desired ones; without actions, to a given value."""

    def __init__(self, declared: Declared, store: LocalStore) -> None:
        self._declared = declared
        self._store = store
        if not declared.actions:
            raise ControlError(
                f"controls.{declared.name} has no actions; give each its desired state"
            )

    @property
    def targets(self) -> tuple[str, ...]:
        """Return the one place there is."""
        return (TARGET,)

    async def find(self) -> tuple[str, ...]:
        """Return the same: nothing is looked up."""
        return self.targets

    async def aclose(self) -> None:
        """Hold nothing."""

    async def read(self, target: str, now: float) -> TargetState:
        """Return what is kept; ``unset`` before the first change."""
        kept = self._store.get(self._declared.name)
        return TargetState(
            target,
            now,
            UNSET if kept is None else kept,
            exists=True,
            etag=self._store.last_operation(self._declared.name),
        )

    def render(
        self, action: str, variables: Mapping[str, JsonValue], seen: TargetState
    ) -> tuple[str, object]:
        """Return what would be kept."""
        change: Change = self._declared.actions[action]
        value = fill_text(change.desired[0], {**variables, "seen": seen.value})
        shown = f"keep {json.dumps(value)} for {self._declared.name}, here only; no service is told"
        return shown, Payload(value, str(variables["op_id"]))

    async def send(self, action: str, call: PreparedCall, now: float) -> TargetResult:
        """Keep the state."""
        payload = _payload(call)
        self._store.put(self._declared.name, payload.value, payload.op_id)
        sentence = "kept here; no service was told"
        return TargetResult(call.target, "accepted", sentence, True, now)

    async def dry_run(self, action: str, call: PreparedCall, now: float) -> TargetResult:
        """Refuse: there is nothing to ask."""
        raise ControlError(f"{action} is local; there is no service to ask")

    async def lookup(self, action: str, call: PreparedCall, now: float) -> Lookup:
        """Tell whether this operation set the state."""
        kept = self._store.last_operation(self._declared.name)
        found = same_value(kept, _payload(call).op_id)
        return Lookup(call.target, found, "kept by this operation" if found else "kept by another")


def _payload(call: PreparedCall) -> Payload:
    if not isinstance(call.payload, Payload):
        raise ControlError("this call was prepared by another driver")
    return call.payload
