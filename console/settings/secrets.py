"""Resolves secret references early and aside, with a sentence for each way it fails."""

import atexit
import os
import shutil
import sys
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from msgspec import Struct

from console.domain.text import visible
from console.settings.convert import Spot, plan
from console.settings.problems import readable_by_others, writable_by_others
from console.settings.schema import Settings
from console.settings.secret_references import (
    BadReferenceError,
    SecretReference,
    SecretValue,
    parse_reference,
    redact,
)

LIMIT_SECONDS = 3.0
LARGEST_SECRET_BYTES = 64 * 1024
OTHER_WAYS = "use env:NAME, file:/path (mode 600) or cmd:program instead"

KEYRING_PROBLEMS = {
    "not_installed": f"the Python package keyring is not installed; {OTHER_WAYS}",
    "no_keyring": f"no keyring answers on this host (often: no D-Bus session); {OTHER_WAYS}",
    "null": f"the keyring's null backend is refused, it drops what it is given; {OTHER_WAYS}",
    "plain_text": f"a plain-text keyring backend is refused, it does not encrypt; {OTHER_WAYS}",
    "locked": f"the keyring is locked; unlock it in another shell, or {OTHER_WAYS}",
    "missing": "the keyring has no such entry; store it with: midwatch secret set",
    "failed": f"the keyring failed; {OTHER_WAYS}",
}


class SecretError(Exception):
    """A secret cannot be had; the text says why and what to do, and never the value."""


class Resolved(Struct, frozen=True):
    """A value and what it came through: ``environment``, ``file``, a program, a keyring backend."""

    value: SecretValue
    via: str


def shown_reference(text: str) -> str:
    """Return a reference for people: whole, but of ``cmd:`` only the program."""
    try:
        reference = parse_reference(text)
    except BadReferenceError:
        return "a reference that cannot be read"
    if reference.scheme == "cmd":
        argv = reference.argv
        return visible(f"cmd:{argv[0]}{' …' if len(argv) > 1 else ''}", 120)
    return visible(text, 120)


def resolve(
    text: str, environ: Mapping[str, str], *, stop: threading.Event | None = None
) -> Resolved:
    """Return the value behind a reference; raise ``SecretError``. Blocks for at most 3 s.

    ``file:`` is read here, ``cmd:`` and ``keyring:`` in a child without a terminal.
    """
    try:
        reference = parse_reference(text)
    except BadReferenceError as error:
        raise SecretError(str(error)) from error
    match reference.scheme:
        case "env":
            found = _from_environment(reference, environ)
        case "file":
            found = _from_file(reference, environ)
        case "cmd":
            found = _from_command(reference, environ, stop)
        case "keyring":
            found = _from_keyring(reference, environ, stop)
    if not found.value.reveal():
        raise SecretError(f"{shown_reference(text)}: the value is empty")
    return found


def _from_environment(reference: SecretReference, environ: Mapping[str, str]) -> Resolved:
    value = environ.get(reference.body)
    if value is None:
        raise SecretError(
            f"{reference.text}: the variable {reference.body} is not set; "
            "export it before midwatch starts"
        )
    return Resolved(SecretValue(value), "environment")


def expanded(path: str, environ: Mapping[str, str]) -> Path:
    """Return ``path`` with a leading ``~/`` replaced by the home directory."""
    return Path(environ.get("HOME") or "/") / path[2:] if path.startswith("~/") else Path(path)


def _from_file(reference: SecretReference, environ: Mapping[str, str]) -> Resolved:
    path = expanded(reference.body, environ)
    shown = shown_reference(reference.text)
    if not path.is_absolute():
        raise SecretError(f"{shown}: the path must be absolute")
    try:
        if not path.is_file():
            raise SecretError(f"{shown}: there is no such file; write it and chmod 600 it")
        complaint = readable_by_others(path)
        if complaint is not None:
            raise SecretError(f"{shown}: refused, {visible(complaint, 300)}")
        with path.open("rb") as file:
            raw = file.read(LARGEST_SECRET_BYTES + 1)
    except OSError as error:
        raise SecretError(f"{shown}: cannot be read: {visible(error.strerror or '')}") from error
    if len(raw) > LARGEST_SECRET_BYTES:
        raise SecretError(f"{shown}: larger than 64 KiB, so hardly a secret")
    return Resolved(SecretValue(_decoded(raw, shown).rstrip("\r\n")), "file")


def _decoded(raw: bytes, shown: str) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        # The cause would carry the bytes into a traceback.
        raise SecretError(f"{shown}: the value is not UTF-8 text") from None


