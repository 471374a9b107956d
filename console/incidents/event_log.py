"""Keeps what happened to which row within the last day, fed every tick.

Nothing is found out twice here: changes come from the Snapshot, rules from its findings. It notes
what nobody else keeps, so that an incident that begins later still has its beginning.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from console.domain.alert import OWN_SOURCE
from console.domain.incident import EventKind, TimelineEvent
from console.domain.signals import ReadingState
from console.domain.text import visible
from console.evaluation.derive import log_tail
from console.metrics.units import format_value

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from numpy.typing import NDArray

    from console.domain.alert import Alert, Incident
    from console.domain.model import ModelRow
    from console.domain.snapshot import Change, ChangeKind, Snapshot

    Mask = NDArray[np.bool_]
    Floats = NDArray[np.float64]

KEPT_SECONDS: Final = 86400.0
MOST_EVENTS: Final = 4000
HURT_RATIO: Final = 0.001
"""Under this share of bad requests a model is clean; a milder objective allows more."""

BEGIN_AFTER, END_AFTER = 2, 3
LEAST_BAD, LEAST_REQUESTS = 10.0, 100.0
"""So many bad requests, or so many requests, make a share of bad ones count."""

LOG_CHANCE: Final = -6.9
"""Users are hurt by more bad requests than chance within the objective explains (1e-3)."""

CLEAR_SHARE: Final = 0.8
"""They are told as hurt until no more than this share of what is allowed is bad."""

_KINDS: Final[Mapping[ChangeKind, EventKind]] = {
    "world": "change",
    "breaker": "auto",
    "route": "auto",
    "dependency": "signal",
}
MOST_CALLERS: Final = 24
HURT_WORDS, CLEAR_WORDS = " users are hurt", " users no longer hurt"
"""What follows a model's name in an event of impact, so that it can be read back."""

_NAME_CHARACTERS = 60


@dataclass(frozen=True, slots=True)
class Noted:
    """One event and whom it is about: a model or a dependency by its raw name, or ``inc:ID``."""

    subject: str
    event: TimelineEvent


@dataclass(slots=True)
class _Hurt:
    """Evaluations in a row that were bad or clean, and whether it was told that users are hurt."""

    began_at: float
    bad: int = 0
    clean: int = 0
    told: bool = False
    clean_from: float = 0.0


class IncidentLog:
    """The events of the last 24 hours by subject, at most 4,000; belongs to one loop."""

    def __init__(self) -> None:
        self.began_at: float | None = None
        self._noted: list[Noted] = []
        self._changes: frozenset[Change] = frozenset()
        self._firing: dict[tuple[str, str], Alert] = {}
        self._hurt: dict[str, _Hurt] = {}
        self._allowed: tuple[tuple[ModelRow, ...], Floats] = ((), np.empty(0))

    def take(self, snapshot: Snapshot, rules: Iterable[Noted] = ()) -> None:
        """Note what is new in a Snapshot; ``rules`` are those that began or ceased to hold."""
        if self.began_at is None:
            self.began_at = snapshot.taken_at
        fresh = [*self._new_changes(snapshot), *rules]
        fresh += [*self._alerts(snapshot), *self._impact(snapshot)]
        if fresh:
            oldest = snapshot.taken_at - KEPT_SECONDS
            kept = [each for each in self._noted if each.event.at >= oldest]
            self._noted = [*kept, *fresh][-MOST_EVENTS:]

    def about(
        self, subjects: Collection[str], since: float, until: float
    ) -> tuple[TimelineEvent, ...]:
        """Return the events about any of ``subjects`` between two moments, oldest first."""
        found = [
            each.event
            for each in self._noted
            if each.subject in subjects and since <= each.event.at <= until
        ]
        return tuple(sorted(found, key=lambda event: event.at))

    def _new_changes(self, snapshot: Snapshot) -> list[Noted]:
        present = frozenset(snapshot.changes)
        fresh = [one for one in snapshot.changes if one not in self._changes]
        self._changes = present
        return [
            Noted(one.subject, event) for one in fresh if (event := change_event(one)) is not None
        ]

    def _alerts(self, snapshot: Snapshot) -> list[Noted]:
        """Note which alerts of other systems began and ended."""
        found: list[Noted] = []
        firing: dict[tuple[str, str], Alert] = {}
        for incident in snapshot.incidents:
            for alert in incident.alerts:
                if alert.source == OWN_SOURCE:
                    continue
                key = (alert.source, alert.fingerprint)
                if alert.state == "firing":
                    firing[key] = alert
                    if key not in self._firing:
                        event = alert_event(alert, alert.since, "begins")
                        found.append(Noted(_subject(alert, incident), event))
                elif alert.state == "resolved" and key in self._firing:
                    event = alert_event(alert, alert.ends or snapshot.taken_at, "ends")
                    found.append(Noted(_subject(alert, incident), event))
        self._firing = firing
        return found

    def _impact(self, snapshot: Snapshot) -> list[Noted]:
        """Note whose users began or ceased to be hurt, after two bad or three clean looks."""
        column = snapshot.columns.get("error_ratio")
        if column is None:
            return []
        allowed = self._limits(snapshot.rows)
        ratio, n = column.values, column.n
        known = (column.states == int(ReadingState.OK)) & np.isfinite(ratio)
        counts = ~np.isfinite(n) | (n >= LEAST_REQUESTS) | (n * ratio >= LEAST_BAD)
        # Errors that hover at the objective cross it by chance at every other look.
        chance = np.isfinite(n) & (log_tail(n * ratio, n * allowed) > LOG_CHANCE)
        bad = known & counts & (ratio > allowed) & ~chance
        clean = known & (ratio <= CLEAR_SHARE * allowed)
        for gone in [model for model in self._hurt if model not in snapshot.index]:
            del self._hurt[gone]
        watched = (snapshot.index[model] for model in self._hurt)
        found = [
            self._moved(
                snapshot, row, float(ratio[row]), bad=bad[row], known=known[row], clean=clean[row]
            )
            for row in sorted({*np.flatnonzero(bad).tolist(), *watched})
        ]
        return [each for each in found if each is not None]

    def _moved(
        self,
        snapshot: Snapshot,
        row: int,
        ratio: float,
        *,
        bad: np.bool_,
        known: np.bool_,
        clean: np.bool_,
    ) -> Noted | None:
        model, now = snapshot.rows[row].model, snapshot.taken_at
        state = self._hurt.setdefault(model, _Hurt(now))
        if bad:
            state.bad, state.clean = state.bad + 1, 0
            if not state.told and state.bad >= BEGIN_AFTER:
                state.told = True
                return Noted(model, impact_event(model, state.began_at, ratio=ratio))
        elif clean or (known and not state.told):
            state.clean_from = now if state.clean == 0 else state.clean_from
            state.bad, state.clean = 0, state.clean + 1
            if not state.told or state.clean >= END_AFTER:
                del self._hurt[model]
            if state.told and state.clean >= END_AFTER:
                return Noted(model, impact_event(model, state.clean_from))
        return None

    def _limits(self, rows: tuple[ModelRow, ...]) -> Floats:
        if self._allowed[0] is not rows:
            self._allowed = (rows, np.array([allowed_ratio(row) for row in rows]))
        return self._allowed[1]


