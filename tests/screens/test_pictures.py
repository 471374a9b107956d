"""The README's pictures are what the console shows today."""

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

PICTURES = Path(__file__).resolve().parents[2] / "docs" / "pictures"


def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("make_pictures", PICTURES / "make.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("name", ["fleet.svg", "fleet-80x24.svg", "model.svg", "confirm.svg"])
async def test_pictures_are_fresh(name: str) -> None:
    make = script()
    drawn = await make._draw(*make.PICTURES[name])
    assert (PICTURES / name).read_text("utf-8") == drawn, "run python docs/pictures/make.py"
    assert "url(https" not in drawn
    assert "@font-face" not in drawn, "a picture fetches nothing"
