"""What people did about incidents, put to the incidents there are at one tick."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from console.actions.care import fold_care
from console.incidents.cared import begins_of, with_care

if TYPE_CHECKING:
    from console.actions.care import CareLog
    from console.facts.care import Care
    from console.facts.snapshot import Snapshot
    from console.fleet.observed import Observed


def cared(
    observed: Observed, log: CareLog, latest: Snapshot | None, now: float
) -> tuple[Observed, dict[str, Care]]:
    """Return the incidents as people left them, and the care of each by id, at ``now``.

    ``latest`` tells when incidents began that are made after the judgement, of findings.
    """
    if not log:
        return observed, {}
    before = () if latest is None else latest.incidents
    # What is listed keeps its beginning, though the alert it began with may be over.
    begins = {**begins_of(observed.incidents), **begins_of(before)}
    care = fold_care(log, begins, now)
    return replace(observed, incidents=with_care(observed.incidents, care)), care


def with_care_after(snapshot: Snapshot) -> Snapshot:
    """Return the Snapshot with incidents that were made after the judgement as people left them."""
    if not snapshot.care:
        return snapshot
    return replace(snapshot, incidents=with_care(snapshot.incidents, snapshot.care))
