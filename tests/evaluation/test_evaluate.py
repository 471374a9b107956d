"""The whole judgement: unknown is never ok, worse is never better, nothing ever throws."""

from collections.abc import Mapping

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from console.domain.model import ModelRow, Objectives
from console.domain.samples import SourceStatus
from console.domain.severity import BreakerState, Severity
from console.domain.signals import ReadingState
from console.evaluation.rules.rule_list import RULES
from tests.evaluation.scenes import CALM, Facts, Watch, rules_of, text_of
from tests.support.columns import ERROR, NO_TRAFFIC, Entry, Mark, stale

COLUMNS = tuple(
    sorted(
        {need for rule in RULES for need in rule.needs}
        - {"breaker_state", "route", "info", "versions", "dependency_breaker"}
        - {"dependency_attempts", "replicas"}
    )
)
WILD = st.one_of(
    st.floats(),
    st.sampled_from([0.0, 1e308, -1e308, 5e-324, float("inf"), float("-inf"), float("nan")]),
)
ENTRY: st.SearchStrategy[Entry] = st.one_of(
    st.none(),
    WILD,
    st.builds(Mark, st.sampled_from(list(ReadingState)), WILD, WILD),
)
ENTRIES = st.dictionaries(st.sampled_from(COLUMNS), ENTRY, max_size=12)
TEXT = st.text(max_size=6)
ROWS = st.builds(
    ModelRow,
    model=st.just("m"),
    source=st.sampled_from(["prom", ""]),
    configured=st.booleans(),
    tier=st.integers(1, 3),
    allowed_regions=st.lists(TEXT, max_size=2).map(tuple),
    objectives=st.builds(
        Objectives, st.sampled_from([0.0, 0.9, 0.999, 1.0]), st.just(0.4), st.just(0.99)
    ),
    budget_month_usd=st.sampled_from([None, 0.0, 4000.0]),
    review_sla_seconds=st.sampled_from([None, 900.0]),
    dependencies=st.lists(TEXT, max_size=2).map(tuple),
)
FACTS: st.SearchStrategy[Facts] = st.fixed_dictionaries(
    {},
    optional={
        "breaker_state": st.lists(st.tuples(st.tuples(st.just("m"), TEXT), WILD), max_size=3),
        "route": st.lists(st.tuples(st.tuples(st.just("m"), TEXT, TEXT, TEXT), WILD), max_size=2),
        "versions": st.lists(st.tuples(st.tuples(st.just("m"), TEXT), WILD), max_size=3),
        "info": st.lists(st.tuples(st.tuples(st.just("m"), TEXT), WILD), max_size=2),
        "dependency_attempts": st.lists(
            st.tuples(st.tuples(st.sampled_from(["m", "x"]), TEXT), WILD), max_size=3
        ),
        "replica:latency_p95": st.lists(
            st.tuples(st.tuples(st.just("m"), TEXT, TEXT), WILD), max_size=3
        ),
        "dependency_breaker": st.lists(st.tuples(st.tuples(TEXT), WILD), max_size=2),
        "dependency_error_ratio": st.lists(st.tuples(st.tuples(TEXT), WILD), max_size=2),
        "dependency_timeout_ratio": st.lists(st.tuples(st.tuples(TEXT), WILD), max_size=2),
    },
)


@settings(max_examples=120, deadline=None)
@given(ROWS, ENTRIES, FACTS, ENTRIES)
def test_nothing_throws_and_every_sentence_can_be_written(
    row: ModelRow, first: Mapping[str, Entry], facts: Facts, second: Mapping[str, Entry]
) -> None:
    watch = Watch((row,))
    for entries in (first, first, second, {}, first):
        snapshot = watch.see({"m": entries}, facts)
        for findings in (*snapshot.findings.values(), *snapshot.pending.values()):
            assert all(one.text for one in findings)
        assert sorted(snapshot.order) == [0]
        for signal in snapshot.columns:
            reading = snapshot.reading(signal, 0)
            if reading.state is ReadingState.OK and signal.startswith("burn"):
                assert reading.value is not None
                assert np.isfinite(reading.value)
        assert all(change.text for change in snapshot.changes)
    once = watch.see({"m": first}, facts, remembers=False)
    assert all(one.text for found in once.pending.values() for one in found)


