"""Which earlier incident is like one, and which reason is the strongest."""

from __future__ import annotations

from dataclasses import replace

import pytest

from console.incidents.similar import About, Alike, alike
from tests.incidents.making import alert, grouped

(STORE,) = grouped([alert("Slow", dependency="store"), alert("Errors", model="fraud")]).incidents
(FRAUD,) = grouped([alert("Errors", model="fraud")]).incidents
(LONE,) = grouped([alert("DiskFull")]).incidents


def past(**more: object) -> About:
    fields: dict[str, object] = {"id": "0ther", **more}
    for name in ("models", "rules"):
        fields[name] = frozenset(fields.get(name, ()))  # type: ignore[call-overload]
    return About(**fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("about", "why", "shared", "rule"),
    [
        (past(dependency="store"), "dependency", "store", ""),
        (past(dependency="store", models=["fraud"], rules=["Errors"]), "dependency", "store",
         "Errors"),
        (past(id=STORE.id), "dependency", "store", ""),
        (past(models=["fraud"], rules=["Errors", "Slow"]), "model and rule", "fraud", "Errors"),
        (past(models=["fraud", "chat"]), "model", "fraud", ""),
        (past(dependency="gateway", models=["fraud"]), "model", "fraud", ""),
    ],
)  # fmt: skip
def test_the_strongest_reason_is_told(about: About, why: str, shared: str, rule: str) -> None:
    assert alike(STORE, about) == Alike(why, shared, rule)  # type: ignore[arg-type]


def test_a_shared_culprit_outranks_the_model_and_rule_and_that_the_model_alone() -> None:
    reasons = [
        alike(STORE, past(models=["fraud"])),
        alike(STORE, past(models=["fraud"], rules=["Errors"])),
        alike(STORE, past(dependency="store")),
    ]
    told = sorted((one for one in reasons if one is not None), key=lambda one: one.strength)
    assert [one.why for one in told] == ["dependency", "model and rule", "model"]


@pytest.mark.parametrize(
    "about",
    [
        past(),
        past(dependency="gateway", models=["chat"], rules=["Errors"]),  # a rule alone is nothing
        past(models=["rank"]),  # it needs the store too, but no alert of this incident names it
    ],
)
def test_what_shares_nothing_is_not_alike(about: About) -> None:
    assert alike(STORE, about) is None


def test_one_that_is_about_no_dependency_is_not_like_all_others_without_one() -> None:
    assert alike(FRAUD, past(models=["chat"])) is None
    assert alike(LONE, past()) is None


def test_an_id_is_the_subject_even_where_nobody_wrote_more() -> None:
    assert alike(FRAUD, past(id=FRAUD.id)) == Alike("model", "fraud")
    found = alike(FRAUD, past(id=FRAUD.id, rules=["Errors"]))
    assert found == Alike("model and rule", "fraud", "Errors")
    assert alike(LONE, past(id=LONE.id)) == Alike("alert", "DiskFull")


def test_where_no_alert_names_a_model_its_callers_count() -> None:
    (quiet,) = grouped([alert("Slow", dependency="store")]).incidents
    assert alike(quiet, past(models=["rank"])) == Alike("model", "rank")
    assert alike(replace(quiet, models=()), past(models=["rank"])) is None
