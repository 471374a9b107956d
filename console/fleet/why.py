"""Why a row is where it is: the chain from a shared thing to the harm, in one line.

Made of a Snapshot alone and without NumPy, so that a screen can ask at any time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.facts.severity import BreakerState
from console.fleet.words import a_minute, clock, name, shown

if TYPE_CHECKING:
    from console.facts.snapshot import Dependency, Snapshot

_ATTEMPTS_WORTH_TELLING = 1.1
_LADDER = ("L1", "L2", "L3", "L4")
_TOLD_BY_LINKS = ("breaker_no_answer", "retry_storm", "off_primary", "dependency_breaker")
_OPEN = (BreakerState.OPEN, BreakerState.FORCED_OPEN)


def culprits(snapshot: Snapshot, row: int) -> tuple[Dependency, ...]:
    """Return the dependencies of a row that explain its trouble, worst first."""
    model = snapshot.rows[row].model
    return tuple(one for one in snapshot.dependencies if one.culprit and model in one.models)


def why(snapshot: Snapshot, row: int) -> str:
    """Return cause and effect of a row's trouble, joined by arrows; empty for a healthy row.

    "feature-store-eu timeouts 38% since 02:43 → 4.1 attempts a request → breaker OPN since
    02:44 → nothing answers, 412 bad requests a minute". Findings that no link tells follow.
    """
    found = snapshot.findings.get(row, ())
    if not found:
        return ""
    links = [one.text for one in culprits(snapshot, row)[:1] if one.text]
    attempts = snapshot.reading("attempts_per_request", row)
    if attempts.value is not None and attempts.known and attempts.value > _ATTEMPTS_WORTH_TELLING:
        links.append(f"{shown(attempts.value, '1')} attempts a request")
    breaker, route = snapshot.breaker(row), snapshot.route(row)
    if breaker.state in _OPEN:
        since = f" since {clock(breaker.since)}" if breaker.since is not None else ""
        extent = f" ({breaker.extent})" if breaker.extent else ""
        links.append(f"breaker {breaker.state.code}{extent}{since}")
    bad = snapshot.reading("bad_rate", row)
    if breaker.state in _OPEN and route.level not in _LADDER and bad.value:
        who = "nothing answers for them" if breaker.extent else "nothing answers"
        links.append(f"{who}, {a_minute(bad.value)} bad requests a minute")
        return " → ".join(links)
    if route.level in _LADDER:
        links.append(f"{name(route.target)} ({route.level}) answers")
    effect = next((finding.text for finding in found if finding.rule not in _TOLD_BY_LINKS), "")
    return " → ".join([*links, effect] if effect else links) or found[0].text
