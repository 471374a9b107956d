"""Namesakes are rows of their own, with ids that stay and the shortest names that tell them."""

from dataclasses import replace

import pytest
from msgspec.structs import replace as changed

from console.domain.alert import Alert, Incident
from console.domain.samples import SeenModel
from console.domain.severity import Severity
from console.evaluation.inventory import Place, row_places
from console.evaluation.observations import statics_of
from console.evaluation.row_labels import firing_by_row, rows_meant
from console.settings.schema import ModelSettings, Settings, SourceSettings

EU = SourceSettings(name="eu", kind="prometheus", url="http://127.0.0.1:1")
US = SourceSettings(name="us", kind="prometheus", url="http://127.0.0.1:2")
SETTINGS = Settings(sources=(EU, US))


def sighting(
    model: str = "fraud", profile: str = "triton", source: str = "eu", **more: object
) -> SeenModel:
    return replace(SeenModel(model, model, profile, source), **more)  # type: ignore[arg-type]


def names(places: tuple[Place, ...]) -> list[str]:
    return [place.row.model for place in places]


THREE = [sighting(profile=kind) for kind in ("triton", "mlserver", "kserve")]


def test_three_servers_with_one_name_are_three_rows_with_three_ids() -> None:
    places = row_places(THREE, SETTINGS)
    assert names(places) == ["fraud/kserve", "fraud/mlserver", "fraud/triton"]
    assert [place.row.label for place in places] == ["fraud"] * 3
    assert [place.row.id for place in places] == [
        f"fraud@eu:{kind}" for kind in ("kserve", "mlserver", "triton")
    ]


def test_a_match_that_is_a_list_joins_them_and_a_plain_one_describes_each() -> None:
    joined = ModelSettings(match=({"model": "fraud"}, {"model": "fraud-b"}), owner="risk")
    (place,) = row_places(THREE, changed(SETTINGS, models={"fraud": joined}))
    assert (place.row.model, place.row.profile, len(place.offers)) == ("fraud", "triton", 3)
    plain = ModelSettings(owner="risk", controls={"breaker": "b"})
    places = row_places(THREE, changed(SETTINGS, models={"fraud": plain}))
    assert names(places) == ["fraud/kserve", "fraud/mlserver", "fraud/triton"]
    assert {(place.row.owner, place.row.claimed) for place in places} == {("risk", "fraud")}


def test_a_declaration_by_profile_takes_one_and_leaves_the_others_their_names() -> None:
    declared = ModelSettings(profile="triton")
    places = row_places(THREE, changed(SETTINGS, models={"fraud": declared}))
    assert names(places) == ["fraud", "fraud/kserve", "fraud/mlserver"]
    assert places[0].row.id == "fraud@eu:triton"


def test_a_renamed_declaration_keeps_the_id() -> None:
    before = changed(SETTINGS, models={"fraud": ModelSettings(profile="triton")})
    after = changed(
        SETTINGS, models={"score": ModelSettings(match={"model": "fraud"}, profile="triton")}
    )
    (first,) = row_places(THREE[:1], before)
    (then,) = row_places(THREE[:1], after)
    assert (first.row.model, then.row.model) == ("fraud", "score")
    assert first.row.id == then.row.id


def test_a_name_that_was_shown_stays_when_a_namesake_comes() -> None:
    (first,) = row_places(THREE[:1], SETTINGS)
    kept = {first.row.id: first.row.model}
    assert names(row_places(THREE[:2], SETTINGS, kept)) == ["fraud", "fraud/mlserver"]
    assert names(row_places(THREE[:2], SETTINGS)) == ["fraud/mlserver", "fraud/triton"]