@settings(max_examples=80, deadline=None)
@given(ROWS, ENTRIES)
def test_unknown_is_never_ok(row: ModelRow, entries: Mapping[str, Entry]) -> None:
    hidden = {
        name: Mark(ReadingState.STALE, 0.0) if entry is not None else None
        for name, entry in entries.items()
    }
    watch = Watch((row,))
    for _ in range(3):
        snapshot = watch.see({"m": hidden})
        assert snapshot.severity(0) <= Severity.UNKNOWN


@settings(max_examples=60, deadline=None)
@given(st.floats(0, 1), st.floats(0, 1), st.sampled_from(["error_ratio", "slow_ratio"]))
def test_more_errors_are_never_a_lower_level(first: float, second: float, base: str) -> None:
    def level(ratio: float) -> Severity:
        row = ModelRow("m", source="prom", objectives=Objectives(0.999, 0.4, 0.99, declared=True))
        windows = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
        entries: dict[str, Entry] = {**CALM, **{f"{base}@{window}": ratio for window in windows}}
        entries |= {f"requests_count@{window}": 1e5 for window in windows}
        watch = Watch((row,))
        watch.see({"m": entries})
        return watch.see({"m": entries}).severity(0)

    low, high = sorted((first, second))
    assert level(high) <= level(low)


@settings(max_examples=60, deadline=None)
@given(ENTRIES)
def test_one_more_bad_signal_never_lowers_a_level(base: Mapping[str, Entry]) -> None:
    row = ModelRow("m", source="prom", review_sla_seconds=900.0)
    plain = {**CALM, **base, "review_oldest": 10.0}
    alone, worse = Watch((row,)), Watch((row,))
    for _ in range(2):
        one = alone.see({"m": plain})
        other = worse.see({"m": {**plain, "review_oldest": 5000.0}})
    assert other.severity(0) <= one.severity(0)
    assert other.severity(0) <= Severity.S2


def test_zero_is_fine_and_silence_and_failure_are_not() -> None:
    row = ModelRow("m", source="prom")
    states: list[tuple[dict[str, Entry], Severity]] = [
        ({"requests_rate": 0.0, "error_ratio": NO_TRAFFIC}, Severity.UNJUDGED),
        (dict(CALM), Severity.OK),
        ({}, Severity.UNKNOWN),
        ({"requests_rate": stale(3.0)}, Severity.UNKNOWN),
        ({"requests_rate": 3.0, "error_ratio": ERROR}, Severity.UNKNOWN),
        ({"cost_today": 3.0}, Severity.UNKNOWN),
    ]
    for entries, expected in states:
        assert Watch((row,)).see({"m": entries}).severity(0) is expected, entries


def test_an_unknown_row_says_why() -> None:
    row = ModelRow("m", source="prom")
    watch = Watch((row,), sources=(SourceStatus("prom", "prometheus", "down"),))
    assert text_of(watch.see({"m": {"requests_rate": stale(1.0)}}), "no_data") == (
        "no data: prom is down"
    )
    assert text_of(Watch((row,)).see({"m": {}}), "no_data") == "no data from prom"
    assert text_of(Watch((ModelRow("m"),)).see({"m": {}}), "no_data") == "no source has it"


def test_silence_of_a_tier_one_model_pages_after_five_minutes() -> None:
    watch = Watch((ModelRow("m", source="prom", tier=1), ModelRow("n", source="prom", tier=2)))
    first = watch.see({})
    assert [one.rule for one in first.pending[0]] == ["no_data_tier1"]
    assert first.severity(0) is Severity.UNKNOWN
    for _ in range(2):
        later = watch.see({}, after_seconds=301.0)
    assert later.severity(0) is Severity.S1
    assert not later.pending
    assert text_of(later, "no_data_tier1") == "no data from prom, for 10m"
    assert later.severity(1) is Severity.UNKNOWN
    back = watch.see({"m": CALM, "n": CALM})
    assert back.severity(1) is Severity.OK


def test_a_raised_rule_outlives_its_source_for_a_while() -> None:
    row = ModelRow("m", source="prom", review_sla_seconds=900.0)
    watch = Watch((row,))
    bad = {**CALM, "review_oldest": 1140.0}
    watch.see({"m": bad})
    watch.see({"m": bad})
    gone = {name: stale(1.0) for name in bad}
    held = watch.see({"m": gone})
    assert held.severity(0) is Severity.S2
    assert text_of(held, "review_sla") == "oldest review 19m, SLA 15m"
    assert text_of(watch.see({"m": gone}), "review_sla") == "oldest review 19m, SLA 15m"
    late = watch.see({"m": gone}, after_seconds=1000.0)
    assert late.severity(0) is Severity.UNKNOWN
    assert rules_of(late) == {"no_data"}


