"""The past is there from the first second, and the present goes on from it without a jump."""

from itertools import pairwise

import numpy as np
import pytest

from console.demo.demo_fleet import DemoError, DemoFleet, History, HistoryBlock
from console.demo.server_metrics import Labels
from console.demo.service import Simulation, arrival_rate
from tests.demo.helpers import NOW, run, service_of, simulation, total
from tests.support.pace import cost_in_paces

Key = tuple[str, str, Labels]


def told(world: Simulation) -> list[HistoryBlock]:
    names = {service.model.name: service.model.name for service in world.services}
    return list(History(world).blocks(names))


def rows(block: HistoryBlock) -> dict[Key, int]:
    return {series: row for row, series in enumerate(block.series)}


def row(block: HistoryBlock, model: str, name: str, **labels: str) -> int:
    (found,) = [
        place
        for place, (target, series, own) in enumerate(block.series)
        if target == model and series == name and labels.items() <= dict(own).items()
    ]
    return found


def is_counter(name: str) -> bool:
    if name.startswith("nv_inference"):
        return "summary" not in name and "pending" not in name
    return name.endswith(("_total", "_bucket", "_sum", "_count"))


@pytest.fixture(scope="module")
def world() -> Simulation:
    return simulation("story", seed=4)


@pytest.fixture(scope="module")
def blocks(world: Simulation) -> list[HistoryBlock]:
    return told(world)


def test_the_tiers_reach_back_as_promised(blocks: list[HistoryBlock]) -> None:
    spans = [(block.step_seconds, float(block.times[-1] - block.times[0])) for block in blocks]
    assert spans == [(300.0, 30 * 86400.0), (60.0, 6 * 3600.0), (10.0, 900.0)]
    for block in blocks:
        assert np.allclose(np.diff(block.times), block.step_seconds, atol=1e-5)
        assert block.times[-1] == NOW
        assert block.values.shape == (len(block.series), block.times.size)
        assert len(set(block.series)) == len(block.series)
        for _, _, labels in block.series:
            assert list(labels) == sorted(labels)
            assert not {"instance", "job"} & dict(labels).keys()
    long_term = {name for _, name, _ in blocks[0].series}
    assert long_term == {
        "model_requests_total",
        "model_cost_usd_total",
        "vllm:request_success_total",
        "nv_inference_request_success",
        "nv_inference_request_failure",
    }


def test_counters_never_fall_and_the_tiers_agree(blocks: list[HistoryBlock]) -> None:
    for block in blocks:
        counters = [place for key, place in rows(block).items() if is_counter(key[1])]
        assert len(counters) > 100
        assert float(np.diff(block.values[counters], axis=1).min()) >= 0.0
    for coarse, fine in pairwise(blocks):
        places = rows(fine)
        times, here, there = np.intersect1d(coarse.times, fine.times, return_indices=True)
        assert times.size > 2
        for key, place in rows(coarse).items():
            one, other = coarse.values[place][here], fine.values[places[key]][there]
            assert np.array_equal(one, other, equal_nan=True)


def test_live_time_goes_on_where_history_ended(world: Simulation) -> None:
    fresh = simulation("calm", seed=8)
    last = told(fresh)[-1]
    for (model, name, labels), value in zip(last.series, last.values[:, -1], strict=True):
        service = service_of(fresh, model)
        assert service.values[service.layout.column(name, labels)] == pytest.approx(value)
    run(fresh, 30)
    for (model, name, labels), past in zip(last.series, last.values, strict=True):
        service = service_of(fresh, model)
        live = float(service.values[service.layout.column(name, labels)])
        if not is_counter(name):
            continue
        lately = (past[-1] - past[0]) / 900.0 * 30.0
        assert live >= past[-1]
        # Thirty live seconds add about what thirty seconds added in the last quarter of an hour.
        assert live - past[-1] < 3 * lately + 6 * np.sqrt(lately + 1) + 6


