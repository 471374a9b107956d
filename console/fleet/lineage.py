"""From model to version, data, code, approver and consent: what is said, by whom, what is missing.

Where two say something else, neither is believed silently: the first wins and both are named. The
order is what serves itself (``model_info``), then the registry, then what a person wrote down.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.facts.decision import Lineage
from console.facts.registry import numbered

if TYPE_CHECKING:
    from collections.abc import Mapping

    from console.facts.model import ModelRow
    from console.facts.registry import Registered

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
