"""Who speaks for a row: order, an explicit source, a fallback while a source is away."""

from collections.abc import Mapping

import msgspec

from console.domain.samples import SeenModel
from console.engine.row_assignment import Seat, seat_rows
from console.evaluation.inventory import row_places
from console.settings.schema import ModelSettings, Settings
from tests.engine.fakes import seen, settings_of


def seats(
    offers: Mapping[str, tuple[SeenModel, ...]],
    settings: Settings,
    speakers: Mapping[str, str] | None = None,
) -> tuple[Seat, ...]:
    seen_in_order = [one for source in settings.sources for one in offers.get(source.name, ())]
    return seat_rows(row_places(seen_in_order, settings), settings, speakers or {}).seats


def test_each_source_that_offers_a_name_has_a_row_of_its_own() -> None:
    offers = {"one": (), "two": seen("alpha", source="two"), "three": seen("alpha", source="three")}
    assert seats(offers, settings_of("one", "two", "three")) == (
        Seat("three", "midwatch", "alpha"),
        Seat("two", "midwatch", "alpha"),
    )


def test_a_named_source_wins_and_is_never_replaced_by_another() -> None:
    settings = settings_of("one", "two", models={"alpha": ModelSettings(source="two")})
    both = {"one": seen("alpha"), "two": seen("alpha", source="two")}
    assert [seat.source for seat in seats(both, settings)] == ["two", "one"]
    assert seats({"one": seen("alpha"), "two": ()}, settings)[0] == Seat()


def test_a_standby_takes_the_rows_that_it_offers() -> None:
    settings = settings_of("one", "two")
    first = msgspec.structs.replace(settings.sources[0], fallback="two")
    settings = msgspec.structs.replace(settings, sources=(first, settings.sources[1]))
    both = {"one": seen("alpha"), "two": seen("alpha", source="two", profile="vllm")}
    assert seats(both, settings) == (Seat("one", "midwatch", "alpha"),)
    assert seats(both, settings, {"one": "two"}) == (Seat("two", "vllm", "alpha"),)
    without = {"one": seen("alpha"), "two": ()}
    assert seats(without, settings, {"one": "two"})[0].source == "one"


def test_a_matched_label_value_names_the_row() -> None:
    settings = settings_of("one", models={"alpha": ModelSettings(match={"model": "prod/alpha:3"})})
    offers = {"one": (SeenModel("prod/alpha:3", "prod/alpha:3", "midwatch", "one"),)}
    assert seats(offers, settings) == (Seat("one", "midwatch", "prod/alpha:3"),)


def test_rows_say_who_speaks_for_them() -> None:
    settings = settings_of("one", models={"lost": ModelSettings()})
    seating = seat_rows(row_places(seen("alpha"), settings), settings)
    assert [(row.source, row.profile) for row in seating.rows] == [("one", "midwatch"), ("", "")]
    assert seating.of_source("one") == (0,)


def test_own_promql_seats_a_row_without_any_profile() -> None:
    own = ModelSettings(match={"app": "chat"}, signals={"requests_rate": "sum(x{$match})"})
    asked = settings_of("one", "two", models={"chat": own})
    sources = tuple(msgspec.structs.replace(one, kind="prometheus") for one in asked.sources)
    asked = msgspec.structs.replace(asked, sources=sources)
    assert seats({}, asked) == (Seat("one", "", "chat"),)
    elsewhere = msgspec.structs.replace(own, source="two")
    assert seats({}, msgspec.structs.replace(asked, models={"chat": elsewhere}))[0].source == "two"
