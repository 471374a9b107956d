"""What changed is told once, newest first, in words that fit the fixed place."""

from collections.abc import Mapping
from dataclasses import replace

from console.domain.model import ModelRow
from console.domain.samples import SourceStatus
from console.domain.severity import Severity
from console.domain.snapshot import Change
from console.evaluation.changes import KEPT, KEPT_SECONDS, remember
from tests.evaluation.scenes import CALM, Facts, Watch
from tests.support.columns import Entry
from tests.support.snapshots import HOSTILE_NAMES, SAMPLE_NOW

ROW = ModelRow("fraud", source="prom", review_sla_seconds=900.0)


def _breaker(value: float) -> Facts:
    return {"breaker_state": [(("fraud", ""), value)]}


def test_the_first_look_has_no_news() -> None:
    watch = Watch((ROW,))
    snapshot = watch.see({"fraud": {**CALM, "review_oldest": 5000.0}}, _breaker(1.0))
    assert snapshot.changes == ()


def test_a_breaker_that_opens_with_nothing_behind_it() -> None:
    watch = Watch((ROW,))
    watch.see({"fraud": CALM}, _breaker(0.0))
    after = watch.see({"fraud": {**CALM, "bad_rate": 6.87}}, _breaker(1.0))
    text = "fraud's breaker opened; nothing answers for it; 412 requests a minute fail"
    assert [change.text for change in after.changes] == [text]
    again = watch.see({"fraud": {**CALM, "bad_rate": 6.87}}, _breaker(1.0))
    assert [change.text for change in again.changes] == [text]


def test_every_kind_of_change_has_a_sentence() -> None:
    def facts(target: str, level: str, version: str, breaker: float) -> Facts:
        return {
            "route": [(("fraud", target, level, "eu"), 1.0)],
            "info": [(("fraud", version, "eu", "", "c1", "", ""), 1.0)],
            "breaker_state": [(("fraud", "store"), breaker)],
        }

    watch = Watch((ROW,))
    watch.see({"fraud": CALM}, facts("primary", "L0", "v1", 0.0))
    watch.sources = (SourceStatus("prom", "prometheus", "down"),)
    changed = watch.see({"fraud": CALM}, facts("small", "L2", "v2", 1.0))
    assert [change.text for change in changed.changes] == [
        "source prom is down",
        "store's breaker opened",
        "fraud went from primary (L0) to small (L2)",
        "fraud went from v1 to v2",
    ]
    assert changed.changes[0].text == "source prom is down"
    watch.sources = (SourceStatus("prom", "prometheus", "up"),)
    back = watch.see({"fraud": CALM}, facts("primary", "L0", "v2", 0.0))
    texts = [change.text for change in back.changes]
    assert texts[0] == "source prom answers again"
    assert "fraud went from small (L2) to primary (L0)" in texts


def test_a_level_that_rises_and_falls_is_told() -> None:
    watch = Watch((ROW,))
    bad: Mapping[str, Entry] = {**CALM, "review_oldest": 1140.0}
    watch.see({"fraud": CALM})
    watch.see({"fraud": bad})
    raised = watch.see({"fraud": bad})
    assert raised.changes[0].text == "fraud S2: oldest review 19m, SLA 15m"
    for _ in range(3):
        well = watch.see({"fraud": {**CALM, "review_oldest": 0.0}})
    assert well.changes[0].text == "fraud is ok again"


def test_a_breaker_that_opened_is_not_told_again_as_a_level() -> None:
    watch = Watch((ROW,))
    refusing: Mapping[str, Entry] = {**CALM, "bad_rate": 6.87}
    watch.see({"fraud": CALM}, _breaker(0.0))
    watch.see({"fraud": refusing}, _breaker(1.0))
    raised = watch.see({"fraud": refusing}, _breaker(1.0))
    assert raised.severity(0) is Severity.S1
    assert len(raised.changes) == 1
    assert "opened; nothing answers" in raised.changes[0].text


def test_a_flood_of_one_kind_is_a_number() -> None:
    rows = tuple(ModelRow(f"m{number}", source="prom") for number in range(20))
    watch = Watch(rows)
    entries = {row.model: CALM for row in rows}
    watch.see(entries, {"breaker_state": [((row.model, ""), 0.0) for row in rows]})
    flood = watch.see(entries, {"breaker_state": [((row.model, ""), 1.0) for row in rows]})
    assert [change.text for change in flood.changes] == ["20 breakers of models moved"]


def test_changes_are_kept_for_a_day_and_no_more_than_fit() -> None:
    old = [Change(SAMPLE_NOW - KEPT_SECONDS - 1, "a", "old"), Change(SAMPLE_NOW - 10, "b", "young")]
    assert [change.text for change in remember(old, [], SAMPLE_NOW)] == ["young"]
    many = [Change(SAMPLE_NOW, "c", str(number)) for number in range(500)]
    kept = remember(old, many, SAMPLE_NOW)
    assert len(kept) == KEPT
    assert kept[0].text == "0"


def test_names_from_outside_are_harmless_in_sentences() -> None:
    for hostile in HOSTILE_NAMES:
        watch = Watch((replace(ROW, model=hostile),))
        watch.see({hostile: CALM}, {"breaker_state": [((hostile, ""), 0.0)]})
        told = watch.see({hostile: CALM}, {"breaker_state": [((hostile, ""), 1.0)]})
        sentence = told.changes[0].text
        assert sentence.isprintable()
        assert len(sentence) < 160
