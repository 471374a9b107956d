"""Where each series of a model stands in one flat array, and how that becomes a page of text."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Labels = tuple[tuple[str, str], ...]
Population = Literal["arrivals", "worked", "answered", "attempts"]
Draw = Literal["outcomes", "buckets", "count", "amount", "held"]

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Block:
    """One metric family of one model: its series, and how history draws them.

    ``shares`` maps each series of an ``outcomes`` block to an outcome and a share (0–1) of it.
    """

    name: str
    kind: Literal["counter", "gauge", "histogram", "summary"]
    help: str
    labels: tuple[Labels, ...]
    draw: Draw = "held"
    population: Population = "arrivals"
    edges: tuple[float, ...] = ()
    shares: tuple[tuple[str, float], ...] = ()
    long_term: bool = False

    @property
    def width(self) -> int:
        """Series that the block exposes: for a histogram its buckets, +Inf, sum and count."""
        if self.kind == "histogram":
            return len(self.edges) + 3
        return len(self.labels)


def _escape(text: str) -> str:
    return text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def sorted_labels(*parts: tuple[str, str]) -> Labels:
    """Return labels in the order of their names."""
    return tuple(sorted(parts))


def series_text(name: str, labels: Labels) -> str:
    """Return a series as it is written in exposition text, label values escaped."""
    if not labels:
        return name
    inside = ",".join(f'{key}="{_escape(value)}"' for key, value in labels)
    return f"{name}{{{inside}}}"


def _number(value: float) -> str:
    return f"{value:g}" if value != int(value) else f"{value:.1f}"


@dataclass(slots=True)
class Layout:
    """The series of one model, side by side in a flat array of counters and gauges."""

    blocks: tuple[Block, ...]
    slices: dict[str, slice] = field(init=False)
    series: list[tuple[str, Labels]] = field(init=False)
    outcomes: list[tuple[str, NDArray[np.int64], Floats]] = field(init=False)
    _edges: dict[str, Floats] = field(init=False)
    _columns: dict[tuple[str, Labels], int] = field(init=False)

    def __post_init__(self) -> None:
        self.slices = {}
        self.series = []
        self.outcomes = []
        self._edges = {}
        for block in self.blocks:
            start = len(self.series)
            self.series.extend(_block_series(block))
            self.slices[self.key(block)] = slice(start, len(self.series))
            if block.kind == "histogram":
                self._edges[self.key(block)] = np.asarray(block.edges)
            self.outcomes.extend(_outcome_columns(block, start))
        self._columns = {series: index for index, series in enumerate(self.series)}

    @staticmethod
    def key(block: Block) -> str:
        """Return the block's key: its name, and for a histogram its dependency if it has one."""
        dependency = dict(block.labels[0]).get("dependency") if block.kind == "histogram" else None
        return block.name if dependency is None else f"{block.name} {dependency}"

    @property
    def width(self) -> int:
        """Number of series."""
        return len(self.series)

    def column(self, name: str, labels: Labels) -> int:
        """Return the column of one series; raises ``KeyError`` where it is not exported."""
        return self._columns[name, labels]

    def columns(self, name: str) -> slice | None:
        """Return the columns of a block, or None where the model does not export it."""
        return self.slices.get(name)

    def observe(self, values: Floats, key: str, observations: Floats) -> None:
        """Add observations to a histogram in place; nothing happens where it is not exported."""
        where = self.slices.get(key)
        if where is None or observations.size == 0:
            return
        edges = self._edges[key]
        places = edges.searchsorted(observations)
        counts = np.bincount(places, minlength=edges.size + 1)
        stop = where.stop
        values[where.start : stop - 2] += counts.cumsum()
        values[stop - 2] += observations.sum()
        values[stop - 1] += observations.size


def _outcome_columns(block: Block, start: int) -> list[tuple[str, NDArray[np.int64], Floats]]:
    """Return (outcome, columns, shares that sum to 1) of a block that counts outcomes."""
    found: list[tuple[str, NDArray[np.int64], Floats]] = []
    for outcome in dict.fromkeys(name for name, share in block.shares if share > 0):
        places = [
            place
            for place, (name, share) in enumerate(block.shares)
            if name == outcome and share > 0
        ]
        shares = np.asarray([block.shares[place][1] for place in places])
        found.append((outcome, start + np.asarray(places), shares / shares.sum()))
    return found


def _block_series(block: Block) -> list[tuple[str, Labels]]:
    if block.kind != "histogram":
        return [(block.name, labels) for labels in block.labels]
    (labels,) = block.labels
    bounds = [_number(edge) for edge in block.edges] + ["+Inf"]
    buckets = [(f"{block.name}_bucket", sorted_labels(*labels, ("le", bound))) for bound in bounds]
    return [*buckets, (f"{block.name}_sum", labels), (f"{block.name}_count", labels)]


class Page:
    """The ``/metrics`` page of one service: the layouts of its models, merged by family.

    Prefixes are made once; a page is then one join, measured far below ``generate_latest`` of
    prometheus_client for the same series.
    """

    def __init__(self, layouts: Sequence[Layout]) -> None:
        self._prefixes: list[str] = []
        order: list[int] = []
        families: dict[str, list[tuple[Block, int]]] = {}
        base = 0
        for layout in layouts:
            offset = base
            for block in layout.blocks:
                families.setdefault(block.name, []).append((block, offset))
                offset += block.width
            base = offset
        for name, blocks in families.items():
            first = blocks[0][0]
            head = f"# HELP {name} {first.help}\n# TYPE {name} {first.kind}\n"
            for block, offset in blocks:
                for place, (series, labels) in enumerate(_block_series(block)):
                    self._prefixes.append(f"{head}{series_text(series, labels)} ")
                    head = ""
                    order.append(offset + place)
        self._order = np.asarray(order, dtype=np.int64)

    def render(self, values: Sequence[Floats]) -> bytes:
        """Return the exposition text for the models' arrays, in the order of the layouts."""
        numbers = np.concatenate(values)[self._order].tolist()
        lines = [p + repr(n) for p, n in zip(self._prefixes, numbers, strict=True)]
        lines.append("")
        return "\n".join(lines).encode()
