"""``midwatch journal`` as somebody types it."""

from __future__ import annotations

import json
import time
import unicodedata
from pathlib import Path

import pytest

from console.cli.main import run
from console.domain.entry import EntryDraft
from console.journal import Journal, gather_who, open_journal
from tests.journal.records import NOW, head_of, intent, note, opened, outcome, tamper

DAY = 86400.0


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "xdg-state" / "midwatch" / "journal.db"


@pytest.fixture
def journal(path: Path) -> Journal:
    made = opened(path)
    trip = intent(op_id="01KB2TRIP00000000000000000")
    made.append_all([trip, outcome(trip.op_id, at=NOW + 2), note("\x1b[31mall quiet", at=NOW + 60)])
    return made


def test_without_a_journal_nothing_is_made(path: Path, capsys) -> None:
    for verb in ("list", "verify", "export", "prune"):
        code = run(["journal", verb])
        if verb == "prune":
            break
        assert code == 1
        assert "there is no journal at" in capsys.readouterr().err
        assert not path.exists()


def test_init_makes_an_empty_one(path: Path, capsys) -> None:
    assert run(["journal", "init"]) == 0
    assert path.exists()
    assert run(["journal", "verify"]) == 0
    assert "the journal is empty; end not proven" in capsys.readouterr().out


