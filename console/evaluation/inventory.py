"""Joins the models that sources report with the models that were declared; lineage of a version."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from console.domain.decision import Lineage
from console.domain.model import Fallback, ModelRow, Objectives, OnCall, numbered
from console.evaluation.row_identity import (
    Group,
    claims,
    extra_labels,
    group_sightings,
    name_rows,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from console.domain.model import Registered
    from console.domain.samples import SeenModel
    from console.settings.schema import ModelSettings, OncallSettings, Settings, SloSettings

DEFAULT_AVAILABILITY_RATIO = 0.99


@dataclass(frozen=True, slots=True)
class Place:
    """One row with the sightings it may be read from, the preferred one first.

    ``labels`` are what its ``match`` asks for beyond them: a part of what they count.
    """

    row: ModelRow
    offers: tuple[SeenModel, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()


_NO_NAMES: Mapping[str, str] = MappingProxyType({})


def roster(seen: Sequence[SeenModel], settings: Settings) -> tuple[ModelRow, ...]:
    """Return one row a model, sorted by name; declared models that nobody has seen are rows too."""
    return tuple(place.row for place in row_places(seen, settings))


def row_places(
    seen: Sequence[SeenModel], settings: Settings, before: Mapping[str, str] = _NO_NAMES
) -> tuple[Place, ...]:
    """Return the rows that sightings and declarations come to, sorted by name.

    ``before`` are the names shown so far by row id; a row keeps its own while nobody declares it.
    """
    groups = group_sightings(seen, settings)
    namesakes: dict[str, list[Group]] = {}
    for group in groups:
        namesakes.setdefault(group.label, []).append(group)
    places: list[Place] = []
    claimed: dict[int, str] = {}
    for claim in claims(groups, settings):
        declared = settings.models[claim.name]
        if len(claim.groups) > 1 and not claim.joined:
            claimed |= {id(group): claim.name for group in claim.groups}
            continue
        offers = tuple(one for group in claim.groups for one in group.offers)
        labels = extra_labels(declared.labels, claim.groups[0]) if claim.groups else {}
        row = _row(claim.name, claim.groups, offers, declared)
        if labels:
            part = "".join(f":{name}={value}" for name, value in sorted(labels.items()))
            row = replace(row, id=f"{row.id}{part}")
        places.append(Place(row, offers, tuple(sorted(labels.items()))))
        claimed |= {id(group): "" for group in claim.groups}
    taken = [place.row.model for place in places]
    unnamed = [
        (claimed.get(id(group)) or group.label, group)
        for group in groups
        if claimed.get(id(group)) != ""
    ]
    names = name_rows(unnamed, namesakes, taken, before)
    for _, group in unnamed:
        claim_name = claimed.get(id(group), "")
        row = _row(names[group.id], (group,), group.offers, settings.models.get(claim_name))
        label = claim_name or group.label
        places.append(Place(replace(row, label=label, claimed=claim_name), group.offers))
    return tuple(sorted(places, key=lambda place: place.row.model))


def _row(
    name: str,
    groups: Sequence[Group],
    offers: Sequence[SeenModel],
    declared: ModelSettings | None,
) -> ModelRow:
    seen = offers[0] if offers else None
    info = dict(seen.info) if seen is not None else {}
    row = ModelRow(
        model=name,
        source=seen.source if seen is not None else (declared.source or "") if declared else "",
        profile=seen.profile if seen is not None else (declared.profile or "") if declared else "",
        version=" + ".join(sorted(seen.versions)) if seen is not None else "",
        server=seen.server if seen is not None else "",
        region=info.get("region", ""),
        info=info,
        label=name,
        id=groups[0].id if groups else "",
        served_as=groups[0].label if groups else "",
        namespace=seen.namespace if seen is not None else "",
        cluster=seen.cluster if seen is not None else "",
    )
    return row if declared is None else _declared(row, declared)


def _declared(row: ModelRow, declared: ModelSettings) -> ModelRow:
    confidence, review, cost = declared.confidence, declared.review, declared.cost
    reference = declared.drift.reference if declared.drift else None
    return replace(
        row,
        configured=True,
        tier=declared.tier,
        region=declared.region or row.region,
        allowed_regions=declared.allowed_regions,
        consent=declared.consent or "",
        fails_closed=declared.fails_closed,
        owner=declared.owner or "",
        oncall=_oncall(declared.oncall),
        runbook=declared.runbook or "",
        dependencies=declared.dependencies,
        objectives=_objectives(declared.slo),
        confidence_threshold=confidence.threshold if confidence else None,
        confidence_base_ratio=confidence.base if confidence else None,
        review_capacity_per_second=review.capacity_per_second if review else None,
        review_sla_seconds=review.sla_seconds if review else None,
        budget_month_usd=cost.budget_month_usd if cost else None,
        cost_per_1k_usd=cost.per_1k_requests_usd if cost else None,
        drift_reference=reference.name if reference else "",
        reference=reference,
        fallbacks=tuple(
            Fallback(one.name, one.level, one.region or "", one.capacity_per_second)
            for one in declared.fallbacks
        ),
        intervene=tuple((one.when, one.do) for one in declared.intervene),
        lineage=declared.lineage,
    )


def _oncall(declared: OncallSettings | None) -> OnCall:
    if declared is None:
        return OnCall()
    return OnCall(declared.primary or "", declared.secondary or "", declared.escalation)


def _objectives(slo: SloSettings | None) -> Objectives:
    """Return the declared objective, or the default of 99% availability, marked as such."""
    if slo is None:
        return Objectives(DEFAULT_AVAILABILITY_RATIO)
    latency = slo.latency
    return Objectives(
        availability_ratio=slo.availability
        if slo.availability is not None
        else DEFAULT_AVAILABILITY_RATIO,
        latency_under_seconds=latency.under_seconds if latency else None,
        latency_share_ratio=latency.share if latency else None,
        declared=True,
    )


# Where two say something else, neither is believed silently: the first wins and both are named. The
# order is what serves itself (``model_info``), then the registry, then what a person wrote down.

INFO, REGISTRY, DECLARED = "model_info", "the registry", "the configuration"

LINKS = {
    "version": "the version that serves",
    "data_snapshot": "the data snapshot it was trained on",
    "code": "the code it was made by",
    "trained_at": "when it was trained",
    "approver": "who approved the version that serves",
    "consent": "the consent basis",
}
"""Every link, and what is missing where nothing says it."""

SHORTEST_HASH = 6
"""Letters from which one of two code hashes may be the other one cut short."""


def lineage_of(row: ModelRow, registered: Registered | None = None) -> Lineage:
    """Return the chain of one model, with the origin of every link, its gaps and contradictions."""
    speaks = registered if registered is not None and _of_what_serves(row, registered) else None
    told = {link: _told(link, row, speaks) for link in LINKS}
    values = {link: next(iter(each.values()), "") for link, each in told.items()}
    sources = {link: next(iter(each)) for link, each in told.items() if each}
    gaps = [what for link, what in LINKS.items() if not values[link]]
    if registered is not None and registered.problem:
        gaps.append(f"what the registry says ({registered.problem})")
    return Lineage(
        model=row.model,
        registry_version="" if speaks is None else speaks.version,
        gaps=tuple(gaps),
        conflicts=(*_alias(row, registered), *_conflicts(told)),
        sources=sources,
        **values,
    )


def _of_what_serves(row: ModelRow, registered: Registered) -> bool:
    """Tell whether the registry speaks of the version that serves, as far as that is known."""
    return not row.version or _same("version", row.version, registered.version)


def _told(link: str, row: ModelRow, registered: Registered | None) -> dict[str, str]:
    """Return who says what of one link, the most trusted first."""
    info = row.version or row.info.get("version", "") if link == "version" else row.info.get(link)
    registry = {} if registered is None else registered.links
    in_registry = registered.version if registered and link == "version" else registry.get(link)
    by_hand = row.consent if link == "consent" else row.lineage.get(link)
    # The consent basis is declared, not measured: what the operator wrote comes first.
    order: tuple[tuple[str, str | None], ...] = (
        ((DECLARED, by_hand), (INFO, info), (REGISTRY, in_registry))
        if link == "consent"
        else ((INFO, info), (REGISTRY, in_registry), (DECLARED, by_hand))
    )
    return {who: text for who, text in order if text}


def _conflicts(told: Mapping[str, Mapping[str, str]]) -> tuple[str, ...]:
    found = []
    for link, each in told.items():
        (first, believed), *others = each.items() or [("", "")]
        differing = [(who, text) for who, text in others if not _same(link, believed, text)]
        if differing:
            said = ", ".join(f"{who} {text}" for who, text in differing)
            found.append(f"{link.replace('_', ' ')}: {first} says {believed}, {said}")
    return tuple(found)


def _alias(row: ModelRow, registered: Registered | None) -> tuple[str, ...]:
    """Tell that the registry's alias points at another version than serves."""
    if registered is None or not registered.alias_version or not row.version:
        return ()
    if _same("version", row.version, registered.alias_version):
        return ()
    alias = f"the registry's alias {registered.alias}"
    return (f"version: {row.version} serves, {alias} is on {registered.alias_version}",)


def _same(link: str, one: str, other: str) -> bool:
    if link == "version":
        return numbered(one) == numbered(other)
    if link == "code" and min(len(one), len(other)) >= SHORTEST_HASH:
        return one.startswith(other) or other.startswith(one)
    return one == other
