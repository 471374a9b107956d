"""What changed is told once, newest first, in words that fit the fixed place."""

from collections.abc import Mapping
from dataclasses import replace

from console.facts.model import ModelRow
from console.facts.record import Record
from console.facts.samples import SourceStatus
from console.facts.severity import Severity
from console.facts.snapshot import Change
from console.fleet.changes import KEPT, KEPT_SECONDS, remember
from console.fleet.say import say
from console.fleet.written import written_changes
from tests.fleet.scenes import CALM, Facts, Watch
from tests.support.columns import Entry
from tests.support.overrides import entry
from tests.support.snapshots import HOSTILE_NAMES, SAMPLE_NOW, sample_snapshot

ROW = ModelRow("fraud", source="prom", review_sla_seconds=900.0)


def _breaker(value: float) -> Facts:
    return {"breaker_state": [(("fraud", ""), value)]}


def test_the_first_look_has_no_news() -> None:
    watch = Watch((ROW,))
    snapshot = watch.see({"fraud": {**CALM, "review_oldest": 5000.0}}, _breaker(1.0))
    assert snapshot.changes == ()
    assert say(None, snapshot) == "No change seen; none of 1 models needs you now."


def test_a_breaker_that_opens_with_nothing_behind_it() -> None:
    watch = Watch((ROW,))
    before = watch.see({"fraud": CALM}, _breaker(0.0))
    after = watch.see({"fraud": {**CALM, "bad_rate": 6.87}}, _breaker(1.0))
    text = "fraud's breaker opened; nothing answers for it; 412 requests a minute fail"
    assert [change.text for change in after.changes] == [text]
    assert say(before, after) == f"02:47:23Z {text}"
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
    assert say(None, changed).endswith("source prom is down (and 3 more)")
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
    assert "opened; nothing answers" in say(None, raised)


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
        sentence = say(None, told)
        assert sentence.isprintable()
        assert len(sentence) < 160


def test_how_things_stand_when_nothing_changed() -> None:
    sample = replace(sample_snapshot(), changes=())
    assert say(None, sample).startswith("3 of 11 models at S1 or S2; first fraud-scorer: burn 69x")
    assert say(None, Watch(()).see({})) == "No model is known yet."
    silent = Watch((ROW,)).see({"fraud": {}})
    assert say(None, silent) == "1 of 1 models are unknown; the others need nothing now."


def _info(version: str, code: str, data: str, trained: str) -> Facts:
    return {"info": [(("fraud", version, "eu", data, code, trained, "xgb"), 1.0)]}


def test_data_and_training_time_are_changes_too_and_are_told_from_the_version_down() -> None:
    watch = Watch((ROW,))
    watch.see({"fraud": CALM}, _info("v1", "9be2", "2026-09-01", "2026-09-02"))
    watch.see({"fraud": CALM}, _info("v1", "9be2", "2026-09-28", "2026-09-29"))
    watch.see({"fraud": CALM}, _info("v1", "9be2", "2026-09-28", "2026-10-01"))
    seen = watch.see({"fraud": CALM}, _info("v2", "aaaa", "2026-10-02", "2026-10-03"))
    assert [change.text for change in seen.changes] == [
        "fraud went from v1 to v2",
        "fraud was trained anew: 2026-09-29 to 2026-10-01",
        "fraud learned from other data: 2026-09-01 to 2026-09-28",
    ]


def test_what_somebody_wrote_is_a_change_at_the_time_they_gave_and_told_once() -> None:
    earlier = entry(7, "change", why="config #8812", details={"at": SAMPLE_NOW - 960.0})
    shared = entry(8, "change", target="dep:feature-store-eu", why="\x1b[2Jreverted")
    other = entry(9, "change", environment="staging", why="not ours")
    old = entry(6, "change", why="old", details={"at": SAMPLE_NOW - 2 * KEPT_SECONDS})
    record = Record("open", entries=(other, shared, earlier, old))
    found = written_changes(record, "prod", (), SAMPLE_NOW)
    assert [(one.at, one.subject, one.text) for one in found] == [
        (shared.at, "feature-store-eu", "feature-store-eu: ␛[2Jreverted (li)"),
        (SAMPLE_NOW - 960.0, "toxicity", "toxicity: config #8812 (li)"),
    ]
    assert written_changes(record, "prod", found, SAMPLE_NOW) == []


def test_processes_that_began_within_the_day_are_told_at_the_first_look_and_once() -> None:
    watch = Watch((ROW, replace(ROW, model="kyc"), replace(ROW, model="old")))
    calm = dict.fromkeys(("fraud", "kyc", "old"), CALM)
    facts: Facts = {
        "process_start": [
            (("fraud",), SAMPLE_NOW - 600.0),
            (("kyc",), SAMPLE_NOW - 600.0),
            (("old",), SAMPLE_NOW - KEPT_SECONDS - 60.0),
            (("stranger",), SAMPLE_NOW - 5.0),
        ]
    }
    first = watch.see(calm, facts)
    assert [(one.at, one.text) for one in first.changes] == [
        (SAMPLE_NOW - 600.0, "a process of fraud started"),
        (SAMPLE_NOW - 600.0, "a process of kyc started"),
    ]
    assert len(watch.see(calm, facts).changes) == 2
    later: Facts = {"process_start": [(("fraud",), SAMPLE_NOW + 3.0)]}
    assert watch.see(calm, later).changes[0].at == SAMPLE_NOW + 3.0


def test_a_process_of_many_models_is_one_change() -> None:
    rows = tuple(replace(ROW, model=f"m{number}") for number in range(30))
    watch = Watch(rows)
    facts: Facts = {
        "process_start": [((row.model,), SAMPLE_NOW - 60.0) for row in rows],
    }
    told = watch.see({row.model: CALM for row in rows}, facts).changes
    assert [(one.subject, one.text) for one in told] == [
        ("", "a process that serves 30 models started")
    ]
