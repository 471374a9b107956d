"""docs/profiles.md says what the profiles say."""

from pathlib import Path

import pytest

from console.metrics.profile import profiles
from console.metrics.profiles_doc import main, written

DOCUMENT = Path(__file__).parents[2] / "docs" / "profiles.md"


def test_the_tables_are_fresh() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert text == written(text), "run: python -m console.metrics.profiles_doc docs/profiles.md"


def test_every_profile_and_its_metrics_are_told() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    for profile in profiles().values():
        assert f"(`{profile.name}`)" in text
        for definition in profile.signals.values():
            assert all(f"`{metric}`" in text for metric in definition.expression.metrics())


def test_every_kind_of_the_algebra_is_explained() -> None:
    from typing import get_args

    from console.metrics.expressions import Expression

    text = DOCUMENT.read_text(encoding="utf-8")
    for kind in get_args(Expression):
        assert f"`{kind.__struct_config__.tag}`" in text


def test_rewriting_in_place(tmp_path: Path) -> None:
    copy = tmp_path / "profiles.md"
    stale = DOCUMENT.read_text(encoding="utf-8").replace("| `requests_rate` |", "| `old` |")
    copy.write_text(stale, encoding="utf-8")
    assert main([str(copy)]) == 0
    assert copy.read_text(encoding="utf-8") == DOCUMENT.read_text(encoding="utf-8")
    assert main([]) == 64
    with pytest.raises(ValueError, match="lacks the lines"):
        written("nothing here")
