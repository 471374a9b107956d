"""From a URL to an open journal."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from console.facts.text import visible
from console.facts.version import VERSION
from console.journal.chain import SEGMENT_SECONDS, Author
from console.journal.chained import ChainedJournal
from console.journal.errors import JournalError
from console.journal.writer import StoreThread

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from console.facts.entry import Who
    from console.journal.protocol import Journal, Store
    from console.settings.hidden import SecretValue

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
    state_directory: Path | None = None,
    segment_seconds: float = SEGMENT_SECONDS,
    limit_seconds: float = LIMIT_SECONDS,
) -> Journal:
    """Open the journal at ``sqlite:///PATH`` or ``postgresql://…``; raise `JournalError`.

    A file that is not there is made unless ``read_only``. ``secrets`` gives every secret value
    known so far; none of them is ever written. Archives go beside a file, and to
    ``state_directory`` (or the working directory) for a database.
    """
    author = Author(who=who, environment=environment, version=version, config_digest=config_digest)
    if url.startswith("sqlite:///"):
        path = Path(url.removeprefix("sqlite:///")).expanduser()
        open_store, archives = _sqlite(path, read_only), path.parent / "journal-archive"
    elif url.startswith(("postgresql://", "postgres://")):
        open_store = _postgres(url, password, read_only, version)
        archives = (state_directory or Path.cwd()) / "journal-archive"
    else:
        raise JournalError(
            f"there is no journal at {visible(url, 80)}: "
            "journal.url is sqlite:///PATH or postgresql://HOST/DATABASE"
        )
    return ChainedJournal(
        StoreThread(open_store, limit_seconds),
        author,
        secrets=secrets,
        archives=archives,
        segment_seconds=segment_seconds,
    )


def _sqlite(path: Path, read_only: bool) -> Callable[[], Store]:
    def opened() -> Store:
        from console.journal.sqlite_store import SqliteStore

        return SqliteStore(path, read_only=read_only)

    return opened


def _postgres(
    url: str, password: SecretValue | None, read_only: bool, version: str
) -> Callable[[], Store]:
    def opened() -> Store:
        from console.journal.postgres_store import PostgresStore

        return PostgresStore(url, password, read_only=read_only, version=version)

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
