"""Incidents as people left them: held, given another level, merged, closed; pure."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from console.facts.alert import Silence
from console.facts.text import visible
from console.incidents.grouping import STATE_ORDER, urgency

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from console.facts.alert import Alert, Incident
    from console.facts.care import Care, Closing, Hold

_NAME_CHARACTERS: Final = 60
_REASON_CHARACTERS: Final = 200


def with_care(incidents: Iterable[Incident], care: Mapping[str, Care]) -> tuple[Incident, ...]:
    """Return the incidents with what was done about them, the most urgent first.

    A hold that only the journal knows counts like an acknowledgement at the alert source. One that
    was merged stands in the one it was merged into, while that is there. Doing it again to what
    came out changes nothing.
    """
    there = {each.id: each for each in incidents}
    found: dict[str, Incident] = {}
    for key, incident in there.items():
        into = _merged_into(key, care, there)
        if into == key:
            found.setdefault(key, incident)
        else:
            before = found.get(into) or there[into]
            found[into] = _merged(before, incident)
    made = [_as_left(each, care.get(each.id)) for each in found.values()]
    return tuple(sorted(made, key=urgency))


def begins_of(incidents: Iterable[Incident]) -> dict[str, float]:
    """Return when each incident began, by id, as `fold_care` wants it."""
    return {each.id: each.since for each in incidents}


def reopened(incident: Incident, closing: Closing) -> bool:
    """Tell whether it goes on in spite of its closing: something of it began after that."""
    going = [alert.since for alert in incident.alerts if alert.state in ("firing", "pending")]
    return max(going, default=incident.since) > closing.at


def _merged_into(incident: str, care: Mapping[str, Care], there: Mapping[str, Incident]) -> str:
    """Return where it stands in the end; what leads in a circle or to nothing stays itself."""
    seen, current = {incident}, incident
    while (one := care.get(current)) is not None and one.merged_into in there:
        current = one.merged_into
        if current in seen:
            return incident
        seen.add(current)
    return current


def _merged(incident: Incident, other: Incident) -> Incident:
    """Return an incident with the alerts, models and level of another beside its own."""
    known = {(alert.source, alert.fingerprint) for alert in incident.alerts}
    added = tuple(alert for alert in other.alerts if (alert.source, alert.fingerprint) not in known)
    telling = min(incident, other, key=lambda one: STATE_ORDER[one.state])
    same = incident.state == other.state
    return replace(
        incident,
        state=telling.state,
        severity=min(incident.severity, other.severity) if same else telling.severity,
        since=min(incident.since, other.since) if same else telling.since,
        ends=telling.ends,
        models=tuple(sorted({*incident.models, *other.models})),
        sources=tuple(sorted({*incident.sources, *other.sources})),
        alerts=(*incident.alerts, *added),
        suppressed_by=tuple(dict.fromkeys((*incident.suppressed_by, *other.suppressed_by))),
        acked_by=incident.acked_by if incident.acked_by and other.acked_by else "",
        acked_until=incident.acked_until if incident.acked_by and other.acked_by else None,
        flapping=incident.flapping or other.flapping,
        starts_per_hour=incident.starts_per_hour + other.starts_per_hour,
    )


def _as_left(incident: Incident, care: Care | None) -> Incident:
    if care is None:
        return incident
    if care.level is not None:
        incident = replace(incident, severity=care.level)
    if care.hold is not None:
        incident = _held(incident, care.hold)
    if care.closing is not None and not reopened(incident, care.closing):
        incident = _closed(incident, care.closing)
    return incident


def _held(incident: Incident, hold: Hold) -> Incident:
    """Return it acknowledged: whoever took it has it whole, with what joined it since."""
    by = visible(hold.by, _NAME_CHARACTERS) or "somebody"
    said = Silence(
        id=f"journal {hold.op_id}",
        by=by,
        comment=f"{hold.kind}: {visible(hold.reason, _REASON_CHARACTERS)}",
        ends=hold.ends_at,
        acknowledges=True,
    )
    return replace(
        incident,
        acked_by=by,
        acked_until=hold.ends_at,
        alerts=tuple(
            _with(alert, said) if alert.state == "firing" else alert for alert in incident.alerts
        ),
    )


def _closed(incident: Incident, closing: Closing) -> Incident:
    """Return it suppressed: its alerts may fire on, and somebody has judged what that is worth."""
    if incident.state == "resolved":
        return incident
    by = visible(closing.by, _NAME_CHARACTERS)
    told = f": {visible(closing.reason, _REASON_CHARACTERS)}" if closing.reason else ""
    sentence = f"closed by {by} as {closing.verdict}{told}"
    said = Silence(id="journal", by=by, comment=f"closed as {closing.verdict}{told}")
    return replace(
        incident,
        state="suppressed",
        suppressed_by=tuple(dict.fromkeys((*incident.suppressed_by, sentence))),
        alerts=tuple(
            replace(_with(alert, said), state="suppressed")
            if alert.state in ("firing", "pending")
            else alert
            for alert in incident.alerts
        ),
    )


def _with(alert: Alert, said: Silence) -> Alert:
    if any(each.id == said.id for each in alert.silences):
        return alert
    return replace(alert, silences=(*alert.silences, said))
