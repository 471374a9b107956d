"""Drafts, authors and journals for tests, all of one made-up shift."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from msgspec.structs import replace

from console.domain.entry import EntryDraft, JournalHead, Who
from console.journal import Journal, new_ulid, open_journal
from console.journal.chain import Author

NOW = 1_795_402_033.25  # 2026-11-23T02:47:13.25Z
WHO = Who(name="ana", name_source="operator.name", os_user="ana", uid=1001, host="ops-1", pid=4242)
AUTHOR = Author(who=WHO, environment="prod", version="0.1.0", config_digest="sha256:00")


def note(why: str = "looked", *, at: float = NOW, target: str = "fraud-scorer") -> EntryDraft:
    return EntryDraft(kind="note", at=at, target=target, why=why)


def intent(*, at: float = NOW, target: str = "fraud-scorer", op_id: str = "") -> EntryDraft:
    return EntryDraft(
        kind="intent",
        at=at,
        action="trip",
        target=target,
        op_id=op_id or new_ulid(at),
        why="feature-store-eu timeouts",
        confirm_class="C1",
        incident="INC-412",
        before={"state": "CLOSED"},
        wanted="FORCED_OPEN",
        blast={"requests_per_minute": 414, "share_of_fleet": 0.025},
    )


def outcome(op_id: str, *, at: float = NOW, target: str = "fraud-scorer") -> EntryDraft:
    return EntryDraft(
        kind="outcome",
        at=at,
        action="trip",
        target=target,
        op_id=op_id,
        after={"state": "FORCED_OPEN"},
        details={"outcome": "applied"},
    )


def url_of(path: Path) -> str:
    return f"sqlite:///{path}"


def opened(path: Path, **changes: object) -> Journal:
    return open_journal(url_of(path), who=WHO, environment="prod", **changes)  # type: ignore[arg-type]


def head_of(journal: Journal) -> JournalHead:
    head = journal.head()
    assert head is not None
    return head


def gossip() -> EntryDraft:
    """A draft of a kind there is not."""
    return replace(note(), kind="gossip")


def tamper(path: Path, *statements: str) -> None:
    """Change the file as somebody with write access could: with the guards taken away first."""
    base = sqlite3.connect(path, isolation_level=None)
    triggers = base.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
    for name, _ in triggers:
        base.execute(f"DROP TRIGGER {name}")
    for statement in statements:
        base.execute(statement)
    for _, made in triggers:
        base.execute(made)
    base.close()
