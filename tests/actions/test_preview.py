"""What is known beforehand: whom it touches, what speaks against it, how it has to be confirmed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from msgspec import structs

from console.actions.action_record import blast_json
from console.actions.preview import preview_lines
from console.domain.action import ActionRequest
from tests.actions.support import actor, write_config
from tests.actions.world import World, config_toml, world
from tests.support.snapshots import SAMPLE_NOW, sample_snapshot

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from console.domain.action import PreparedAction
    from console.domain.snapshot import Snapshot

WHY = "feature store away"


@pytest.fixture
def service() -> Iterator[World]:
    with world() as made:
        yield made


@pytest.fixture
def config(service: World, tmp_path: Path) -> Path:
    text = config_toml(tmp_path / "j.db", [service.url], tier=1)
    text = text.replace("[dependencies.features]", "[dependencies.feature-store-eu]")
    return write_config(tmp_path / "c.toml", text.replace('["features"]', '["feature-store-eu"]'))


async def prepared(
    config: Path, verb: str, snapshot: Snapshot | None, late: float = 2.0, **options: object
) -> PreparedAction:
    target = options.pop("target", "fraud-scorer")
    request = ActionRequest(verb, str(target), WHY, **options)  # type: ignore[arg-type]
    with actor(config, clock=lambda: SAMPLE_NOW + late) as acting:
        return await acting.prepare(request, snapshot)


def ids(made: PreparedAction, level: str) -> set[str]:
    return {guard.id for guard in made.guards if guard.level == level}


async def test_a_fallback_says_what_moves_where_with_what_room(config: Path) -> None:
    night = sample_snapshot()
    made = await prepared(config, "fallback", night, to="fraud-small")
    row = night.index["fraud-scorer"]
    rate = night.reading("requests_rate", row).value
    assert rate is not None
    blast = made.blast
    assert blast.moved_per_minute.value == pytest.approx(rate * 60.0)
    assert blast.moved_per_minute.age_seconds is not None
    rates = [night.reading("requests_rate", index) for index in range(len(night.rows))]
    known = [each.value for each in rates if each.known]
    assert blast.fleet_share.value == pytest.approx(rate / sum(each or 0.0 for each in known))
    assert blast.tier == 1
    assert blast.room_per_minute.value == pytest.approx(8.6 * 60.0)
    assert blast.room_enough is True
    assert (blast.region_from, blast.region_to, blast.region_allowed) == ("eu", "eu", True)
    assert blast.cost_per_hour.value is None
    assert "price" in blast.cost_per_hour.unknown
    assert json.loads(json.dumps(blast_json(blast)))["room_enough"] is True
    shown = dict(preview_lines(made))
    assert shown["state"] == "primary → fraud-small"
    assert "enough; health not measured" in shown["room"]
    assert "allowed" in shown["region"]


async def test_without_numbers_everything_says_unknown_and_nothing_says_zero(config: Path) -> None:
    made = await prepared(config, "fallback", None, to="fraud-small")
    assert made.blast.moved_per_minute.value is None
    assert made.blast.room_enough is None
    assert {"no_numbers", "room_unknown"} <= ids(made, "warn")
    shown = dict(preview_lines(made))
    assert shown["moves"].startswith("unknown")
    assert shown["cost"].startswith("unknown")
    assert " 0 " not in shown["moves"]


async def test_too_little_room_is_said_and_the_name_is_typed(config: Path) -> None:
    night = sample_snapshot()
    row = night.index["fraud-scorer"]
    rows = list(night.rows)
    small = replace(rows[row].fallbacks[0], capacity_per_second=0.5)
    rows[row] = replace(rows[row], fallbacks=(small,))
    made = await prepared(config, "fallback", replace(night, rows=tuple(rows)), to="fraud-small")
    assert made.blast.room_enough is False
    assert "no_room" in ids(made, "warn")
    assert made.confirm_class == "C2"


async def test_people_who_cannot_keep_up_are_counted(config: Path) -> None:
    made = await prepared(config, "human", sample_snapshot())
    assert made.blast.review_capacity_per_minute.value == pytest.approx(0.13 * 60.0)
    assert made.blast.review_rho is not None
    assert made.blast.review_rho > 1.0
    assert "review_full" in ids(made, "warn")
    assert "grows" in dict(preview_lines(made))["review"]


async def test_a_trip_with_nothing_behind_it_says_what_could_be(config: Path) -> None:
    night = sample_snapshot()
    row = night.index["fraud-scorer"]
    calm = replace(
        night, routes={**night.routes, row: structs.replace(night.routes[row], level="L0")}
    )
    made = await prepared(config, "trip", calm)
    (guard,) = [each for each in made.guards if each.id == "no_fallback"]
    assert "midwatch fallback fraud-scorer --to fraud-small" in guard.sentence
    assert made.confirm_class == "C2", "held without anybody who ends it, and lowering risk"


async def test_closing_by_force_while_probes_fail_is_refused_without_break_glass(
    config: Path, service: World
) -> None:
    service.states["breaker"] = "OPEN"
    made = await prepared(config, "reset", sample_snapshot())
    assert "probes_failing" in ids(made, "refuse")
    assert made.confirm_class == "C3"
    assert any("opened by itself" in guard.sentence for guard in made.refused)
    assert any("still fails: 38%" in guard.sentence for guard in made.refused)


async def test_restoring_to_an_open_breaker_is_refused(config: Path, service: World) -> None:
    service.states["route"] = "fraud-small"
    made = await prepared(config, "restore", sample_snapshot())
    assert "probes_failing" in ids(made, "refuse")


async def test_old_numbers_are_no_ground_to_decide_on(config: Path) -> None:
    made = await prepared(config, "trip", sample_snapshot(), late=60.0)
    assert "data_old" in ids(made, "refuse")
    fresh = await prepared(config, "trip", sample_snapshot())
    assert "data_old" not in {guard.id for guard in fresh.guards}


@pytest.mark.parametrize(
    ("value", "confirm_class"), [(0.5, "C3"), (0.7, "C2")], ids=["lower", "higher"]
)
async def test_a_lower_threshold_on_tier_1_needs_a_second_person(
    config: Path, value: float, confirm_class: str
) -> None:
    made = await prepared(config, "threshold", sample_snapshot(), value=value)
    assert made.confirm_class == confirm_class


async def test_a_dependency_names_every_model_that_shares_it(config: Path, service: World) -> None:
    service.states["features"] = "CLOSED"
    made = await prepared(config, "trip", sample_snapshot(), target="dep:feature-store-eu")
    assert made.blast.models == ("churn-ranker", "fraud-scorer", "kyc-vision")
    assert made.blast.tier == 1
    assert made.confirm_class == "C2", "lowers risk, so it waits for nobody"
    assert "churn-ranker, fraud-scorer, kyc-vision" in dict(preview_lines(made))["moves"]
    service.states["features"] = "FORCED_OPEN"
    back = await prepared(config, "reset", sample_snapshot(), target="dep:feature-store-eu")
    assert back.confirm_class == "C3"


async def test_a_breaker_that_protects_nothing_is_said(config: Path, service: World) -> None:
    service.states["breaker"] = "DISABLED"
    made = await prepared(config, "trip", sample_snapshot())
    assert "breaker_disabled" in ids(made, "warn")
    assert "from_state" in ids(made, "refuse")
    assert made.confirm_class == "C3"


async def test_a_state_that_is_not_the_one_on_the_screen_is_said(
    config: Path, service: World
) -> None:
    service.states["breaker"] = "CLOSED"  # the sample night shows OPEN
    made = await prepared(config, "trip", sample_snapshot())
    (guard,) = [each for each in made.guards if each.id == "changed_since_seen"]
    assert "show OPEN, the control says CLOSED" in guard.sentence
    service.states["breaker"] = "OPEN"
    made = await prepared(config, "trip", sample_snapshot())
    assert "changed_since_seen" not in {guard.id for guard in made.guards}


async def test_whoever_needs_the_model_is_named(config: Path) -> None:
    made = await prepared(config, "trip", None)
    assert made.blast.dependants == ("payments",)


async def test_text_from_outside_is_harmless_in_a_preview(config: Path, service: World) -> None:
    service.states["route"] = "\x1b[31mprimary\x07"
    made = await prepared(config, "fallback", None, to="fraud-small")
    text = "\n".join(text for _, text in preview_lines(made))
    assert "\x1b" not in text
    assert "\x07" not in text
