"""Which models there are: what was seen, joined with what was declared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.facts.model import Fallback, ModelRow, Objectives, OnCall

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from console.facts.samples import SeenModel
    from console.settings.schema import ModelSettings, OncallSettings, Settings, SloSettings

DEFAULT_AVAILABILITY_RATIO = 0.99


def roster(seen: Sequence[SeenModel], settings: Settings) -> tuple[ModelRow, ...]:
    """Return one row a model, sorted by name; declared models that nobody has seen are rows too.

    Where several sources offer a model, the one its settings name has it, else the first in
    configuration order: numbers of two sources are never summed.
    """
    renamed = _renamed(settings)
    order = {source.name: number for number, source in enumerate(settings.sources)}
    offers: dict[str, list[SeenModel]] = {}
    for one in seen:
        name = renamed.get((one.series_value, one.profile)) or renamed.get((one.series_value, None))
        offers.setdefault(name or one.model, []).append(one)
    rows = []
    for model in {*offers, *settings.models}:
        declared = settings.models.get(model)
        chosen = _choose(offers.get(model, []), declared, order)
        rows.append(_row(model, chosen, declared))
    return tuple(sorted(rows, key=lambda row: row.model))


def _renamed(settings: Settings) -> dict[tuple[str, str | None], str]:
    """Return configured names by (label value they match, profile they are bound to)."""
    return {
        (value, declared.profile): model
        for model, declared in settings.models.items()
        for value in (declared.match or {}).values()
    }


def _choose(
    offers: Sequence[SeenModel], declared: ModelSettings | None, order: Mapping[str, int]
) -> SeenModel | None:
    wanted = declared.source if declared is not None else None
    ranked = sorted(
        offers,
        key=lambda one: (one.source != wanted, order.get(one.source, len(order)), one.profile),
    )
    return ranked[0] if ranked else None


def _row(model: str, seen: SeenModel | None, declared: ModelSettings | None) -> ModelRow:
    info = dict(seen.info) if seen is not None else {}
    row = ModelRow(
        model=model,
        source=seen.source if seen is not None else (declared.source or "") if declared else "",
        profile=seen.profile if seen is not None else (declared.profile or "") if declared else "",
        version=" + ".join(sorted(seen.versions)) if seen is not None else "",
        server=seen.server if seen is not None else "",
        region=info.get("region", ""),
        info=info,
    )
    return row if declared is None else _declared(row, declared)


def _declared(row: ModelRow, declared: ModelSettings) -> ModelRow:
    confidence, review, cost = declared.confidence, declared.review, declared.cost
    reference = declared.drift.reference if declared.drift else None
    return ModelRow(
        model=row.model,
        source=row.source,
        profile=row.profile,
        version=row.version,
        server=row.server,
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
        info=row.info,
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
