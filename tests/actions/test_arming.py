"""How long a console may change the world."""

from __future__ import annotations

import pytest

from console.actions.arming import Arming
from console.actions.refusal import WritesNotAllowed
from console.settings.schema import Settings

NOW = 1_800_000_000.0


def test_a_console_starts_read_only_and_is_armed_for_half_an_hour() -> None:
    start = Arming.start(Settings(), NOW)
    assert start.mode(NOW) == "read_only"
    assert start.left_seconds(NOW) == 0.0
    armed = start.armed(NOW)
    assert armed.mode(NOW + 1799.0) == "armed"
    assert armed.left_seconds(NOW + 60.0) == 1740.0
    assert armed.mode(NOW + 1800.0) == "read_only"
    assert armed.disarmed().mode(NOW) == "read_only"
    assert Arming.start(Settings(), NOW, write=True).mode(NOW) == "armed"


@pytest.mark.parametrize(
    ("writes", "read_only"), [("never", False), ("never", True), ("open", True), ("armed", True)]
)
def test_what_is_forbidden_cannot_be_raised(writes: str, read_only: bool) -> None:
    settings = Settings(writes=writes)  # type: ignore[arg-type]
    start = Arming.start(settings, NOW, write=True, read_only=read_only)
    assert start.mode(NOW) == "read_only"
    with pytest.raises(WritesNotAllowed):
        start.armed(NOW)


def test_open_is_always_armed() -> None:
    start = Arming.start(Settings(writes="open"), NOW)
    assert start.mode(NOW + 1e6) == "open"
    assert start.left_seconds(NOW) is None
    assert start.disarmed().mode(NOW) == "read_only"