def allowed_ratio(row: ModelRow) -> float:
    """Return the share of bad requests (0-1) up to which nobody is hurt: what the SLO allows."""
    return max(HURT_RATIO, 1.0 - row.objectives.availability_ratio)


def change_event(change: Change) -> TimelineEvent | None:
    """Return a change as an event; None for what other witnesses tell better."""
    kind = _KINDS.get(change.kind)
    if kind is None:
        return None
    return TimelineEvent(change.at, kind, visible(change.text), source=OWN_SOURCE)


def rule_event(model: str, rule: str, text: str, level: str, at: float) -> TimelineEvent:
    """Return that a rule of ``level`` began to hold; without ``text`` that it ceased to."""
    said = f"{rule}: {level}, {text}" if text else f"{rule} over"
    return TimelineEvent(at, "signal", f"{_name(model)} {visible(said)}", source=OWN_SOURCE)


def alert_event(alert: Alert, at: float, word: str) -> TimelineEvent:
    """Return that another system's alert begins or ends (``word``)."""
    about = f" on {_name(alert.model)}" if alert.model else ""
    said = f": {alert.summary}" if alert.summary and word == "begins" else ""
    text = f"{alert.name}{about} {word}{said}"
    return TimelineEvent(at, "alert", visible(text), source=visible(alert.source, 40))


def impact_event(model: str, at: float, *, ratio: float | None = None) -> TimelineEvent:
    """Return that users of a model begin to be hurt, with the share of bad requests, or cease."""
    if ratio is None:
        text = f"{_name(model)}{CLEAR_WORDS}"
    else:
        text = f"{_name(model)}{HURT_WORDS}: {format_value(ratio, '%')} of requests bad"
    return TimelineEvent(at, "impact", text, source=OWN_SOURCE)


def _subject(alert: Alert, incident: Incident) -> str:
    return alert.model or alert.dependency or f"inc:{incident.id}"


def _name(text: str) -> str:
    return visible(text, _NAME_CHARACTERS)


def subjects_of(incident: Incident) -> tuple[str, ...]:
    """Return whom the log tells about for an incident: its models, its dependency, itself.

    Of a dependency with many callers only those that alerts name.
    """
    named = [name for alert in incident.alerts for name in (alert.model, alert.dependency)]
    callers = incident.models if len(incident.models) <= MOST_CALLERS else ()
    names = (incident.model, incident.dependency, *named, *callers, f"inc:{incident.id}")
    return tuple(dict.fromkeys(name for name in names if name))
