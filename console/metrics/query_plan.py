"""Plans the queries of a tick; their number follows profiles and thresholds, not models."""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import TYPE_CHECKING

from console.metrics.expressions import (
    Gauge,
    Joined,
    Over,
    Raw,
    Scaled,
    is_answerable,
    is_windowed,
    method,
)
from console.metrics.labels import (
    ExpressionError,
    Matcher,
    duration,
    exactly,
    filled,
    matchers_text,
    number,
)
from console.metrics.labels import names as placeholders
from console.metrics.profile import Definition, Profile, profiles, window_seconds
from console.metrics.queries import SCORES, Cadence, Query, score_queries
from console.metrics.replica_queries import replica_queries
from console.metrics.variants import (
    DEFAULT_THRESHOLD,
    DEFAULT_WINDOW_SECONDS,
    SINCE_COLUMNS,
    Variant,
    measurements,
    over_window,
    samples_behind,
    variants,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from console.domain.model import ModelRow
    from console.metrics.expressions import Expression

__all__ = ["Cadence", "Query", "plan"]

_NO_MATCHES: Mapping[str, Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class _Crowd:
    """Models of a profile that one set of conditions fits; ``values`` None means all."""

    matchers: tuple[Matcher, ...]
    rows: tuple[tuple[str, ModelRow], ...]
    everyone: bool

    @property
    def values(self) -> frozenset[str] | None:
        return None if self.everyone else frozenset(value for value, _ in self.rows)

    @property
    def names(self) -> frozenset[str] | None:
        """Return the rows that take the answers, None where the series' value alone tells."""
        return None if self.everyone else frozenset(row.model for _, row in self.rows)


def plan(
    present: Sequence[str],
    rows: Sequence[ModelRow],
    own: Mapping[str, Mapping[str, str]],
    now: float,
    *,
    matches: Mapping[str, Mapping[str, str]] = _NO_MATCHES,
    selects: Mapping[str, Mapping[str, str]] = _NO_MATCHES,
    known: Mapping[str, Profile] | None = None,
    companions: Sequence[str] = (),
) -> tuple[Query, ...]:
    """Return the queries for the profiles that are there, and for the ``companions`` beside them.

    ``own`` holds an operator's PromQL by row and signal, ``matches`` the declared label values
    by row, ``selects`` what stands for ``$match``; a row's ``label`` is its series' value, else
    its name is. ``now`` is Unix seconds and sets the windows of cost_today and cost_month. An
    operator's queries come last, because they replace what the profile answers. Profiles that
    are not known are passed over. Raises `ExpressionError` for a label in ``matches`` that
    PromQL cannot spell.
    """
    all_profiles = profiles() if known is None else known
    queries: list[Query] = []
    for name in present:
        profile = all_profiles.get(name)
        if profile is None:
            continue
        mine = [row for row in rows if row.profile in (name, "")]
        crowds = _crowds(profile, mine, matches)
        queries += _measured(profile, crowds, variants(now))
        queries += _facts(profile, crowds)
        for crowd in crowds:
            queries += replica_queries(profile, crowd.matchers, crowd.values)
    for name in companions:
        beside = all_profiles.get(name)
        if beside is not None:
            servers = [all_profiles[each] for each in present if each in all_profiles]
            queries += _beside(beside, servers, variants(now))
    queries += _own(all_profiles, rows, own, selects or matches, variants(now))
    return tuple(queries)


def _crowds(
    profile: Profile, rows: Sequence[ModelRow], matches: Mapping[str, Mapping[str, str]]
) -> tuple[_Crowd, ...]:
    found: dict[tuple[Matcher, ...], list[tuple[str, ModelRow]]] = {(): []}
    for row in rows:
        declared = dict(matches.get(row.model, {}))
        value = declared.pop(profile.model_label, row.label or row.model)
        found.setdefault(exactly(declared) if declared else (), []).append((value, row))
    alone = len(found) == 1
    return tuple(
        _Crowd(matchers, tuple(members), alone)
        for matchers, members in found.items()
        if members or alone
    )


def _measured(
    profile: Profile, crowds: tuple[_Crowd, ...], asked: Sequence[Variant]
) -> Iterator[Query]:
    defined = measurements(profile)
    for variant in asked:
        definition = defined.get(variant.base)
        if definition is None or not _can_look_back(variant, definition):
            continue
        for crowd in crowds:
            for edge, models in _edges(variant, crowd):
                yield _query(profile, variant, definition, crowd, edge, models)


def _beside(
    profile: Profile, servers: Sequence[Profile], asked: Sequence[Variant]
) -> Iterator[Query]:
    """Yield what a companion, or a gateway without rows of its own, says of the others' models."""
    everyone = _Crowd((), (), everyone=True)
    if profile.bind is None:
        plain = tuple(v for v in asked if v.is_plain or profile.role == "gateway")
        voices = (*_measured(profile, (everyone,), plain), *_facts(profile, (everyone,)))
        yield from (replace(query, voice=profile.name) for query in voices)
        return
    defined = measurements(profile)
    for server in servers:
        for variant in asked:
            definition = defined.get(variant.base)
            if definition is None or not variant.is_plain or variant.edge is not None:
                continue
            expression = Joined(
                of=definition.expression,
                on=profile.bind.on,
                aggregation=definition.join,
                through=server.signature,
                where=dict(server.discovery_where),
            )
            whole = replace(_query(server, variant, _defined(expression, definition), everyone))
            yield replace(
                whole, id=f"{profile.name}+{whole.id}", voice=profile.name, role=profile.role
            )


def _defined(expression: Expression, definition: Definition) -> Definition:
    return Definition(
        expression, window=definition.window, cadence=definition.cadence, note=definition.note
    )


def _can_look_back(variant: Variant, definition: Definition) -> bool:
    """Refuse raw text that does not place ``$offset``: it would answer for now, not for then."""
    expression = definition.expression
    if not variant.offset_seconds or not isinstance(expression, Raw):
        return True
    return "offset" in placeholders(expression.text)


def _edges(variant: Variant, crowd: _Crowd) -> Iterator[tuple[float | None, frozenset[str] | None]]:
    """Yield each distinct threshold of the crowd with the series values that have it."""
    if variant.edge is None:
        yield None, crowd.values
        return
    by_edge: dict[float, set[str]] = {}
    for value, row in crowd.rows:
        edge = (
            row.objectives.latency_under_seconds if variant.edge == "latency" else _threshold(row)
        )
        if edge is not None:
            by_edge.setdefault(edge, set()).add(value)
    if not crowd.rows and variant.edge == "confidence":
        yield DEFAULT_THRESHOLD, crowd.values
    for edge in sorted(by_edge):
        members = frozenset(by_edge[edge])
        whole = crowd.everyone and len(members) == len({value for value, _ in crowd.rows})
        yield edge, None if whole else members


def _threshold(row: ModelRow) -> float:
    declared = row.confidence_threshold
    return DEFAULT_THRESHOLD if declared is None else declared


def _query(
    profile: Profile,
    variant: Variant,
    definition: Definition,
    crowd: _Crowd,
    edge: float | None = None,
    models: frozenset[str] | None = None,
) -> Query:
    expression, how = definition.expression, method(definition.expression)
    if variant.share != 1.0:
        how = f"{how}, {variant.share:.0%} of that of {duration(variant.window_seconds)}"
        expression = Scaled(expression, variant.share)
    window = fallback = None
    if is_windowed(expression):
        declared = window_seconds(definition.window) if variant.is_plain else None
        window, fallback = declared or variant.window_seconds, variant.fallback_seconds
        if declared or not is_answerable(expression):
            # A text's window stands where its author put it, without a second one beside it.
            window, fallback = declared or fallback or window, None
    n_column, min_n = samples_behind(variant, measurements(profile), window)
    query = Query(
        id=_id(profile.name, variant.column, variant, edge, crowd.matchers),
        column=variant.column,
        profile=profile.name,
        by=(definition.model_label or profile.model_label,),
        promql="",
        expression=expression,
        window_seconds=window,
        offset_seconds=variant.offset_seconds,
        edge=edge,
        cadence=(definition.cadence if variant.is_plain else None) or variant.cadence,
        models=models,
        rows=crowd.names,
        method=how,
        n_column=n_column,
        min_n=min_n,
        matchers=crowd.matchers,
        fallback_seconds=fallback,
        derived=profile.derived,
        role=profile.role,
        keeps_young=variant.column in SINCE_COLUMNS,
    )
    return replace(query, promql=expression.promql(query.scope()))


def _id(
    owner: str,
    column: str,
    variant: Variant | None,
    edge: float | None,
    matchers: tuple[Matcher, ...],
) -> str:
    side = ">" if variant is not None and variant.edge == "latency" else "<"
    condition = "" if edge is None else f"{side}{number(edge)}"
    extra = f"{{{matchers_text(matchers)}}}" if matchers else ""
    return f"{owner}/{column}{condition}{extra}"


def _facts(profile: Profile, crowds: tuple[_Crowd, ...]) -> Iterator[Query]:
    everyone = _Crowd((), (), everyone=True)
    for crowd in crowds:
        referenced = frozenset(value for value, row in crowd.rows if row.reference is not None)
        for query in score_queries(profile, referenced, crowd.matchers):
            yield replace(query, rows=crowd.names)
    for name, fact in profile.facts.items():
        if name == SCORES:
            continue
        windowed = is_windowed(fact.expression)
        of_models = fact.by[0] == profile.model_label
        for crowd in crowds if of_models else (everyone,):
            query = Query(
                id=_id(profile.name, name, None, None, crowd.matchers),
                column=name,
                profile=profile.name,
                by=fact.by,
                promql="",
                expression=fact.expression,
                window_seconds=(window_seconds(fact.window) or DEFAULT_WINDOW_SECONDS)
                if windowed
                else None,
                offset_seconds=window_seconds(fact.before) or 0.0,
                partial=fact.before is not None,
                cadence=fact.cadence or "tick",
                labelled=True,
                models=crowd.values,
                rows=crowd.names,
                method=method(fact.expression),
                matchers=crowd.matchers,
                derived=profile.derived,
                role=profile.role,
            )
            yield replace(query, promql=fact.expression.promql(query.scope()))


def _own(
    known: Mapping[str, Profile],
    rows: Sequence[ModelRow],
    own: Mapping[str, Mapping[str, str]],
    matches: Mapping[str, Mapping[str, str]],
    asked: Sequence[Variant],
) -> Iterator[Query]:
    """Yield the operators' own PromQL, each distinct text of a column once."""
    queries: dict[tuple[str, str, str], Query] = {}
    for row in rows:
        texts = own.get(row.model)
        if not texts:
            continue
        profile = known.get(row.profile)
        label = profile.model_label if profile is not None else "model"
        value = row.label or row.model
        declared = matches.get(row.model) or {label: value}
        value = declared.get(label, value)
        match = matchers_text(exactly(declared))
        for signal, text in texts.items():
            for variant in _own_variants(signal, text, asked):
                query = _own_query(row, variant, text, match, label)
                key = (row.profile, query.column, query.promql)
                first = queries.get(key, query)
                queries[key] = replace(
                    first,
                    models=(first.models or frozenset()) | {value},
                    rows=(first.rows or frozenset()) | {row.model},
                )
    yield from queries.values()


def _own_variants(signal: str, text: str, asked: Sequence[Variant]) -> Iterator[Variant]:
    """Yield the spans an own text can be asked over: without ``$window`` only as it stands."""
    found = [v for v in asked if v.base == signal and not v.offset_seconds] or [
        Variant(signal, signal, "slow" if signal in ("cost_today", "cost_month") else "tick")
    ]
    for variant in found:
        if variant.is_plain or "window" in placeholders(text):
            yield variant


def _own_query(row: ModelRow, variant: Variant, text: str, match: str, label: str) -> Query:
    windowed = "window" in placeholders(text)
    # Nobody knows how slowly an operator's own series are sampled: no short window for them.
    seconds = variant.fallback_seconds or variant.window_seconds
    return Query(
        id=f"own/{row.model}/{variant.column}",
        column=variant.column,
        profile=row.profile,
        by=(label,),
        promql=filled(text, {"window": duration(seconds), "match": match}),
        expression=None,
        window_seconds=seconds if windowed else None,
        cadence=variant.cadence,
        models=None,
        method="own PromQL",
        exclusive=True,
    )


SPEND = "cost_by"
_GROWTHS = ("requests_rate", "served_rate", "tokens_rate", "tokens_in_rate")
REVIEWS = "review_outcomes"


def amount_queries(
    profile: Profile,
    rows: Sequence[ModelRow],
    matches: Mapping[str, Mapping[str, str]],
    spans: Mapping[str, tuple[float, float]],
) -> Iterator[Query]:
    """Yield what asks how spend, requests and tokens grew over each of ``spans``.

    ``spans`` are seconds long and ended so many seconds ago, by name. A query's column is the
    measurement and the span, as ``cost_by@month``; spend comes by whatever labels the profile
    knows of it. Nothing is asked of a profile that knows no spend.
    """
    defined = measurements(profile)
    if "cost_rate" not in defined:
        return
    spent = profile.facts.get(SPEND)
    by_label: dict[str, tuple[Expression, tuple[str, ...]]] = {}
    for name in _GROWTHS:
        if name in defined:
            label = defined[name].model_label or profile.model_label
            by_label[name] = (defined[name].expression, (label,))
    label = defined["cost_rate"].model_label or profile.model_label
    by = spent.by if spent is not None else (label,)
    by_label[SPEND] = (defined["cost_rate"].expression, by)
    for name in ("cost_resets", "cost_least"):
        if name in defined:
            by_label[name] = (defined[name].expression, (label,))
    if REVIEWS in profile.facts:
        fact = profile.facts[REVIEWS]
        by_label[REVIEWS] = (fact.expression, fact.by)
    for name, (rate, labels) in by_label.items():
        try:
            expression = rate if isinstance(rate, Gauge | Over) else over_window(rate)
        except ExpressionError:
            continue
        for crowd in _crowds(profile, rows, matches):
            looks = isinstance(expression, Gauge | Over)
            # How a counter behaved is asked once: a day tells as much as a month.
            some = {"day": spans["day"]} if looks and "day" in spans else spans
            for span, (seconds, ended_seconds_ago) in some.items():
                query = Query(
                    id=_id(profile.name, f"{name}@{span}", None, None, crowd.matchers),
                    column=f"{name}@{span}",
                    profile=profile.name,
                    by=labels,
                    promql="",
                    expression=expression,
                    window_seconds=seconds,
                    offset_seconds=ended_seconds_ago,
                    models=crowd.values,
                    rows=crowd.names,
                    method=method(expression),
                    matchers=crowd.matchers,
                    derived=profile.derived,
                    role=profile.role,
                    voice="" if profile.role == "server" else profile.name,
                    keeps_young=True,
                )
                yield replace(query, promql=expression.promql(query.scope()))
