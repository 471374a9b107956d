"""How fast the record takes entries from eight processes at once, and whether it stays one chain.

usage: python -m tests.benchmarks.journal
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from console.journal import open_journal
from tests.benchmarks.measure import Benchmark, Row, table
from tests.journal.postgres_server import postgres_server
from tests.journal.records import WHO
from tests.journal.writers import run_together, seconds_of

_WRITERS = 8
_ENTRIES = 240  # in all, whoever writes them
_SLOWEST_SECONDS = 1 / 20
_TIMES_ONE_WRITER = 4.0
_SLOW_SECONDS = 0.1 * _WRITERS  # they pause at the same time, so this is 0.1 s an entry


def _seconds(url: str, writers: int, slowed: bool) -> tuple[float, float]:
    """Return seconds an entry, over all writers, and of the slowest single entry."""
    pause_seconds = _SLOW_SECONDS if slowed else 0.0
    told = run_together(url, writers, _ENTRIES // writers, pause_seconds)
    all_of_it, slowest = seconds_of(told)
    return all_of_it / _ENTRIES, slowest


def _measured(store: str, one: str, many: str, slowed: bool) -> list[Row]:
    """Compare eight writers with one on a journal of its own, and verify what they wrote."""
    alone, _ = _seconds(one, 1, False)
    together, slowest = _seconds(many, _WRITERS, slowed)
    journal = open_journal(many, who=WHO)
    began = time.perf_counter()
    judged = journal.verify()
    verified = time.perf_counter() - began
    journal.close()
    whole = judged.ok and judged.entries == _ENTRIES + 1
    return [
        Row(
            f"{store}: entries/s of {_WRITERS} writer processes, {1 / alone:.0f} of one",
            f"{1 / together:.0f}/s",
            ">=20/s",
            together / alone,
            # Where the disk is slow for one writer too, the promise itself is the gate.
            min(_TIMES_ONE_WRITER, _SLOWEST_SECONDS / alone),
            "one writer on a journal of its own",
        ),
        Row(
            f"{store}: {judged.entries} entries of {_WRITERS} writers are one chain",
            "whole" if whole else judged.sentence,
            "whole",
            0.0 if whole else 2.0,
            1.0,
        ),
        Row(f"{store}: slowest entry of {_WRITERS} writers", f"{slowest * 1000:.0f} ms", "<=1 s"),
        Row(f"{store}: verify", f"{judged.entries / verified:.0f} entries/s", ">=5,000/s"),
    ]


def sqlite_writers(slowed: bool) -> list[Row]:
    """Measure a file."""
    with tempfile.TemporaryDirectory() as folder:
        one, many = (f"sqlite:///{Path(folder) / name / 'journal.db'}" for name in "ab")
        return _measured("SQLite", one, many, slowed)


def postgres_writers(slowed: bool) -> list[Row]:
    """Measure a PostgreSQL server that runs for this alone."""
    with postgres_server() as server:
        one, many = (server.new_database(name) for name in ("one", "many"))
        return _measured("PostgreSQL", one, many, slowed)


BENCHMARKS = (
    Benchmark("journal_sqlite", sqlite_writers),
    Benchmark("journal_postgres", postgres_writers),
)


if __name__ == "__main__":
    rows = [row for benchmark in BENCHMARKS for row in benchmark.run("--slow" in sys.argv)]
    print(table(rows))
    sys.exit(0 if all(row.holds for row in rows) else 1)
