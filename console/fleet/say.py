"""The one sentence at a fixed place: the last change, or how things stand.

Made of a Snapshot alone and without NumPy, so that a screen can ask at any time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.facts.severity import Severity
from console.fleet.words import clock_seconds, name

if TYPE_CHECKING:
    from console.facts.snapshot import Snapshot


def say(previous: Snapshot | None, snapshot: Snapshot) -> str:
    """Return the one sentence that tells the last change, with its time (UTC).

    Without any change it tells how things stand. ``previous`` is the Snapshot before: several
    changes since then are counted behind the first.
    """
    if not snapshot.changes:
        return _standing(snapshot)
    latest = snapshot.changes[0]
    fresh = [
        change
        for change in snapshot.changes
        if change.at == latest.at or (previous is not None and change.at > previous.taken_at)
    ]
    more = f" (and {len(fresh) - 1} more)" if len(fresh) > 1 else ""
    return f"{clock_seconds(latest.at)} {latest.text}{more}"


def _standing(snapshot: Snapshot) -> str:
    total = len(snapshot.rows)
    if not total:
        return "No model is known yet."
    acute = int((snapshot.severities <= int(Severity.S2)).sum())
    unknown = int((snapshot.severities == int(Severity.UNKNOWN)).sum())
    if acute:
        row = int(snapshot.order[0])
        findings = snapshot.findings.get(row, ())
        reason = f": {findings[0].text}" if findings else ""
        return (
            f"{acute} of {total} models at S1 or S2; first {name(snapshot.rows[row].model)}{reason}"
        )
    if unknown:
        return f"{unknown} of {total} models are unknown; the others need nothing now."
    return f"No change seen; none of {total} models needs you now."
