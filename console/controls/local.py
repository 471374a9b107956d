"""The ``local`` driver: a state kept by this console alone; no service is told."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from console.controls.declaration import Change, Declared
from console.controls.protocol import ControlError
from console.controls.template import fill_text
from console.domain.control import (
    JsonValue,
    Lookup,
    PreparedCall,
    Scalar,
    TargetResult,
    TargetState,
    same_value,
)

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
