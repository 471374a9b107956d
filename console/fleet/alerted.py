"""Which rows the alerts of other systems name, and which of them somebody holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from console.facts.alert import Alert, Incident
    from console.facts.care import Hold
    from console.fleet.statics import Statics


def firing_by_row(incidents: Iterable[Incident], statics: Statics) -> dict[int, tuple[Alert, ...]]:
    """Return the firing alerts of each row, worst first.

    Only alerts that name the model count: a dependency's own alert says nothing yet of the harm
    to its callers, and an alert that nobody confirms any more is not known to fire.
    """
    found: dict[int, list[Alert]] = {}
    for incident in incidents:
        for alert in incident.alerts:
            row = statics.index.get(alert.model) if alert.model else None
            if row is not None and alert.state == "firing" and not alert.stale:
                found.setdefault(row, []).append(alert)
    return {
        row: tuple(sorted(alerts, key=lambda one: (int(one.severity), one.since, one.name)))
        for row, alerts in found.items()
    }


def holds_by_row(holds: Iterable[Hold], statics: Statics) -> dict[int, tuple[Hold, ...]]:
    """Return, for each row, the holds on incidents that touch it, in the order given."""
    found: dict[int, tuple[Hold, ...]] = {}
    for hold in holds:
        for model in hold.models:
            row = statics.index.get(model)
            if row is not None:
                found[row] = (*found.get(row, ()), hold)
    return found


def acknowledged_rows(
    alerts: Mapping[int, tuple[Alert, ...]], holds: Mapping[int, tuple[Hold, ...]]
) -> tuple[int, ...]:
    """Return the rows of which every firing alert is acknowledged.

    A row without any is acknowledged while somebody holds an incident that touches it.
    """
    return tuple(
        row
        for row in (alerts.keys() | holds.keys())
        if all(alert.acknowledgement is not None for alert in alerts.get(row, ()))
        and (alerts.get(row) or row in holds)
    )