def test_the_past_is_as_consistent_as_the_present(blocks: list[HistoryBlock]) -> None:
    middle = blocks[1]

    def track(name: str, model: str = "fraud-scorer", **labels: str) -> np.ndarray:
        return np.asarray(middle.values[row(middle, model, name, **labels)])

    success = track("model_requests_total", outcome="success")
    errors = track("model_requests_total", outcome="error")
    assert np.array_equal(track("model_request_duration_seconds_count"), success + errors)
    assert np.array_equal(track("model_prediction_confidence_count"), success)
    attempts = track("model_attempts_total")
    assert (attempts >= success + errors).all()
    calls = [
        track("model_dependency_requests_total", outcome=outcome)
        for outcome in ("success", "error", "timeout")
    ]
    assert np.array_equal(sum(calls), attempts)
    assert np.array_equal(track("model_dependency_duration_seconds_count"), attempts)
    decisions = ("approved", "corrected", "rejected")
    reviewed = np.sum(
        [track("model_review_total", outcome=outcome) for outcome in decisions], axis=0
    )
    low = track("model_prediction_confidence_bucket", le="0.6")
    depth = track("model_review_queue_depth")
    arrived, decided = low[-1] - low[0], reviewed[-1] - reviewed[0]
    assert arrived - decided == depth[-1] - depth[0]


def test_the_month_keeps_the_rhythm_of_its_days(
    world: Simulation, blocks: list[HistoryBlock]
) -> None:
    block = blocks[0]
    place = row(block, "search-rerank", "model_requests_total", outcome="success")
    hourly = np.diff(block.values[place][::12])
    expected = arrival_rate(
        service_of(world, "search-rerank").model, block.times[:-1:12][: hourly.size] + 1800.0
    )
    assert np.corrcoef(hourly, expected)[0, 1] > 0.99
    assert hourly.mean() / 3600 == pytest.approx(expected.mean(), rel=0.01)


def test_the_story_so_far_drift_grew_and_spend_ran_away(blocks: list[HistoryBlock]) -> None:
    middle = blocks[1]
    psi = middle.values[row(middle, "churn-ranker", "model_drift", kind="prediction")]
    assert psi[0] < 0.05
    assert 0.2 < psi[-1] < 0.30
    for model in ("fraud-scorer", "toxicity", "search-rerank"):
        calm = middle.values[row(middle, model, "model_drift", kind="prediction")]
        assert calm.max() < 0.08
    samples = middle.values[row(middle, "price-opt", "model_drift_samples", kind="prediction")]
    assert 0 < samples[-1] < 200
    week = blocks[0]
    spent = [
        week.values[place]
        for place, (target, name, _) in enumerate(week.series)
        if target == "support-llm" and name == "model_cost_usd_total"
    ]
    usd = np.sum(spent, axis=0)
    last_hours = usd[-1] - usd[-72]
    same_hours_yesterday = usd[-1 - 288] - usd[-72 - 288]
    assert last_hours > 3 * same_hours_yesterday


def test_the_same_seed_tells_the_same_past() -> None:
    first, again = told(simulation(seed=2, models=4)), told(simulation(seed=2, models=4))
    for one, same in zip(first, again, strict=True):
        assert np.array_equal(one.values, same.values, equal_nan=True)


def test_the_whole_past_is_written_quickly() -> None:
    world = simulation("story")
    assert cost_in_paces(lambda: told(world), turns=1) < 1500.0


def test_the_review_queue_is_handed_over_as_it_stood() -> None:
    world = simulation(seed=3)
    last = told(world)[-1]
    for service in world.services:
        if "model_review_queue_depth" not in service.layout.slices:
            continue
        depth = last.values[row(last, service.model.name, "model_review_queue_depth"), -1]
        assert service.review.depth == depth
        assert total(service, "model_review_queue_depth") == depth


def test_there_is_no_past_before_the_start() -> None:
    with pytest.raises(DemoError, match="started"):
        DemoFleet(models=1).history()
