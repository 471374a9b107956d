"""Prints measured against goal: ``python -m tests.calibration [--long] [SEED …]``."""

import sys

from tests.calibration.measures import table


def main(arguments: list[str]) -> int:
    """Print the table of each seed; exit 1 where a goal is missed."""
    small = "--long" not in arguments
    missed = 0
    for seed in [int(each) for each in arguments if each.isdigit()] or [1]:
        print(f"seed {seed}, {'short' if small else 'long'} form")
        for line in table(seed, small=small):
            print(f"  {line}", flush=True)
            missed += not line.holds
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
