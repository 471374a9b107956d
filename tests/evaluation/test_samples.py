"""The sample snapshots others test with keep the promises of a real one."""

import pytest

from console.domain.severity import Severity
from console.domain.signals import ReadingState
from console.domain.snapshot import Snapshot
from tests.support.snapshots import big_snapshot, hostile_snapshot, sample_snapshot


@pytest.mark.parametrize("snapshot", [sample_snapshot(), hostile_snapshot(), big_snapshot(300)])
def test_arrays_and_indices_fit(snapshot: Snapshot) -> None:
    size = len(snapshot.rows)
    assert sorted(snapshot.order.tolist()) == list(range(size))
    assert {row.model: number for number, row in enumerate(snapshot.rows)} == snapshot.index
    levels = [int(snapshot.severities[row]) for row in snapshot.order]
    assert levels == sorted(levels)
    for column in snapshot.columns.values():
        assert len(column.values) == len(column.states) == len(column.at) == size
    for row, findings in snapshot.findings.items():
        assert 0 <= row < size
        assert findings


def test_the_sample_shows_every_state() -> None:
    sample = sample_snapshot()
    states = {column.reading(row).state for column in sample.columns.values() for row in range(11)}
    assert states == set(ReadingState)
    assert {sample.severity(row) for row in range(11)} == set(Severity) - {Severity.UNJUDGED}
    assert [row.model for row in sample.rows] == sorted(row.model for row in sample.rows)
