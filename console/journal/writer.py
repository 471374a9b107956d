"""The one thread that owns the store: callers wait for it, and never touch the store themselves."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as WaitedTooLongError
from typing import TYPE_CHECKING, TypeVar

from console.journal.errors import JournalError, JournalUncertainError

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.journal.protocol import Store

T = TypeVar("T")


class StoreThread:
    """Opens a store in its own thread and runs one piece of work on it after the other."""

    def __init__(self, open_store: Callable[[], Store], limit_seconds: float) -> None:
        """Open the store; raise `JournalError` if it cannot be, or takes too long."""
        self._limit_seconds = limit_seconds
        self._executor = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")
        self._closed = threading.Event()
        try:
            self._store = self._wait(self._executor.submit(open_store), "was not opened")
        except JournalError:
            self._executor.shutdown(wait=False, cancel_futures=True)
            raise

    @property
    def store(self) -> Store:
        """The store, for its name and kind only."""
        return self._store

    def run(self, work: Callable[[Store], T]) -> T:
        """Return what ``work`` returns; raise what it raises, or `JournalUncertainError`."""
        if self._closed.is_set():
            raise JournalError("the journal is closed; start midwatch again")
        return self._wait(self._executor.submit(work, self._store), "gave no answer")

    def _wait(self, future: Future[T], what: str) -> T:
        try:
            return future.result(self._limit_seconds)
        except WaitedTooLongError as fault:
            if future.cancel():
                raise JournalError(
                    f"the journal {what} within {self._limit_seconds:g} s, because earlier work "
                    "on it hangs; nothing was written"
                ) from fault
            raise JournalUncertainError(
                f"the journal {what} within {self._limit_seconds:g} s (a hanging disk or "
                "database); whether the entry stands is not known"
            ) from fault

    def close(self) -> None:
        """Close the store after the work that waits; a second call does nothing."""
        if self._closed.is_set():
            return
        self._closed.set()
        try:
            self._wait(self._executor.submit(self._store.close), "was not closed")
        finally:
            self._executor.shutdown(wait=False)
