"""The declared controls, each built when it is first needed: a command acts on one of hundreds.

A control can be bound to what an operation is about, so that reading it looks for exactly that:
``fraud-tags?decision=01KB…`` is the control ``fraud-tags`` with one more variable. The name holds
all of it, so that after a crash the journal is enough to read it back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

from msgspec.structs import replace

if TYPE_CHECKING:
    from console.controls.protocol import Control
    from console.settings.controls import ControlSettings
    from console.settings.endpoints import AlertSettings
    from console.settings.schema import Settings
    from console.wire.credentials import SecretLookup


ALERTS_PREFIX = "alertmanager:"
"""An alert source that can be told who has an incident, as a control: this and its name."""


def bound_name(name: str, variables: Mapping[str, str]) -> str:
    """Return the name of a control bound to ``variables``; what is empty is left out."""
    given = {key: value for key, value in variables.items() if value}
    return f"{name}?{urlencode(given)}" if given else name


def fixed_vars(declared: ControlSettings) -> dict[str, object]:
    """Return the variables the operator fixed; an empty text is only a place to be filled."""
    return {name: value for name, value in declared.vars.items() if value != ""}


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
        if not isinstance(name, str):
            return False
        return self._parted(name)[0] in self._settings.controls or self._place(name) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._settings.controls)

    def __len__(self) -> int:
        return len(self._settings.controls)

    def _declared(self, name: str) -> Control:
        from console.controls.build import build_control

        plain, variables = self._parted(name)
        declared = self._settings.controls[plain]
        if variables:
            declared = replace(declared, vars={**variables, **fixed_vars(declared)})
        return build_control(name, declared, self._resolver)

    def _place(self, name: str) -> AlertSettings | None:
        if not name.startswith(ALERTS_PREFIX):
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

    def _parted(self, name: str) -> tuple[str, dict[str, str]]:
        """Return the declared name and the variables it is bound to."""
        if name in self._settings.controls:
            return name, {}
        plain, _, given = name.partition("?")
        return plain, dict(parse_qsl(given))
