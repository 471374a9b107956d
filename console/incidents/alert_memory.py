"""Remembers alerts from answer to answer, and turns own S1 and S2 findings into alerts."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from console.domain.alert import OWN_SOURCE, Alert
from console.domain.text import visible
from console.incidents.feeds import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from console.domain.severity import Severity

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
            key: _met(self.by_fingerprint.get(key), alert, now) for key, alert in present.items()
        }
        for key, track in self.by_fingerprint.items():
            if key not in present:
                missed = _missed(track, now)
                if missed is not None:
                    found[key] = missed
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


FRESH_TEXTS: Final = 200
"""Of so many findings the sentence is written anew at every look; of more it stays as it began."""


@dataclass(frozen=True, slots=True)
class OwnFinding:
    """One rule that holds for a model, at S1 or S2; ``since`` in Unix seconds.

    ``row`` is what the model's sentence is asked for by.
    """

    row: int
    model: str
    rule: str
    level: Severity
    since: float
    runbook: str = ""


def own_alerts(
    findings: Sequence[OwnFinding],
    sentence: Callable[[OwnFinding], str],
    known: Mapping[tuple[str, str], Alert],
) -> dict[tuple[str, str], Alert]:
    """Return an alert for each finding, by model and rule.

    ``known`` are those of the look before: an alert that did not change is the identical object.
    """
    fresh = len(findings) <= FRESH_TEXTS
    return {
        (one.model, one.rule): _alert(one, sentence, known.get((one.model, one.rule)), fresh=fresh)
        for one in findings
    }


def _alert(
    finding: OwnFinding,
    sentence: Callable[[OwnFinding], str],
    known: Alert | None,
    *,
    fresh: bool,
) -> Alert:
    same = known is not None and known.since == finding.since and known.severity is finding.level
    if known is not None and same:
        if not fresh:
            return known
        text = visible(sentence(finding))
        return known if text == known.summary else replace(known, summary=text)
    labels = {"alertname": finding.rule, "evaluator": OWN_SOURCE, "model": finding.model}
    return Alert(
        fingerprint=fingerprint(labels),
        source=OWN_SOURCE,
        name=finding.rule,
        state="firing",
        severity=finding.level,
        severity_text=finding.level.label,
        since=finding.since,
        labels=tuple(sorted(labels.items())),
        summary=visible(sentence(finding)),
        runbook=visible(finding.runbook),
        model=finding.model,
    )
