"""docs/controls.md says of every preset what the preset says of itself."""

import re
from pathlib import Path

import pytest

from console.controls.declaration import parse_preset, presets
from console.controls.presets_doc import written
from console.domain.control import Proof

DOCUMENT = Path(__file__).parents[2] / "docs" / "controls.md"


def test_the_tables_are_those_of_the_presets() -> None:
    text = DOCUMENT.read_text()
    assert written(text) == text, "run python -m console.controls.presets_doc docs/controls.md"


def test_each_preset_says_its_proof_in_the_document() -> None:
    text = DOCUMENT.read_text()
    for name, preset in presets().items():
        row = next(line for line in text.splitlines() if line.startswith(f"| `{name}` |"))
        assert row.endswith(f"| {Proof(preset.proof, preset.server, preset.source).sentence} |")


def test_the_example_of_a_preset_file_is_one() -> None:
    blocks = re.findall(r"```toml\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    found = parse_preset(next(block for block in blocks if "title" in block), "the example")
    assert found.kinds["annotate"].actions["note"].find is not None


def test_a_document_without_markers_is_refused() -> None:
    with pytest.raises(ValueError, match="lacks the lines"):
        written("nothing here")
