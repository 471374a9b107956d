"""One incident as a whole, put together from everything the engine knows and can ask."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.engine.handle import Refused
from console.facts.care import Care
from console.facts.incident_view import IncidentView
from console.facts.text import visible

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.facts.snapshot import Snapshot


class IncidentViews:
    """Makes views of incidents on demand; ``clock`` gives Unix seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock

    async def view(self, incident_id: str, snapshot: Snapshot | None) -> IncidentView | Refused:
        """Return the incident of ``snapshot`` with this id, or why there is none."""
        incidents = () if snapshot is None else snapshot.incidents
        incident = next((one for one in incidents if one.id == incident_id), None)
        if snapshot is None or incident is None:
            return Refused((f"no incident {visible(incident_id, 20)} is known now",))
        care = snapshot.care.get(incident.id) or Care(incident.id, incident.since)
        return IncidentView(incident, care, self._clock())
