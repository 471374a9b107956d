"""The status document: its promise, its exit codes, and text that no terminal obeys."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import jsonschema
import numpy as np
import pytest

from console.domain.severity import Severity
from console.domain.signals import SIGNALS
from console.domain.snapshot import Snapshot
from console.domain.timestamps import timestamp
from console.reports.status import as_json, document, duration, exit_code, schema
from tests.support.snapshots import SAMPLE_NOW, hostile_snapshot, sample_snapshot

SCHEMA_FILE = Path(__file__).parents[2] / "docs" / "status.schema.json"


def written(snapshot: Snapshot) -> dict[str, object]:
    found: dict[str, object] = json.loads(as_json(document(snapshot)))
    return found


def with_levels(*levels: Severity) -> Snapshot:
    sample = sample_snapshot()
    every = np.full(len(sample.rows), Severity.OK, dtype=np.uint8)
    every[: len(levels)] = [int(level) for level in levels]
    up = tuple(replace(source, state="up") for source in sample.sources)
    return replace(sample, severities=every, sources=up)


def test_the_schema_in_docs_is_fresh() -> None:
    assert json.loads(SCHEMA_FILE.read_text("utf-8")) == json.loads(json.dumps(schema())), (
        "docs/status.schema.json is stale: write it anew with `python -m console.reports.status`"
    )


@pytest.mark.parametrize("make", [sample_snapshot, hostile_snapshot])
def test_real_documents_keep_to_the_schema(make: Callable[[], Snapshot]) -> None:
    found = written(make())
    jsonschema.Draft202012Validator(schema()).validate(found)


def test_the_document_has_the_promised_shape() -> None:
    snapshot = sample_snapshot()
    found = json.loads(as_json(document(snapshot)))
    assert list(found) == [
        "schema", "environment", "taken_at", "sources", "models", "dependencies", "incidents",
        "overrides",
    ]  # fmt: skip
    assert found["schema"] == "midwatch.status/1"
    assert found["taken_at"] == timestamp(SAMPLE_NOW)
    model = found["models"][0]
    assert set(model) >= {
        "model", "source", "profile", "tier", "region", "owner", "severity", "rules", "signals",
        "breaker", "route", "incidents", "overrides",
    }  # fmt: skip
    assert set(model["signals"]) == set(SIGNALS)
    assert set(model["rules"][0]) == {
        "rule", "level", "text", "since", "phase", "recovering_since",
    }  # fmt: skip
    assert set(found["sources"][0]) >= {"name", "kind", "state", "age_seconds", "error"}
    assert set(found["dependencies"][0]) >= {
        "name", "state", "attempts_per_request", "breaker", "models",
    }  # fmt: skip


def test_models_come_worst_first_and_a_chosen_one_alone() -> None:
    snapshot = sample_snapshot()
    found = document(snapshot)
    assert [model.model for model in found.models] == [
        snapshot.rows[row].model for row in snapshot.order
    ]
    one = document(snapshot, [snapshot.index["toxicity"]])
    assert [model.model for model in one.models] == ["toxicity"]


def test_every_reading_state_is_written_with_what_is_known_of_it() -> None:
    signals = [
        signal for model in document(sample_snapshot()).models for signal in model.signals.values()
    ]
    states = {signal.state for signal in signals}
    assert states >= {"ok", "no_data", "no_traffic", "too_few", "stale", "error"}
    for signal in signals:
        assert (signal.value is not None) == (signal.state in ("ok", "stale"))


def test_an_infinity_is_never_written_as_a_value() -> None:
    snapshot = sample_snapshot()
    column = snapshot.columns["burn_1h"]
    row = int(np.flatnonzero(column.states == 1)[0])
    column.values[row] = np.inf
    model = next(m for m in document(snapshot).models if m.model == snapshot.rows[row].model)
    assert (model.signals["burn_1h"].value, model.signals["burn_1h"].state) == (None, "error")


@pytest.mark.parametrize(
    ("levels", "code"),
    [
        ((), 0),
        ((Severity.S3, Severity.S4), 0),
        ((Severity.UNKNOWN, Severity.S3), 3),
        ((Severity.S2, Severity.UNKNOWN), 1),
        ((Severity.S2, Severity.S1), 2),
    ],
)
def test_the_exit_code_names_the_worst(levels: tuple[Severity, ...], code: int) -> None:
    assert exit_code(with_levels(*levels)) == code


def test_a_source_that_is_down_is_never_a_clean_exit() -> None:
    snapshot = with_levels()
    down = (replace(snapshot.sources[0], state="down"), *snapshot.sources[1:])
    assert exit_code(replace(snapshot, sources=down)) == 3


def test_only_the_chosen_rows_count() -> None:
    snapshot = with_levels(Severity.S1)
    assert exit_code(snapshot, [1]) == 0


def test_hostile_names_survive_as_data_and_move_no_terminal() -> None:
    snapshot = hostile_snapshot()
    text = as_json(document(snapshot))
    for character in text:
        assert character == "\n" or character.isprintable() or ord(character) > 0x3000
    names = {model["model"] for model in json.loads(text)["models"]}
    assert names == {row.model for row in snapshot.rows}


def test_windows_are_written_as_in_a_query() -> None:
    assert [duration(each) for each in (30, 300, 3600, 86400, 90, 2592000)] == [
        "30s", "5m", "1h", "1d", "90s", "30d",
    ]  # fmt: skip
