"""The declared controls, each built when it is first needed: a command acts on one of hundreds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from console.controls.protocol import Control
    from console.settings.endpoints import AlertSettings
    from console.settings.schema import Settings
    from console.wire.credentials import SecretLookup


ALERTS_PREFIX = "alertmanager:"
"""An alert source that can be told who has an incident, as a control: this and its name."""


class ControlShelf(Mapping[str, "Control"]):
    """Every declared control by name, and the alert sources that can be told of holds."""

    def __init__(self, settings: Settings, resolver: SecretLookup | None) -> None:
        self._settings = settings
        self._resolver = resolver
        self._made: dict[str, Control] = {}

    def __getitem__(self, name: str) -> Control:
        if name not in self._made:
            self._made[name] = self._alert_source(name) or self._declared(name)
        return self._made[name]

    def __contains__(self, name: object) -> bool:
        return name in self._settings.controls or self._place(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._settings.controls)

    def __len__(self) -> int:
        return len(self._settings.controls)

    def _declared(self, name: str) -> Control:
        from console.controls.build import build_control

        return build_control(name, self._settings.controls[name], self._resolver)

    def _place(self, name: object) -> AlertSettings | None:
        if not isinstance(name, str) or not name.startswith(ALERTS_PREFIX):
            return None
        wanted = name.removeprefix(ALERTS_PREFIX)
        found = (each for each in self._settings.alerts if each.kind == "alertmanager")
        return next((each for each in found if each.name == wanted and each.writes), None)

    def _alert_source(self, name: str) -> Control | None:
        declared = self._place(name)
        if declared is None:
            return None
        from console.controls.alertmanager import AlertmanagerControl

        return AlertmanagerControl(name, declared, self._resolver)

    async def aclose(self) -> None:
        """Let go of every control that was built."""
        for control in self._made.values():
            await control.aclose()
