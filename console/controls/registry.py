"""Builds the declared controls when first needed; one that cannot be used says why and refuses."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from typing import TYPE_CHECKING, cast
from urllib.parse import parse_qsl, urlencode

from msgspec.structs import replace

from console.controls.control import DrivenControl
from console.controls.declaration import Declared, declared
from console.controls.http_call import Caller, plaintext_problem
from console.controls.protocol import NOT_READ, Control, ControlError, Driver
from console.controls.target_discovery import TargetFinder, whereabouts
from console.domain.action import Guard, WritesNotAllowed
from console.domain.control import (
    CheckedControl,
    ControlState,
    JsonValue,
    Lookup,
    Offer,
    PreparedChange,
    Proof,
    SendResult,
    TargetState,
)
from console.domain.text import visible
from console.settings.endpoint_tables import PAGERDUTY_URL, ControlSettings, ControlTimeouts

if TYPE_CHECKING:
    from console.controls.control import LocalStore
    from console.http.endpoint import SecretLookup
    from console.settings.endpoint_tables import AlertSettings
    from console.settings.schema import Settings


class BrokenControl:
    """Stands where a declared control could not be built; ``problem`` is the reason."""

    def __init__(self, name: str, kind: str, driver: str, problem: str) -> None:
        self.name = name
        self.kind = kind
        self.driver = driver
        self.problem = problem
        self.proof = Proof("not_run")
        self.note = ""
        self.offers: Mapping[str, Offer] = {}
        self.serves: tuple[str, ...] = ()

    async def read(self, now: float) -> ControlState:
        """Return a state that is not known, with the reason."""
        return ControlState(self.name, now, (TargetState(self.name, now, error=self.problem),))

    def prepare(
        self,
        action: str,
        variables: Mapping[str, JsonValue],
        seen: ControlState,
        *,
        targets: Collection[str] | None = None,
    ) -> PreparedChange:
        """Refuse with the reason."""
        raise ControlError(f"{action} on {self.name} is not possible: {self.problem}")

    async def dry_run(self, change: PreparedChange, now: float) -> SendResult:
        """Refuse with the reason."""
        raise ControlError(self.problem)

    async def send(self, change: PreparedChange, now: float) -> SendResult:
        """Send nothing."""
        return SendResult(())

    async def lookup(self, change: PreparedChange, now: float) -> tuple[Lookup, ...]:
        """Know nothing."""
        return ()

    async def aclose(self) -> None:
        """Hold nothing."""


def build_controls(
    settings: Settings,
    resolver: SecretLookup | None,
    *,
    local_store: LocalStore | None = None,
    finder: TargetFinder | None = None,
) -> Mapping[str, Control]:
    """Return every declared control by name; one that cannot work says so in its ``problem``.

    ``finder`` asks a source where the targets of ``targets_from.promql`` are.
    """
    return {
        name: build_control(name, each, resolver, local_store=local_store, finder=finder)
        for name, each in settings.controls.items()
    }


def build_control(
    name: str,
    settings: ControlSettings,
    resolver: SecretLookup | None,
    *,
    local_store: LocalStore | None = None,
    finder: TargetFinder | None = None,
) -> Control:
    """Return one control; a faulty declaration gives one that refuses with the reason."""
    try:
        made = declared(name, settings)
        _check_variables(made)
        return DrivenControl(made, _driver(made, resolver, local_store, finder))
    except ControlError as error:
        return BrokenControl(name, settings.kind or "", settings.driver, str(error))


def _check_variables(made: Declared) -> None:
    for name, meaning in made.needs.items():
        if made.vars.get(name) in (None, ""):
            raise ControlError(f"controls.{made.name}.vars.{name} is not set: {meaning}")


def _driver(
    made: Declared,
    resolver: SecretLookup | None,
    local_store: LocalStore | None,
    finder: TargetFinder | None,
) -> Driver:
    makers: Mapping[str, Callable[[], Driver]] = {
        "http": lambda: _http(made, resolver, finder),
        "exec": lambda: _exec(made),
        "local": lambda: _local(made, local_store),
    }
    maker = makers.get(made.settings.driver)
    if maker is None:
        raise ControlError(
            f'driver = "{made.settings.driver}" is declared, but this version drives '
            f"{', '.join(makers)}"
        )
    return maker()


def _http(made: Declared, resolver: SecretLookup | None, finder: TargetFinder | None) -> Driver:
    from console.controls.http import HttpDriver

    settings = made.settings
    where = whereabouts(
        made.name,
        settings,
        finder,
        lambda urls: plaintext_problem(urls, settings.allow_plaintext),
    )
    return HttpDriver(made, Caller.of(settings, resolver), where)


def _exec(made: Declared) -> Driver:
    from console.controls.exec import ExecDriver

    return ExecDriver(made)


def _local(made: Declared, store: LocalStore | None) -> Driver:
    from console.controls.control import LocalDriver, MemoryStore

    return LocalDriver(made, MemoryStore() if store is None else store)


async def check_control(control: Control, now: float) -> CheckedControl:
    """Read whether the control's thing is there, and change nothing."""
    if control.problem:
        return CheckedControl(control.name, False, visible(control.problem))
    state = await control.read(now)
    if state.error == NOT_READ:
        said = "nothing was sent to it; what it is told cannot be read back"
        return CheckedControl(control.name, True, said)
    if state.error:
        return CheckedControl(control.name, False, f"{state.error}; look at targets and auth")
    count = f"{len(state.targets)} targets" if len(state.targets) != 1 else state.targets[0].target
    lacking = [each for each in state.targets if each.exists is False]
    if lacking:
        return CheckedControl(
            control.name,
            False,
            f"{lacking[0].target} answers, but what vars names is not there; look at vars",
        )
    proof = f", unproven: {control.proof.sentence}" if control.proof.unproven else ""
    return CheckedControl(control.name, True, f"{count}: {state.text}{proof}")


