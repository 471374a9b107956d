"""Prints measured against goal: ``python -m tests.calibration [TABLE …] [--long] [SEED …]``.

``--months`` is money, ``--drift`` drift; without either the rules are measured.
"""

import sys
from collections.abc import Callable, Iterable
from typing import Protocol

from tests.calibration import drift, measures, months


class Line(Protocol):
    """One line of a table."""

    @property
    def holds(self) -> bool: ...


def _rules(seed: int, small: bool) -> Iterable[Line]:
    return measures.table(seed, small=small)


def _months(seed: int, small: bool) -> Iterable[Line]:
    return months.table(seed, small=small)


def _drift(seed: int, small: bool) -> Iterable[Line]:
    return drift.table(seed, small=small)


TABLES: dict[str, Callable[[int, bool], Iterable[Line]]] = {
    "--months": _months,
    "--drift": _drift,
}


def main(arguments: list[str]) -> int:
    """Print the tables of each seed; exit 1 where a goal is missed."""
    small = "--long" not in arguments
    tables = [TABLES[each] for each in arguments if each in TABLES] or [_rules]
    missed = 0
    for seed in [int(each) for each in arguments if each.isdigit()] or [1]:
        print(f"seed {seed}, {'short' if small else 'long'} form")
        for table in tables:
            for line in table(seed, small):
                print(f"  {line}", flush=True)
                missed += not line.holds
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
