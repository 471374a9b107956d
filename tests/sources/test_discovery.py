"""Which models a source lists, and under which names."""

from __future__ import annotations

from console.domain.samples import SeenModel
from console.metrics.profile import profiles
from console.sources.base import RecentModels, long_metrics, seen_models, wanted_metrics

MIDWATCH = profiles()["midwatch"]


def seen(name: str) -> SeenModel:
    return SeenModel(model=name, series_value=name, profile="midwatch", source="s")


def test_versions_are_gathered_and_no_value_is_none() -> None:
    series = [
        {"model": "a", "version": "2", "job": "x"},
        {"model": "a", "version": "1", "job": "y"},
        {"model": "a", "version": "None", "job": "x"},
        {"model": "b", "job": "x"},
    ]

    a, b = seen_models(MIDWATCH, "s", series)

    assert (a.versions, a.server, a.source, a.profile) == (("1", "2"), "x", "s", "midwatch")
    assert b.versions == ()


def test_a_series_without_a_model_is_shown_under_its_server() -> None:
    (nameless,) = seen_models(MIDWATCH, "s", [{"job": "billing"}])

    assert (nameless.model, nameless.series_value) == ("billing", "")


def test_names_that_look_alike_are_told_apart() -> None:
    long = "x" * 1000
    models = seen_models(MIDWATCH, "s", [{"model": long + "1"}, {"model": long + "2"}])

    assert len({one.model for one in models}) == 2
    assert {one.series_value for one in models} == {long + "1", long + "2"}
    assert all(len(one.model) < 250 for one in models)


def test_a_model_that_is_gone_stays_listed_for_an_hour() -> None:
    recent = RecentModels()

    recent.with_gone([seen("a"), seen("b")], 0.0)
    later = recent.with_gone([seen("a")], 1800.0)
    back = recent.with_gone([seen("b"), seen("a")], 3500.0)
    gone = recent.with_gone([seen("a")], 3500.0 + 3601.0)

    assert [one.model for one in later] == ["a", "b"]
    assert [one.model for one in back] == ["b", "a"]
    assert [one.model for one in gone] == ["a"]


def test_wanted_metrics_are_those_that_profiles_read_and_few_of_them_are_kept_long() -> None:
    wanted, long = wanted_metrics(profiles()), long_metrics(profiles())

    assert {"model_requests_total", "model_request_duration_seconds_bucket", "model_info"} <= wanted
    assert "go_goroutines" not in wanted
    assert {"model_requests_total", "model_cost_usd_total"} <= long
    assert not any(name.endswith("_bucket") for name in long)
    assert long < wanted
