"""What a control says and does: states seen, changes prepared, answers to what was sent."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

Scalar = str | int | float | bool | None
JsonValue = Scalar | list["JsonValue"] | dict[str, "JsonValue"]

Danger = Literal["outage", "degrade", "safe"]
RetryClass = Literal["A", "B", "C"]
Verdict = Literal["accepted", "rejected", "indeterminate"]
Reach = Literal["wanted", "accepted", "not", "unknown"]
ProofKind = Literal["ci", "contract", "not_run"]


def scalar_text(value: Scalar) -> str:
    """Return a value as it is compared and shown: ``true``, ``0.7``, ``FORCED_OPEN``, or ``?``."""
    match value:
        case None:
            return "?"
        case bool():
            return "true" if value else "false"
        case float() if value.is_integer() and abs(value) < 1e15:
            return str(int(value))
        case _:
            return str(value)


def same_value(one: Scalar, other: Scalar) -> bool:
    """Tell whether two values say the same; a number and its text do, unknown equals nothing."""
    if one is None or other is None:
        return False
    left, right = scalar_text(one), scalar_text(other)
    if left == right:
        return True
    try:
        return math.isclose(float(left), float(right), rel_tol=1e-9, abs_tol=0.0)
    except ValueError:
        return False


@dataclass(frozen=True, slots=True)
class Proof:
    """On what a control's behaviour rests; ``server`` and ``source`` say which one exactly."""

    kind: ProofKind
    server: str = ""
    source: str = ""

    @property
    def unproven(self) -> bool:
        """Tell whether a preview has to say ``unproven``."""
        return self.kind != "ci"

    @property
    def sentence(self) -> str:
        """Return the proof in the words of docs/controls.md."""
        match self.kind:
            case "ci":
                return f"real server {self.server} in CI"
            case "contract":
                return f"contract only ({self.source})"
            case _:
                return "not run"


@dataclass(frozen=True, slots=True)
class TargetState:
    """One target as read at ``at`` (Unix seconds).

    ``exists`` is True when proven, False when the target itself says it is not there, None when
    not known. ``value`` None is unknown. ``error`` says why nothing could be read. ``excerpt`` is
    the answer's beginning, made visible and free of secrets. ``matches`` holds, for each action
    with a precondition in the body, what was read for it.
    """

    target: str
    at: float
    value: Scalar = None
    exists: bool | None = None
    etag: str = ""
    excerpt: str = ""
    error: str = ""
    matches: tuple[tuple[str, Scalar], ...] = ()

    @property
    def known(self) -> bool:
        """Tell whether a state was read."""
        return not self.error and self.value is not None

    @property
    def text(self) -> str:
        """Return the state as text, ``?`` when it is not known."""
        return scalar_text(self.value) if not self.error else "?"


@dataclass(frozen=True, slots=True)
class ControlState:
    """Every target of one control, read together; ``at`` is Unix seconds."""

    control: str
    at: float
    targets: tuple[TargetState, ...] = ()

    @property
    def value(self) -> Scalar:
        """The value all targets agree on; None when they differ or one is not known."""
        if not self.targets or not all(each.known for each in self.targets):
            return None
        first = self.targets[0].value
        agreed = all(same_value(first, each.value) for each in self.targets[1:])
        return first if agreed else None

    @property
    def exists(self) -> bool | None:
        """True when proven on every target, False when one says it is not there, else None."""
        found = {each.exists for each in self.targets}
        if False in found:
            return False
        return True if found == {True} else None

    @property
    def etag(self) -> str:
        """The version of a control with one target; several have no common one."""
        return self.targets[0].etag if len(self.targets) == 1 else ""

    @property
    def error(self) -> str:
        """Why the first unreadable target could not be read; empty when all could."""
        return next((each.error for each in self.targets if each.error), "")

    @property
    def text(self) -> str:
        """Return the state in words: one value, or how many targets say what."""
        counts: dict[str, int] = {}
        for each in self.targets:
            counts[each.text] = counts.get(each.text, 0) + 1
        if len(counts) == 1:
            return next(iter(counts))
        return ", ".join(f"{number} {text}" for text, number in counts.items()) or "?"

    def of(self, target: str) -> TargetState | None:
        """Return the state of one target."""
        return next((each for each in self.targets if each.target == target), None)


