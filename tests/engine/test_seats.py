"""Who speaks for a row: order, an explicit source, a fallback while a source is away."""

from collections.abc import Mapping

from console.domain.model import ModelRow
from console.domain.samples import SeenModel
from console.engine.row_assignment import Seat, seat_rows
from console.settings.schema import ModelSettings, Settings
from tests.engine.fakes import seen, settings_of

ROW = ModelRow("alpha")


def seats(
    offers: Mapping[str, tuple[SeenModel, ...]],
    settings: Settings,
    speakers: Mapping[str, str] | None = None,
) -> tuple[Seat, ...]:
    return seat_rows((ROW,), offers, settings, speakers or {}).seats


def test_the_first_source_that_offers_a_model_speaks_for_it() -> None:
    offers = {"one": (), "two": seen("alpha", source="two"), "three": seen("alpha", source="three")}
    assert seats(offers, settings_of("one", "two", "three")) == (Seat("two", "midwatch", "alpha"),)


def test_a_named_source_wins_and_is_never_replaced_by_another() -> None:
    settings = settings_of("one", "two", models={"alpha": ModelSettings(source="two")})
    both = {"one": seen("alpha"), "two": seen("alpha", source="two")}
    assert seats(both, settings)[0].source == "two"
    assert seats({"one": seen("alpha"), "two": ()}, settings) == (Seat(),)


def test_a_standby_takes_the_rows_that_it_offers() -> None:
    settings = settings_of("one", "two")
    both = {"one": seen("alpha"), "two": seen("alpha", source="two", profile="vllm")}
    assert seats(both, settings)[0] == Seat("one", "midwatch", "alpha")
    assert seats(both, settings, {"one": "two"})[0] == Seat("two", "vllm", "alpha")
    without = {"one": seen("alpha"), "two": ()}
    assert seats(without, settings, {"one": "two"})[0].source == "one"


def test_a_matched_label_value_names_the_row() -> None:
    settings = settings_of("one", models={"alpha": ModelSettings(match={"model": "prod/alpha:3"})})
    offers = {"one": (SeenModel("prod/alpha:3", "prod/alpha:3", "midwatch", "one"),)}
    assert seats(offers, settings) == (Seat("one", "midwatch", "prod/alpha:3"),)


def test_rows_say_who_speaks_for_them() -> None:
    seating = seat_rows((ROW, ModelRow("lost")), {"one": seen("alpha")}, settings_of("one"))
    assert [(row.source, row.profile) for row in seating.rows] == [("one", "midwatch"), ("", "")]
    assert seating.of_source("one") == (0,)
