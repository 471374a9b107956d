"""Sightings of models in, one group a row out: which belong together, their ids and their names.

Two sightings are one row where a declaration says so, or where they are proven to be one thing:
the same process under two profiles or in two sources, or a source and its fallback. Everything
else that differs in source, namespace, cluster, kind of server or name is a row of its own.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from console.domain.model import ModelRow
    from console.domain.samples import SeenModel
    from console.settings.schema import ModelSettings, Settings

    Label = tuple[str, str, str, str]

SEPARATOR = "/"


@dataclass(frozen=True, slots=True)
class Group:
    """Sightings that are one row, the preferred one first; ``origin`` is the source it is of.

    A source that is another's ``fallback`` speaks for that one: its sightings have its origin.
    """

    origin: str
    offers: tuple[SeenModel, ...]

    @property
    def label(self) -> str:
        """Return the model's name as its server writes it, made visible."""
        return self.offers[0].model

    @property
    def qualifiers(self) -> tuple[str, ...]:
        """Return what may tell it from its namesakes, in the order in which it is tried."""
        first = self.offers[0]
        return first.profile, first.namespace, first.cluster, self.origin

    @property
    def id(self) -> str:
        """Return the stable id: ``label@source:kind``, and cluster and namespace where known."""
        first = self.offers[0]
        place = "".join(f":{each}" for each in (first.cluster, first.namespace) if each)
        return f"{first.model}@{self.origin}:{first.profile}{place}"


def group_sightings(seen: Sequence[SeenModel], settings: Settings) -> tuple[Group, ...]:
    """Return the rows that sightings come to; those of one source keep its order."""
    from console.metrics.profile import profiles  # numpy comes with it, and actions need neither

    order = {source.name: number for number, source in enumerate(settings.sources)}
    origins = {
        source.fallback: source.name for source in settings.sources if source.fallback in order
    }
    ranked = sorted(
        seen, key=lambda one: (one.source in origins, order.get(one.source, len(order)))
    )
    groups: list[list[SeenModel]] = []
    by_key: dict[Label, list[SeenModel]] = {}
    by_name: dict[tuple[str, str], list[list[SeenModel]]] = {}
    by_place: dict[tuple[str, str], list[list[SeenModel]]] = {}
    roles = {name: each.role for name, each in profiles().items()}
    served = {one.model for one in seen if roles.get(one.profile, "server") == "server"}
    for one in ranked:
        if roles.get(one.profile) == "gateway" and one.model in served:
            continue
        origin = origins.get(one.source, one.source)
        key = (origin, one.profile, f"{one.cluster}:{one.namespace}", one.series_value)
        mine = by_key.get(key)
        if mine is None and one.source in origins:
            same = by_name.get((origin, one.model), ())
            mine = same[0] if len(same) == 1 else None
        if mine is None:
            mine = _proven(one, by_place)
        if mine is None:
            mine = []
            groups.append(mine)
            by_name.setdefault((origin, one.model), []).append(mine)
        by_key[key] = mine
        mine.append(one)
        for place in one.places:
            known = by_place.setdefault((one.model, place), [])
            if mine not in known:
                known.append(mine)
    return tuple(Group(origins.get(mine[0].source, mine[0].source), tuple(mine)) for mine in groups)


def _proven(
    one: SeenModel, by_place: Mapping[tuple[str, str], list[list[SeenModel]]]
) -> list[SeenModel] | None:
    """Return the group of the same name whose processes are these, None where that is unproven."""
    met = [group for place in one.places for group in by_place.get((one.model, place), ())]
    for group in met:
        theirs = frozenset[str]().union(*(other.places for other in group))
        if one.places <= theirs or theirs <= one.places:
            return group
    return None


@dataclass(frozen=True, slots=True)
class Claim:
    """A declared model with the groups it fits; ``joined`` says that they are one row."""

    name: str
    groups: tuple[Group, ...]
    joined: bool


def claims(groups: Sequence[Group], settings: Settings) -> tuple[Claim, ...]:
    """Return what each declared model fits: by its labels, else by its name; profile and source.

    A ``match`` that is a list joins all that any of its parts fits. One that fits several rows
    without being a list describes each of them, and joins none.
    """
    by_text: dict[str, list[Group]] = {}
    for group in groups:
        texts = {text for one in group.offers for text in (one.model, one.series_value)}
        for text in texts:
            by_text.setdefault(text, []).append(group)
    found = []
    for name, declared in settings.models.items():
        parts = declared.matches or ({"model": name},)
        fitting = {
            id(group): group
            for part in parts
            for value in part.values()
            for group in by_text.get(value, ())
            if _fits(group, part, declared)
        }
        found.append(Claim(name, tuple(fitting.values()), len(parts) > 1))
    return tuple(found)


def _values(group: Group, label: str) -> frozenset[str]:
    """Return what a group's series are known to bear as one label; empty where that is unknown."""
    found = frozenset[str]()
    for one in group.offers:
        match label:
            case "namespace":
                found |= {one.namespace}
            case "cluster":
                found |= {one.cluster}
            case "job" | "instance":
                parts = (place.partition(" ") for place in one.places if " " in place)
                found |= {job if label == "job" else instance for job, _, instance in parts}
            case _:
                continue
    return found - {""}


