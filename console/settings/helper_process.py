"""Runs a helper program without terminal, without questions and within a time."""

import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

LARGEST_OUTPUT_BYTES = 64 * 1024
GLANCE_SECONDS = 0.1

# GPG_TTY would let a pinentry draw over the console although the child has no terminal of its own.
DROPPED_VARIABLES = ("GPG_TTY", "SSH_ASKPASS", "SUDO_ASKPASS")


@dataclass(frozen=True, slots=True)
class Finished:
    """How a child ended: its status (None if it was stopped), output, and why it was stopped."""

    status: int | None
    out: bytes
    err: bytes
    stopped: str = ""


def run_child(
    argv: Sequence[str],
    environ: Mapping[str, str],
    limit_seconds: float,
    *,
    stop: threading.Event | None = None,
    feed: bytes | None = None,
) -> Finished:
    """Run ``argv`` without shell, terminal or input (but ``feed``); ``OSError`` if it cannot start.

    The child and its group are killed at ``limit_seconds``, on too much output, or on ``stop``.
    """
    kept = {name: value for name, value in environ.items() if name not in DROPPED_VARIABLES}
    with subprocess.Popen(
        list(argv),
        stdin=subprocess.DEVNULL if feed is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=kept,
        start_new_session=True,
    ) as child:
        try:
            if feed is not None and child.stdin is not None:
                _feed(child, feed)
            return _watch(child, time.monotonic() + limit_seconds, stop)
        finally:
            _kill_group(child)


def _feed(child: "subprocess.Popen[bytes]", feed: bytes) -> None:
    # A secret fits the pipe's buffer, so this write cannot block on a child that does not read.
    if child.stdin is None:
        return
    try:
        child.stdin.write(feed[:LARGEST_OUTPUT_BYTES])
        child.stdin.close()
    except BrokenPipeError:
        return  # the child ended early; its status and error text tell the story


def _watch(
    child: "subprocess.Popen[bytes]", deadline: float, stop: threading.Event | None
) -> Finished:
    collected = {"out": bytearray(), "err": bytearray()}
    with selectors.DefaultSelector() as selector:
        for name, pipe in (("out", child.stdout), ("err", child.stderr)):
            if pipe is not None:
                selector.register(pipe, selectors.EVENT_READ, name)
        while selector.get_map() or child.poll() is None:
            if stop is not None and stop.is_set():
                return Finished(None, b"", b"", "closing")
            if time.monotonic() >= deadline:
                return Finished(None, b"", bytes(collected["err"]), "time")
            ready = selector.select(GLANCE_SECONDS) if selector.get_map() else []
            if not ready and child.poll() is not None:
                break  # a daemon the child left behind may hold the pipes open for ever
            if not ready and not selector.get_map():
                time.sleep(GLANCE_SECONDS / 10)
            for key, _events in ready:
                piece = os.read(key.fd, 8192)
                if not piece:
                    selector.unregister(key.fileobj)
                    continue
                collected[key.data] += piece
                if len(collected[key.data]) > LARGEST_OUTPUT_BYTES:
                    return Finished(None, b"", b"", "output")
    return Finished(child.wait(), bytes(collected["out"]), bytes(collected["err"]))


def _kill_group(child: "subprocess.Popen[bytes]") -> None:
    """Kill the child's whole session if the child itself still runs, and take its status."""
    if child.poll() is None:
        try:
            os.killpg(child.pid, signal.SIGKILL)
        except ProcessLookupError:
            return  # it ended between the two calls
        child.wait()