# A control can be bound to what an operation is about, so that reading it looks for exactly that:
# ``fraud-tags?decision=01KB…`` is the control ``fraud-tags`` with one more variable. The name holds
# all of it, so that after a crash the journal is enough to read it back.

ALERTS_PREFIX = "alertmanager:"
"""An alert source that can be told who has an incident, as a control: this and its name."""


PAGER_PREFIX = "pagerduty:"
"""An alert source with the PagerDuty API, as a control: this, its name, and one incident's id."""


def _pager(declared: AlertSettings, variables: Mapping[str, str]) -> ControlSettings:
    """Return one incident of PagerDuty as the preset's control."""
    total = declared.timeout_seconds
    return ControlSettings(
        driver="http",
        kind="ack",
        preset="pagerduty",
        targets=(declared.url or next(iter(declared.urls), PAGERDUTY_URL),),
        auth=declared.auth,
        timeouts=ControlTimeouts(min(3.0, total), total, total),
        vars={**variables, "from": declared.user or declared.headers.get("From", "")},
    )


def bound_name(name: str, variables: Mapping[str, str]) -> str:
    """Return the name of a control bound to ``variables``; what is empty is left out."""
    given = {key: value for key, value in variables.items() if value}
    return f"{name}?{urlencode(given)}" if given else name


def fixed_vars(declared: ControlSettings) -> dict[str, object]:
    """Return the variables the operator fixed.

    A decision's id and an empty text only keep a place for what comes with the decision.
    """
    return {
        name: value for name, value in declared.vars.items() if name != "decision" and value != ""
    }


class _SendsNothing:
    """A control of a session that may change nothing: it reads and prepares, and has no send."""

    def __init__(self, control: Control) -> None:
        self._control = control

    def __getattr__(self, name: str) -> object:
        return getattr(self._control, name)

    async def send(self, change: PreparedChange, now: float) -> SendResult:
        """Refuse."""
        sentence = f"{change.control} was built without a way to send: this session is read-only"
        raise WritesNotAllowed((Guard("read_only", "forbid", sentence),))


class ControlRegistry(Mapping[str, "Control"]):
    """Every declared control by name, and the alert sources that can be told of holds.

    With ``writes = "never"`` none of them can send.
    """

    def __init__(self, settings: Settings, resolver: SecretLookup | None) -> None:
        self._settings = settings
        self._resolver = resolver
        self._made: dict[str, Control] = {}

    def __getitem__(self, name: str) -> Control:
        if name not in self._made:
            made = self._alert_source(name) or self._declared(name)
            barred = self._settings.writes == "never"
            self._made[name] = cast("Control", _SendsNothing(made)) if barred else made
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

        plain, variables = self._parted(name)
        declared = self._settings.controls[plain]
        if variables:
            declared = replace(declared, vars={**variables, **fixed_vars(declared)})
        return build_control(name, declared, self._resolver)

    def _place(self, name: str) -> AlertSettings | None:
        kind, colon, rest = name.partition(":")
        if not colon or f"{kind}:" not in (ALERTS_PREFIX, PAGER_PREFIX):
            return None
        wanted = rest.partition("?")[0] if kind == "pagerduty" else rest
        return next(
            (
                each
                for each in self._settings.alerts
                if each.name == wanted and each.writes and each.kind == kind
            ),
            None,
        )

    def _alert_source(self, name: str) -> Control | None:
        declared = self._place(name)
        if declared is None:
            return None
        if name.startswith(PAGER_PREFIX):
            return build_control(name, _pager(declared, self._parted(name)[1]), self._resolver)
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
