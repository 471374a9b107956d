"""Eleven built stories: the right cause, or none, and never an innocent."""

from dataclasses import replace

import numpy as np
import pytest

from console.domain.snapshot import Cause
from tests.calibration.stories import (
    BEGINS,
    Shared,
    Story,
    Trouble,
    User,
    last_look,
    named,
    told,
)
from tests.calibration.world import START

SEED = 7


def judged(story: Story, *models: str) -> list[str]:
    snapshot = last_look(story, np.random.default_rng(SEED))
    return [named(snapshot, model) for model in models]


def cause(story: Story, model: str) -> Cause:
    snapshot = last_look(story, np.random.default_rng(SEED))
    return snapshot.causes[snapshot.index[model]]


VICTIM_LATER = Story(
    (
        User("chat", ("zz-store",)),
        User("fraud", ("zz-store", "aa-vectors")),
        User("rank", ("aa-vectors", "zz-store")),
    ),
    (
        Shared("aa-vectors", trouble=Trouble(share=0.25, after=300.0)),
        Shared("zz-store", trouble=Trouble(share=0.22)),
    ),
)


@pytest.mark.parametrize("share", [0.22, 0.15])
def test_what_failed_first_is_named_and_its_victim_only_mentioned(share: float) -> None:
    first = replace(VICTIM_LATER.shared[1], trouble=Trouble(share=share))
    story = replace(VICTIM_LATER, shared=(VICTIM_LATER.shared[0], first))
    snapshot = last_look(story, np.random.default_rng(SEED))
    for model in ("chat", "fraud", "rank"):
        assert named(snapshot, model) == "zz-store"
    found = snapshot.causes[snapshot.index["fraud"]]
    assert found.confidence == "likely"
    assert "3 of 3 callers hurt" in found.evidence
    assert [one.name for one in snapshot.dependencies if one.culprit] == ["zz-store"]


@pytest.mark.parametrize(("deploy_at", "right"), [(-120.0, "deploy"), (None, "")])
def test_errors_of_a_day_that_hurt_nobody_are_not_blamed_for_a_deploy(
    deploy_at: float | None, right: str
) -> None:
    story = Story(
        (
            User("fraud", ("features",), slo=0.93, own=Trouble(share=0.9), deploy_at=deploy_at),
            User("rank", ("features",), slo=0.93),
        ),
        (Shared("features", background=0.06),),
    )
    assert judged(story, "fraud", "rank") == [right, ""]
    if not right:
        assert cause(story, "fraud").text == "no shared cause seen"


def test_neither_money_nor_confidence_is_a_dependencys() -> None:
    story = Story(
        (User("chat", ("llm",), slo=0.9), User("rank", ("llm",), slo=0.9)),
        (Shared("llm", background=0.001, trouble=Trouble(share=0.06)),),
    )
    fleet = told(story, np.random.default_rng(SEED))
    unsure = np.where(np.arange(len(fleet.requests))[:, None] * 15.0 >= BEGINS - 900.0, 0.5, 0.01)
    fleet = replace(
        fleet,
        unsure=fleet.requests * unsure,
        facts={"breaker_state": ((("rank", "llm"), 2.0), (("chat", ""), 0.0))},
    )
    *_, snapshot = fleet.watched(BEGINS - 240.0, BEGINS + 600.0, 15.0)
    rules = {one.rule for one in snapshot.findings[snapshot.index["chat"]]}
    assert "low_confidence" in rules
    assert snapshot.causes == {}
    assert not any(one.culprit for one in snapshot.dependencies)


def test_three_calls_prove_nothing() -> None:
    story = Story(
        (User("fraud", ("features",), rate=2.0, own=Trouble(share=0.6)),), (Shared("features"),)
    )
    fleet = told(story, np.random.default_rng(SEED))
    steps = len(fleet.requests)
    calls, bad = np.zeros((steps, 1)), np.zeros((steps, 1))
    calls[-20:-17], bad[-20] = 1.0, 1.0
    fleet = replace(fleet, calls=calls, bad_calls=bad, tries=None, pair_p95=None)
    *_, snapshot = fleet.watched(BEGINS - 240.0, BEGINS + 300.0, 15.0)
    assert snapshot.severities[0] <= 2
    assert named(snapshot, "fraud") == ""


