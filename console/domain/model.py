"""What is known of a model before anything is measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from console.domain.distribution import DriftReference


@dataclass(frozen=True, slots=True)
class Fallback:
    """A declared rung below normal; ``capacity_per_second`` None is not declared."""

    name: str
    level: str
    region: str = ""
    capacity_per_second: float | None = None


@dataclass(frozen=True, slots=True)
class Objectives:
    """The service level in force; ``declared`` False means the default, shown with ``~``."""

    availability_ratio: float = 0.99
    latency_under_seconds: float | None = None
    latency_share_ratio: float | None = None
    declared: bool = False


@dataclass(frozen=True, slots=True)
class OnCall:
    """Who answers for a model."""

    primary: str = ""
    secondary: str = ""
    escalation: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ModelRow:
    """The static side of one row: identity, ownership, objectives, lineage.

    ``model`` is the shortest name that no other row bears, ``label`` the declared name or else
    the model's as its server writes it (``served_as``), which namesakes share. ``id`` stays while
    names change: what was written of a row binds by it; empty while nobody has seen the model.
    ``claimed`` names a declaration that fits several rows: it describes each and its controls
    belong to none. Built anew only when discovery or settings change, and shared by all Snapshots
    in between. ``info`` is what the model says it is made of, ``lineage`` what a person wrote down.
    """

    model: str
    source: str = ""
    profile: str = ""
    version: str = ""
    server: str = ""
    configured: bool = False
    tier: int = 2
    region: str = ""
    allowed_regions: tuple[str, ...] = ()
    consent: str = ""
    fails_closed: bool = False
    owner: str = ""
    oncall: OnCall = field(default_factory=OnCall)
    runbook: str = ""
    dependencies: tuple[str, ...] = ()
    objectives: Objectives = field(default_factory=Objectives)
    confidence_threshold: float | None = None
    confidence_base_ratio: float | None = None
    review_capacity_per_second: float | None = None
    review_sla_seconds: float | None = None
    budget_month_usd: float | None = None
    cost_per_1k_usd: float | None = None
    drift_reference: str = ""
    reference: DriftReference | None = None
    fallbacks: tuple[Fallback, ...] = ()
    intervene: tuple[tuple[str, str], ...] = ()
    info: Mapping[str, str] = field(default_factory=dict)
    lineage: Mapping[str, str] = field(default_factory=dict)
    label: str = ""
    id: str = ""
    claimed: str = ""
    served_as: str = ""
    namespace: str = ""
    cluster: str = ""

    @property
    def served_by(self) -> str:
        """Return the server behind the row in words: kind, job, namespace and source as known."""
        parts = (self.profile, self.server, self.namespace, self.cluster)
        where = ", ".join(dict.fromkeys(part for part in parts if part))
        return f"{where} (source {self.source})" if where and self.source else where


@dataclass(frozen=True, slots=True)
class Registered:
    """One model as its registry told it at ``at`` (Unix seconds); None: nothing was read yet.

    ``version`` is the one that ``links`` speak of: that which serves, else that of the alias.
    ``alias_version`` is where ``alias`` points, empty where it points nowhere. ``links`` hold
    data_snapshot, code, trained_at, approver and consent, as far as they are known. ``problem``
    says why something could not be read; what was known before stays.
    """

    name: str
    at: float | None = None
    version: str = ""
    alias: str = ""
    alias_version: str = ""
    links: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


def numbered(version: str) -> str:
    """Return a version as MLflow numbers it: ``v41`` is 41; what is no number stays as it is."""
    bare = version[1:] if version[:1] in ("v", "V") else version
    return bare if bare.isdecimal() else version
