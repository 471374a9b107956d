"""A control that cannot be used: it stays visible, says why, and refuses."""

from collections.abc import Collection, Mapping

from console.controls.protocol import ControlError
from console.facts.control import (
    ControlState,
    JsonValue,
    Lookup,
    Offer,
    PreparedChange,
    Proof,
    SendResult,
    TargetState,
)


class BrokenControl:
    """Stands where a declared control could not be built; ``problem`` is the reason."""

    def __init__(self, name: str, kind: str, driver: str, problem: str) -> None:
        self.name = name
        self.kind = kind
        self.driver = driver
        self.problem = problem
        self.proof = Proof("not_run")
        self.note = ""
        self.offers: Mapping[str, Offer] = {}

    async def read(self, now: float) -> ControlState:
        """Return a state that is not known, with the reason."""
        return ControlState(self.name, now, (TargetState(self.name, now, error=self.problem),))

    def prepare(
        self,
        action: str,
        variables: Mapping[str, JsonValue],
        seen: ControlState,
        *,
        targets: Collection[str] | None = None,
    ) -> PreparedChange:
        """Refuse with the reason."""
        raise ControlError(f"{action} on {self.name} is not possible: {self.problem}")

    async def dry_run(self, change: PreparedChange, now: float) -> SendResult:
        """Refuse with the reason."""
        raise ControlError(self.problem)

    async def send(self, change: PreparedChange, now: float) -> SendResult:
        """Send nothing."""
        return SendResult(())

    async def lookup(self, change: PreparedChange, now: float) -> tuple[Lookup, ...]:
        """Know nothing."""
        return ()

    async def aclose(self) -> None:
        """Hold nothing."""
