"""Opens the journal that a URL names, SQLite file or PostgreSQL."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from console.domain.text import visible
from console.domain.version import VERSION
from console.journal.chain import (
    SEGMENT_SECONDS,
    Author,
    JournalError,
    JournalReplacedError,
)
from console.journal.head_memory import HeadMemory
from console.journal.identity import gather_who
from console.journal.journal import ChainedJournal, StoreThread
from console.settings.load import operator_name
from console.settings.secrets import SecretError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from console.domain.entry import Who
    from console.journal.store_base import Store
    from console.settings.load import Loaded
    from console.settings.schema import Settings
    from console.settings.secret_references import SecretValue
    from console.settings.secrets import SecretResolver

WAIT_SECONDS = 5.0
LIMIT_SECONDS = 20.0  # opening, waiting for a lock (5 s) and writing, on a slow but living disk


def _no_secrets() -> tuple[SecretValue, ...]:
    return ()


def open_journal(
    url: str,
    *,
    who: Who,
    environment: str = "default",
    version: str = VERSION,
    config_digest: str = "",
    password: SecretValue | None = None,
    secrets: Callable[[], Iterable[SecretValue]] = _no_secrets,
    read_only: bool = False,
    empty_if_absent: bool = False,
    state_directory: Path | None = None,
    segment_seconds: float = SEGMENT_SECONDS,
    wait_seconds: float = WAIT_SECONDS,
    limit_seconds: float = LIMIT_SECONDS,
    memory: HeadMemory | None = None,
) -> ChainedJournal:
    """Open the journal at ``sqlite:///PATH`` or ``postgresql://…``; raise `JournalError`.

    A file that is not there is made unless ``read_only``; ``empty_if_absent`` then reads an empty
    record. What is open ``read_only`` refuses every write with `JournalReadOnlyError`. ``secrets``
    gives every secret value known so far; none of them is ever written. A write waits
    ``wait_seconds`` for other writers, and a caller ``limit_seconds`` for a store that hangs.
    Archives go beside a file, and to ``state_directory`` (or the working directory) for a database.
    """
    author = Author(who=who, environment=environment, version=version, config_digest=config_digest)
    if url.startswith("sqlite:///"):
        path = Path(url.removeprefix("sqlite:///")).expanduser()
        open_store, archives = (
            _sqlite(path, read_only, empty_if_absent, wait_seconds),
            path.parent / "journal-archive",
        )
    elif url.startswith(("postgresql://", "postgres://")):
        open_store = _postgres(url, password, read_only, version, wait_seconds)
        archives = (state_directory or Path.cwd()) / "journal-archive"
    else:
        raise JournalError(
            f"there is no journal at {visible(url, 80)}: "
            "journal.url is sqlite:///PATH or postgresql://HOST/DATABASE"
        )
    return ChainedJournal(
        StoreThread(open_store, limit_seconds),
        author.writable(),
        secrets=secrets,
        archives=archives,
        segment_seconds=segment_seconds,
        read_only=read_only,
        memory=memory,
    )


def open_configured(
    loaded: Loaded,
    resolver: SecretResolver,
    environ: Mapping[str, str],
    *,
    read_only: bool = False,
    as_it_is: bool = False,
) -> ChainedJournal:
    """Open the journal that the configuration names, for its operator; raise `JournalError`.

    With ``writes = "never"`` it is open read-only whatever a caller meant to do with it, and a
    file that is not there reads as an empty record. Blocks until the database's password is there,
    at most a few seconds.

    A journal that is younger than what this host saw of it raises `JournalReplacedError`, unless
    ``as_it_is``.
    """
    declared = loaded.settings.journal
    try:
        password = None if declared.secret is None else resolver.get(declared.secret)
    except SecretError as error:
        raise JournalError(f"the journal's password: {error}") from error
    name, name_source = declared_name(loaded.settings, environ)
    barred = loaded.settings.writes == "never"
    state = Path(environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state")
    memory = HeadMemory(state / "midwatch", declared.url, keeps=not barred)
    if not as_it_is and _is_absent(declared.url) and (doubt := memory.doubt(None)):
        raise JournalReplacedError(visible(declared.url.removeprefix("sqlite:///"), 300), doubt)
    journal = open_journal(
        declared.url,
        who=gather_who(name, name_source, environ),
        environment=loaded.settings.environment,
        config_digest=config_digest_of(loaded.path),
        password=password,
        secrets=resolver.known,
        read_only=read_only or barred,
        empty_if_absent=barred and not read_only,
        state_directory=state / "midwatch",
        memory=memory,
    )
    if not as_it_is:
        try:
            journal.check_head()
        except JournalError:
            journal.close()
            raise
    return journal


def _is_absent(url: str) -> bool:
    """Tell whether a journal in a file is not there, or empty; raises nothing."""
    if not url.startswith("sqlite:///"):
        return False
    try:
        return Path(url.removeprefix("sqlite:///")).expanduser().stat().st_size == 0
    except FileNotFoundError:
        return True
    except OSError:
        return False  # opening it says why


def declared_name(settings: Settings, environ: Mapping[str, str]) -> tuple[str, str]:
    """Return the operator's name and where it was declared, for the record."""
    declared = settings.operator.name
    if not declared.startswith("env:"):
        return declared, "operator.name"
    known = bool(environ.get(declared.removeprefix("env:")))
    return operator_name(settings, environ), declared if known else "login"


def _sqlite(
    path: Path, read_only: bool, empty_if_absent: bool, wait_seconds: float
) -> Callable[[], Store]:
    def opened() -> Store:
        from console.journal.sqlite import SqliteStore

        return SqliteStore(
            path,
            read_only=read_only,
            empty_if_absent=empty_if_absent,
            wait_seconds=wait_seconds,
        )

    return opened


def _postgres(
    url: str,
    password: SecretValue | None,
    read_only: bool,
    version: str,
    wait_seconds: float,
) -> Callable[[], Store]:
    def opened() -> Store:
        from console.journal.postgres import PostgresStore

        return PostgresStore(
            url, password, read_only=read_only, version=version, wait_seconds=wait_seconds
        )

    return opened


def config_digest_of(path: Path | None) -> str:
    """Return ``sha256:…`` of the configuration file as it is now, empty without one."""
    if path is None:
        return ""
    try:
        return f"sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}"
    except OSError as error:
        raise JournalError(
            f"the configuration {visible(str(path), 300)} cannot be read again for its digest: "
            f"{visible(error.strerror or '')}"
        ) from error
