"""Lineage put together from what serves, the registry and what a person wrote down."""

from __future__ import annotations

import pytest

from console.domain.model import ModelRow, Registered
from console.evaluation.inventory import LINKS, lineage_of

ROW = ModelRow(
    "fraud-scorer",
    version="v41",
    consent="contract-6.1.b",
    info={"code": "9be2c1", "version": "v41"},
)


def registered(version: str = "41", **changes: object) -> Registered:
    links = {"code": "9be2c1aa07d0", "data_snapshot": "tx@88aa", "approver": "joel"}
    given: dict[str, object] = {"name": "fraud", "at": 1.0, "version": version, "links": links}
    return Registered(**{**given, **changes})  # type: ignore[arg-type]


def test_what_nobody_says_is_a_gap_and_every_link_names_who_says_it() -> None:
    lineage = lineage_of(ROW)
    assert (lineage.version, lineage.code, lineage.consent) == ("v41", "9be2c1", "contract-6.1.b")
    assert lineage.sources == {
        "version": "model_info",
        "code": "model_info",
        "consent": "the configuration",
    }
    assert lineage.gaps == tuple(
        LINKS[link] for link in ("data_snapshot", "trained_at", "approver")
    )
    assert lineage_of(ModelRow("new")).gaps == tuple(LINKS.values())


def test_the_registry_fills_what_the_model_does_not_say() -> None:
    lineage = lineage_of(ROW, registered())
    assert (lineage.data_snapshot, lineage.approver) == ("tx@88aa", "joel")
    assert lineage.sources["approver"] == "the registry"
    assert lineage.registry_version == "41"
    assert lineage.gaps == (LINKS["trained_at"],)
    # v41 is 41, and one hash is the other one cut short.
    assert lineage.conflicts == ()


def test_what_a_person_wrote_down_wins_over_nothing_and_over_nothing_else() -> None:
    by_hand = {"trained_at": "2026-09-28", "approver": "ana"}
    row = ModelRow("fraud-scorer", version="v41", lineage=by_hand)
    lineage = lineage_of(row, registered())
    assert (lineage.trained_at, lineage.approver) == ("2026-09-28", "joel")
    assert lineage.sources["trained_at"] == "the configuration"
    assert lineage.conflicts == ("approver: the registry says joel, the configuration ana",)


@pytest.mark.parametrize("version", ["42", ""])
def test_what_the_registry_says_of_another_version_is_not_believed_of_this_one(
    version: str,
) -> None:
    told = registered(version, alias="champion", alias_version="42")
    lineage = lineage_of(ROW, told)
    assert (lineage.registry_version, lineage.approver) == ("", "")
    assert lineage.conflicts == ("version: v41 serves, the registry's alias champion is on 42",)


def test_contradictions_are_said_and_a_registry_that_is_away_is_a_gap() -> None:
    links = {"code": "77aa0b1", "consent": "consent-9"}
    told = registered(links=links, problem="it cannot be reached")
    lineage = lineage_of(ROW, told)
    assert lineage.code == "9be2c1"
    assert lineage.conflicts == (
        "code: model_info says 9be2c1, the registry 77aa0b1",
        "consent: the configuration says contract-6.1.b, the registry consent-9",
    )
    assert lineage.gaps[-1] == "what the registry says (it cannot be reached)"
