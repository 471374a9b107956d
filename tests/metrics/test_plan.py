"""The questions of a tick: complete, at their pace, and never more because of more models."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from console.domain.model import ModelRow, Objectives
from console.domain.signals import BURN_WINDOWS, SIGNALS
from console.metrics.expressions import Raw
from console.metrics.labels import ExpressionError
from console.metrics.profile import Definition, Profile, profiles
from console.metrics.queries import Query
from console.metrics.query_plan import plan

NOW = datetime(2026, 11, 23, 2, 47, 13, tzinfo=UTC).timestamp()


def row(model: str, profile: str = "midwatch", **more: float) -> ModelRow:
    objectives = Objectives(latency_under_seconds=more.get("under"), declared="under" in more)
    return ModelRow(
        model,
        profile=profile,
        objectives=objectives,
        confidence_threshold=more.get("threshold"),
    )


def by_id(queries: tuple[Query, ...]) -> dict[str, Query]:
    found = {query.id: query for query in queries}
    assert len(found) == len(queries), "two questions share an id"
    return found


def test_the_number_of_questions_does_not_follow_the_models() -> None:
    counts = []
    for models in (10, 5000):
        rows = [
            row(f"m{i}", threshold=(0.5, 0.6, 0.9)[i % 3], under=(0.4, 1.0)[i % 2])
            for i in range(models)
        ]
        asked = plan(["midwatch"], rows, {}, NOW)
        # Days that are over are asked for every quarter of an hour.
        counts.append(sum(query.cadence != "rare" for query in asked))
    assert counts[0] == counts[1]
    assert counts[0] < 130  # eight of them, once a minute, ask by replica


def test_only_present_profiles_are_asked() -> None:
    assert plan([], [row("a")], {}, NOW) == ()
    assert {query.profile for query in plan(["vllm"], [row("a", "vllm")], {}, NOW)} == {"vllm"}
    assert plan(["of-tomorrow"], [], {}, NOW) == ()


def test_every_measured_signal_of_the_contract_is_asked() -> None:
    columns = {query.column for query in plan(["midwatch"], [row("a", under=0.4)], {}, NOW)}
    measured = {name for name in profiles()["midwatch"].signals if name in SIGNALS}
    assert measured <= columns
    # What a contract cannot ask of every service is measured by other kinds of server.
    elsewhere = {name for profile in profiles().values() for name in profile.signals}
    assert {name for name, fact in SIGNALS.items() if not fact.derived} <= elsewhere | columns
    for window in (*BURN_WINDOWS, "30d"):
        wanted = {f"error_ratio@{window}", f"requests_count@{window}", f"slow_ratio@{window}"}
        assert wanted <= columns
    assert {"drift_psi@prev", "drift_samples", "review_capacity"} <= columns
    assert {"cost_increase@5m", "cost_increase@1h", "cost_increase@6h"} <= columns
    assert {"latency_p50@6h", "latency_p95@6h", "latency_p99@6h", "latency_mean@6h"} <= columns
    assert {"ttft_p95@6h", "confidence_mean@1d", "low_confidence_ratio@1d"} <= columns
    assert "low_confidence_ratio@10m" in columns
    assert {"breaker_state", "route", "info", "versions", "dependency_attempts"} <= columns


def test_long_windows_are_asked_seldom() -> None:
    for query in plan(["midwatch"], [row("a", under=0.4)], {}, NOW):
        if query.cadence == "tick":
            assert (query.window_seconds or 0) <= 1800, query.id
        if query.column.startswith(("error_ratio@", "requests_count@")):
            expected = "tick" if query.column.endswith(("@5m", "@30m")) else "slow"
            assert query.cadence == expected, query.id


def test_a_gauge_has_no_window_and_a_rate_has() -> None:
    queries = by_id(plan(["midwatch"], [row("a")], {}, NOW))
    assert queries["midwatch/review_depth"].window_seconds is None
    assert queries["midwatch/drift_psi@prev"].offset_seconds == 600.0
    assert queries["midwatch/drift_psi@prev"].promql.endswith("offset 10m)")
    assert queries["midwatch/tokens_rate"].window_seconds == 300.0
    assert queries["midwatch/waste_ratio"].window_seconds == 3600.0
    assert "[1h]" in queries["midwatch/waste_ratio"].promql


def test_requests_are_looked_at_over_a_minute_and_slow_sources_over_five() -> None:
    queries = by_id(plan(["midwatch", "triton"], [row("a")], {}, NOW))
    counter = "model_requests_total"
    live = f"(rate({counter}[1m]) or (rate({counter}[5m]) and last_over_time({counter}[150s])))"
    assert queries["midwatch/requests_rate"].promql == f"sum by (model) {live}"
    bad = queries["midwatch/bad_rate"]
    assert (bad.window_seconds, bad.fallback_seconds) == (60.0, 300.0)
    assert bad.promql.endswith(f"or 0 * (sum by (model) {live})")
    assert queries["triton/requests_rate"].promql.count("[1m]") == 3
    # A chart whose steps are longer than the window would miss what lies between them.
    assert bad.over_steps(15.0) is bad
    assert bad.over_steps(60.0).window_seconds == 300.0
    assert bad.over_steps(60.0).fallback_seconds is None


def test_an_operators_own_window_of_requests_stays_five_minutes() -> None:
    own = {"a": {"requests_rate": "sum by (model) (rate(mine_total[$window]))"}}
    queries = by_id(plan(["midwatch"], [row("a")], own, NOW))
    assert queries["own/a/requests_rate"].promql == "sum by (model) (rate(mine_total[5m]))"


def test_each_threshold_is_asked_once_for_its_models() -> None:
    rows = [row("a", threshold=0.6), row("b"), row("c", threshold=0.6)]
    queries = by_id(plan(["midwatch"], rows, {}, NOW))
    assert queries["midwatch/low_confidence_ratio<0.6"].models == frozenset({"a", "c"})
    assert queries["midwatch/low_confidence_ratio<0.5"].models == frozenset({"b"})
    alone = by_id(plan(["midwatch"], rows[::2], {}, NOW))
    assert alone["midwatch/low_confidence_ratio<0.6"].models is None
    assert "midwatch/low_confidence_ratio<0.5" not in alone


def test_slow_requests_are_counted_only_against_a_declared_objective() -> None:
    assert not [q for q in plan(["midwatch"], [row("a")], {}, NOW) if "slow_ratio" in q.id]
    rows = [row("a", under=0.4), row("b")]
    found = [q for q in plan(["midwatch"], rows, {}, NOW) if q.column == "slow_ratio@1h"]
    assert [(q.id, q.edge, q.models) for q in found] == [
        ("midwatch/slow_ratio@1h>0.4", 0.4, frozenset({"a"}))
    ]


def test_the_top_edge_is_asked_where_buckets_exist() -> None:
    queries = by_id(plan(["midwatch", "triton"], [], {}, NOW))
    assert queries["midwatch/latency_top"].promql.startswith("histogram_quantile(1, ")
    assert queries["midwatch/latency_top"].cadence == "slow"
    assert queries["triton/ttft_top"].promql.startswith("0.001 * (histogram_quantile(1, ")
    assert "triton/latency_top" not in queries


def test_samples_behind_a_number() -> None:
    queries = by_id(plan(["midwatch"], [row("a")], {}, NOW))
    drift = queries["midwatch/drift_psi"]
    assert (drift.n_column, drift.min_n) == ("drift_samples", 200)
    assert queries["midwatch/latency_p95"].n_column == "requests_count@5m"
    assert queries["midwatch/latency_p95@6h"].n_column == "requests_count@6h"
    assert queries["midwatch/low_confidence_ratio@10m<0.5"].n_column == "requests_count@10m"
    assert queries["midwatch/requests_rate"].n_column is None


@pytest.mark.parametrize(
    ("moment", "today", "month"),
    [
        (datetime(2026, 11, 23, 2, 47, 13, tzinfo=UTC), "168m", "31848m"),
        (datetime(2026, 11, 23, 3, 0, 0, tzinfo=UTC), "3h", "531h"),
        (datetime(2026, 12, 1, 0, 5, 0, tzinfo=UTC), "5m", "5m"),
        (datetime(2028, 2, 29, 12, 0, 30, tzinfo=UTC), "721m", "41041m"),
    ],
)
def test_spend_since_midnight_and_the_first(moment: datetime, today: str, month: str) -> None:
    queries = by_id(plan(["midwatch"], [row("a")], {}, moment.timestamp()))
    assert f"[{today}]" in queries["midwatch/cost_today"].promql
    assert f"[{month}]" in queries["midwatch/cost_month"].promql


@pytest.mark.parametrize(
    ("moment", "share"),
    [
        (datetime(2026, 12, 1, 0, 0, 0, tzinfo=UTC), "0.2"),
        (datetime(2026, 12, 1, 0, 0, 0, 1, tzinfo=UTC), "0.2"),
        (datetime(2026, 12, 1, 0, 3, 1, tzinfo=UTC), "0.8"),
    ],
)
def test_minutes_after_midnight_spend_is_a_part_of_the_last_five(
    moment: datetime, share: str
) -> None:
    queries = by_id(plan(["midwatch"], [row("a")], {}, moment.timestamp()))
    for name in ("cost_today", "cost_month"):
        query = queries[f"midwatch/{name}"]
        assert query.promql.startswith(f"{share} * ")
        assert "[5m]" in query.promql
        assert query.method == f"increase, {float(share):.0%} of that of 5m"


def test_more_labels_in_a_match_get_their_own_questions() -> None:
    rows = [row("a"), row("b"), row("c")]
    matches = {
        "a": {"model": "a"},
        "b": {"model": "b", "namespace": 'pr"od'},
        "c": {"model": "c", "namespace": 'pr"od'},
    }
    queries = by_id(plan(["midwatch"], rows, {}, NOW, matches=matches))
    assert queries["midwatch/requests_rate"].models == frozenset({"a"})
    theirs = [q for q in queries.values() if q.column == "requests_rate" and q.matchers]
    assert [q.models for q in theirs] == [frozenset({"b", "c"})]
    assert 'model_requests_total{namespace="pr\\"od"}[5m]' in theirs[0].promql
    dependency = [q for q in queries.values() if q.column == "dependency_error_ratio"]
    assert [q.matchers for q in dependency] == [()]


def test_a_row_may_bear_another_name_than_its_series() -> None:
    rows = [row("shown", threshold=0.6), row("other")]
    matches = {"shown": {"model": "in-series"}}
    queries = by_id(plan(["midwatch"], rows, {}, NOW, matches=matches))
    assert queries["midwatch/low_confidence_ratio<0.6"].models == frozenset({"in-series"})


def test_a_match_that_cannot_be_spelled_is_refused() -> None:
    with pytest.raises(ExpressionError, match="my-label"):
        plan(["midwatch"], [row("a")], {}, NOW, matches={"a": {"my-label": "x"}})


def test_own_questions_come_last_and_each_text_once() -> None:
    shared = "sum by (model) (rate(mine_total[$window]))"
    own = {
        "a": {"latency_p95": "q{$match,x='$$'}[$window]", "requests_rate": shared},
        "b": {"requests_rate": shared, "ece": "my_ece"},
    }
    matches = {"a": {"model": 'a"', "zone": "1"}}
    queries = plan(["midwatch"], [row("a"), row("b")], own, NOW, matches=matches)
    mine = [query for query in queries if query.exclusive]
    assert queries[-len(mine) :] == tuple(mine)
    found = by_id(tuple(mine))
    assert found["own/a/latency_p95"].promql == 'q{model="a\\"",zone="1",x=\'$\'}[5m]'
    assert found["own/a/latency_p95@6h"].promql.endswith("[6h]")
    assert found["own/a/latency_p95"].models == frozenset({'a"'})
    assert found["own/a/requests_rate"].models == frozenset({'a"', "b"})
    assert "own/b/requests_rate" not in found
    assert found["own/b/ece"].window_seconds is None
    assert all(query.expression is None for query in mine)
    assert not any(query.answerable_from_samples for query in mine)


def test_an_own_error_ratio_is_asked_over_every_burn_window() -> None:
    own = {"a": {"error_ratio": "bad{$match}[$window]", "bad_rate": "b{$match}"}}
    ids = {q.id for q in plan(["midwatch"], [row("a")], own, NOW) if q.exclusive}
    assert {f"own/a/error_ratio@{w}" for w in (*BURN_WINDOWS, "30d")} <= ids
    assert "own/a/bad_rate" in ids


def test_own_questions_work_for_models_no_profile_knows() -> None:
    own = {"a": {"requests_rate": "x{$match}"}}
    queries = plan([], [row("a", profile="")], own, NOW, matches={"a": {"svc": "s"}})
    assert [(q.promql, q.by) for q in queries] == [('x{svc="s"}', ("model",))]


def test_raw_promql_in_a_profile_fills_its_placeholders() -> None:
    raw = Raw("topk(1, x{$match}) by ($by) [$window]")
    profile = Profile(
        name="p",
        title="P",
        signature=("x",),
        model_label="name",
        signals={"requests_rate": Definition(raw), "drift_psi": Definition(Raw("d"))},
    )
    with pytest.raises(ExpressionError, match="Raw is not a rate"):
        plan(["p"], [], {}, NOW, known={"p": profile})
    profile = Profile(
        name="p",
        title="P",
        signature=("x",),
        model_label="name",
        signals={"bad_rate": Definition(raw), "drift_psi": Definition(Raw("d"))},
    )
    queries = by_id(plan(["p"], [], {}, NOW, known={"p": profile}))
    assert queries["p/bad_rate"].promql == "topk(1, x{}) by (name) [5m]"
    # Without $offset the text would answer for now and be taken for ten minutes ago.
    assert set(queries) == {"p/bad_rate", "p/drift_psi"}
