"""Open the console on a Snapshot written by hand: ``python -m tests.support.show [KIND]``."""

import argparse
import os
import time
from pathlib import Path

from console.facts.options import ConsoleOptions
from console.facts.snapshot import Snapshot
from console.settings.load import Loaded
from console.settings.schema import Settings
from tests.support.snapshots import big_snapshot, hostile_snapshot, sample_snapshot
from tests.support.stub_engine import StubEngine


def snapshot_of(kind: str, now: float) -> Snapshot:
    if kind == "hostile":
        return hostile_snapshot(now)
    if kind.startswith("big"):
        return big_snapshot(int(kind[3:] or "1000"), now=now)
    return sample_snapshot(now)


def loaded(environment: str = "prod") -> Loaded:
    settings = Settings(environment=environment)
    return Loaded(settings, {}, Path("unused.toml"))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", nargs="?", default="sample")
    parser.add_argument("--theme", default="dark")
    parser.add_argument("--ascii", action="store_true")
    parser.add_argument("--title", default="")
    parser.add_argument("--now", type=float, default=None)
    chosen = parser.parse_args()
    from console.app import run

    options = ConsoleOptions(
        theme=chosen.theme,
        ascii=chosen.ascii,
        colour=not os.environ.get("NO_COLOR"),
        title=chosen.title,
    )
    now = time.time() if chosen.now is None else chosen.now
    return run(loaded(), options, lambda: StubEngine(snapshot_of(chosen.kind, now)))


if __name__ == "__main__":
    raise SystemExit(main())
