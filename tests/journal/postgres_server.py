"""A real PostgreSQL for a test: its own data directory, a free port, stopped by its own pid."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypedDict

from tests.conftest import free_port, require_binary

READY_SECONDS = 30.0
STOP_SECONDS = 15.0
OWNER = "midwatch_owner"

_HBA = f"""
local all postgres trust
host all postgres 127.0.0.1/32 trust
host all {OWNER} 127.0.0.1/32 trust
host all all 127.0.0.1/32 scram-sha-256
"""
_INITDB = ["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-instructions"]
_FLAGS = ["-c", "listen_addresses=127.0.0.1", "-c", "max_connections=40"]


def _program(name: str) -> str:
    # Debian keeps the server's programs beside its version, not on PATH.
    others = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    return require_binary(name, *map(str, others))


class Lent(TypedDict):
    user: int | None
    group: int | None
    extra_groups: list[int] | None


class PostgresServer:
    """One server; a test may stop it and start it again on the same port."""

    def __init__(self) -> None:
        self._server = _program("postgres")
        self._initdb = _program("initdb")
        # PostgreSQL refuses to run as root, so root lends it to somebody who owns nothing else.
        self._account = _unprivileged() if os.geteuid() == 0 else None
        self.directory = Path(tempfile.mkdtemp(prefix="midwatch-pg-"))
        if self._account is not None:
            os.chown(self.directory, self._account.pw_uid, self._account.pw_gid)
        self._data = self.directory / "data"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        subprocess.run(
            [self._initdb, "-D", self._data, *_INITDB],
            check=True,
            stdout=subprocess.DEVNULL,
            cwd=self.directory,
            **self._lent(),
        )
        (self._data / "pg_hba.conf").write_text(_HBA)

    def _lent(self) -> Lent:
        if self._account is None:
            return {"user": None, "group": None, "extra_groups": None}
        return {
            "user": self._account.pw_uid,
            "group": self._account.pw_gid,
            "extra_groups": [],
        }

    @property
    def account(self) -> tuple[int, int]:
        """User and group that the server runs as."""
        lent = self._account
        return (os.getuid(), os.getgid()) if lent is None else (lent.pw_uid, lent.pw_gid)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        with (self.directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    self._server,
                    "-D",
                    self._data,
                    "-p",
                    str(self.port),
                    "-k",
                    self.directory,
                    *_FLAGS,
                ],
                stdout=log,
                stderr=log,
                cwd=self.directory,
                **self._lent(),
            )
        deadline = time.monotonic() + READY_SECONDS
        while not self._answers():
            assert self._process.poll() is None, (self.directory / "log").read_text()[-2000:]
            assert time.monotonic() < deadline, "PostgreSQL did not get ready"
            time.sleep(0.05)

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self.url("postgres", user="postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    @property
    def died(self) -> bool:
        """Whether it ended without being told to."""
        return self._process is not None and self._process.poll() is not None

    def url(self, database: str, user: str = OWNER) -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def run(
        self, database: str, *statements: str, user: str = "postgres"
    ) -> list[tuple[object, ...]]:
        """Run statements, each by itself, and return the rows of the last."""
        import psycopg

        with psycopg.connect(self.url(database, user), autocommit=True) as base:
            for statement in statements:
                cursor = base.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def new_database(self, name: str) -> str:
        """Make a database that belongs to the owner of journals, and return its URL."""
        self.run("postgres", f"CREATE DATABASE {name} OWNER {OWNER}")
        return self.url(name)

    def stop(self, how: int = signal.SIGINT) -> None:
        """SIGINT disconnects everybody and shuts down cleanly."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(how)
        self._process.wait(STOP_SECONDS)


def _unprivileged() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise AssertionError("no account to run PostgreSQL as")


@contextmanager
def postgres_server() -> Iterator[PostgresServer]:
    server = PostgresServer()
    try:
        server.prepare()
        server.start()
        server.run("postgres", f"CREATE ROLE {OWNER} LOGIN")
        yield server
    finally:
        if server.died:
            print((server.directory / "log").read_text()[-6000:])
        server.stop()
        shutil.rmtree(server.directory, ignore_errors=True)