@dataclass(frozen=True, slots=True)
class VerifyPlan:
    """How long and how often to read back, in seconds; ``stable_for`` reads in a row must agree."""

    every_seconds: float = 1.0
    within_seconds: float = 30.0
    stable_for: int = 2


@dataclass(frozen=True, slots=True)
class Offer:
    """One change a control can make, as a dialog or a guard wants to know it beforehand.

    ``needs`` are the variables the caller has to give. ``ends_itself`` is True when the request
    carries the end (``ttl_seconds`` or ``until``), so that the service keeps it.
    """

    action: str
    label: str
    danger: Danger
    retry_class: RetryClass
    needs: tuple[str, ...]
    from_states: tuple[str, ...]
    desired: tuple[str, ...]
    ends_itself: bool
    has_dry_run: bool
    has_lookup: bool
    proof: Proof
    note: str = ""


@dataclass(frozen=True, slots=True)
class Inverse:
    """The way back of one call, planned from the state seen; ``shown`` is its exact request."""

    target: str
    action: str
    variables: tuple[tuple[str, JsonValue], ...]
    shown: str


@dataclass(frozen=True, slots=True)
class PreparedCall:
    """What would be sent to one target.

    ``shown`` is the exact request with secrets redacted. ``already`` tells that the target is in
    the state asked for. ``objection`` is a sentence against sending; with ``impossible`` the call
    is never sent, whatever anybody confirms. ``payload`` belongs to the driver.
    """

    target: str
    shown: str
    seen: TargetState
    already: bool = False
    objection: str = ""
    impossible: bool = False
    inverse: Inverse | None = None
    inverse_problem: str = ""
    payload: object = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class PreparedChange:
    """One change, ready to be shown, confirmed and sent; one call a target.

    ``desired`` are the states that prove success, the one asked for first; the others count only
    when they came about by the change. What is not ``readable`` was told, and nothing proves it.
    """

    control: str
    action: str
    label: str
    op_id: str
    danger: Danger
    retry_class: RetryClass
    desired: tuple[str, ...]
    verify: VerifyPlan
    proof: Proof
    ends_itself: bool
    calls: tuple[PreparedCall, ...]
    note: str = ""
    has_dry_run: bool = False
    has_lookup: bool = False
    readable: bool = True

    @property
    def already(self) -> bool:
        """Tell whether every target is in the state asked for, so that nothing needs sending."""
        return bool(self.calls) and all(call.already for call in self.calls)

    @property
    def objections(self) -> tuple[str, ...]:
        """Return what speaks against it, one sentence a target, each once."""
        return tuple(dict.fromkeys(call.objection for call in self.calls if call.objection))


@dataclass(frozen=True, slots=True)
class TargetResult:
    """What one target answered; never the outcome, which only reading back tells.

    ``sent`` is False when it is certain that no byte of the request left.
    """

    target: str
    verdict: Verdict
    sentence: str
    sent: bool
    at: float
    status: int | None = None
    excerpt: str = ""


@dataclass(frozen=True, slots=True)
class SendResult:
    """The answers of all targets."""

    results: tuple[TargetResult, ...]

    @property
    def verdict(self) -> Verdict:
        """accepted or rejected when all targets say so, else indeterminate."""
        found = {each.verdict for each in self.results}
        if len(found) != 1:
            return "indeterminate"
        return next(iter(found))

    @property
    def sentence(self) -> str:
        """Return the answers in words, each once."""
        return "; ".join(dict.fromkeys(each.sentence for each in self.results))


@dataclass(frozen=True, slots=True)
class Lookup:
    """Whether an operation's marker stands at one target: True, False, or None for not known."""

    target: str
    found: bool | None
    sentence: str


@dataclass(frozen=True, slots=True)
class CheckedControl:
    """What ``midwatch check`` says of one control."""

    control: str
    well: bool
    sentence: str
