"""Frozen score distributions of two of the demo's models, as their owners would have taken them."""

import numpy as np

from console.demo.drift import reference
from console.demo.midwatch_layout import SCORE_EDGES
from console.demo.specs import ModelSpec
from console.settings.drift_files import reference_json

REFERENCED = ("fraud-scorer", "churn-ranker")
TAKEN_BEFORE_SECONDS = 42 * 86400.0
PREDICTIONS = 50_000
_NOTE = "simulated: the scores of a week in which nothing had moved"


def path_of(model: ModelSpec) -> str | None:
    """Return where the reference of a model stands beside the configuration, None without one."""
    return f"refs/{model.name}.json" if model.name in REFERENCED else None


def reference_file(model: ModelSpec, now: float) -> bytes:
    """Return the file as it was taken six weeks before ``now`` (Unix seconds)."""
    shares = reference(model)[0]
    counts = np.rint(PREDICTIONS * shares / shares.sum())
    return reference_json(
        model=model.name,
        taken_at=now - TAKEN_BEFORE_SECONDS,
        edges=SCORE_EDGES,
        counts=counts.tolist(),
        note=_NOTE,
    )
