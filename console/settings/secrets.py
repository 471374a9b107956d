"""Secrets by reference: resolved early and aside, held in memory, never shown."""

import atexit
import os
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from console.domain.text import visible
from console.settings.convert import Spot, plan
from console.settings.schema import Settings
from console.settings.secret_references import (
    BadReferenceError,
    SecretValue,
    parse_reference,
    redact,
)
from console.settings.secret_resolution import (
    LIMIT_SECONDS,
    Resolved,
    SecretError,
    ask_keyring,
    expanded,
    resolve,
    shown_reference,
)

__all__ = [
    "ListedReference",
    "SecretError",
    "SecretResolver",
    "SecretTest",
    "SecretValue",
    "list_references",
    "redact",
    "set_secret",
    "shown_reference",
    "test_secret",
]

# A little more than a child may take, so that its own sentence arrives instead of ours.
WAIT_SECONDS = LIMIT_SECONDS + 1.0


class _Pending:
    """One reference on its way: done when ``ready`` is set, with a value or an error."""

    __slots__ = ("error", "ready", "value")

    def __init__(self) -> None:
        self.ready = threading.Event()
        self.value: SecretValue | None = None
        self.error: SecretError | None = None


class SecretResolver:
    """Resolves references in the background, each once; start it before any slow import."""

    def __init__(self, references: Iterable[str], environ: Mapping[str, str]) -> None:
        self._references = tuple(dict.fromkeys(references))
        self._environ = dict(environ)
        self._pending: dict[str, _Pending] = {}
        self._known: list[SecretValue] = []
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin with every reference; returns at once."""
        if self._references:
            atexit.register(self.close)
        for reference in self._references:
            self._begin(reference)

    def get(self, reference: str, timeout_seconds: float = WAIT_SECONDS) -> SecretValue:
        """Return the value, waiting at most ``timeout_seconds``; raise ``SecretError``."""
        pending = self._begin(reference)
        if not pending.ready.wait(timeout_seconds):
            raise SecretError(f"{shown_reference(reference)}: still being looked up")
        if pending.value is None:
            raise pending.error or SecretError(f"{shown_reference(reference)}: no value")
        return pending.value

    def refresh(self, reference: str) -> None:
        """Look ``reference`` up again, because a server refused the value: it may have rotated."""
        with self._lock:
            self._pending.pop(reference, None)
        self._begin(reference)

    def known(self) -> tuple[SecretValue, ...]:
        """Return every value seen so far, for ``redact``; rotated ones stay in it."""
        with self._lock:
            return tuple(self._known)

    def close(self) -> None:
        """Stop what is still being looked up; children are killed within a moment."""
        self._stop.set()
        for thread in self._threads:
            thread.join(0.5)
        atexit.unregister(self.close)

    def _begin(self, reference: str) -> _Pending:
        with self._lock:
            pending = self._pending.get(reference)
            if pending is not None:
                return pending
            pending = self._pending[reference] = _Pending()
        if reference.startswith("env:"):
            self._settle(reference, pending)
            return pending
        thread = threading.Thread(
            target=self._settle, args=(reference, pending), name="secret", daemon=True
        )
        self._threads = [each for each in self._threads if each.is_alive()]
        self._threads.append(thread)
        thread.start()
        return pending

    def _settle(self, reference: str, pending: _Pending) -> None:
        try:
            value = resolve(reference, self._environ, stop=self._stop).value
            with self._lock:
                pending.value = value
                if value not in self._known:
                    self._known.append(value)
        except SecretError as error:
            pending.error = error
        finally:
            pending.ready.set()


class ListedReference(Struct, frozen=True):
    """A reference and the key that holds it."""

    key_path: str
    reference: str


class SecretTest(Struct, frozen=True):
    """Whether a reference gives a value, and one sentence about it; never the value."""

    reference: str
    ok: bool
    sentence: str


def list_references(settings: Settings) -> tuple[ListedReference, ...]:
    """Return every secret reference in the settings with its key path, in the file's order."""
    return tuple(_references_in(settings, Spot()))


def _references_in(struct: Struct, spot: Spot) -> Iterator[ListedReference]:
    for each in plan(type(struct)):
        value, place = getattr(struct, each.name), spot.child(each.key)
        if each.mark.kind == "secret":
            if value:
                yield ListedReference(place.shown, value)
        elif isinstance(value, Struct):
            yield from _references_in(value, place)
        elif isinstance(value, tuple):
            for index, entry in enumerate(value):
                if isinstance(entry, Struct):
                    name = getattr(entry, "name", None)
                    yield from _references_in(entry, place.item(index, name))
        elif isinstance(value, dict):
            for key, entry in value.items():
                if isinstance(entry, Struct):
                    yield from _references_in(entry, place.child(key))


def test_secret(reference: str, environ: Mapping[str, str]) -> SecretTest:
    """Look a reference up once and say how that went. Blocks for at most 3 s."""
    began = time.monotonic()
    try:
        found: Resolved = resolve(reference, environ)
    except SecretError as error:
        return SecretTest(reference, False, str(error))
    took_seconds = time.monotonic() - began
    sentence = f"{shown_reference(reference)}: found through {found.via} in {took_seconds:.1f} s"
    return SecretTest(reference, True, sentence)


test_secret.__test__ = False  # type: ignore[attr-defined]  # its name is the command's, not a test's


def set_secret(reference: str, value: SecretValue, environ: Mapping[str, str]) -> str:
    """Store a value where ``reference`` points and return a sentence; raise ``SecretError``.

    A keyring is read back before success is claimed, because some drop what they are given.
    """
    try:
        parsed = parse_reference(reference)
    except BadReferenceError as error:
        raise SecretError(str(error)) from error
    if not value.reveal():
        raise SecretError(f"{shown_reference(reference)}: an empty value is not stored")
    if parsed.scheme == "keyring":
        stored = ask_keyring("set", parsed, environ, feed=value.reveal().encode())
        if stored.value != value:
            raise SecretError(f"{reference}: {stored.via} gave back something else; not stored")
        return f"{reference}: stored in {stored.via} and read back"
    if parsed.scheme == "file":
        _write_private(expanded(parsed.body, environ), value)
        return f"{visible(reference)}: written, readable by you alone"
    if parsed.scheme == "env":
        raise SecretError(f"{reference}: export it in the shell or unit that starts midwatch")
    raise SecretError(f"{shown_reference(reference)}: store it with that program itself")


def _write_private(path: Path, value: SecretValue) -> None:
    if not path.is_absolute():
        raise SecretError(f"file:{visible(str(path))}: the path must be absolute")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        # O_EXCL and 0600 from the first moment: at no time can anybody else open it.
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(value.reveal() + "\n")
                file.flush()
                os.fsync(file.fileno())
            part.replace(path)
        except OSError:
            part.unlink(missing_ok=True)
            raise
    except OSError as error:
        reason = visible(error.strerror or str(error))
        raise SecretError(f"file:{visible(str(path))}: cannot be written: {reason}") from error