def test_a_shared_dependency_stands_above_a_models_own() -> None:
    users = (
        User("chat", ("shared",)),
        User("fraud", ("aa-own", "shared")),
        User("rank", ("shared",)),
    )
    shared = (
        Shared("aa-own", trouble=Trouble(share=0.3)),
        Shared("shared", trouble=Trouble(share=0.4)),
    )
    found = cause(Story(users, shared), "fraud")
    assert found.name == "shared"
    assert "aa-own" in found.also


def test_latency_alone_counts() -> None:
    story = Story((User("chat", ("llm",)),), (Shared("llm", trouble=Trouble(seconds=8.0)),))
    found = cause(story, "chat")
    assert (found.name, found.confidence) == ("llm", "likely")
    assert found.evidence[0].startswith("llm, p95 8")


def test_attempts_that_hide_failures_count() -> None:
    story = Story(
        (User("chat", ("llm",), slo=0.999, attempts=4),),
        (Shared("llm", trouble=Trouble(share=0.4)),),
    )
    fleet = told(story, np.random.default_rng(SEED))
    # The exporter counts a call once, as what its last attempt ended in.
    assert fleet.bad_calls is not None
    assert fleet.tries is not None
    fleet = replace(fleet, calls=fleet.requests, bad_calls=fleet.bad * 0.3, pair_p95=None)
    *_, snapshot = fleet.watched(BEGINS - 240.0, BEGINS + 600.0, 15.0)
    found = snapshot.causes[0]
    assert (found.name, found.confidence) == ("llm", "likely")
    assert "attempts a request, usually 1" in found.evidence[0]


def test_a_few_percent_count_where_they_are_all_of_the_harm() -> None:
    story = Story(
        (User("chat", ("llm",), slo=0.999),),
        (Shared("llm", trouble=Trouble(share=0.04)),),
    )
    found = cause(story, "chat")
    assert (found.name, found.confidence) == ("llm", "likely")


def test_the_root_of_three_layers_is_named_for_all_of_them() -> None:
    story = Story(
        (User("chat", ("embed",)), User("embed", ("disk",)), User("rank", ("embed",))),
        (Shared("disk", trouble=Trouble(share=0.6)),),
    )
    assert judged(story, "chat", "embed", "rank") == ["disk", "disk", "disk"]
    assert "through embed" in cause(story, "chat").text


def test_a_breaker_of_its_own_that_refuses_hides_no_cause() -> None:
    story = Story(
        (User("chat", ("llm", "aa-well"), rate=20.0),),
        (Shared("aa-well"), Shared("llm", trouble=Trouble(share=0.6))),
    )
    fleet = told(story, np.random.default_rng(SEED))
    opened = int((BEGINS + 30.0) / 15.0)
    assert fleet.calls is not None
    assert fleet.bad_calls is not None
    assert fleet.tries is not None
    # From then on one request in fifty is let through, and all others are refused.
    for counts in (fleet.calls, fleet.bad_calls, fleet.tries):
        counts[opened:] = np.round(counts[opened:] / 50.0)
    fleet.bad[opened:] = fleet.requests[opened:]
    fleet = replace(fleet, facts={"breaker_state": ((("chat", ""), 1.0),)})
    looks = list(fleet.watched(BEGINS - 240.0, BEGINS + 600.0, 15.0))
    first = int((240.0 + 90.0) / 15.0)
    assert {named(one, "chat") for one in looks[first:]} == {"llm"}


def test_a_cause_is_told_in_the_past_once_users_are_no_longer_hurt() -> None:
    story = Story(
        (User("chat", ("llm",), rate=20.0),), (Shared("llm", trouble=Trouble(share=0.6)),)
    )
    fleet = told(story, np.random.default_rng(SEED))
    over = int((BEGINS + 300.0) / 15.0)
    calm = np.s_[over:]
    fleet.bad[calm] = 0.0
    assert fleet.bad_calls is not None
    fleet.bad_calls[calm] = 0.0
    fleet = replace(fleet)
    looks = list(fleet.watched(BEGINS - 240.0, BEGINS + 560.0, 15.0))
    hurting = [one for one in looks if one.causes and not one.recovering]
    recovering = [one for one in looks if one.recovering]
    assert hurting
    assert recovering
    assert hurting[-1].causes[0].text.startswith("likely: llm, errors ")
    assert recovering[-1].causes[0].text.startswith("was likely: llm, errors ")
    texts = [one.causes[0].text for one in hurting + recovering if one.causes[0].name]
    told_shares = [text.split("%")[0].split()[-1] for text in texts]
    assert float(told_shares[-1]) >= max(map(float, told_shares)) / 2.0
    assert (hurting[-1].causes[0].since or 0.0) > START
