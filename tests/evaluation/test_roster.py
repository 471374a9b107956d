"""Rows are what was seen joined with what was declared, each with an id and a shortest name."""

from dataclasses import replace

from console.domain.model import OnCall
from console.domain.samples import SeenModel
from console.evaluation.inventory import roster
from console.settings.schema import (
    ConfidenceSettings,
    CostSettings,
    FallbackSettings,
    InterventionSettings,
    LatencySloSettings,
    ModelSettings,
    OncallSettings,
    ReviewSettings,
    Settings,
    SloSettings,
    SourceSettings,
)

EU = SourceSettings(name="prom-eu", kind="prometheus", url="http://127.0.0.1:1")
US = SourceSettings(name="prom-us", kind="prometheus", url="http://127.0.0.1:2")


def _seen(model: str, source: str = "prom-eu", profile: str = "midwatch") -> SeenModel:
    return SeenModel(
        model, model, profile, source, ("v2", "v1"), "job-a", (("region", "eu"), ("code", "9be"))
    )


def test_with_no_configuration_every_seen_model_is_a_row_with_defaults() -> None:
    rows = roster([_seen("b"), _seen("a")], Settings(sources=(EU,)))
    assert [row.model for row in rows] == ["a", "b"]
    row = rows[0]
    assert not row.configured
    assert not row.objectives.declared
    assert row.objectives.availability_ratio == 0.99
    assert (row.source, row.profile, row.server) == ("prom-eu", "midwatch", "job-a")
    assert row.version == "v1 + v2"
    assert row.region == "eu"
    assert row.info["code"] == "9be"


def test_a_declared_model_nobody_has_seen_is_a_row_without_source() -> None:
    rows = roster([], Settings(models={"ghost": ModelSettings(tier=1)}))
    assert (rows[0].model, rows[0].source, rows[0].tier) == ("ghost", "", 1)
    assert rows[0].configured


def test_two_sources_with_one_name_are_two_rows_unless_one_thing_is_proven() -> None:
    seen = [_seen("m", "prom-us"), _seen("m", "prom-eu")]
    names = [(row.model, row.source) for row in roster(seen, Settings(sources=(EU, US)))]
    assert names == [("m/prom-eu", "prom-eu"), ("m/prom-us", "prom-us")]
    wanted = Settings(sources=(EU, US), models={"m": ModelSettings(source="prom-us")})
    rows = roster(seen, wanted)
    assert [(row.model, row.source) for row in rows] == [("m", "prom-us"), ("m/prom-eu", "prom-eu")]
    same = [replace(one, places=frozenset({"triton 10.0.0.7:8002"})) for one in seen]
    (row,) = roster(same, Settings(sources=(EU, US)))
    assert (row.model, row.source) == ("m", "prom-eu")


def test_a_match_gives_a_seen_model_its_configured_name() -> None:
    settings = Settings(
        sources=(EU,), models={"chat": ModelSettings(match={"model_name": "org/llm-7b"})}
    )
    rows = roster([_seen("org/llm-7b", profile="vllm"), _seen("other")], settings)
    assert [row.model for row in rows] == ["chat", "other"]
    assert rows[0].configured
    bound = Settings(
        sources=(EU,),
        models={"chat": ModelSettings(match={"model": "m"}, profile="triton")},
    )
    assert [row.model for row in roster([_seen("m")], bound)] == ["chat", "m"]


def test_everything_declared_reaches_the_row() -> None:
    declared = ModelSettings(
        tier=1,
        region="us",
        allowed_regions=("us",),
        consent="contract",
        fails_closed=True,
        owner="risk",
        oncall=OncallSettings(primary="ana", secondary="joel", escalation=("cto",)),
        runbook="https://runbooks.example.net/m",
        dependencies=("store",),
        slo=SloSettings(availability=0.999, latency=LatencySloSettings(0.4, 0.95)),
        confidence=ConfidenceSettings(threshold=0.6, base=0.016),
        review=ReviewSettings(capacity_per_second=0.13, sla_seconds=900.0),
        cost=CostSettings(budget_month_usd=4000.0, per_1k_requests_usd=0.09),
        intervene=(InterventionSettings(when="error_ratio > 0.2 for 3m", do="trip"),),
        fallbacks=(FallbackSettings("small", "L2", "eu", 8.6),),
    )
    row = roster([_seen("m")], Settings(sources=(EU,), models={"m": declared}))[0]
    assert (row.tier, row.region, row.allowed_regions) == (1, "us", ("us",))
    assert row.oncall == OnCall("ana", "joel", ("cto",))
    assert row.objectives.declared
    assert row.objectives.availability_ratio == 0.999
    assert row.objectives.latency_under_seconds == 0.4
    assert row.objectives.latency_share_ratio == 0.95
    assert row.fails_closed
    assert (row.confidence_threshold, row.confidence_base_ratio) == (0.6, 0.016)
    assert (row.review_capacity_per_second, row.review_sla_seconds) == (0.13, 900.0)
    assert (row.budget_month_usd, row.cost_per_1k_usd) == (4000.0, 0.09)
    assert row.intervene == (("error_ratio > 0.2 for 3m", "trip"),)
    assert row.fallbacks[0].capacity_per_second == 8.6
    assert row.consent == "contract"


def test_a_latency_objective_alone_is_declared_beside_the_default_availability() -> None:
    declared = ModelSettings(slo=SloSettings(latency=LatencySloSettings(0.4)))
    row = roster([_seen("m")], Settings(sources=(EU,), models={"m": declared}))[0]
    assert row.objectives.declared
    assert row.objectives.availability_ratio == 0.99


def test_thousands_of_declared_models_are_joined_quickly() -> None:
    settings = Settings(
        sources=(EU,), models={f"m{number}": ModelSettings() for number in range(3000)}
    )
    rows = roster([_seen(f"m{number}") for number in range(3000)], settings)
    assert sum(row.configured for row in rows) == 3000
