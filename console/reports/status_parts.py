"""Parts of the status document that stand for themselves: a cause, a replica."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

from console.domain.snapshot import CauseConfidence


class CauseReport(Struct, frozen=True, kw_only=True):
    """What hurts a model: ``name`` empty where nothing is named.

    ``kind`` tells a dependency from the model's own change, ``also`` is possible beside it, and
    ``over`` tells that users are no longer hurt.
    """

    name: str
    kind: Literal["dependency", "change", ""]
    confidence: CauseConfidence
    evidence: tuple[str, ...]
    also: tuple[str, ...]
    since: str | None
    over: bool
    text: str


class ReplicaReport(Struct, frozen=True, kw_only=True):
    """One of several replicas, by pod or instance: its signals over the last two minutes.

    ``odd`` is how it stands out of the others: failing, slow, queueing, or empty.
    """

    place: str
    signals: dict[str, float]
    odd: str = ""