def _fits(group: Group, part: Mapping[str, str], declared: ModelSettings) -> bool:
    if declared.source and declared.source not in {group.origin, *(o.source for o in group.offers)}:
        return False
    if declared.profile and declared.profile not in {one.profile for one in group.offers}:
        return False
    known = ((_values(group, label), value) for label, value in part.items())
    return all(not values or value in values for values, value in known)


def extra_labels(part: Mapping[str, str], group: Group) -> dict[str, str]:
    """Return the labels of a ``match`` that the group as a whole does not say already."""
    names = {text for one in group.offers for text in (one.model, one.series_value)}
    return {
        label: value
        for label, value in part.items()
        if value not in names and _values(group, label) != {value}
    }


def rows_named(rows: Sequence[ModelRow], text: str) -> tuple[int, ...]:
    """Return the rows that a person may mean: by the name shown, the id, else the shared name.

    ``fraud/triton`` also finds a row that is shown under a longer or shorter name, as long as
    each part is one of its kind, namespace, cluster and source.
    """
    for exact in ("model", "id"):
        found = tuple(at for at, row in enumerate(rows) if getattr(row, exact) == text)
        if found and text:
            return found
    by_label = tuple(at for at, row in enumerate(rows) if row.label == text)
    if by_label:
        return by_label
    return tuple(at for at, row in enumerate(rows) if row.label and _qualifies(row, text))


def _qualifies(row: ModelRow, text: str) -> bool:
    if not text.startswith(row.label + SEPARATOR):
        return False
    parts = text[len(row.label) + 1 :].split(SEPARATOR)
    return set(parts) <= {row.profile, row.namespace, row.cluster, row.source, row.region} - {""}


_TELLING: Mapping[str, Callable[[ModelRow], str]] = {
    "namespace": lambda row: row.namespace,
    "cluster": lambda row: row.cluster,
    "job": lambda row: row.server,
    "region": lambda row: row.region or row.source,
    "source": lambda row: row.source,
}


def fitting_rows(labels: Mapping[str, str], rows: Sequence[ModelRow]) -> tuple[ModelRow, ...]:
    """Return which of several namesakes the labels of an alert fit.

    A label tells them apart where it has the value of one of them; one that no row bears says
    nothing.
    """
    fitting = tuple(rows)
    for label, value_of in _TELLING.items():
        said = labels.get(label, "")
        narrowed = tuple(row for row in fitting if said and value_of(row) == said)
        fitting = narrowed or fitting
    return fitting


def rows_by_name(rows: Iterable[ModelRow]) -> dict[str, list[ModelRow]]:
    """Return the rows by each name that others may mean them by, but the name of one row alone."""
    found: dict[str, list[ModelRow]] = {}
    for row in rows:
        for name in {row.model, row.label, row.served_as} - {""}:
            found.setdefault(name, []).append(row)
    return {
        name: alike for name, alike in found.items() if len(alike) > 1 or alike[0].model != name
    }


def bound_name(target: str, row_id: str, rows: Sequence[ModelRow]) -> str:
    """Return the name today of the row that something was written about.

    By the row's id; else, for what was written without one or of a row that has another id now,
    by the name while no other row shares it. ``target`` itself where neither tells.
    """
    by_id = [row.model for row in rows if row_id and row.id == row_id]
    if by_id:
        return by_id[0]
    alike = [row.model for row in rows if target in (row.model, row.label)]
    return alike[0] if len(alike) == 1 else target


def name_rows(
    unnamed: Sequence[tuple[str, Group]],
    namesakes: Mapping[str, Sequence[Group]],
    taken: Iterable[str],
    before: Mapping[str, str],
) -> dict[str, str]:
    """Return the shortest name of each group by its id.

    ``unnamed`` are (wanted name, group); ``namesakes`` all groups that bear a label, ``taken``
    the names that others have, ``before`` the names shown so far by id: a name stays.
    """
    used = set(taken)
    names: dict[str, str] = {}
    for wanted, group in unnamed:
        kept = before.get(group.id)
        if kept is not None and kept not in used and _names(kept, wanted):
            names[group.id] = kept
            used.add(kept)
    wishes = Counter(wanted for wanted, _ in unnamed)
    for wanted, group in unnamed:
        if group.id in names:
            continue
        others = namesakes.get(group.label, (group,))
        name = wanted
        if wanted in used or len(others) > 1 or wishes[wanted] > 1:
            name = wanted + SEPARATOR + _qualifier(group, others)
        number = 1
        base = name
        while name in used:
            number += 1
            name = f"{base} ({number})"
        names[group.id] = name
        used.add(name)
    return names


def _names(name: str, wanted: str) -> bool:
    return name == wanted or name.startswith(wanted + SEPARATOR)


def _qualifier(group: Group, others: Sequence[Group]) -> str:
    """Return the first thing that tells the group from all its namesakes, else all that differ."""
    columns = list(zip(*(other.qualifiers for other in others), strict=True))
    mine = group.qualifiers
    for column, value in zip(columns, mine, strict=True):
        if value and len(set(column)) == len(column):
            return value
    differing = [
        value for column, value in zip(columns, mine, strict=True) if value and len(set(column)) > 1
    ]
    return SEPARATOR.join(differing) or group.origin
