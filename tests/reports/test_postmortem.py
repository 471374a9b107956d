"""The postmortem: roles for people, times from the impact, what is not known."""

from __future__ import annotations

from dataclasses import replace

from console.domain.incident import IncidentClock, IncidentImpact
from console.engine.report_facts import AROUND_SECONDS, signal_of_rule, signals_of, span_of
from console.reports.markdown import markdown
from console.reports.plots import with_marks
from console.reports.postmortem import postmortem
from console.reports.postmortem_text import postmortem_blocks
from console.reports.redact import Roles
from tests.reports.samples import SINCE, postmortem_facts
from tests.support.snapshots import SAMPLE_NOW


def text_of(facts) -> str:
    return markdown(postmortem_blocks(postmortem(facts)))


def test_nobody_is_named_unless_it_is_asked_for() -> None:
    blameless, named = text_of(postmortem_facts()), text_of(postmortem_facts(named=True))
    for name in ("ana", "tom", "maria"):
        assert name not in blameless.replace("Finance", "")
        assert name in named
    assert "responder" not in named


def test_a_role_replaces_whole_names_and_nothing_else() -> None:
    roles = Roles(["an", "ana", "#risk", "fraud-scorer", ""], kept=["fraud-scorer"])
    assert roles.text("ana and an told #risk about an-1, banana, fraud-scorer") == (
        "responder B and responder A told #risk about an-1, banana, fraud-scorer"
    )
    assert roles.who("#risk") == "#risk"
    assert Roles(["ana"], named=True).text("ana") == "ana"
    assert Roles([]).text("a") == "a"
    assert Roles([f"p{number}" for number in range(30)]).who("p29") == "responder 30"


def test_times_count_from_the_impact_or_are_not_known() -> None:
    found = postmortem(postmortem_facts())
    assert [(each.name, each.seconds) for each in found.clock] == [
        ("TTD", 90.0), ("TTA", 325.0), ("TTM", 1980.0), ("TTR", 1980.0),
    ]  # fmt: skip
    facts = postmortem_facts()
    blind = replace(
        facts,
        view=replace(
            facts.view, clock=IncidentClock(), impact=IncidentImpact(SAMPLE_NOW), events=()
        ),
    )
    found = postmortem(blind)
    assert all(each.seconds is None for each in found.clock)
    assert all(each.value is None for each in found.impact)
    assert found.re_examine.startswith("not known")
    assert len(found.unknown) == 2
    assert "**Impact:** not known: not measured." in text_of(blind)


def test_the_same_cause_before_is_told_and_not_mixed_with_this_one() -> None:
    (before,) = postmortem(postmortem_facts()).earlier
    assert before.verdict == "useful"
    assert "contract test" in before.text
    assert len(postmortem(postmortem_facts()).decisions) == 1


def test_a_mark_stands_under_its_moment() -> None:
    drawn = "x\n  ┌────┐\n  │    │\n  └────┘\n   1  2\n"
    assert with_marks(drawn, 0.0, 4.0, [(0.0, "a"), (3.9, "b"), (9.0, "c")]).splitlines()[-1] == (
        "   a  b"
    )
    assert with_marks(drawn, 0.0, 4.0, [(9.0, "c")]) == drawn
    assert with_marks("", 0.0, 4.0, [(1.0, "c")]) == ""


def test_the_signal_that_detected_it_is_drawn_too() -> None:
    view = postmortem_facts().view
    assert signal_of_rule("burn_page_fast") == "burn_1h"
    assert signal_of_rule("review_sla") == "review_oldest"
    assert signal_of_rule("no_owner") == ""
    told = replace(view.events[3], text="fraud-scorer burn_page_fast: S1")
    assert signals_of(replace(view, events=(told,))) == ("error_ratio", "latency_p95", "burn_1h")
    start, end = span_of(view, SAMPLE_NOW + 1800.0)
    assert start == SINCE - 640.0 - AROUND_SECONDS
    assert end == SAMPLE_NOW
