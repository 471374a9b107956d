"""Alerts for tests of grouping, in few words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from console.domain.alert import Alert
from console.domain.severity import Severity
from console.incidents.alert_memory import Tracks
from console.incidents.feeds import fingerprint
from console.incidents.grouping import SourceTracks, Surroundings, group

if TYPE_CHECKING:
    from collections.abc import Iterable

    from console.incidents.grouping import Grouped

NOW = 1_790_000_000.0

AROUND = Surroundings(
    models={name: name for name in ("fraud", "chat", "rank")} | {"fraud-v3": "fraud"},
    dependencies={"store": "store", "gateway": "gateway"},
    needs={
        "fraud": frozenset({"store"}),
        "chat": frozenset({"gateway"}),
        "rank": frozenset({"store", "gateway"}),
    },
)


def alert(name: str = "Errors", model: str = "", **more: Any) -> Alert:
    labels = {"alertname": name, "model": model, "dependency": more.get("dependency", "")}
    labels |= {"instance": more.pop("instance", "")}
    kept = {key: value for key, value in labels.items() if value}
    values: dict[str, Any] = {
        "fingerprint": fingerprint(kept),
        "source": "am",
        "name": name,
        "state": "firing",
        "severity": Severity.S1,
        "since": NOW - 60.0,
        "labels": tuple(sorted(kept.items())),
        "model": model,
    }
    return Alert(**(values | more))


def grouped(
    alerts: Iterable[Alert], around: Surroundings = AROUND, *, age: float | None = None
) -> Grouped:
    tracks = Tracks().follow(alerts, NOW)
    return group([SourceTracks("am", tracks.by_fingerprint, age)], around, NOW)
