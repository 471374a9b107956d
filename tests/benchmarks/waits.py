"""How long our threads stood ready without a processor: the machine's part of a stall."""

from __future__ import annotations

import ctypes
import os
import threading
from pathlib import Path

_NANOSECONDS = 1e-9


class ProcessorWaits:
    """Linux's own account of time spent runnable in the queue, a thread at a time.

    Read without letting go of the interpreter: giving it up at each beat of a measurement would
    cause the very waits that are to be measured. Elsewhere than on Linux every wait is 0.
    """

    def __init__(self) -> None:
        self._own = threading.get_native_id()
        self._files: dict[int, int] = {}
        self._pread = ctypes.PyDLL(None).pread
        self._pread.restype = ctypes.c_ssize_t
        self._pread.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_size_t, ctypes.c_long)
        self._buffer = ctypes.create_string_buffer(80)
        self.look_for_threads()

    def look_for_threads(self) -> None:
        """Begin to watch threads that are new and let go of those that ended."""
        try:
            alive = {int(folder.name) for folder in Path("/proc/self/task").iterdir()}
        except OSError:
            return
        for thread in set(self._files) - alive:
            os.close(self._files.pop(thread))
        for thread in alive - set(self._files):
            try:
                path = f"/proc/self/task/{thread}/schedstat"
                self._files[thread] = os.open(path, os.O_RDONLY)
            except OSError:
                continue

    def seconds(self) -> dict[int, float]:
        """Return the seconds each thread has waited for a processor since it began."""
        found = {}
        for thread, file in self._files.items():
            size = self._pread(file, self._buffer, 79, 0)
            fields = self._buffer.raw[: max(0, size)].split()
            if len(fields) >= 2:
                found[thread] = int(fields[1]) * _NANOSECONDS
        return found

    def since(self, before: dict[int, float]) -> float:
        """Return for how long the calling thread was held up by the machine since ``before``.

        That is its own wait, and the longest wait of another thread, which may have held the
        interpreter meanwhile.
        """
        waited = {
            thread: seconds - before.get(thread, seconds)
            for thread, seconds in self.seconds().items()
        }
        own = waited.pop(self._own, 0.0)
        return own + max(waited.values(), default=0.0)
