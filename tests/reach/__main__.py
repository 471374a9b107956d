"""``python -m tests.reach``: what of every model server reaches the screen, with no configuration.

Prints one line a system: recognised, names, numbers given of those offered, values within 1% of
the catalogue's PromQL on a real Prometheus and on stored samples. Exit 1 below the goals.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from tests.reach.measure import GOAL_KINDS_SHARE, GOAL_SYSTEMS, kinds, measure, report
from tests.reach.systems import samples
from tests.support.prometheus_server import running_prometheus


def main() -> int:
    """Measure and print; return the exit code."""
    store = samples()
    with (
        tempfile.TemporaryDirectory() as directory,
        running_prometheus(Path(directory), blocks=store.openmetrics()) as url,
    ):
        results = measure(url, store)
    print(report(results))
    systems = sum(result.recognised for result in results)
    given, offered = kinds(results)
    wrong = [line for result in results for line in result.wrong]
    print(*wrong, sep="\n")
    return 0 if systems >= GOAL_SYSTEMS and given >= GOAL_KINDS_SHARE * offered and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