def test_namespaces_and_regions_tell_namesakes_apart() -> None:
    spaces = [sighting(namespace=space) for space in ("prod", "staging")]
    spaces = [replace(one, series_value=f"{one.namespace}|fraud") for one in spaces]
    assert names(row_places(spaces, SETTINGS)) == ["fraud/prod", "fraud/staging"]
    split = changed(
        SETTINGS,
        models={
            "live": ModelSettings(match={"model": "fraud", "namespace": "prod"}),
            "test": ModelSettings(match={"model": "fraud", "namespace": "staging"}),
        },
    )
    places = row_places(spaces, split)
    assert [(p.row.model, p.offers[0].namespace, p.labels) for p in places] == [
        ("live", "prod", ()),
        ("test", "staging", ()),
    ]
    regions = [sighting(source=source) for source in ("eu", "us")]
    assert names(row_places(regions, SETTINGS)) == ["fraud/eu", "fraud/us"]
    both = [sighting(profile=kind, source=at) for kind in ("triton", "vllm") for at in ("eu", "us")]
    assert names(row_places(both, SETTINGS)) == [
        "fraud/triton/eu",
        "fraud/triton/us",
        "fraud/vllm/eu",
        "fraud/vllm/us",
    ]


def test_declared_parts_of_one_model_each_have_their_labels() -> None:
    parts = {
        name: ModelSettings(match={"model": "fraud", "version": name[-1]}) for name in ("v1", "v2")
    }
    places = row_places(THREE[:1], changed(SETTINGS, models=parts))
    assert [(p.row.model, p.labels) for p in places] == [
        ("v1", (("version", "1"),)),
        ("v2", (("version", "2"),)),
    ]
    assert len({p.row.id for p in places}) == 2


@pytest.mark.parametrize("kind", ["mlserver", "triton"])
def test_one_process_is_one_row_whatever_profiles_and_sources_see_it(kind: str) -> None:
    place = frozenset({"serving 10.0.0.7:8000"})
    two = [sighting(places=place), sighting(profile=kind, source="us", places=place)]
    (row,) = row_places(two, SETTINGS)
    assert row.row.model == "fraud"
    other = replace(two[1], places=frozenset({"serving 10.1.0.7:8000"}))
    assert len(row_places([two[0], other], SETTINGS)) == 2


def test_a_fallback_makes_no_rows_of_its_own() -> None:
    first = changed(EU, fallback="us")
    settings = Settings(sources=(first, US))
    both = [sighting(namespace="prod"), sighting(source="us", profile="kserve")]
    (place,) = row_places(both, settings)
    assert [one.source for one in place.offers] == ["eu", "us"]
    (alone,) = row_places(both[1:], settings)
    assert alone.row.id == "fraud@eu:kserve"


def test_a_gateway_in_another_source_makes_no_row_beside_the_server() -> None:
    both = [sighting(), sighting(profile="litellm", source="us")]
    assert names(row_places(both, SETTINGS)) == ["fraud"]


def test_an_alert_goes_to_the_rows_that_all_its_labels_fit() -> None:
    spaces = [sighting(namespace=space, series_value=f"{space}|fraud") for space in ("prod", "dev")]
    rows = tuple(place.row for place in row_places(spaces, SETTINGS))
    statics = statics_of(rows)

    def meant(**labels: str) -> list[str]:
        alert = Alert(
            "f", "am", "Burning", "firing", Severity.S1, 0.0, tuple(labels.items()), model="fraud"
        )
        return [rows[at].model for at in rows_meant(alert, statics)]

    assert meant(namespace="prod") == ["fraud/prod"]
    assert meant(namespace="prod", team="risk") == ["fraud/prod"]
    assert meant() == ["fraud/dev", "fraud/prod"]
    assert meant(namespace="elsewhere") == ["fraud/dev", "fraud/prod"]
    alert = Alert("f", "am", "Burning", "firing", Severity.S1, 0.0, (), model="fraud")
    incident = Incident("i", "Burning", "firing", Severity.S1, 0.0, alerts=(alert,))
    firing = firing_by_row([incident], statics)
    assert [alerts[0].summary for alerts in firing.values()] == ["one of 2 that it may mean"] * 2