@pytest.mark.usefixtures("journal")
def test_list_shows_one_line_an_entry_with_control_characters_made_visible(capsys) -> None:
    assert run(["journal", "list"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[1].split() == [
        "2", "2026-11-23", "02:47:13Z", "000000", "intent", "trip",
        "fraud-scorer", "C1", "ana@ops-1",
        '"feature-store-eu', 'timeouts"', "INC-412",
    ]  # fmt: skip
    assert "␛[31mall quiet" in lines[3]
    assert "\x1b" not in "".join(lines)


@pytest.mark.usefixtures("journal")
def test_list_filters(capsys) -> None:
    def seqs(*arguments: str) -> list[int]:
        assert run(["journal", "list", "--json", *arguments]) == 0
        document = json.loads(capsys.readouterr().out)
        assert document["schema"] == "midwatch.journal/1"
        return [entry["seq"] for entry in document["entries"]]

    assert seqs() == [1, 2, 3, 4]
    assert seqs("--kind", "intent", "--kind", "note") == [2, 4]
    assert seqs("--since", "2026-11-23T02:48:00Z") == [4]
    assert seqs("--since", "2026-11-23T02:48:00") == [4]
    assert seqs("--op", "01kb2trip00000000000000000") == [2, 3]
    assert seqs("--target", "fraud-scorer", "--limit", "1") == [4]
    assert seqs("--limit", "0", "--incident", "INC-412") == [2]
    assert seqs("--target", "nobody") == []


@pytest.mark.usefixtures("journal")
def test_show_gives_every_field_of_an_entry_or_an_operation(capsys) -> None:
    assert run(["journal", "show", "2"]) == 0
    out = capsys.readouterr().out
    assert "before          " in out
    assert '{"state": "CLOSED"}' in out
    assert "ana (operator.name), account ana on ops-1" in out
    assert "at              2026-11-23T02:47:13.250000Z" in out
    assert run(["journal", "show", "01kb2trip00000000000000000", "--json"]) == 0
    kinds = [entry["kind"] for entry in json.loads(capsys.readouterr().out)["entries"]]
    assert kinds == ["intent", "outcome"]
    assert run(["journal", "show", "99"]) == 1
    assert run(["journal", "show"]) == 64


def test_verify_is_0_then_1_and_names_the_first_bad_entry(
    journal: Journal, path: Path, capsys
) -> None:
    assert run(["journal", "verify"]) == 0
    out = capsys.readouterr().out
    assert "ok: 4 entries, 1 to 4, are one whole chain; end not proven" in out
    tamper(path, "UPDATE midwatch_entry SET body = replace(body, 'CLOSED', 'closed')")
    assert run(["journal", "verify"]) == 1
    out = capsys.readouterr().out
    assert "FAILED: BROKEN at entry 2: its content does not match its hash" in out
    assert "sound up to entry 1" in out
    assert run(["journal", "verify", "--json"]) == 1
    document = json.loads(capsys.readouterr().out)
    assert (document["ok"], document["bad_seq"], document["end"]) == (False, 2, "not proven")
    assert run(["journal", "list"]) == 1
    captured = capsys.readouterr()
    assert "     2  BROKEN: its content does not match its hash" in captured.out
    assert len(captured.out.splitlines()) == 4
    assert "entry 2 of the journal is broken" in captured.err


def test_an_anchor_proves_the_end_and_shows_a_rewrite(
    journal: Journal, path: Path, tmp_path: Path, capsys
) -> None:
    place = str(tmp_path / "anchor")
    assert run(["journal", "anchor", place]) == 0
    assert run(["journal", "verify", "--anchor", place]) == 0
    assert "end proven by the anchor" in capsys.readouterr().out
    assert run(["journal", "verify", "--anchor", str(tmp_path / "absent")]) == 1
    tamper(path, "DELETE FROM midwatch_entry WHERE seq > 2")
    journal.append_all([note("x"), note("y")])
    assert run(["journal", "verify"]) == 0
    assert run(["journal", "verify", "--anchor", place]) == 1
    assert "entry 4: the anchor holds another hash" in capsys.readouterr().out
    tamper(path, "UPDATE midwatch_entry SET body = '{}' WHERE seq = 1")
    assert run(["journal", "anchor", place]) == 1
    assert "nothing was anchored" in capsys.readouterr().err
    assert run(["journal", "anchor"]) == 64


def test_the_configured_anchor_needs_no_flag(
    journal: Journal, path: Path, tmp_path: Path, capsys
) -> None:
    place, config = tmp_path / "witness" / "anchor", tmp_path / "config.toml"
    place.parent.mkdir()
    config.write_text(
        f'version = 1\n[journal]\nurl = "sqlite:///{path}"\nanchor = {{ file = "{place}" }}\n'
    )
    with_config = ["--config", str(config)]
    assert run([*with_config, "journal", "verify"]) == 1, (
        "an anchor that is not there proves nothing"
    )
    assert "cannot be read" in capsys.readouterr().err
    assert run([*with_config, "journal", "anchor"]) == 0
    assert run([*with_config, "journal", "verify"]) == 0
    assert "end proven by the anchor" in capsys.readouterr().out
    tamper(path, "DELETE FROM midwatch_entry WHERE seq > 2")
    assert run([*with_config, "journal", "verify"]) == 1
    assert "its end was cut off" in capsys.readouterr().out
    journal.append_all([note("x"), note("y")])
    assert run([*with_config, "journal", "verify"]) == 1
    assert "entry 4: the anchor holds another hash" in capsys.readouterr().out
    other = str(tmp_path / "other")
    assert run([*with_config, "journal", "anchor", other]) == 0
    assert run([*with_config, "journal", "verify", "--anchor", other]) == 0


def test_an_export_verifies_by_itself(journal: Journal, tmp_path: Path, capfdbinary) -> None:
    assert run(["journal", "export"]) == 0
    printed = capfdbinary.readouterr().out
    file = tmp_path / "export.jsonl"
    assert run(["journal", "export", "-o", str(file)]) == 0
    assert file.read_bytes() == printed == b"".join(journal.export_lines())
    assert file.stat().st_mode & 0o777 == 0o600
    assert run(["journal", "export", "-o", str(file)]) == 1
    assert run(["journal", "verify", "--file", str(file)]) == 0
    file.write_bytes(printed.replace(b"CLOSED", b"closed"))
    assert run(["journal", "verify", "--file", str(file)]) == 1
    capfdbinary.readouterr()
    assert run(["journal", "export", "--since", "2026-11-23T02:47:14Z"]) == 0
    assert len(capfdbinary.readouterr().out.splitlines()) == 2
    assert run(["journal", "export", "--since", "2030-01-01"]) == 0
    assert capfdbinary.readouterr().out == b""
    assert run(["journal", "export", "--kind", "note"]) == 64


def test_prune_archives_by_the_configured_retention(path: Path, tmp_path: Path, capsys) -> None:
    journal = opened(path)
    now = time.time()
    for month in range(3):
        at = now - (300 - month * 140) * DAY
        journal.append(EntryDraft(kind="note", at=at, why="old"))
    archives = tmp_path / "archives"
    assert run(["journal", "prune", "--directory", str(archives)]) == 0
    captured = capsys.readouterr()
    assert "segment 1, entries 1 to 2: archived as journal-" in captured.out
    assert "segment 2 stays: its last entry is younger than 183 days" in captured.out
    assert len(list(archives.iterdir())) == 1
    assert run(["journal", "prune", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["archived"] == []
    assert run(["journal", "verify"]) == 0
    config = tmp_path / "config.toml"
    config.write_text('version = 1\n[journal]\nkeep = "30d"\n')
    assert run(["journal", "prune", "--config", str(config)]) == 0
    assert "at least six months" in capsys.readouterr().err


@pytest.mark.usefixtures("journal")
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["lisst"], 'did you mean "list"'),
        (["list", "--kind", "intnt"], 'did you mean "intent"'),
        (["list", "--since", "yesterday"], "--since yesterday: a duration"),
        (["list", "--limit", "-1"], "--limit is a number"),
        (["list", "--sinse", "1h"], "--since"),
    ],
)
def test_bad_usage_says_what_is_close(arguments: list[str], said: str, capsys) -> None:
    assert run(["journal", *arguments]) == 64
    assert said in capsys.readouterr().err


def test_a_journal_in_a_config_file_and_its_operator_are_used(tmp_path: Path, capsys) -> None:
    config = tmp_path / "config.toml"
    place = tmp_path / "team" / "record.db"
    config.write_text(f'version = 1\n[journal]\nurl = "sqlite:///{place}"\n')
    assert run(["--config", str(config), "journal", "init"]) == 0
    assert str(place) in capsys.readouterr().out
    assert place.exists()


def test_a_heads_hash_is_what_verify_prints(journal: Journal, capsys) -> None:
    assert run(["journal", "verify"]) == 0
    assert head_of(journal).hash in capsys.readouterr().out


def test_json_on_a_terminal_holds_nothing_a_terminal_obeys(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    hostile = "a\x9b2Jb\u202ec\u200bd\x7f"
    path = tmp_path / "hostile" / "journal.db"
    config = tmp_path / "hostile.toml"
    config.write_text(f'version = 1\n[journal]\nurl = "sqlite:///{path}"\n', encoding="utf-8")
    config.chmod(0o600)
    journal = open_journal(f"sqlite:///{path}", who=gather_who("ana", "test", {}))
    journal.append(EntryDraft(kind="note", at=1.7e9, why=hostile, target=hostile))
    journal.close()
    assert run(["journal", "list", "--json", "--config", str(config)]) == 0
    out = capsys.readouterr().out
    assert not [c for c in out if unicodedata.category(c) in ("Cc", "Cf") and c != "\n"]
    assert json.loads(out)["entries"][-1]["target"] == hostile, "the same text for a program"
