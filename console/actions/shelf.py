"""The declared controls, each built when it is first needed: a command acts on one of hundreds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from console.controls.protocol import Control
    from console.settings.schema import Settings
    from console.wire.credentials import SecretLookup


class ControlShelf(Mapping[str, "Control"]):
    """Every control by name."""

    def __init__(self, settings: Settings, resolver: SecretLookup | None) -> None:
        self._settings = settings
        self._resolver = resolver
        self._made: dict[str, Control] = {}

    def __getitem__(self, name: str) -> Control:
        if name not in self._made:
            from console.controls.build import build_control

            declared = self._settings.controls[name]
            self._made[name] = build_control(name, declared, self._resolver)
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._settings.controls

    def __iter__(self) -> Iterator[str]:
        return iter(self._settings.controls)

    def __len__(self) -> int:
        return len(self._settings.controls)

    async def aclose(self) -> None:
        """Let go of every control that was built."""
        for control in self._made.values():
            await control.aclose()
