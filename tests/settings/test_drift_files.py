"""Reference files: what is read, and what each broken or hostile one is told."""

import json
import math
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from console.settings.drift_reference import (
    LARGEST_FILE_BYTES,
    ReferenceFault,
    read_reference,
    reference_json,
)
from console.settings.load import Flags, load
from tests.settings.writing import SOURCE, loaded, one_fault

GOOD: dict[str, Any] = {
    "schema": "midwatch.reference/1",
    "model": "fraud",
    "what": "score",
    "taken_at": "2026-09-28T00:00:00Z",
    "upper_edges": [0.25, 0.5, 1.0],
    "counts": [700, 200, 300],
    "n": 1200,
}
DECLARED = f'{SOURCE}url = "http://p:9"\n[models.fraud]\ndrift = {{ reference = "refs/f.json" }}\n'


def write(tmp_path: Path, document: object) -> Path:
    path = tmp_path / "refs" / "f.json"
    path.parent.mkdir(exist_ok=True)
    path.write_text(document if isinstance(document, str) else json.dumps(document))
    return path


def test_a_reference_is_read_hashed_and_found_beside_the_configuration(tmp_path: Path) -> None:
    import hashlib

    path = write(tmp_path, GOOD)
    drift = loaded(tmp_path, DECLARED).settings.models["fraud"].drift
    assert drift is not None
    reference = drift.reference
    assert reference is not None
    assert reference.name == "refs/f.json"
    assert reference.edges == (0.25, 0.5, 1.0)
    assert reference.shares == pytest.approx((7 / 12, 2 / 12, 3 / 12))
    assert reference.n == 1200
    assert reference.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def test_another_content_is_another_configuration(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    before = loaded(tmp_path, DECLARED).settings
    write(tmp_path, {**GOOD, "note": "the same numbers, said anew"})
    assert loaded(tmp_path, DECLARED).settings != before


@pytest.mark.parametrize(
    ("changed", "found"),
    [
        ({"schema": "midwatch.reference/9"}, "schema"),
        ({"what": "embedding"}, "embedding"),
        ({"taken_at": "2026-09-28T00:00:00"}, "taken_at"),
        ({"taken_at": "yesterday"}, "taken_at"),
        ({"upper_edges": [0.5, 0.25, 1.0]}, "do not ascend"),
        ({"upper_edges": [0.5, 0.5, 1.0]}, "do not ascend"),
        ({"upper_edges": [0.25, "+Inf", 1.0]}, "+Inf"),
        ({"upper_edges": [0.25, 0.5, "wide"]}, "wide"),
        ({"upper_edges": [1.0], "counts": [1200]}, "1 upper edges"),
        ({"upper_edges": list(range(21)), "counts": [1] * 21, "n": 21}, "21 upper edges"),
        ({"counts": [700, 500]}, "2 counts for 3"),
        ({"counts": [700, -200, 700]}, "below 0"),
        ({"counts": [700, 200, 301.5]}, "sum to 1201.5"),
        ({"counts": None}, "neither counts nor shares"),
        ({"shares": [0.5, 0.25, 0.25]}, "both counts and shares"),
        ({"counts": None, "shares": [0.5, 0.25, 0.5]}, "sum to 1.25"),
        ({"counts": [0, 0, 0], "n": 0}, "n ="),
        ({"surprise": 1}, "surprise"),
        ({"model": ""}, "model"),
        ({"note": "x" * 5000}, "note"),
    ],
)
def test_a_faulty_reference_is_a_problem_of_the_configuration(
    tmp_path: Path, changed: dict[str, object], found: str
) -> None:
    document = {**GOOD, **changed}
    write(tmp_path, {key: value for key, value in document.items() if value is not None})
    problem = one_fault(tmp_path, DECLARED)
    assert problem.key_path == "models.fraud.drift.reference"
    assert problem.line == 6
    assert found in problem.found
    assert problem.allowed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{" * 100_000,
        "[" * 100_000,
        '{"schema": "midwatch.reference/1", "n": 1e999}',
        json.dumps({**GOOD, "n": 1}).replace('"n": 1', '"n": NaN'),
        json.dumps({**GOOD, "surprise\x1b[2J": 1}),
        "x" * (LARGEST_FILE_BYTES + 1),
        json.dumps({**GOOD, "upper_edges": [0.25, 0.5, 10**400]}),
    ],
)
def test_a_hostile_reference_ends_in_one_harmless_sentence(tmp_path: Path, text: str) -> None:
    write(tmp_path, text)
    rendered = one_fault(tmp_path, DECLARED).render()
    assert "\x1b" not in rendered
    assert len(rendered) < 600


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path, GOOD)
    path.write_bytes(
        json.dumps({**GOOD, "note": "é"}).encode("latin-1").replace(b"\\u00e9", b"\xe9")
    )
    assert "no reference" in one_fault(tmp_path, DECLARED).found


def test_what_is_not_a_file_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    assert "not there" in one_fault(tmp_path, DECLARED).found
    (tmp_path / "refs").mkdir()
    os.mkfifo(tmp_path / "refs" / "f.json")
    assert "not a file" in one_fault(tmp_path, DECLARED).found
    (tmp_path / "refs" / "f.json").unlink()
    (tmp_path / "refs" / "f.json").mkdir()
    assert "not a file" in one_fault(tmp_path, DECLARED).found


def test_a_missing_reference_does_not_stand_in_the_way_of_writing_it(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(DECLARED)
    path.chmod(0o600)
    settings = load(Flags(config=path), {"HOME": str(tmp_path)}, references=False).settings
    drift = settings.models["fraud"].drift
    assert drift is not None
    assert drift.reference is None


def test_few_rows_and_another_model_are_warned_of(tmp_path: Path) -> None:
    write(tmp_path, GOOD)
    assert loaded(tmp_path, DECLARED).warnings == ()
    write(tmp_path, {**GOOD, "counts": [600, 200, 199], "n": 999, "model": "churn"})
    few, other = loaded(tmp_path, DECLARED).warnings
    assert "n=999" in few
    assert "churn" in other


@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    counts=st.lists(st.integers(0, 10**9), min_size=3, max_size=20).filter(lambda c: sum(c) > 0),
    open_ended=st.booleans(),
    note=st.text(max_size=60),
)
def test_what_is_written_is_read_back(
    tmp_path: Path, counts: list[int], open_ended: bool, note: str
) -> None:
    edges = [float(step) for step in range(len(counts))]
    if open_ended:
        edges[-1] = math.inf
    path = tmp_path / "made.json"
    path.write_bytes(
        reference_json(model="m", taken_at=1_790_000_000.4, edges=edges, counts=counts, note=note)
    )
    found = read_reference(path, "made.json")
    assert found.edges == tuple(edges)
    assert found.n == sum(counts)
    assert found.shares == pytest.approx([count / sum(counts) for count in counts])
    assert found.taken_at == 1_790_000_000


def test_nothing_is_written_that_could_not_be_read() -> None:
    with pytest.raises(ReferenceFault, match="ascend"):
        reference_json(model="m", taken_at=0, edges=[1, 1], counts=[5, 5])
