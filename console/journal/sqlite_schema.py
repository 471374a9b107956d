"""The tables of a journal in SQLite, and the triggers that let it only grow."""

from __future__ import annotations

from console.journal.canonical import NO_HASH

APPLICATION_ID = 0x4D57524A  # "MWRJ": tells a journal from any other SQLite file
SCHEMA_VERSION = 1

TABLES = (
    """
    CREATE TABLE IF NOT EXISTS midwatch_entry (
        seq INTEGER PRIMARY KEY,
        segment INTEGER NOT NULL,
        chain TEXT NOT NULL,
        id TEXT NOT NULL UNIQUE,
        at TEXT NOT NULL,
        kind TEXT NOT NULL,
        target TEXT NOT NULL,
        op_id TEXT NOT NULL,
        incident TEXT NOT NULL,
        prev_hash TEXT NOT NULL UNIQUE,
        hash TEXT NOT NULL UNIQUE,
        body TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS midwatch_archived (
        number INTEGER PRIMARY KEY,
        first_seq INTEGER NOT NULL,
        last_seq INTEGER NOT NULL,
        first_at TEXT NOT NULL,
        last_at TEXT NOT NULL,
        head_hash TEXT NOT NULL,
        archive TEXT NOT NULL,
        archive_sha256 TEXT NOT NULL
    )
    """,
    """
    CREATE TABLE IF NOT EXISTS midwatch_lease (
        name TEXT PRIMARY KEY,
        holder TEXT NOT NULL,
        expires_at REAL NOT NULL,
        fence INTEGER NOT NULL
    )
    """,
    "CREATE INDEX IF NOT EXISTS midwatch_entry_target ON midwatch_entry (target, seq)",
    "CREATE INDEX IF NOT EXISTS midwatch_entry_op ON midwatch_entry (op_id, kind)",
    "CREATE INDEX IF NOT EXISTS midwatch_entry_kind ON midwatch_entry (kind, seq)",
    "CREATE INDEX IF NOT EXISTS midwatch_entry_segment ON midwatch_entry (segment, seq)",
)

TRIGGERS = {
    # The store itself refuses a row that does not continue the chain, whoever inserts it.
    "midwatch_entry_continues": f"""
        BEFORE INSERT ON midwatch_entry
        WHEN NEW.seq IS NOT (SELECT coalesce(max(seq), 0) + 1 FROM midwatch_entry)
          OR NEW.prev_hash IS NOT coalesce(
               (SELECT hash FROM midwatch_entry ORDER BY seq DESC LIMIT 1), '{NO_HASH}')
        BEGIN SELECT RAISE(ABORT, 'the entry does not continue the chain'); END
    """,  # noqa: S608  # a constant of this package
    "midwatch_entry_stays": """
        BEFORE UPDATE ON midwatch_entry
        BEGIN SELECT RAISE(ABORT, 'entries of the journal are never changed'); END
    """,
    "midwatch_entry_not_removed": """
        BEFORE DELETE ON midwatch_entry
        WHEN NOT EXISTS (SELECT 1 FROM midwatch_archived WHERE number = OLD.segment)
        BEGIN SELECT RAISE(ABORT, 'entries leave the journal only with their archived segment'); END
    """,
    "midwatch_archived_stays": """
        BEFORE UPDATE ON midwatch_archived
        BEGIN SELECT RAISE(ABORT, 'the list of archives is never changed'); END
    """,
    "midwatch_archived_not_removed": """
        BEFORE DELETE ON midwatch_archived
        BEGIN SELECT RAISE(ABORT, 'the list of archives is never shortened'); END
    """,
}


def statements() -> list[str]:
    """Return everything that makes an empty file a journal; repeating it changes nothing."""
    triggers = [f"CREATE TRIGGER IF NOT EXISTS {name} {rest}" for name, rest in TRIGGERS.items()]
    marks = [
        f"PRAGMA application_id = {APPLICATION_ID}",
        f"PRAGMA user_version = {SCHEMA_VERSION}",
    ]
    return [*TABLES, *triggers, *marks]