def _from_command(
    reference: SecretReference, environ: Mapping[str, str], stop: threading.Event | None
) -> Resolved:
    from console.settings.helper_process import run_child

    shown = shown_reference(reference.text)
    argv = list(reference.argv)
    argv[0] = _program(argv[0], environ, shown)
    try:
        finished = run_child(argv, environ, LIMIT_SECONDS, stop=stop)
    except OSError as error:
        raise SecretError(f"{shown}: cannot be run: {visible(error.strerror or '')}") from error
    if finished.stopped:
        raise SecretError(f"{shown}: {_stopped(finished.stopped)}")
    if finished.status != 0:
        said = visible(_last_line(finished.err), 160)
        raise SecretError(
            f"{shown}: ended with status {finished.status}" + (f": {said}" if said else "")
        )
    # `pass show` and its like put the secret on the first line and notes below it.
    first_line = _decoded(finished.out, shown).partition("\n")[0].rstrip("\r")
    return Resolved(SecretValue(first_line), f"program {visible(argv[0], 120)}")


def _program(word: str, environ: Mapping[str, str], shown: str) -> str:
    """Return the program's absolute path; raise ``SecretError`` if it is not to be trusted."""
    if "/" in word:
        path = expanded(word, environ)
        if not path.is_absolute():
            raise SecretError(f"{shown}: give the program's absolute path, or a name on PATH")
        found = str(path) if os.access(path, os.X_OK) and path.is_file() else None
    else:
        found = shutil.which(word, path=environ.get("PATH") or os.defpath)
    if found is None:
        raise SecretError(f"{shown}: there is no such program that can be run; install it")
    try:
        complaint = writable_by_others(Path(found).absolute())
    except OSError as error:
        raise SecretError(f"{shown}: cannot be read: {visible(error.strerror or '')}") from error
    if complaint is not None:
        raise SecretError(f"{shown}: refused, {visible(complaint, 300)}")
    return str(Path(found).absolute())


def _stopped(why: str) -> str:
    return {
        "time": f"no value within {LIMIT_SECONDS:g} s; it may wait for a password, which nobody "
        "can type here: unlock it in another shell first",
        "output": "more than 64 KiB of output, so hardly a secret",
    }.get(why, "stopped, because midwatch is closing")


def _last_line(err: bytes) -> str:
    lines = err.decode("utf-8", "replace").strip().splitlines()
    return lines[-1] if lines else ""


def ask_keyring(
    verb: str,
    reference: SecretReference,
    environ: Mapping[str, str],
    *,
    stop: threading.Event | None = None,
    feed: bytes | None = None,
) -> Resolved:
    """Return what the keyring holds, after storing ``feed`` if ``verb`` is ``set``."""
    import json

    from console.settings.helper_process import run_child

    shown = shown_reference(reference.text)
    script = Path(__file__).with_name("keyring_helper.py")
    service, user = reference.service_and_user
    # -P: a keyring.py in the directory one happens to stand in must not be imported.
    argv = (sys.executable, "-P", str(script), verb, service, user)
    try:
        finished = run_child(argv, environ, LIMIT_SECONDS, stop=stop, feed=feed)
    except OSError as error:
        raise SecretError(
            f"{shown}: no Python to ask the keyring with: {visible(error.strerror or '')}; "
            f"{OTHER_WAYS}"
        ) from error
    if finished.stopped:
        raise SecretError(f"{shown}: {_stopped(finished.stopped)}, or {OTHER_WAYS}")
    try:
        told = json.loads(finished.out)
    except ValueError:
        raise SecretError(
            f"{shown}: the keyring's helper ended with status {finished.status} and no answer: "
            f"{visible(_last_line(finished.err), 160)}; {OTHER_WAYS}"
        ) from None
    if "value" not in told:
        problem = str(told.get("problem"))
        sentence = KEYRING_PROBLEMS.get(problem, KEYRING_PROBLEMS["failed"])
        detail = (
            visible(str(told.get("detail", "")).splitlines()[0][:160]) if told.get("detail") else ""
        )
        raise SecretError(f"{shown}: {sentence}" + (f" ({detail})" if detail else ""))
    return Resolved(SecretValue(str(told["value"])), visible(str(told.get("backend")), 120))


def _from_keyring(
    reference: SecretReference, environ: Mapping[str, str], stop: threading.Event | None
) -> Resolved:
    return ask_keyring("get", reference, environ, stop=stop)


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
