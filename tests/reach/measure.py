"""Asks every system's questions as the console would, and compares with the catalogue's PromQL."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

from console.domain.model import ModelRow
from console.metrics.evaluate import Memory, evaluate
from console.metrics.labels import conditions
from console.metrics.profile import Profile, discovery_promql, profile_of_metric, profiles
from console.metrics.queries import Query
from console.metrics.query_plan import plan
from console.sources.base import as_written, seen_models
from tests.metrics.fleet import NOW
from tests.metrics.stored import ListStore
from tests.reach.systems import SYSTEMS, Offer, System, offers
from tests.support.prometheus_server import instant

GOAL_SYSTEMS = 31
TOLERANCE = 0.01
MOST_QUERIES = 40
"""Questions a tick that one kind of server may cost."""

Values = dict[str, float]


GOAL_KINDS_SHARE = 140 / 152


def kind_of(offer: Offer) -> tuple[str, str]:
    """Return the kind of number an offer is one form of: ``error_ratio (5xx)`` is error_ratio."""
    return offer.system, re.split("[ ,(:]", offer.purpose)[0]


def kinds(results: list[Result]) -> tuple[int, int]:
    """Return how many kinds of number are given, and how many are offered."""
    named = {f"{offer.system}: {offer.purpose}": kind_of(offer) for offer in offers()}
    given = {named[name] for result in results for name in result.given}
    return len(given), len(set(named.values()))


@dataclass
class Result:
    """What of one system reaches the screen."""

    system: System
    recognised: bool = False
    names: tuple[str, ...] = ()
    offered: int = 0
    given: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    queries: int = 0


def measure(url: str, store: ListStore) -> list[Result]:
    """Measure all systems on one Prometheus that holds the samples of ``store``."""
    found: dict[str, set[str]] = {}
    for labels, _ in instant(url, discovery_promql(), NOW):
        profile = profile_of_metric(labels["__name__"])
        if profile is not None:
            found.setdefault(profile.name, set()).add(labels["job"])
    written = {name: _written(profiles()[name], store) for name in found}
    return [_measured(system, found, written, url, store) for system in SYSTEMS]


def _written(profile: Profile, store: ListStore) -> Profile:
    metrics = {s.name for s in store.series if profile_of_metric(s.name) is profile}
    return as_written(profile, metrics, [])


def _measured(
    system: System,
    found: dict[str, set[str]],
    written: dict[str, Profile],
    url: str,
    store: ListStore,
) -> Result:
    result = Result(system)
    here = found.get(system.profile, set())
    result.recognised = set(system.texts) <= here
    if system.profile not in written:
        return result
    profile = written[system.profile]
    mine = [s for s in store.series if dict(s.labels)["job"] in system.texts]
    series = [dict(s.labels) for s in mine if s.name in profile.signature]
    wanted = conditions(profile.discovery_where)
    holding = [each for each in series if all(m.holds(each.get(m.label, "")) for m in wanted)]
    result.names = tuple(sorted({seen.model for seen in seen_models(profile, "here", holding)}))
    asked = _queries(system, written)
    result.queries = sum(query.cadence == "tick" for query in asked.values())
    mine_offers = [offer for offer in offers() if offer.system == system.id]
    result.offered = len(mine_offers)
    for offer in mine_offers:
        _compare(offer, asked, result, url, store)
    return result


def _queries(system: System, written: dict[str, Profile]) -> dict[str, Query]:
    """Return the questions of the system, and of what stands beside it, by column."""
    known = {**profiles(), **written}
    beside = known[system.profile].role == "companion"
    names = [] if beside else [system.profile]
    if system.host:
        names = [system.host]
    companions = [system.profile] if beside else []
    companions += [system.beside] if system.beside else []
    rows = [ModelRow("any", profile=name) for name in names]
    queries = plan(names, rows, {}, NOW, known=known, companions=companions)
    own = [q for q in queries if not system.host or q.voice == system.profile]
    return {query.id.rpartition("/")[2]: query for query in own}


def _compare(
    offer: Offer, asked: dict[str, Query], result: Result, url: str, store: ListStore
) -> None:
    name = f"{offer.system}: {offer.purpose}"
    query = asked.get(offer.column.lstrip("~"))
    if offer.column == "~cost_per_1k":
        query = asked.get("cost_per_hour")
    if not offer.column or query is None:
        result.missing.append(f"{name} ({offer.why_not or 'not asked'})")
        return
    theirs = _values(instant(url, offer.promql, NOW))
    ours = _by_model(instant(url, query.promql, NOW), query)
    answer = evaluate(query, store, NOW, Memory())
    stored = {key[0]: v for key, v in zip(answer.keys, answer.values.tolist(), strict=True)}
    if answer.error is None and not _same(ours, stored, 1e-9):
        result.wrong.append(f"{name}: stored {stored}, Prometheus {ours}")
    if not any(not math.isnan(value) for value in ours.values()):
        result.missing.append(f"{name} (no answer)")
        return
    if not offer.column.startswith("~") and not _agree(ours, theirs):
        result.wrong.append(f"{name}: ours {ours}, the catalogue's {theirs}")
        return
    result.given.append(name)


def _by_model(answer: list[tuple[dict[str, str], float]], query: Query) -> Values:
    found: Values = {}
    for labels, value in answer:
        key = labels.get(query.by[0], "")
        # A labelled fact has several values a model: the worst is what the row shows.
        found[key] = max(value, found.get(key, -math.inf)) if query.labelled else value
    return found


def _values(answer: list[tuple[dict[str, str], float]]) -> Values:
    return {"/".join(labels.values()): value for labels, value in answer}


def _agree(ours: Values, theirs: Values) -> bool:
    """Tell whether two answers say the same; one alone is the same model however it is named."""
    theirs = {key: value for key, value in theirs.items() if not math.isnan(value)}
    ours = {key: value for key, value in ours.items() if not math.isnan(value)}
    if ours and len(theirs) == 1:
        # Of the whole server: every model of it has the same number.
        (alone,) = theirs.values()
        return all(math.isclose(each, alone, rel_tol=TOLERANCE) for each in ours.values())
    # What the console leaves out on purpose (no name, an unknown model) is no row.
    kept = {key: value for key, value in theirs.items() if key in ours}
    return bool(kept) and _same({k: v for k, v in ours.items() if k in kept}, kept, TOLERANCE)


def _same(one: Values, other: Values, tolerance: float) -> bool:
    return one.keys() == other.keys() and all(
        math.isclose(value, other[key], rel_tol=tolerance, abs_tol=1e-9)
        or (math.isnan(value) and math.isnan(other[key]))
        for key, value in one.items()
    )


def report(results: list[Result]) -> str:
    """Return one line a system, and the sums."""
    lines = []
    for result in results:
        lines.append(
            f"{result.system.id:17} {'yes' if result.recognised else 'NO ':3} "
            f"{len(result.given):2}/{result.offered:2} {result.queries:3} queries  "
            f"{', '.join(result.names)}"
        )
        lines += [f"    not given: {text}" for text in result.missing]
    given, offered = sum(len(r.given) for r in results), sum(r.offered for r in results)
    known = sum(result.recognised for result in results)
    some, all_kinds = kinds(results)
    lines.append(
        f"recognised {known} of {len(results) + 1} (one exports nothing), "
        f"kinds of number {some} of {all_kinds}, forms {given} of {offered}"
    )
    return "\n".join(lines)
