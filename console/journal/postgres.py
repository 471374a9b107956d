"""Keeps a team's journal in PostgreSQL: tables, append-only triggers, statements, errors in
sentences.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Literal, TypeVar

from msgspec.structs import replace

from console.domain.entry import Writer
from console.domain.text import visible
from console.http.endpoint import shown
from console.journal import store_base
from console.journal.chain import (
    NO_HASH,
    JournalBusyError,
    JournalError,
    JournalUncertainError,
    TargetTouchedError,
    tail_of,
)
from console.journal.leases import in_force
from console.journal.store_base import touched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import psycopg

    from console.domain.entry import Lease, Segment
    from console.journal.chain import Row, Tail
    from console.journal.store_base import Question
    from console.settings.secret_references import SecretValue

_SENTENCES = {
    "53100": "the database's disk is full; nothing was written: tell its administrator",
    "25006": (
        "the server is read-only (a standby, or after a fail-over); nothing was written: "
        "point journal.url at the primary"
    ),
    "42501": (
        "this role may not do that; nothing was written: docs/journal.md has the script that "
        "gives the rights, and pruning is for the tables' owner"
    ),
    "57P01": "the server is shutting down; nothing was written: try again when it is back",
    "53300": "the server has no free connection; nothing was written: try again",
    "28P01": "the password is refused; test it: midwatch secret test",
    "28000": "the server refuses this role from this host; look at pg_hba.conf",
    "3D000": "there is no such database; create it: createdb",
}
_BUSY = frozenset({"55P03", "57014", "40P01", "40001"})


def _connection_lost() -> type[psycopg.Error]:
    from psycopg import OperationalError

    return OperationalError


def explained(error: psycopg.Error, place: str, wait_seconds: float) -> JournalError:
    """Return the error as a sentence about the journal at ``place``."""
    code = error.sqlstate or ""
    if code in _BUSY:
        return JournalBusyError(
            f"the journal {place} is held by somebody else for more than {wait_seconds:g} s; "
            "nothing was written, try again"
        )
    why = _SENTENCES.get(code)
    if why is None and not code and isinstance(error, _connection_lost()):
        told = visible(" ".join(str(error).split()), 240)
        # libpq gives no code for what goes wrong before a connection stands, only words.
        refused = "password authentication failed" in told
        why = (
            f"{_SENTENCES['28P01']} ({told})"
            if refused
            else f"the server cannot be reached or went away ({told}); nothing was written"
        )
    if why is None:
        told = visible(" ".join(str(error).split()), 240)
        why = f"PostgreSQL says: {told or type(error).__name__}; nothing was written"
    return JournalError(f"the journal {place}: {why}")


SCHEMA_VERSION = 1

# COLLATE "C": times and hashes are compared byte by byte, whatever language the database speaks.
STATEMENTS = (
    """
    CREATE TABLE midwatch_entry (
        seq bigint PRIMARY KEY,
        segment bigint NOT NULL,
        chain text COLLATE "C" NOT NULL,
        id text COLLATE "C" NOT NULL UNIQUE,
        at text COLLATE "C" NOT NULL,
        kind text COLLATE "C" NOT NULL,
        target text COLLATE "C" NOT NULL,
        op_id text COLLATE "C" NOT NULL,
        incident text COLLATE "C" NOT NULL,
        prev_hash text COLLATE "C" NOT NULL UNIQUE,
        hash text COLLATE "C" NOT NULL UNIQUE,
        body text NOT NULL
    )
    """,
    """
    CREATE TABLE midwatch_archived (
        number bigint PRIMARY KEY,
        first_seq bigint NOT NULL,
        last_seq bigint NOT NULL,
        first_at text NOT NULL,
        last_at text NOT NULL,
        head_hash text NOT NULL,
        archive text NOT NULL,
        archive_sha256 text NOT NULL
    )
    """,
    """
    CREATE TABLE midwatch_lease (
        name text PRIMARY KEY,
        holder text NOT NULL,
        expires_at double precision NOT NULL,
        fence bigint NOT NULL
    )
    """,
    "CREATE TABLE midwatch_format (version integer NOT NULL)",
    f"INSERT INTO midwatch_format VALUES ({SCHEMA_VERSION})",  # noqa: S608  # a constant
    "CREATE INDEX midwatch_entry_target ON midwatch_entry (target, seq)",
    "CREATE INDEX midwatch_entry_op ON midwatch_entry (op_id, kind)",
    "CREATE INDEX midwatch_entry_kind ON midwatch_entry (kind, seq)",
    "CREATE INDEX midwatch_entry_segment ON midwatch_entry (segment, seq)",
    # SET search_path: the functions mean the tables beside them, whoever calls from wherever.
    f"""
    CREATE FUNCTION midwatch_entry_continues() RETURNS trigger LANGUAGE plpgsql
    SET search_path FROM CURRENT AS $$
    DECLARE newest record;
    BEGIN
        SELECT seq, hash INTO newest FROM midwatch_entry ORDER BY seq DESC LIMIT 1;
        IF NEW.seq <> coalesce(newest.seq, 0) + 1
           OR NEW.prev_hash <> coalesce(newest.hash, '{NO_HASH}') THEN
            RAISE EXCEPTION 'the entry does not continue the chain';
        END IF;
        RETURN NEW;
    END $$
    """,  # noqa: S608  # a constant of this package
    """
    CREATE FUNCTION midwatch_stays() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN RAISE EXCEPTION 'the journal is never changed'; END $$
    """,
    """
    CREATE FUNCTION midwatch_entry_not_removed() RETURNS trigger LANGUAGE plpgsql
    SET search_path FROM CURRENT AS $$
    BEGIN
        IF NOT EXISTS (SELECT 1 FROM midwatch_archived WHERE number = OLD.segment) THEN
            RAISE EXCEPTION 'entries leave the journal only with their archived segment';
        END IF;
        RETURN OLD;
    END $$
    """,
    """
    CREATE TRIGGER midwatch_entry_continues BEFORE INSERT ON midwatch_entry
    FOR EACH ROW EXECUTE FUNCTION midwatch_entry_continues()
    """,
    """
    CREATE TRIGGER midwatch_entry_stays BEFORE UPDATE ON midwatch_entry
    FOR EACH ROW EXECUTE FUNCTION midwatch_stays()
    """,
    """
    CREATE TRIGGER midwatch_entry_not_removed BEFORE DELETE ON midwatch_entry
    FOR EACH ROW EXECUTE FUNCTION midwatch_entry_not_removed()
    """,
    """
    CREATE TRIGGER midwatch_entry_not_emptied BEFORE TRUNCATE ON midwatch_entry
    FOR EACH STATEMENT EXECUTE FUNCTION midwatch_stays()
    """,
    """
    CREATE TRIGGER midwatch_archived_stays BEFORE UPDATE OR DELETE ON midwatch_archived
    FOR EACH ROW EXECUTE FUNCTION midwatch_stays()
    """,
    """
    CREATE TRIGGER midwatch_archived_not_emptied BEFORE TRUNCATE ON midwatch_archived
    FOR EACH STATEMENT EXECUTE FUNCTION midwatch_stays()
    """,
)
TRIGGERS = frozenset(
    {
        "midwatch_entry_continues",
        "midwatch_entry_stays",
        "midwatch_entry_not_removed",
        "midwatch_entry_not_emptied",
        "midwatch_archived_stays",
        "midwatch_archived_not_emptied",
    }
)
ENABLED_TRIGGERS = (
    "SELECT tgname FROM pg_trigger WHERE tgenabled <> 'D' AND tgrelid IN "
    "('midwatch_entry'::regclass, 'midwatch_archived'::regclass)"
)
# A table of its own: the entry's text is the writer's word, this is the server's. The function
# runs with the owner's rights (session_user stays the caller), so no writer can insert here.
WITNESS = (
    """
    CREATE TABLE midwatch_witness (
        id text COLLATE "C" PRIMARY KEY,
        role text NOT NULL,
        address text NOT NULL,
        personal boolean NOT NULL,
        at timestamptz NOT NULL
    )
    """,
    """
    CREATE FUNCTION midwatch_is_personal(named name) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT 1 FROM pg_catalog.pg_auth_members AS link
        JOIN pg_catalog.pg_roles AS team ON team.oid = link.roleid
        JOIN pg_catalog.pg_roles AS one ON one.oid = link.member
        WHERE team.rolname = 'midwatch_people' AND one.rolname = named)
    $$
    """,
    """
    CREATE FUNCTION midwatch_note_writer() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
    SET search_path FROM CURRENT AS $$
    BEGIN
        INSERT INTO midwatch_witness VALUES (
            NEW.id, session_user, coalesce(host(inet_client_addr()), 'local'),
            midwatch_is_personal(session_user), clock_timestamp())
        ON CONFLICT DO NOTHING;
        RETURN NULL;
    END $$
    """,
    """
    CREATE TRIGGER midwatch_entry_written AFTER INSERT ON midwatch_entry
    FOR EACH ROW EXECUTE FUNCTION midwatch_note_writer()
    """,
    """
    CREATE TRIGGER midwatch_witness_stays BEFORE UPDATE OR DELETE ON midwatch_witness
    FOR EACH ROW EXECUTE FUNCTION midwatch_stays()
    """,
    """
    CREATE TRIGGER midwatch_witness_not_emptied BEFORE TRUNCATE ON midwatch_witness
    FOR EACH STATEMENT EXECUTE FUNCTION midwatch_stays()
    """,
)
WITNESSED = "SELECT to_regclass('midwatch_witness')"
MINE = "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = 'midwatch_entry'::regclass"
MAY_READ_WITNESS = "SELECT has_table_privilege('midwatch_witness', 'SELECT')"
WRITER = (
    "SELECT role, address, personal FROM midwatch_witness "
    "WHERE id = (SELECT id FROM midwatch_entry WHERE seq = ?)"
)
ME = (
    "SELECT session_user, coalesce(host(inet_client_addr()), 'local'), "
    "midwatch_is_personal(session_user)"
)
# One chain a table: its number makes the key, so that journals in other schemas do not wait.
LOCK = (
    "SELECT pg_advisory_xact_lock("
    "x'4d57524a'::bigint << 32 | 'midwatch_entry'::regclass::oid::bigint)"
)
MAKING_LOCK = "SELECT pg_advisory_xact_lock(x'4d57524a4d616b65'::bigint)"
MADE = (
    "SELECT count(*) FROM pg_class WHERE relname = 'midwatch_entry' "
    "AND relnamespace = current_schema()::regnamespace"
)
CLOCK = "SELECT extract(epoch FROM clock_timestamp())::float8"

T = TypeVar("T")
CONNECT_SECONDS = 5
STATEMENT_SECONDS = 10.0


class PostgresStore:
    """One connection, for one thread; a lost one is made again where that cannot write twice."""

    kind: Literal["postgresql"] = "postgresql"

    def __init__(
        self,
        url: str,
        password: SecretValue | None = None,
        *,
        read_only: bool = False,
        version: str = "",
        wait_seconds: float = 5.0,
    ) -> None:
        """Connect, and make the tables if they are not there; raise `JournalError`."""
        self.place = shown(url)
        self._url = url
        self._password = password
        self._read_only = read_only
        self._version = version
        self._wait_seconds = wait_seconds
        self._base = self._connect()
        try:
            with self._told():
                self._prepare()
        except JournalError:
            self._base.close()
            raise

    def _connect(self) -> psycopg.Connection[tuple[object, ...]]:
        try:
            import psycopg
        except ImportError as error:
            raise JournalError(
                "a journal in PostgreSQL needs the package psycopg: "
                "install midwatch with its extra, midwatch[postgres]"
            ) from error
        with self._told():
            base = psycopg.connect(
                self._url,
                password=None if self._password is None else self._password.reveal(),
                autocommit=True,
                connect_timeout=CONNECT_SECONDS,
                # A host that vanished must not hold an engineer for TCP's quarter of an hour.
                tcp_user_timeout=int(STATEMENT_SECONDS * 1000),
                keepalives_idle=30,
                application_name=f"midwatch {self._version}".strip(),
                client_encoding="UTF8",
            )
            base.execute(f"SET lock_timeout = {int(self._wait_seconds * 1000)}")
            base.execute(f"SET statement_timeout = {int(STATEMENT_SECONDS * 1000)}")
            setting = base.execute("SHOW synchronous_commit").fetchone()
            if setting is not None and setting[0] in ("off", "local"):
                base.execute("SET synchronous_commit = on")
        return base

    def _prepare(self) -> None:
        if self._one("SHOW server_encoding") != "UTF8":
            raise JournalError(f"the journal {self.place}: the database is not in UTF-8")
        if self._one("SELECT to_regclass('midwatch_entry')") is None:
            self._make()
        if self._one("SELECT to_regclass('midwatch_format')") is None:
            raise JournalError(
                f"the journal {self.place}: there is a table midwatch_entry that is no journal; "
                "it is left as it is. Give journal.url another database or schema"
            )
        version = int(str(self._one("SELECT max(version) FROM midwatch_format")))
        if version > SCHEMA_VERSION:
            raise JournalError(
                f"the journal {self.place} has format {version}, this midwatch writes up to "
                f"{SCHEMA_VERSION}; nothing was written: update midwatch on this host"
            )
        if not self._read_only and self._one(WITNESSED) is None and self._one(MINE):
            self._make_witness()

    def _make_witness(self) -> None:
        """Let the server note who writes, in a journal that was made before it did."""
        with self._transaction(MAKING_LOCK):
            if self._one(WITNESSED) is None:
                for statement in WITNESS:
                    self._base.execute(statement)

    def _make(self) -> None:
        if self._read_only:
            raise JournalError(f"there is no journal at {self.place} yet; nothing was written")
        with self._transaction(MAKING_LOCK):
            # Another console may have made them while this one waited for the lock, and only a
            # look into the catalogue itself sees that: to_regclass may answer from a cache.
            if self._one(MADE) == 0:
                for statement in (*STATEMENTS, *WITNESS):
                    self._base.execute(statement)

    def write(
        self,
        compose: Callable[[Tail | None, float | None], Sequence[Row]],
        untouched: Sequence[tuple[str, int]],
    ) -> None:
        """Append in one transaction under the chain's advisory lock."""
        rows: Sequence[Row] = ()

        def append() -> None:
            nonlocal rows
            rows = ()
            with self._transaction(LOCK):
                for target, newest in untouched:
                    found = self._rows(store_base.NEWEST_ABOUT, (target, newest))
                    if found:
                        raise touched(found[0])
                rows = compose(self._tail(), self._clock())
                self._insert(rows)

        try:
            self._again_if_lost(append)
        except TargetTouchedError:
            raise
        except JournalError as fault:
            if not rows:
                raise
            self._settle(rows, fault)

    def _settle(self, rows: Sequence[Row], fault: JournalError) -> None:
        """Ask on a fresh connection whether the entries stand; raise unless they do.

        A connection that breaks during COMMIT leaves that open, and only the server knows.
        """
        try:
            if self._base.closed:
                self._base = self._connect()
            with self._told():
                stands = self._one(store_base.BY_ID, (rows[-1].id,)) is not None
        except JournalError as second:
            said = fault.sentence.replace("nothing was written", "the write failed")
            raise JournalUncertainError(
                f"{said}; and afterwards: {second.sentence.replace('; nothing was written', '')}; "
                "whether the entry stands is not known"
            ) from fault
        if not stands:
            raise fault

    def _again_if_lost(self, work: Callable[[], T]) -> T:
        """Do ``work``; once more on a new connection if the old one was dead from the start.

        Consoles sit idle for hours, and servers restart: the first statement after that fails
        before anything was sent. A break later on is left to the caller, who knows what it means.
        """
        try:
            self._first = True
            with self._told():
                return work()
        except JournalError:
            if not (self._base.closed and self._first):
                raise
        self._base = self._connect()
        with self._told():
            return work()

    def _tail(self) -> Tail | None:
        found = self._rows(store_base.LAST)
        if not found:
            return None
        return tail_of(found[0], str(self._one(store_base.SEGMENT_BEGAN, (found[0].segment,))))

    def _clock(self) -> float:
        return float(str(self._one(CLOCK)))

    def _insert(self, rows: Sequence[Row]) -> None:
        for row in rows:
            self._execute(store_base.INSERT, tuple(row))

    def rows(self, question: Question, limit: int) -> list[Row]:
        """Return matching rows."""
        statement, values = store_base.select(question, limit)
        return self._again_if_lost(lambda: self._rows(statement, values))

    def unsettled(self) -> list[Row]:
        """Return intents without an outcome."""
        return self._again_if_lost(lambda: self._rows(store_base.UNSETTLED))

    def last(self) -> Row | None:
        """Return the last row."""
        found = self._again_if_lost(lambda: self._rows(store_base.LAST))
        return found[0] if found else None

    def segments(self) -> list[Segment]:
        """Return the segments that stand here."""
        return self._again_if_lost(
            lambda: store_base.segments_of(self._execute(store_base.SEGMENTS))
        )

    def archived(self) -> list[Segment]:
        """Return the segments that went to archives."""
        return self._again_if_lost(
            lambda: store_base.segments_of(self._execute(store_base.ARCHIVED))
        )

    def remove(
        self,
        segment: Segment,
        compose: Callable[[Tail | None, float | None], Sequence[Row]],
    ) -> None:
        """Note, append and drop in one transaction; needs the rights of the tables' owner."""

        def go() -> None:
            with self._transaction(LOCK):
                self._insert(compose(self._tail(), self._clock()))
                self._execute(store_base.NOTE_ARCHIVED, store_base.archived_values(segment))
                self._execute(store_base.DROP_SEGMENT, (segment.number,))

        self._again_if_lost(go)

    def take_lease(self, name: str, holder: str, ttl_seconds: float, now: float) -> Lease:
        """Take or renew by the server's clock, which all hosts share; ``now`` is not used."""

        def go() -> Lease:
            with self._transaction(LOCK):
                now = self._clock()
                self._execute(store_base.TAKE_LEASE, (name, holder, now + ttl_seconds, now, now))
                found = self._execute(store_base.LEASE, (name,))[0]
            return store_base.lease_of(found)

        return self._again_if_lost(go)

    def lease(self, name: str, now: float) -> Lease | None:
        """Return the lease in force by the server's clock, its end told on the caller's."""

        def go() -> Lease | None:
            found = self._execute(store_base.LEASE, (name,))
            if not found:
                return None
            lease, server_now = store_base.lease_of(found[0]), self._clock()
            if not in_force(lease, server_now):
                return None
            return replace(lease, expires_at=now + lease.expires_at - server_now)

        return self._again_if_lost(go)

    def leases(self, now: float) -> list[Lease]:
        """Return every lease that was not given back, ends told on the caller's clock."""

        def go() -> list[Lease]:
            ahead_seconds = now - self._clock()
            found = map(store_base.lease_of, self._execute(store_base.LEASES))
            return [replace(each, expires_at=each.expires_at + ahead_seconds) for each in found]

        return self._again_if_lost(go)

    def drop_lease(self, name: str, holder: str) -> None:
        """Give back."""
        self._again_if_lost(lambda: self._execute(store_base.DROP_LEASE, (name, holder)))

    def complaints(self) -> list[str]:
        """Return guards that somebody took away."""

        def go() -> list[str]:
            present = {str(name) for (name,) in self._execute(ENABLED_TRIGGERS)}
            witness = set() if self._one(WITNESSED) is None else {"midwatch_entry_written"}
            missing = ", ".join(sorted((TRIGGERS | witness) - present))
            return [f"triggers that guard the journal are gone: {missing}"] if missing else []

        return self._again_if_lost(go)

    def remarks(self) -> list[str]:
        """Return what the server does not do: flush to disk, or note who writes."""

        def go() -> list[str]:
            found = []
            if self._one("SHOW fsync") != "on":
                found.append(
                    "the server runs with fsync off, so a crash of its host can lose entries"
                )
            if self._one(WITNESSED) is None:
                found.append(
                    "the server does not note who writes, so a second person rests on the word of "
                    "each console; the tables' owner runs midwatch journal init once"
                )
            elif not self._one(MAY_READ_WITNESS):
                found.append(
                    "this role may not read whom the server saw write; the tables' owner says: "
                    "GRANT SELECT ON midwatch_witness"
                )
            return found

        return self._again_if_lost(go)

    def writer(self, seq: int | None) -> Writer | None:
        """Return the role and address the server saw; None where it notes none."""

        def go() -> Writer | None:
            if self._one(WITNESSED) is None or not self._one(MAY_READ_WITNESS):
                return None
            found = self._execute(ME) if seq is None else self._execute(WRITER, (seq,))
            if not found:
                return None
            role, address, personal = found[0]
            return Writer(role=str(role), address=str(address), personal=personal is True)

        return self._again_if_lost(go)

    def close(self) -> None:
        """Close the connection."""
        self._base.close()

    def _one(self, statement: str, values: Sequence[object] = ()) -> object:
        found = self._execute(statement, values)
        return found[0][0] if found else None

    def _rows(self, statement: str, values: Sequence[object] = ()) -> list[Row]:
        return store_base.rows_of(self._execute(statement, values))

    def _execute(self, statement: str, values: Sequence[object] = ()) -> list[tuple[object, ...]]:
        # The shared statements write a value's place as ?, psycopg as %s; neither holds a %.
        cursor = self._base.execute(statement.replace("?", "%s"), values)
        self._first = False
        return cursor.fetchall() if cursor.description is not None else []

    @contextlib.contextmanager
    def _transaction(self, lock: str) -> Iterator[None]:
        import psycopg

        self._execute("BEGIN")
        try:
            self._execute(lock)
            yield
            self._execute("COMMIT")
        except BaseException:
            # A connection that is gone cannot be rolled back; the server does that by itself.
            with contextlib.suppress(psycopg.Error):  # the first error is the one to tell
                if not self._base.closed:
                    self._execute("ROLLBACK")
            raise

    @contextlib.contextmanager
    def _told(self) -> Iterator[None]:
        import psycopg

        try:
            yield
        except psycopg.Error as error:
            raise explained(error, self.place, self._wait_seconds) from self._harmless(error)

    def _harmless(self, error: BaseException) -> BaseException | None:
        """Return the cause for the log, unless its text holds the password."""
        secret = self._password
        return None if secret is not None and secret.reveal() in str(error) else error
