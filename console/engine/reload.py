"""The configuration read again while everything runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.engine.handle import ReloadOutcome
from console.settings.problems import SettingsError

if TYPE_CHECKING:
    from console.engine.service import Engine


async def reload(engine: Engine) -> ReloadOutcome:
    """Load and adopt the configuration; a faulty one is refused and the old stays in force."""
    try:
        loaded = engine.load_again()
    except SettingsError as fault:
        count = len(fault.problems)
        found = "1 problem" if count == 1 else f"{count} problems"
        return ReloadOutcome(
            applied=False,
            sentence=f"configuration not reloaded, the old one stays: {found} in the new one",
            problems=tuple(problem.render() for problem in fault.problems),
        )
    if loaded is None:
        return ReloadOutcome(applied=False, sentence="there is no configuration to read again")
    if loaded.settings == engine.settings:
        return ReloadOutcome(applied=True, sentence="configuration read again: nothing changed")
    await engine.adopt(loaded.settings)
    return ReloadOutcome(
        applied=True, sentence="configuration reloaded", problems=tuple(loaded.warnings)
    )
