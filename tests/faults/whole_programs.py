"""Faults met by whole programs: a database that dies under an action, a console in a terminal."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING, cast

from tests.faults.areas import (
    Bench,
    check_record,
    check_truth,
    hold,
    result,
    settle,
)
from tests.faults.terminal import Terminal, metrics_server
from tests.journal.postgres_server import PostgresServer, postgres_server

if TYPE_CHECKING:
    import random

LONG_SECONDS = 60.0


def _database(bench: Bench) -> PostgresServer:
    found = bench.__dict__.get("postgres")
    if found is None:
        found = bench.__dict__["postgres"] = bench.rest.enter_context(postgres_server())
    return cast("PostgresServer", found)


def database_deaths(draw: random.Random, bench: Bench) -> str:
    """PostgreSQL ends without a word at any moment of an action and comes back, or does not yet."""
    bench.set("ok")
    server = _database(bench)
    bench.number += 1
    name = f"faults_{bench.number}"
    journal = server.new_database(name)
    pid, out = bench.fork(journal)
    time.sleep(draw.uniform(0.0, 0.5))
    server.stop(signal.SIGQUIT)  # at once and without a checkpoint: it recovers at the next start
    back_early = draw.random() < 0.5
    if back_early:
        server.start()
    bench.wait(pid)
    if not back_early:
        server.start()
    found = result(out)
    state, changes = bench.log()
    check_truth(found["kind"], found["text"], state, changes)
    settle(bench, journal)
    check_record(bench.entries(journal), changes)
    hold(bench.log()[1] == changes, "sent again afterwards")
    server.run("postgres", f"DROP DATABASE {name} WITH (FORCE)")
    return f"{found['kind']}, {'back at once' if back_early else 'back later'}"


def consoles(draw: random.Random, bench: Bench) -> str:
    """A console in a real terminal: bytes, stops and an end of any kind leave it whole."""
    served = bench.__dict__.get("metrics")
    if served is None:
        served = bench.__dict__["metrics"] = bench.rest.enter_context(metrics_server())
    pieces = (b"\xff\xfe", b"\x1b[<35;7;7M" * 50, b"x" * 3000, b"\x1b[200~a\x1b[201~", b"\x1b")
    with Terminal("--scrape", str(served)) as terminal:
        hold(terminal.wait_for(b"fraud-scorer", LONG_SECONDS), "no picture")
        for _ in range(draw.randrange(0, 6)):
            data = draw.choice(pieces) if draw.random() < 0.6 else draw.randbytes(30)
            # Keys that leave the console (q, Ctrl-C, Ctrl-Q) or stop it (Ctrl-Z) are no faults.
            harmless = data.translate(None, b"q\x03\x11\x1a")
            hold(terminal.send(harmless, LONG_SECONDS), "it takes no input")
        if draw.random() < 0.5:
            stop = draw.choice((signal.SIGSTOP, signal.SIGTSTP))
            terminal.signal(stop)
            hold(terminal.stopped(LONG_SECONDS), f"{stop.name} does not stop it")
            if draw.random() < 0.5:
                terminal.take_back()
            terminal.signal(signal.SIGCONT)
        number = draw.choice((signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT))
        terminal.signal(number)
        code = terminal.ended(LONG_SECONDS)
        hold(code == 128 + number, f"{number.name}: exit code {code}")
        hold(terminal.broken() == "", f"{number.name}: {terminal.broken()}")
    return number.name
