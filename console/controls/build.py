"""From what is declared under [controls] to controls that can be read and changed."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from console.controls.broken import BrokenControl
from console.controls.calling import Caller, plaintext_problem
from console.controls.declaration import Declared, declared
from console.controls.driven import DrivenControl
from console.controls.finding import TargetFinder, whereabouts
from console.controls.protocol import Control, ControlError, Driver
from console.facts.control import CheckedControl
from console.facts.text import visible

if TYPE_CHECKING:
    from console.controls.local import LocalStore
    from console.settings.controls import ControlSettings
    from console.settings.schema import Settings
    from console.wire.credentials import SecretLookup


def build_controls(
    settings: "Settings",
    resolver: "SecretLookup | None",
    *,
    local_store: "LocalStore | None" = None,
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
    settings: "ControlSettings",
    resolver: "SecretLookup | None",
    *,
    local_store: "LocalStore | None" = None,
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
    resolver: "SecretLookup | None",
    local_store: "LocalStore | None",
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


def _http(made: Declared, resolver: "SecretLookup | None", finder: TargetFinder | None) -> Driver:
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


def _local(made: Declared, store: "LocalStore | None") -> Driver:
    from console.controls.local import LocalDriver, MemoryStore

    return LocalDriver(made, MemoryStore() if store is None else store)


async def check_control(control: Control, now: float) -> CheckedControl:
    """Read whether the control's thing is there, and change nothing."""
    if control.problem:
        return CheckedControl(control.name, False, visible(control.problem))
    state = await control.read(now)
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