def test_one_evaluation_without_memory_raises_what_the_source_proves() -> None:
    row = ModelRow("m", source="prom", review_sla_seconds=900.0)
    entries: dict[str, Entry] = {
        **CALM,
        "error_ratio@1h": 0.5,
        "error_ratio@5m": 0.5,
        "requests_count@1h": 1000.0,
        "review_oldest": 1000.0,
    }
    snapshot = Watch((row,)).see({"m": entries}, remembers=False)
    assert rules_of(snapshot) == {"burn_page_fast"}
    assert {one.rule for one in snapshot.pending[0]} == {"review_sla"}
    assert snapshot.severity(0) is Severity.S1


def test_a_breaker_keeps_the_time_it_was_first_seen_in_its_state() -> None:
    watch = Watch((ModelRow("m", source="prom"),))
    closed: Facts = {"breaker_state": [(("m", ""), 0.0)]}
    opened: Facts = {"breaker_state": [(("m", ""), 1.0)]}
    watch.see({"m": CALM}, closed)
    first = watch.see({"m": CALM}, opened)
    second = watch.see({"m": CALM}, opened)
    assert second.breaker(0).state is BreakerState.OPEN
    assert second.breaker(0).since == first.taken_at
    assert second.breaker(0).at == second.taken_at
    nothing = watch.see({"m": CALM}, {})
    assert nothing.breaker(0).state is BreakerState.UNKNOWN
    assert 0 not in nothing.breakers
    assert watch.see({"m": CALM}, opened).breaker(0).since == first.taken_at


def test_a_model_with_several_breakers_shows_the_worst() -> None:
    facts: Facts = {"breaker_state": [(("m", ""), 0.0), (("m", "m"), 4.0), (("m", ""), 2.0)]}
    snapshot = Watch((ModelRow("m", source="prom"),)).see({"m": CALM}, facts)
    assert snapshot.breaker(0).state is BreakerState.FORCED_OPEN


def test_of_several_active_routes_the_lowest_rung_is_shown() -> None:
    facts: Facts = {
        "route": [
            (("m", "primary", "L0", "eu"), 1.0),
            (("m", "small", "L2", "eu"), 1.0),
            (("m", "rules", "L3", "eu"), 0.0),
            (("m", "primary", "L0", "eu"), 1.0),
        ]
    }
    snapshot = Watch((ModelRow("m", source="prom"),)).see({"m": CALM}, facts)
    assert snapshot.route(0).target == "small"


def test_harm_is_reckoned_where_it_is_not_measured() -> None:
    rows = (ModelRow("a", source="prom"), ModelRow("b", source="prom"))
    entries: dict[str, dict[str, Entry]] = {
        "a": {**CALM, "bad_rate": 0.1},
        "b": {"requests_rate": 10.0, "error_ratio": 0.05},
    }
    snapshot = Watch(rows).see(entries)
    assert [snapshot.rows[row].model for row in snapshot.order] == ["b", "a"]


def test_an_empty_fleet_is_a_snapshot_too() -> None:
    watch = Watch(())
    watch.see({})
    snapshot = watch.see({})
    assert len(snapshot.order) == 0
    assert dict(snapshot.findings) == {}


def test_five_thousand_models_in_a_flood_are_judged_and_told_in_few_words() -> None:
    rows = tuple(ModelRow(f"m{number:04d}", source="prom") for number in range(5000))
    bad: dict[str, Entry] = {
        **CALM,
        "error_ratio@1h": 0.5,
        "error_ratio@5m": 0.5,
        "requests_count@1h": 1000.0,
    }
    watch = Watch(rows)
    calm = watch.see({row.model: CALM for row in rows})
    assert set(calm.severities.tolist()) == {int(Severity.OK)}
    watch.see({row.model: bad for row in rows})
    flood = watch.see({row.model: bad for row in rows})
    assert set(flood.severities.tolist()) == {int(Severity.S1)}
    assert [change.text for change in flood.changes] == ["5000 models rose to S1 or S2 at once"]
    assert [flood.rows[row].model for row in flood.order[:2]] == ["m0000", "m0001"]
