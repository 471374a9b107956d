"""Each place alerts are read from, asked once for ``midwatch check``."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from console.facts.text import visible
from console.incidents.build import UNREAD_KINDS, build_reader
from console.incidents.reading import AlertsUnreadable
from console.wire.errors import WireError

if TYPE_CHECKING:
    from console.settings.schema import AlertSettings, Settings
    from console.wire.credentials import SecretLookup

_LIMIT_SECONDS = 20.0


async def check_alerts(settings: Settings, resolver: SecretLookup) -> list[tuple[str, bool, str]]:
    """Return (what, well, sentence) of each declared place that is read."""
    asked = [one for one in settings.alerts if one.kind not in UNREAD_KINDS]
    return list(await asyncio.gather(*(_place(one, resolver) for one in asked)))


async def _place(settings: AlertSettings, resolver: SecretLookup) -> tuple[str, bool, str]:
    what = f"alerts {visible(settings.name)}"
    try:
        reader = build_reader(settings, resolver)
    except (OSError, ValueError) as fault:
        return what, False, f"this place for alerts cannot be set up: {visible(str(fault))}"
    began_at = time.monotonic()
    try:
        async with asyncio.timeout(_LIMIT_SECONDS):
            found = await reader.read(time.time())
    except (WireError, AlertsUnreadable) as fault:
        return what, False, f"{visible(str(fault))}; look at its url, auth and network"
    except TimeoutError:
        return what, False, f"no answer within {_LIMIT_SECONDS:.0f} s; is the url right?"
    finally:
        await reader.aclose()
    took_seconds = time.monotonic() - began_at
    warned = f"; {visible(found.warnings[0])}" if found.warnings else ""
    count = f"alerts: {len(found.alerts)}"
    return what, not found.warnings, f"answers in {took_seconds:.2f} s; {count}{warned}"


def unread(settings: Settings) -> list[str]:
    """Return a note for each declared place that this version does not read."""
    return [
        f"note   alerts {visible(one.name)}: {one.kind} is not read by this version"
        for one in settings.alerts
        if one.kind in UNREAD_KINDS
    ]
