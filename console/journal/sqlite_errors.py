"""What SQLite's errors mean to somebody who waits for an action, one sentence each."""

from __future__ import annotations

import sqlite3

from console.facts.text import visible
from console.journal.errors import JournalBusyError, JournalError

# Masked to the primary code: the extended ones only say where inside SQLite it happened.
_PRIMARY = 0xFF


def explained(error: sqlite3.Error, place: str, wait_seconds: float) -> JournalError:
    """Return the error as a sentence about the journal at ``place``."""
    code = getattr(error, "sqlite_errorcode", 0) & _PRIMARY
    match code:
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return JournalBusyError(
                f"the journal {place} is held by another process for more than "
                f"{wait_seconds:g} s; nothing was written, try again, and if it stays so look who "
                "holds the file: fuser -v FILE"
            )
        case sqlite3.SQLITE_FULL:
            why = "the disk is full; nothing was written: free some space and repeat"
        case sqlite3.SQLITE_IOERR:
            why = (
                "the disk refused to read or write (full, over quota, or failing); nothing was "
                "written: look at df, quota and dmesg"
            )
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_PERM:
            why = (
                "it cannot be written: the file, its directory or the file system is read-only "
                "for this user; nothing was written"
            )
        case sqlite3.SQLITE_CANTOPEN:
            why = "it cannot be opened; look whether the directory exists and who owns it: ls -ld"
        case sqlite3.SQLITE_NOTADB:
            why = "the file is no journal and no SQLite database; it is left as it is"
        case sqlite3.SQLITE_CORRUPT:
            why = (
                "the file is damaged; keep a copy, run midwatch journal verify on it, and start a "
                "new journal at another path"
            )
        case sqlite3.SQLITE_CONSTRAINT:
            why = (
                f"the store refused the entry ({visible(str(error), 120)}); nothing was written: "
                "run midwatch journal verify"
            )
        case _:
            why = f"SQLite says: {visible(str(error), 160)}"
    return JournalError(f"the journal {place}: {why}")
