"""The one judgement: what was observed becomes a Snapshot."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.facts.model import ModelRow
    from console.facts.samples import SourceStatus
    from console.facts.snapshot import Snapshot
    from console.fleet.memory import Memory
    from console.fleet.observed import Observed
    from console.settings.schema import Settings


def evaluate(
    rows: Sequence[ModelRow],
    observed: Observed,
    sources: Sequence[SourceStatus],
    memory: Memory,
    now: float,
    *,
    environment: str,
    tick: int,
    settings: Settings,
    remembers: bool = True,
) -> tuple[Snapshot, Memory]:
    """Judge ``rows`` at ``now`` (Unix seconds) and return the Snapshot and the next Memory.

    ``rows`` are in name order and every column of ``observed`` has their length. Without
    ``remembers`` nothing is known of earlier evaluations: what would need them is ``pending``.
    """
    raise NotImplementedError
