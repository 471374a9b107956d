"""Open the console on a Snapshot written by hand: ``python -m tests.support.show [KIND]``.

``--fault`` lets a test see how the console leaves: ``busy`` blocks its loop for ever two seconds
after the start, ``crash`` raises inside it.
"""

import argparse
import os
import threading
import time
from pathlib import Path

from console.domain.snapshot import Snapshot
from console.domain.text import ConsoleOptions
from console.settings.load import Loaded
from console.settings.schema import Settings
from tests.support.incident_nights import hostile_night, incident_night, many_incidents
from tests.support.snapshots import big_snapshot, hostile_snapshot, sample_snapshot
from tests.support.stub_engine import StubEngine


def snapshot_of(kind: str, now: float) -> Snapshot:
    if kind == "hostile":
        return hostile_snapshot(now)
    if kind.startswith("big"):
        return big_snapshot(int(kind[3:] or "1000"), now=now)
    if kind == "night":
        return incident_night(now)
    if kind == "hostile-night":
        return hostile_night(now)
    if kind.startswith("flood"):
        return many_incidents(int(kind[5:] or "300"), now)
    return sample_snapshot(now)


class FaultyEngine(StubEngine):
    """Brings a fault into the console's own loop, by way of what it reads there."""

    fault = ""

    @property
    def latest(self) -> Snapshot | None:
        if threading.current_thread() is threading.main_thread():
            if self.fault == "crash":
                raise RuntimeError("a fault on purpose")
            while self.fault == "busy":
                pass
        return super().latest


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", nargs="?", default="sample")
    parser.add_argument("--theme", default="dark")
    parser.add_argument("--ascii", action="store_true")
    parser.add_argument("--title", default="")
    parser.add_argument("--open", action="store_true", help="writes need no arming")
    parser.add_argument("--fault", default="", choices=["", "busy", "crash"])
    chosen = parser.parse_args()
    from console.app import run

    options = ConsoleOptions(
        theme=chosen.theme,
        ascii=chosen.ascii,
        colour=not os.environ.get("NO_COLOR"),
        title=chosen.title,
    )
    settings = Settings(environment="prod", writes="open" if chosen.open else "never")
    loaded = Loaded(settings, {}, Path("unused.toml"))

    def make() -> StubEngine:
        engine = FaultyEngine(snapshot_of(chosen.kind, time.time()), settings=settings)
        engine.fault = chosen.fault
        return engine

    return run(loaded, options, make)


if __name__ == "__main__":
    raise SystemExit(main())
