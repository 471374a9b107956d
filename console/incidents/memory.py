"""What is remembered of alerts from one answer to the next: how often they began, what is over."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from console.facts.alert import Alert

RESOLVED_SHOWN_SECONDS: Final = 900.0
"""How long an alert that is over is still listed."""

REMEMBERED_SECONDS: Final = 3600.0
"""How far back the beginnings of an alert are counted."""

_SAME_START_SECONDS: Final = 1.0
_MOST_STARTS: Final = 240


@dataclass(frozen=True, slots=True)
class Track:
    """One alert of one source and when it began, in Unix seconds, within the last hour.

    ``gone_at`` is when it was first missing from an answer, None while it is there.
    """

    alert: Alert
    starts: tuple[float, ...] = ()
    gone_at: float | None = None

    def shown(self, now: float) -> bool:
        """Tell whether it is there, or over for so short a time that it is still listed."""
        return self.gone_at is None or now - self.gone_at <= RESOLVED_SHOWN_SECONDS


@dataclass(frozen=True, slots=True)
class Tracks:
    """All alerts of one source, by fingerprint, as its last whole answer left them."""

    by_fingerprint: Mapping[str, Track] = field(default_factory=dict)

    def follow(self, alerts: Iterable[Alert], now: float) -> Tracks:
        """Take an answer: new and returning alerts begin, missing ones are over."""
        present = {alert.fingerprint: alert for alert in alerts}
        found = {
            fingerprint: _met(self.by_fingerprint.get(fingerprint), alert, now)
            for fingerprint, alert in present.items()
        }
        for fingerprint, track in self.by_fingerprint.items():
            if fingerprint not in present:
                missed = _missed(track, now)
                if missed is not None:
                    found[fingerprint] = missed
        return Tracks(found)


def _met(before: Track | None, alert: Alert, now: float) -> Track:
    if before is not None and before.alert is alert and not _outlived(before.starts, now):
        return before
    starts = () if before is None else _recent(before.starts, now)
    if alert.state == "pending":
        return Track(alert, starts)
    fresh = (
        before is None
        or before.gone_at is not None
        or before.alert.state == "pending"
        or abs(before.alert.since - alert.since) > _SAME_START_SECONDS
    )
    if fresh:
        waited = before is not None and before.alert.state == "pending"
        began_at = now if waited else alert.since
        starts = _recent((*starts, began_at), now)
    return Track(alert, starts[-_MOST_STARTS:])


def _missed(track: Track, now: float) -> Track | None:
    """Return the track of an alert that is not there, None when it can be forgotten."""
    if track.gone_at is not None:
        return track if now - track.gone_at <= REMEMBERED_SECONDS else None
    if track.alert.state == "pending":
        # What never fired is no incident that could be over.
        return None
    over = replace(track.alert, state="resolved", ends=now, silences=())
    return Track(over, _recent(track.starts, now), now)


def _outlived(starts: tuple[float, ...], now: float) -> bool:
    return bool(starts) and now - min(starts) > REMEMBERED_SECONDS


def _recent(starts: tuple[float, ...], now: float) -> tuple[float, ...]:
    return tuple(at for at in starts if now - at <= REMEMBERED_SECONDS)
