"""A retraining decision: what was decided, on what evidence, by whom, and when it is looked at."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, get_args

from msgspec import Struct

DecisionKind = Literal[
    "RETRAIN",
    "HOLD",
    "ROLLBACK",
    "RECALIBRATE-THRESHOLD",
    "RECALIBRATE-SCORES",
    "CANARY",
    "RETIRE",
    "COLLECT-LABELS",
]
DECISION_KINDS: tuple[DecisionKind, ...] = get_args(DecisionKind)

KIND_MEANS: Mapping[DecisionKind, str] = MappingProxyType(
    {
        "RETRAIN": "train anew; refused while the inputs are bad",
        "HOLD": "leave it as it is, on purpose, until the review date",
        "ROLLBACK": "let the version before serve",
        "RECALIBRATE-THRESHOLD": "move the confidence under which people look",
        "RECALIBRATE-SCORES": "map the scores anew, without training",
        "CANARY": "let a new version answer a part of the traffic",
        "RETIRE": "take the model out of service",
        "COLLECT-LABELS": "nobody can tell yet; get labels first",
    }
)
"""Each kind in one line."""

DecisionSink = Literal["tags", "alias", "annotate", "retrain"]
DECISION_SINKS: tuple[DecisionSink, ...] = get_args(DecisionSink)
"""Where a decision can be sent on, in the order in which it is: what only tells comes first."""

LEAVES_THE_MODEL_AS_IT_IS: frozenset[DecisionKind] = frozenset({"HOLD", "COLLECT-LABELS"})
"""Decisions that change nothing that serves, so that there is nothing to reverse."""

DUE_SOON_SECONDS = 7 * 86400.0
"""How long before its review date a decision counts as due."""

DecisionState = Literal["pending", "in_force", "due", "overdue", "closed"]


class SignalEvidence(Struct, frozen=True, kw_only=True):
    """One reading as it was.

    ``state`` is ok, no_data, no_traffic, too_few, stale or error; ``value`` is None unless it is
    ok or stale. ``n`` counts samples, ``window_seconds`` is None for a gauge, ``at`` is Unix
    seconds, ``normal`` what is usual for this model in the same unit. ``remark`` says what a JSON
    number cannot (a value beyond the last bucket).
    """

    signal: str
    state: str
    unit: str
    value: float | None = None
    n: float | None = None
    window_seconds: float | None = None
    method: str = ""
    at: float | None = None
    normal: float | None = None
    remark: str = ""


class FindingEvidence(Struct, frozen=True, kw_only=True):
    """One rule that held; ``since`` is Unix seconds."""

    rule: str
    level: str
    text: str
    since: float


class DependencyEvidence(Struct, frozen=True, kw_only=True):
    """One thing the model calls; ``error_ratio`` 0-1, None where nobody measures it."""

    name: str
    state: str
    error_ratio: float | None = None
    culprit: bool = False
    text: str = ""


class ReferenceEvidence(Struct, frozen=True, kw_only=True):
    """The distribution that drift was measured against; ``n`` rows, ``taken_at`` Unix seconds."""

    name: str
    what: str
    n: float
    taken_at: float
    sha256: str


class Evidence(Struct, frozen=True, kw_only=True):
    """What was known of the model when it was decided; ``taken_at`` None: no source was asked.

    ``findings`` are rules that held, worst first; ``pending`` those that one look could not prove.
    ``doubt`` says why the source cannot be trusted, empty where it can.
    """

    taken_at: float | None = None
    severity: str = "unknown"
    signals: tuple[SignalEvidence, ...] = ()
    findings: tuple[FindingEvidence, ...] = ()
    pending: tuple[FindingEvidence, ...] = ()
    dependencies: tuple[DependencyEvidence, ...] = ()
    reference: ReferenceEvidence | None = None
    reference_name: str = ""
    breaker: str = "UNKNOWN"
    route: str = ""
    doubt: str = ""

    def signal(self, name: str) -> SignalEvidence | None:
        """Return one reading, None where it was not asked."""
        return next((each for each in self.signals if each.signal == name), None)


class Lineage(Struct, frozen=True, kw_only=True):
    """Model, version, data, code, approver, consent; ``gaps`` names every link that is missing.

    ``registry_version`` is the version as the registry names it. ``sources`` says where each link
    came from, ``conflicts`` where two of them say something else.
    """

    model: str
    version: str = ""
    registry_version: str = ""
    data_snapshot: str = ""
    code: str = ""
    trained_at: str = ""
    approver: str = ""
    consent: str = ""
    gaps: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    sources: dict[str, str] = {}


class PlannedSend(Struct, frozen=True, kw_only=True):
    """One thing a decision is to be sent on to, once it stands.

    ``before`` is the state that was seen when it was decided, empty where it could not be read;
    ``wanted`` the state that will prove it.
    """

    sink: DecisionSink
    control: str
    wanted: str
    before: str = ""


class SentOn(Struct, frozen=True, kw_only=True):
    """What became of sending a decision on; ``outcome`` is empty while it is under way."""

    sink: str
    op_id: str
    at: float
    by: str
    outcome: str = ""
    text: str = ""

    @property
    def arrived(self) -> bool:
        """Tell whether reading back showed it there."""
        return self.outcome in ("applied", "no_op")


class Decision(Struct, frozen=True, kw_only=True):
    """One decision as it was taken; nothing in it changes afterwards.

    ``taken_at`` and ``review_by`` are Unix seconds UTC. ``approver`` is whom the author named;
    ``needs_approval`` holds on tier 1 and where somebody was named. ``despite`` is the reason for
    going against ``objections``. ``to_version`` is the version that is to serve, empty where none
    was named; ``sends`` is what goes out once it stands, and is approved with it.
    """

    id: str
    model: str
    kind: DecisionKind
    tier: int
    environment: str
    taken_at: float
    review_by: float
    author: str
    reason: str
    trigger: str
    evidence: Evidence
    lineage: Lineage
    region: str = ""
    allowed_regions: tuple[str, ...] = ()
    options: tuple[str, ...] = ()
    expected: str = ""
    checked_by: str = ""
    reverse_if: str = ""
    approver: str = ""
    needs_approval: bool = False
    despite: str = ""
    objections: tuple[str, ...] = ()
    incident: str = ""
    to_version: str = ""
    sends: tuple[PlannedSend, ...] = ()


class DecisionRecord(Struct, frozen=True, kw_only=True):
    """A decision with what became of it since; times in Unix seconds, None where it did not."""

    decision: Decision
    digest: str
    account: str
    approved_by: str = ""
    approved_at: float | None = None
    closed_by: str = ""
    closed_at: float | None = None
    outcome: str = ""
    sent: tuple[SentOn, ...] = ()

    @property
    def unsent(self) -> tuple[PlannedSend, ...]:
        """Return what was planned and has not been seen to arrive."""
        arrived = {each.sink for each in self.sent if each.arrived}
        return tuple(each for each in self.decision.sends if each.sink not in arrived)

    @property
    def pending(self) -> bool:
        """Tell whether it still waits for its second person."""
        return self.decision.needs_approval and not self.approved_by and self.closed_at is None

    def overdue(self, now: float) -> bool:
        """Tell whether its review date has passed and nobody wrote what came of it."""
        return self.closed_at is None and now >= self.decision.review_by

    def state(self, now: float) -> DecisionState:
        """Return where it stands; overdue comes before pending, because neither may hide it."""
        if self.closed_at is not None:
            return "closed"
        if self.overdue(now):
            return "overdue"
        if self.pending:
            return "pending"
        return "due" if now >= self.decision.review_by - DUE_SOON_SECONDS else "in_force"
