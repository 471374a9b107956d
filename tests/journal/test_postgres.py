"""The journal of a team in a real PostgreSQL."""

from __future__ import annotations

import itertools
import re
import secrets
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.cli.main import run
from console.domain.entry import EntryDraft
from console.journal import (
    Journal,
    JournalBusyError,
    JournalError,
    JournalUncertainError,
    Question,
    open_journal,
)
from console.journal.postgres import LOCK, PostgresStore
from console.settings.secret_references import SecretValue
from tests.journal.postgres_server import OWNER, PostgresServer, postgres_server
from tests.journal.records import NOW, WHO, gossip, head_of, intent, note, outcome
from tests.journal.writers import Writer, acknowledged, run_together

DOCS = Path(__file__).parents[2] / "docs" / "journal.md"
_numbers = itertools.count()


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with postgres_server() as running:
        yield running


@pytest.fixture
def database() -> str:
    return f"team_{next(_numbers)}"


@pytest.fixture
def url(server: PostgresServer, database: str) -> str:
    return server.new_database(database)


def opened(url: str, **changes: object) -> Journal:
    return open_journal(url, who=WHO, environment="prod", **changes)  # type: ignore[arg-type]


def test_entries_stand_for_every_console_and_carry_the_servers_clock(url: str) -> None:
    first, second = opened(url), opened(url)
    op_id = "01KB2"
    one, two = first.append_all([intent(op_id=op_id), outcome(op_id)])
    assert second.entries(Question(op_id=op_id)) == (one, two)
    assert one.store_at == pytest.approx(time.time(), abs=30)
    assert first.shared
    assert second.unsettled() == ()
    assert [entry.why for entry in second.entries(Question(newest=1))] == [""]
    assert second.verify([head_of(first)]).end == "proven"
    assert first.segments()[0].head_hash == two.hash


def test_eight_processes_make_one_chain_and_nothing_they_were_told_is_missing(url: str) -> None:
    told = run_together(url, writers=8, count=25)
    journal = opened(url)
    judged = journal.verify()
    assert judged.ok, judged.sentence
    assert judged.entries == 8 * 25 + 1
    kept = {(entry.seq, entry.hash) for entry in journal.entries()}
    for lines in told:
        assert len(acknowledged(lines)) == 25
        assert set(acknowledged(lines)) <= kept


def test_of_two_operators_on_one_target_one_is_told_of_the_other(url: str) -> None:
    seen = opened(url).append(note()).seq
    writers = [Writer(url, 1, name, "untouched", str(seen)) for name in ("ana", "ben")]
    for writer in writers:
        writer.wait_ready()
    for writer in writers:
        writer.go()
    said = sorted(writer.lines()[0].split(" ")[0] for writer in writers)
    assert said[1] == "touched"
    assert said[0].isdigit()


def test_killed_while_appending_every_entry_that_was_told_is_there(url: str) -> None:
    writer = Writer(url, 100_000, "k")
    writer.wait_ready()
    writer.go()
    time.sleep(0.4)
    writer.process.send_signal(signal.SIGKILL)
    told = acknowledged(writer.lines())
    assert told
    journal = opened(url)
    kept = {(entry.seq, entry.hash) for entry in journal.entries()}
    assert set(told) <= kept
    assert journal.verify().ok


def test_nothing_half_written_stays_after_a_refused_draft(url: str) -> None:
    journal = opened(url)
    with pytest.raises(JournalError, match="no entry of kind"):
        journal.append_all([note(), gossip()])
    assert journal.head() is None
    assert journal.append(note("nul \0 and half \ud800")).why == "nul ␀ and half \\ud800"


def test_entries_are_guarded_against_owners_in_a_hurry(
    server: PostgresServer, database: str, url: str
) -> None:
    import psycopg

    journal = opened(url)
    journal.append_all([note("a"), note("b")])
    for statement in (
        "UPDATE midwatch_entry SET kind = 'note'",
        "DELETE FROM midwatch_entry WHERE seq = 2",
        "TRUNCATE midwatch_entry",
        "TRUNCATE midwatch_archived",
    ):
        with pytest.raises(psycopg.errors.RaiseException):
            server.run(database, statement)
    assert journal.verify().entries == 3


