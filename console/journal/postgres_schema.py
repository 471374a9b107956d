"""The tables of a journal in PostgreSQL, and the triggers that let it only grow."""

from __future__ import annotations

from console.journal.canonical import NO_HASH

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
