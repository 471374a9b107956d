"""``midwatch demo --serve``: only the services, until they are told to end."""

import signal
import sys
import threading
from types import FrameType
from typing import TextIO

from console.demo.fleet import DemoFleet


def serve(
    fleet: DemoFleet,
    *,
    port: int = 0,
    output: TextIO | None = None,
    notes: TextIO | None = None,
) -> int:
    """Run ``fleet`` until SIGINT or SIGTERM; return the exit code 0.

    The configuration goes to ``output`` (stdout), so it can be redirected into a file; the list
    of addresses goes to ``notes`` (stderr). Raises ``DemoError`` when a port is taken. Call it from
    the main thread: it waits for signals.
    """
    output = sys.stdout if output is None else output
    notes = sys.stderr if notes is None else notes
    ended = threading.Event()

    def end(number: int, frame: FrameType | None) -> None:
        ended.set()

    before = {number: signal.signal(number, end) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        fleet.start(port)
        for service in fleet.services:
            notes.write(f"{service.name:<16} {service.profile:<9} {service.metrics_url}\n")
        notes.write("Ctrl-C ends the fleet. The configuration for it is on standard output.\n")
        notes.flush()
        output.write(fleet.config_toml())
        output.flush()
        ended.wait()
    finally:
        fleet.stop()
        for number, handler in before.items():
            signal.signal(number, handler)
    return 0
