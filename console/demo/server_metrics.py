"""Series of two model servers (vLLM, Triton) and their layout as a page of text."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from console.demo.requests import Batch
from console.demo.scenario import ModelSpec

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


_ENGINE: Final = ("engine", "0")
_FINISHED: Final = (
    ("stop", "success", 0.86),
    ("length", "success", 0.14),
    ("abort", "success", 0.0),
    ("error", "error", 1.0),
    ("repetition", "success", 0.0),
)
_E2E_EDGES: Final = (
    0.3, 0.5, 0.8, 1.0, 1.5, 2.0, 2.5, 5.0, 10.0, 15.0, 20.0, 30.0, 40.0, 50.0, 60.0, 120.0, 240.0,
)  # fmt: skip
_FIRST_EDGES: Final = (
    0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75,
    1.0, 2.5, 5.0, 7.5, 10.0, 20.0, 40.0, 80.0,
)  # fmt: skip
_TOKEN_EDGES: Final = (
    0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.75, 1.0, 2.5,
)  # fmt: skip
KV_CACHE_TOKENS: Final = 40_000.0
_QUANTILES: Final = (0.5, 0.9, 0.95, 0.99, 0.999)


def vllm_layout(model: ModelSpec) -> Layout:
    """Return the series of a vLLM server: ``vllm:`` names, ``model_name`` and ``engine`` labels."""
    base = (("model_name", model.name), _ENGINE)
    plain = (sorted_labels(*base),)

    def histogram(name: str, help_text: str, edges: tuple[float, ...]) -> Block:
        return Block(
            name, "histogram", help_text, plain, draw="buckets", population="worked", edges=edges
        )

    def gauge(name: str, help_text: str) -> Block:
        return Block(name, "gauge", help_text, plain)

    def counter(name: str, help_text: str) -> Block:
        return Block(name, "counter", help_text, plain, draw="count", population="worked")

    return Layout(
        (
            gauge("vllm:num_requests_running", "Number of requests in model execution batches."),
            gauge("vllm:num_requests_waiting", "Number of requests waiting to be processed."),
            gauge("vllm:kv_cache_usage_perc", "KV-cache usage. 1 means 100 percent usage."),
            counter("vllm:prompt_tokens_total", "Number of prefill tokens processed."),
            counter("vllm:generation_tokens_total", "Number of generation tokens processed."),
            counter("vllm:num_preemptions_total", "Cumulative number of preemptions."),
            Block(
                "vllm:request_success_total",
                "counter",
                "Count of successfully processed requests.",
                tuple(sorted_labels(*base, ("finished_reason", name)) for name, _, _ in _FINISHED),
                draw="outcomes",
                shares=tuple((outcome, share) for _, outcome, share in _FINISHED),
                long_term=True,
            ),
            Block(
                "vllm:admission_rejections_total",
                "counter",
                "Requests that were not let in.",
                tuple(
                    sorted_labels(("model_name", model.name), ("reason", reason))
                    for reason in ("max_num_queued_reqs", "max_num_queued_tokens")
                ),
                draw="outcomes",
                shares=(("refused", 1.0), ("refused", 0.0)),
            ),
            histogram(
                "vllm:time_to_first_token_seconds",
                "Histogram of time to first token in seconds.",
                _FIRST_EDGES,
            ),
            histogram(
                "vllm:request_time_per_output_token_seconds",
                "Histogram of time_per_output_token_seconds per request.",
                _TOKEN_EDGES,
            ),
            histogram(
                "vllm:e2e_request_latency_seconds",
                "Histogram of e2e request latency in seconds.",
                _E2E_EDGES,
            ),
        )
    )


def record_vllm(layout: Layout, values: Floats, batch: Batch) -> None:
    """Add a batch to a vLLM server's counters in place; outcomes are counted by the caller."""
    layout.observe(values, "vllm:e2e_request_latency_seconds", batch.durations)
    if batch.first_token_seconds is None or batch.token_seconds is None:
        return
    layout.observe(values, "vllm:time_to_first_token_seconds", batch.first_token_seconds)
    layout.observe(values, "vllm:request_time_per_output_token_seconds", batch.token_seconds)
    if batch.prompt_tokens is not None and batch.output_tokens is not None:
        values[layout.slices["vllm:prompt_tokens_total"]] += batch.prompt_tokens.sum()
        values[layout.slices["vllm:generation_tokens_total"]] += batch.output_tokens.sum()


def triton_layout(model: ModelSpec) -> Layout:
    """Return the series of a Triton server with summary latencies, in microseconds."""
    base = (("model", model.name), ("version", model.version))
    plain = (sorted_labels(*base),)

    def amount(name: str, help_text: str) -> Block:
        return Block(name, "counter", help_text, plain, draw="amount", population="worked")

    reasons = (("REJECTED", "refused"), ("CANCELED", ""), ("BACKEND", "error"), ("OTHER", ""))
    return Layout(
        (
            Block(
                "nv_inference_request_success",
                "counter",
                "Number of successful inference requests, all batch sizes",
                plain,
                draw="outcomes",
                shares=(("success", 1.0),),
                long_term=True,
            ),
            Block(
                "nv_inference_request_failure",
                "counter",
                "Number of failed inference requests, all batch sizes",
                tuple(sorted_labels(*base, ("reason", reason)) for reason, _ in reasons),
                draw="outcomes",
                shares=tuple(
                    (outcome or "refused", 1.0 if outcome else 0.0) for _, outcome in reasons
                ),
                long_term=True,
            ),
            Block(
                "nv_inference_count",
                "counter",
                "Number of inferences performed (does not include cached requests)",
                plain,
                draw="count",
                population="worked",
            ),
            Block(
                "nv_inference_exec_count",
                "counter",
                "Number of model executions performed (does not include cached requests)",
                plain,
                draw="count",
                population="worked",
            ),
            amount(
                "nv_inference_request_duration_us",
                "Cumulative inference request duration in microseconds (includes cached requests)",
            ),
            amount(
                "nv_inference_queue_duration_us",
                "Cumulative inference queuing duration in microseconds (includes cached requests)",
            ),
            amount(
                "nv_inference_compute_infer_duration_us",
                "Cumulative compute inference duration in microseconds",
            ),
            Block(
                "nv_inference_pending_request_count",
                "gauge",
                "Instantaneous number of pending requests awaiting execution per-model.",
                plain,
            ),
            Block(
                "nv_inference_request_summary_us",
                "summary",
                "Summary of inference request duration in microseconds",
                tuple(sorted_labels(*base, ("quantile", f"{q:g}")) for q in _QUANTILES),
            ),
        )
    )


def record_triton(layout: Layout, values: Floats, batch: Batch) -> None:
    """Add a batch to a Triton server's counters in place; outcomes are counted by the caller."""
    if batch.waits is None or batch.size == 0:
        return
    values[layout.slices["nv_inference_count"]] += batch.size
    # Dynamic batching: about four requests run as one execution.
    values[layout.slices["nv_inference_exec_count"]] += max(1, batch.size // 4)
    waited = float(batch.waits.sum())
    total = float(batch.durations.sum())
    values[layout.slices["nv_inference_request_duration_us"]] += np.rint(total * 1e6)
    values[layout.slices["nv_inference_queue_duration_us"]] += np.rint(waited * 1e6)
    values[layout.slices["nv_inference_compute_infer_duration_us"]] += np.rint(
        (total - waited) * 1e6
    )


def triton_summary(durations: Floats) -> Floats:
    """Return the quantiles of the summary for durations in seconds, in microseconds."""
    summary: Floats = np.rint(np.quantile(durations, _QUANTILES) * 1e6)
    return summary
