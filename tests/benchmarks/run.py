"""Run the benchmarks and print the budgets beside what was measured.

usage: python -m tests.benchmarks.run [--gates | --prove] [NAME…]
``--gates`` ends with status 1 when a ratio gate does not hold; a gate that fails is measured
up to twice more, because a shared machine has bad seconds. ``--prove`` slows every timed subject by
0.1 s and ends with status 1 when a gate does not notice.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING

from tests.benchmarks import journal, keys, paint, questions, start, tick
from tests.benchmarks.measure import Benchmark, Row, table

if TYPE_CHECKING:
    from collections.abc import Sequence

ALL: tuple[Benchmark, ...] = (
    *start.BENCHMARKS,
    *questions.BENCHMARKS,
    *paint.BENCHMARKS,
    *keys.BENCHMARKS,
    *tick.BENCHMARKS,
    *journal.BENCHMARKS,
)

_MORE_TRIES = 2


def measured(benchmark: Benchmark) -> list[Row]:
    """Return a benchmark's rows, measured up to twice more while a gate does not hold."""
    rows = benchmark.run(False)
    for _ in range(_MORE_TRIES):
        if all(row.holds for row in rows):
            break
        rows = benchmark.run(False)
    return rows


def prove(benchmarks: Sequence[Benchmark]) -> int:
    """Slow each timed subject by 0.1 s and return 1 if a gate still holds."""
    blind = []
    for benchmark in benchmarks:
        if benchmark.timed and all(row.holds for row in benchmark.run(True)):
            blind.append(benchmark.name)
        print(f"{benchmark.name}: {'blind' if benchmark.name in blind else 'sees it'}", flush=True)
    return 1 if blind else 0


def main() -> int:
    """Run what was asked for and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--gates", action="store_true", help="exit 1 when a ratio gate fails")
    parser.add_argument("--prove", action="store_true", help="prove that the gates can fail")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(b.name for b in ALL))
    chosen = parser.parse_args()
    known = {benchmark.name: benchmark for benchmark in ALL}
    if unknown := [name for name in chosen.names if name not in known]:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(known)}")
    benchmarks = [known[name] for name in chosen.names] or list(ALL)
    if chosen.prove:
        return prove(benchmarks)
    rows: list[Row] = []
    for benchmark in benchmarks:
        started = time.perf_counter()
        rows += measured(benchmark)
        seconds = time.perf_counter() - started
        print(f"{benchmark.name}: {seconds:.0f} s", file=sys.stderr, flush=True)
    print(table(rows))
    over = [row.what for row in rows if not row.holds]
    if over:
        print(f"\n{len(over)} over their gate: {'; '.join(over)}", file=sys.stderr)
    return 1 if over and chosen.gates else 0


if __name__ == "__main__":
    sys.exit(main())