def test_an_edited_a_swapped_and_a_rewritten_entry_are_named(
    server: PostgresServer, database: str, url: str
) -> None:
    journal = opened(url)
    journal.append_all([note("ana did it"), note("b"), note("c")])
    anchor = head_of(journal)
    edits = {
        2: "UPDATE midwatch_entry SET body = replace(body, 'ana did', 'ben did') WHERE seq = 2",
        3: "UPDATE midwatch_entry SET seq = CASE seq WHEN 3 THEN 40 ELSE 3 END WHERE seq > 2",
    }
    backup = "CREATE TABLE backup AS SELECT * FROM midwatch_entry"
    server.run(database, "ALTER TABLE midwatch_entry DISABLE TRIGGER USER", backup)
    for bad_seq, statement in edits.items():
        server.run(database, statement)
        assert journal.verify().bad_seq == bad_seq
        server.run(
            database,
            "DELETE FROM midwatch_entry",
            "INSERT INTO midwatch_entry SELECT * FROM backup",
        )
    assert "guard the journal are gone" in journal.verify().sentence
    server.run(
        database,
        "DELETE FROM midwatch_entry WHERE seq > 2",
        "ALTER TABLE midwatch_entry ENABLE TRIGGER USER",
    )
    journal.append_all([note("b!"), note("c!")])
    assert journal.verify().ok
    assert journal.verify([anchor]).bad_seq == 4


def test_a_server_that_restarts_is_found_again_without_a_word(
    server: PostgresServer, url: str
) -> None:
    journal = opened(url)
    journal.append(note())
    server.stop()
    with pytest.raises(JournalError, match=r"cannot be reached|shutting down") as told:
        journal.append(note())
    assert "nothing was written" in told.value.sentence
    server.start()
    assert journal.append(note()).seq == 3
    assert journal.verify().ok


class _Vanishing:
    """A connection whose server goes away right before or right after it commits."""

    def __init__(self, base, server: PostgresServer, *, after: bool) -> None:
        self._base, self._server, self._after = base, server, after

    def __getattr__(self, name: str) -> object:
        return getattr(self._base, name)

    def execute(self, statement: str, values: object = ()) -> object:
        if statement == "COMMIT":
            if self._after:
                self._base.execute(statement)
            pid = self._base.info.backend_pid
            self._server.run("postgres", f"SELECT pg_terminate_backend({pid})")
        return self._base.execute(statement, values)


@pytest.mark.parametrize("after", [True, False])
def test_a_connection_lost_while_committing_is_settled_by_asking(
    server: PostgresServer, url: str, after: bool
) -> None:
    store = PostgresStore(url)
    from console.journal.journal import _Composer
    from tests.journal.records import AUTHOR

    composer = _Composer([note()], AUTHOR, str, 1e9)
    store._base = _Vanishing(store._base, server, after=after)  # type: ignore[assignment]
    if after:
        store.write(composer, ())
        assert [row.hash for row in store.rows(Question(), 9)] == [r.hash for r in composer.rows]
    else:
        with pytest.raises(JournalError, match="nothing was written"):
            store.write(composer, ())
        assert store.last() is None
    store.close()


def test_where_the_server_stays_away_after_the_commit_the_doubt_is_said(
    server: PostgresServer, url: str
) -> None:
    store = PostgresStore(url)
    from console.journal.journal import _Composer
    from tests.journal.records import AUTHOR

    class Gone(_Vanishing):
        def execute(self, statement: str, values: object = ()) -> object:
            if statement == "COMMIT":
                self._base.execute(statement)
                self._server.stop()
            return self._base.execute(statement, values)

    store._base = Gone(store._base, server, after=True)  # type: ignore[assignment]
    try:
        with pytest.raises(JournalUncertainError, match="whether the entry stands is not known"):
            store.write(_Composer([note()], AUTHOR, str, 1e9), ())
    finally:
        server.start()
    assert opened(url).verify().entries == 2


