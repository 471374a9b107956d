"""An incident that is not listed any more, as the record tells of it; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from console.facts.alert import Incident
from console.facts.entry import number_of
from console.facts.severity import Severity
from console.facts.text import visible

if TYPE_CHECKING:
    from collections.abc import Iterable

    from console.facts.entry import Entry

_LEVELS: Final = {one.label: one for one in (Severity.S1, Severity.S2, Severity.S3, Severity.S4)}


def recorded_incident(incident_id: str, entries: Iterable[Entry]) -> Incident | None:
    """Return the last occurrence of an incident that people wrote about, as one that is over.

    ``entries`` are oldest first. It ended when it was closed, else with the last word about it:
    when nobody closed it, nobody wrote down its end. None where nothing tells of it.
    """
    mine = [one for one in entries if one.incident == incident_id]
    if not mine:
        return None
    begins = [since for one in mine if (since := number_of(one.details.get("since"))) is not None]
    since = max(begins) if begins else mine[0].at
    occurrence = [one for one in mine if one.at >= since - 60.0] or mine
    told = {
        name: value
        for one in occurrence
        for name, value in one.details.items()
        if name in ("title", "severity", "model", "dependency", "models") and value
    }
    closed = next((one.at for one in reversed(occurrence) if one.kind == "close"), None)
    models = told.get("models")
    named = tuple(map(str, models)) if isinstance(models, list) else ()
    model = str(told.get("model") or "")
    return Incident(
        id=visible(incident_id, 40),
        title=visible(str(told.get("title") or model or told.get("dependency") or incident_id)),
        state="resolved",
        severity=_LEVELS.get(str(told.get("severity")), Severity.UNKNOWN),
        since=since,
        model=model,
        dependency=str(told.get("dependency") or ""),
        models=named or ((model,) if model else ()),
        ends=occurrence[-1].at if closed is None else closed,
    )
