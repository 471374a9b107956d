"""What is known of a model before anything is measured."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import tzinfo

    from console.domain.samples import DriftReference


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

    Identity is (environment, ``model``). Built anew only when discovery or settings change,
    and shared by all Snapshots in between. ``info`` is what the model says it is made of,
    ``lineage`` what a person wrote down of it.
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


DEFAULT_SHIFT_ENDS = ("06:00", "14:00", "22:00")
NEAREST_SECONDS = 60.0
"""An end closer than this is over for whoever asks for the next one."""


def clock_time(text: str) -> time:
    """Return ``HH:MM`` as a time of day; raise ValueError for anything else."""
    hours, colon, minutes = text.partition(":")
    if not (colon and len(hours) == len(minutes) == 2 and (hours + minutes).isdecimal()):
        raise ValueError(text)
    return time(int(hours), int(minutes))


def zone_named(name: str | None) -> tzinfo | None:
    """Return an IANA zone, None (the machine's own) without a name; raise ValueError otherwise."""
    if name is None:
        return None
    from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError) as fault:
        raise ValueError(name) from fault


def next_shift_end(
    now: float, ends: Iterable[str] = DEFAULT_SHIFT_ENDS, zone: tzinfo | None = None
) -> float:
    """Return when the next shift ends, in Unix seconds, at least a minute after ``now``.

    ``ends`` are times of the wall clock in ``zone`` (None: the machine's own). An hour that the
    clocks skip counts as the same hour before they moved, one that they repeat as its first run.
    Raises ValueError without any end.
    """
    today = datetime.fromtimestamp(now, UTC).astimezone(zone).date()
    times = [clock_time(end) for end in ends]
    moments = (
        datetime.combine(today + timedelta(days=days), at, tzinfo=zone).timestamp()
        for days in (-1, 0, 1, 2)
        for at in times
    )
    return min(moment for moment in moments if moment - now >= NEAREST_SECONDS)