def test_a_chain_held_by_somebody_else_is_told_after_the_wait(url: str) -> None:
    import psycopg

    opened(url).append(note())
    journal = opened(url, wait_seconds=0.3)
    with psycopg.connect(url) as holder:
        holder.execute(LOCK)
        with pytest.raises(JournalBusyError, match=r"held by somebody else for more than 0\.3 s"):
            journal.append(note())
    assert journal.append(note()).seq == 3


def test_two_consoles_that_start_on_an_empty_database_make_one_journal(url: str) -> None:
    made: list[Journal | Exception] = []

    def start() -> None:
        try:
            made.append(opened(url))
        except JournalError as fault:
            made.append(fault)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    journals = [each for each in made if not isinstance(each, Exception)]
    assert len(journals) == 4, made
    for journal in journals:
        journal.append(note())
    assert journals[0].verify().entries == 5


def _role_script(database: str, role: str) -> list[str]:
    """Return the statements of the script in the docs, for another database and role."""
    script = re.search(r"```sql\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert script is not None
    lines = [line.partition("--")[0] for line in script[1].splitlines()]
    text = (
        " ".join(lines)
        .replace("midwatch_writer", role)
        .replace("TABASE midwatch", f"TABASE {database}")
    )
    return [statement for statement in text.split(";") if statement.strip()]


def test_the_role_of_the_docs_may_write_and_nothing_more(
    server: PostgresServer, database: str, url: str
) -> None:
    import psycopg

    role = f"writer_{database}"
    opened(url).close()
    server.run(database, *_role_script(database, role))
    server.run(database, f"ALTER ROLE {role} PASSWORD 'open sesame'")
    plain = server.url(database, user=role)
    journal = opened(plain, password=SecretValue("open sesame"))
    entry = journal.append(intent())
    assert journal.verify().ok
    assert journal.take_lease("keeper", "ops-1", 30, NOW).holder == "ops-1"
    journal.drop_lease("keeper", "ops-1")
    with psycopg.connect(plain, password="open sesame", autocommit=True) as base:
        for statement in (
            "UPDATE midwatch_entry SET kind = 'note'",
            "DELETE FROM midwatch_entry",
            "TRUNCATE midwatch_entry",
            "ALTER TABLE midwatch_entry DISABLE TRIGGER ALL",
            "DROP TABLE midwatch_entry",
            "INSERT INTO midwatch_archived VALUES (1, 1, 1, '', '', '', '', '')",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                base.execute(statement)
    assert journal.entry(entry.seq) == entry


def test_a_wrong_password_is_told_and_never_shown(server: PostgresServer, url: str) -> None:
    server.run("postgres", "CREATE ROLE stranger LOGIN PASSWORD 'right'")
    with pytest.raises(JournalError, match="the password is refused") as told:
        opened(server.url("postgres", user="stranger"), password=SecretValue("s3cr3t-wrong"))
    assert "s3cr3t-wrong" not in str(told.value)
    assert "s3cr3t-wrong" not in repr(told.value.__cause__)


def test_a_role_that_may_make_no_tables_is_told_what_to_do(
    server: PostgresServer, database: str, url: str
) -> None:
    server.run("postgres", "CREATE ROLE guest LOGIN PASSWORD 'guest'")
    with pytest.raises(JournalError, match=r"docs/journal\.md"):
        opened(server.url(database, user="guest"), password=SecretValue("guest"))


def test_reading_makes_no_tables(url: str) -> None:
    with pytest.raises(JournalError, match="there is no journal at"):
        opened(url, read_only=True)
    assert opened(url).head() is None


def test_a_newer_format_and_a_strangers_table_are_left_alone(
    server: PostgresServer, database: str, url: str
) -> None:
    opened(url).close()
    server.run(database, "UPDATE midwatch_format SET version = 7")
    with pytest.raises(JournalError, match="has format 7"):
        opened(url)
    other = server.new_database(f"{database}_other")
    server.run(f"{database}_other", "CREATE TABLE midwatch_entry (song text)")
    with pytest.raises(JournalError, match="that is no journal"):
        opened(other)


def test_a_server_that_is_not_there_is_told_without_the_user(server: PostgresServer) -> None:
    with pytest.raises(JournalError, match="cannot be reached") as told:
        opened("postgresql://ana@127.0.0.1:1/midwatch")
    assert told.value.sentence.startswith("the journal postgresql://127.0.0.1:1/midwatch: ")


def test_a_lease_ends_by_the_servers_clock_whatever_a_host_believes(url: str) -> None:
    first, second = opened(url), opened(url)
    mine = first.take_lease("keeper", "ops-1", 30, now=0.0)
    assert mine.expires_at == pytest.approx(time.time() + 30, abs=20)
    assert second.take_lease("keeper", "ops-2", 30, now=9e9).holder == "ops-1"
    looked = second.lease("keeper", now=1000.0)  # told on the clock of whoever asks
    assert looked is not None
    assert looked.holder == "ops-1"
    assert 1020.0 < looked.expires_at <= 1030.0
    assert second.lease("nobody's", now=0.0) is None
    first.drop_lease("keeper", "ops-1")
    assert second.take_lease("keeper", "ops-2", 30, now=0.0).fence == 2


def test_old_segments_go_to_a_file_and_the_chain_goes_on(url: str, tmp_path: Path) -> None:
    journal = opened(url, segment_seconds=86400.0)
    for day in range(3):
        journal.append(EntryDraft(kind="note", at=NOW + day * 2 * 86400, why=str(day)))
    done = journal.prune(NOW + 300 * 86400, directory=tmp_path)
    assert [segment.number for segment in done.archived] == [1, 2]
    judged = journal.verify()
    assert judged.ok, judged.sentence
    assert judged.first_seq == 5
    # The notes about archives, a year later, open a segment of their own.
    assert [segment.archive is None for segment in journal.segments()] == [False, False, True, True]


def _fill(journal: Journal) -> None:
    for _ in range(400):
        # Text that does not compress, or the server would find room for it.
        journal.append(note(secrets.token_hex(60_000)))


def test_a_full_disk_of_the_server_is_told_and_nothing_is_half_written(
    server: PostgresServer, database: str
) -> None:
    place = server.directory / f"small_{database}"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=20m", "none", str(place)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode != 0:
        pytest.skip("mounting a small file system needs root")
    try:
        shutil.chown(place, *server.account)
        place.chmod(0o700)
        server.run("postgres", f"CREATE TABLESPACE {database} LOCATION '{place}'")
        making = f"CREATE DATABASE {database} OWNER {OWNER} TABLESPACE {database}"
        server.run("postgres", making)
        journal = opened(server.url(database))
        with pytest.raises(JournalError, match="disk is full; nothing was written"):
            _fill(journal)
        judged = journal.verify()
        assert (judged.ok, judged.entries) == (True, head_of(journal).seq)
        assert judged.entries > 10
        journal.close()
        server.run("postgres", f"DROP DATABASE {database} WITH (FORCE)")
        server.run("postgres", f"DROP TABLESPACE {database}")
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def test_the_shell_uses_the_declared_database_and_its_secret(
    server: PostgresServer, database: str, url: str, tmp_path: Path, monkeypatch, capsys
) -> None:
    role = f"shell_{database}"
    server.run("postgres", f"CREATE ROLE {role} LOGIN PASSWORD 'open sesame'")
    server.run(database, f"GRANT CREATE ON SCHEMA public TO {role}")
    config = tmp_path / "config.toml"
    config.write_text(
        f'version = 1\n[journal]\nurl = "{server.url(database, user=role)}"\n'
        'secret = "env:JOURNAL_PASSWORD"\n'
    )
    assert run(["journal", "init", "--config", str(config)]) == 1
    assert "JOURNAL_PASSWORD is not set" in capsys.readouterr().err
    monkeypatch.setenv("JOURNAL_PASSWORD", "open sesame")
    assert run(["journal", "init", "--config", str(config)]) == 0
    place = f"postgresql://127.0.0.1:{server.port}/{database}"
    assert capsys.readouterr().out == f"the journal {place} is ready\n"
    assert run(["journal", "verify", "--config", str(config)]) == 0
