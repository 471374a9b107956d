"""The time axis of the past: coarse long ago, fine of late."""

import numpy as np
from numpy.typing import NDArray

from console.demo.drift import WINDOW_MINUTES
from console.demo.layout import Floats

Counts = NDArray[np.int64]

DAYS = 30
COARSE_SECONDS, MIDDLE_SECONDS, FINE_SECONDS = 300.0, 60.0, 10.0
MIDDLE_SPAN_SECONDS, FINE_SPAN_SECONDS = 6 * 3600.0, 900.0
# One hour more than is shown: the drift of the first minute rests on the hour before it.
DRAWN_SPAN_SECONDS = MIDDLE_SPAN_SECONDS + WINDOW_MINUTES * 60.0
CHUNK_SECONDS = 1800.0


class Axis:
    """The time axis: 5 min steps until seven hours ago, then 60 s, 10 s for the last 15 min."""

    def __init__(self, now: float) -> None:
        begin = now - DAYS * 86400.0
        turn = now - DRAWN_SPAN_SECONDS
        last = now - FINE_SPAN_SECONDS
        coarse = np.arange(round((turn - begin) / COARSE_SECONDS) + 1, dtype=np.float64)
        self.coarse: Floats = begin + COARSE_SECONDS * coarse
        middle = turn + MIDDLE_SECONDS * np.arange(round((last - turn) / MIDDLE_SECONDS))
        fine = last + FINE_SECONDS * np.arange(round(FINE_SPAN_SECONDS / FINE_SECONDS) + 1)
        edges = np.concatenate((middle, fine))
        self.edges: Floats = edges
        self.steps: Floats = np.diff(edges)
        self.mids: Floats = edges[:-1] + self.steps / 2
        chunk = np.floor((self.mids - turn) / CHUNK_SECONDS).astype(np.int64)
        self.chunk: Counts = chunk
        self.chunk_mids: Floats = turn + CHUNK_SECONDS * (np.arange(chunk[-1] + 1) + 0.5)

    def places(self, step: float, span: float) -> Counts:
        """Return indices into ``edges``: multiples of ``step`` within ``span`` of the end."""
        before = self.edges[-1] - self.edges
        wanted = (before <= span + 0.5) & (np.abs(before / step - np.rint(before / step)) < 1e-6)
        return np.flatnonzero(wanted)
