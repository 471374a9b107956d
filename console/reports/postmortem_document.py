"""The shape of ``midwatch postmortem --json``: one incident, told without blame."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

SCHEMA: Final = "midwatch.postmortem/1"


class MomentReport(Struct, frozen=True, kw_only=True):
    """One line of the timeline; ``mark`` is its letter under the charts, empty for none."""

    at: str
    kind: str
    text: str
    by: str | None
    source: str | None
    before: str | None
    after: str | None
    effect: str | None
    mark: str


class ImpactReport(Struct, frozen=True, kw_only=True):
    """One number of the impact; without a value ``unknown`` says why."""

    name: str
    value: float | None
    unit: str
    unknown: str | None
    text: str


class ClockReport(Struct, frozen=True, kw_only=True):
    """A derived time, in seconds from the beginning of the impact; null: not known, or not yet."""

    name: str
    means: str
    at: str | None
    seconds: float | None
    text: str


class ChartReport(Struct, frozen=True, kw_only=True):
    """One signal of one model over the incident, drawn; ``problem`` says why there is none."""

    model: str
    signal: str
    drawing: str
    problem: str | None


class RoleReport(Struct, frozen=True, kw_only=True):
    """Somebody who took part, by role unless names were asked for."""

    who: str
    part: str


class DoneReport(Struct, frozen=True, kw_only=True):
    """Something held by hand because of the incident, or a decision about its models."""

    at: str
    text: str
    by: str | None


class OccurrenceReport(Struct, frozen=True, kw_only=True):
    """An earlier incident of the same cause; ``verdict`` null: nobody judged its page."""

    since: str
    closed_at: str | None
    verdict: str | None
    text: str


class PostmortemDocument(Struct, frozen=True, kw_only=True):
    """Everything known of one incident; ``ended_at`` null: it is not over, or nobody knows."""

    schema: Literal["midwatch.postmortem/1"]
    id: str
    title: str
    environment: str
    level: str
    state: str
    models: tuple[str, ...]
    dependency: str | None
    began_at: str
    ended_at: str | None
    written_at: str
    named: bool
    summary: tuple[str, ...]
    timeline: tuple[MomentReport, ...]
    impact: tuple[ImpactReport, ...]
    regions: str
    clock: tuple[ClockReport, ...]
    people: tuple[RoleReport, ...]
    in_force: tuple[DoneReport, ...]
    decisions: tuple[DoneReport, ...]
    charts: tuple[ChartReport, ...]
    re_examine: str
    follow_ups: tuple[str, ...]
    open_checks: tuple[str, ...]
    earlier: tuple[OccurrenceReport, ...]
    unknown: tuple[str, ...]
