"""``midwatch handover``, ``postmortem`` and ``failures`` as somebody types them."""

from __future__ import annotations

import json
import os
import stat
import time
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from console.cli.command_line import CommandError, UsageError
from console.cli.handover_command import edited
from console.cli.main import run as run_here
from console.domain.entry import EntryDraft
from console.journal import new_ulid, open_journal
from tests.journal.records import WHO

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Run

    Say = Callable[..., tuple[int, str, str]]

BEN = replace(WHO, name="ben", os_user="ben", uid=1002)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    become(monkeypatch, WHO)
    return configured(tmp_path, "armed")


def configured(tmp_path: Path, writes: str) -> Path:
    path = tmp_path / f"{writes}.toml"
    path.write_text(
        f'version = 1\nenvironment = "test"\nwrites = "{writes}"\noperator = {{ name = "ana" }}\n'
        f'[journal]\nurl = "sqlite:///{tmp_path / "j" / "journal.db"}"\n[models.toxicity]\n'
    )
    path.chmod(0o600)
    return path


def become(monkeypatch: pytest.MonkeyPatch, who) -> None:
    for place in ("console.journal", "console.journal.opening"):
        monkeypatch.setattr(f"{place}.gather_who", lambda *_: who)


@pytest.fixture
def say(config: Path, capsys: pytest.CaptureFixture[str]) -> Say:
    """Run a command in this process on a journal and no source."""

    def command(*arguments: str) -> tuple[int, str, str]:
        code = run_here(["--config", str(config), *arguments])
        assert isinstance(code, int)
        told = capsys.readouterr()
        return code, told.out, told.err

    return command


def test_it_is_printed_and_not_written_unless_that_is_confirmed(say: Say) -> None:
    code, out, err = say("handover")
    assert code == 0
    assert out.startswith("# Handover of test, ")
    assert "ana (ana@ops-1) hands over to whoever comes next." in out
    assert "**Open incidents:**" in out
    assert "only printed; --yes writes it" in err
    assert say("handover", "--list")[2] == "no handover is on the record\n"


def test_it_is_written_listed_and_accepted_by_another_login(
    say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, text, err = say("handover", "--yes", "--to", "ben", "--since", "8h")
    assert code == 0
    assert "midwatch handover --accept" in err
    (waiting,) = json.loads(say("handover", "--list", "--json")[1])["handovers"]
    assert (waiting["by"], waiting["to"], waiting["accepted_by"]) == ("ana", "ben", None)
    assert waiting["text"] == text
    code, _, err = say("handover", "--accept", "--yes")
    assert code == 7
    assert "ana wrote it; the incoming person accepts it from another login" in err
    become(monkeypatch, BEN)
    code, out, err = say("handover", "--accept", "--dry-run")
    assert (code, out) == (0, "dry run: nothing was written\n")
    assert "# Handover of test" in err
    code, out, _ = say("handover", "--accept", waiting["id"][-6:], "--yes")
    assert (code, out) == (0, f"accepted: the handover of ana ({waiting['id']})\n")
    assert "accepted" in say("handover", "--list")[1]
    code, _, err = say("handover", "--accept", "--yes")
    assert code == 7
    assert "has accepted the last one" in err
    assert "was accepted by ben" in say("handover")[1]
    assert say("journal", "verify")[0] == 0


def test_what_its_author_holds_goes_to_whoever_accepts_it(
    say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    journal = open_journal(
        f"sqlite:///{tmp_path / 'j' / 'journal.db'}", who=WHO, environment="test"
    )
    taken = EntryDraft(
        kind="ack", at=now - 600.0, incident="4b1c9e07", target="inc:4b1c9e07", op_id=new_ulid(now),
        why="looking", details={
            "step": "taken", "ends_at": now + 3000.0, "since": now - 900.0, "title": "fraud-scorer",
            "by": "ana", "severity": "S1", "models": ["fraud-scorer"],
        },
    )  # fmt: skip
    journal.append(taken)
    journal.close()
    code, out, _ = say("handover", "--yes", "--instant")
    assert code == 0
    assert "- **ana** has taken 4b1c9e07" in out
    become(monkeypatch, BEN)
    code, out, err = say("handover", "--accept", "--yes", "--json")
    assert code == 0, err
    (told,) = json.loads(out)["taken_over"]
    assert told.startswith("fraud-scorer: ")
    assert "not taken over" not in told
    assert "- **ben** has taken 4b1c9e07" in say("handover", "--instant")[1]
    assert say("journal", "verify")[0] == 0


def test_json_is_the_document_and_a_file_is_never_replaced(say: Say, tmp_path: Path) -> None:
    target = tmp_path / "out" / "handover.json"
    assert say("handover", "--json", "-o", str(target))[0] == 0
    document = json.loads(target.read_text())
    assert document["schema"] == "midwatch.handover/1"
    assert document["record_known"] is True
    code, _, err = say("handover", "-o", str(target))
    assert code == 1
    assert "--force replaces it" in err
    assert say("handover", "-o", str(target), "--force")[0] == 0
    assert target.read_text().startswith("# Handover")


def test_writes_never_means_never_and_printing_still_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    become(monkeypatch, WHO)
    path = str(configured(tmp_path, "never"))
    assert run_here(["--config", path, "handover"]) == 0
    assert "# Handover" in capsys.readouterr().out
    assert run_here(["--config", path, "handover", "--yes"]) == 8
    assert run_here(["--config", path, "handover", "--accept", "--yes"]) == 8


def test_a_journal_that_cannot_be_used_leaves_a_handover_that_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("no directory")
    path = tmp_path / "c.toml"
    path.write_text(f'version = 1\n[journal]\nurl = "sqlite:///{tmp_path}/file/j.db"\n')
    path.chmod(0o600)
    assert run_here(["--config", str(path), "handover", "--yes"]) == 1
    told = capsys.readouterr()
    assert "# Handover" in told.out
    assert "**In force:** not known." in told.out
    assert "it is not in the journal" in told.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["handover", "--since", "soon"], "--since"),
        (["handover", "--since", "15d"], "in the last 14 days"),
        (["handover", "--edit"], "no terminal to edit on"),
        (["handover", "--edit", "--json"], "choose one"),
        (["handover", "--accept", "--list"], "not allowed with"),
        (["failures", "toxicity", "--since", "1m"], "from 5m to 31d"),
        (["failures", "toxicity", "--until", "2100-01-01"], "lies in the past"),
        (["postmortem"], "required"),
    ],
)
def test_bad_usage_is_64(say: Say, arguments: list[str], said: str) -> None:
    code, out, err = say(*arguments)
    assert (code, out) == (64, "")
    assert said in err


def test_what_nobody_knows_is_said(say: Say) -> None:
    code, _, err = say("postmortem", "nosuch")
    assert code == 1
    assert "no incident nosuch is known" in err
    code, _, err = say("failures", "toxicity")
    assert code == 78
    assert "no source is configured" in err


# The editor


def editor(tmp_path: Path, script: str) -> str:
    path = tmp_path / "my editor"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    return f"'{path}' --flag"


def test_an_editor_is_an_argument_list_and_its_file_is_private(tmp_path: Path) -> None:
    log = tmp_path / "log"
    script = f'stat -c %a "$2" > {log}; echo "$1" >> {log}; echo "more \033[31m" >> "$2"'
    text = edited("# a\n", {"EDITOR": editor(tmp_path, script)}, "handover.md")
    assert text == "# a\nmore ␛[31m\n"
    mode, flag = log.read_text().split()
    assert int(mode, 8) == stat.S_IRUSR | stat.S_IWUSR
    assert flag == "--flag"


def test_no_shell_reads_the_editor_or_the_text(tmp_path: Path) -> None:
    marker = tmp_path / "made"
    text = f"$(touch {marker}) `touch {marker}`"
    environ = {"VISUAL": editor(tmp_path, "true"), "EDITOR": f"touch {marker}"}
    assert edited(text, environ, "h.md") == f"{text}\n"
    with pytest.raises(CommandError):
        edited(text, {"EDITOR": f"nosuch; touch {marker}"}, "h.md")
    assert not marker.exists()


def test_an_emptied_text_and_a_failing_editor_cancel(tmp_path: Path) -> None:
    assert edited("x", {"EDITOR": editor(tmp_path, ': > "$2"')}, "h.md") == ""
    with pytest.raises(CommandError, match="ended with 3; nothing was written"):
        edited("x", {"EDITOR": editor(tmp_path, "exit 3")}, "h.md")
    with pytest.raises(CommandError, match="cannot be used"):
        edited("x", {"EDITOR": str(tmp_path / "absent")}, "h.md")
    for command, said in (("", "no editor is named"), ("'", "cannot be understood")):
        with pytest.raises(UsageError, match=said):
            edited("x", {"EDITOR": command}, "h.md")


def test_an_edited_text_is_what_is_written(
    say: Say, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("console.cli.handover_command.has_terminal", lambda: True)
    monkeypatch.setitem(os.environ, "VISUAL", editor(tmp_path, 'echo "watch the queue" > "$2"'))
    assert say("handover", "--edit", "--yes")[1] == "watch the queue\n"
    (kept,) = json.loads(say("handover", "--list", "--json")[1])["handovers"]
    assert kept["text"] == "watch the queue\n"
    monkeypatch.setitem(os.environ, "VISUAL", editor(tmp_path, ': > "$2"'))
    code, out, err = say("handover", "--edit", "--yes")
    assert (code, out) == (1, "")
    assert "cancelled" in err


# On a running fleet


def test_a_fleet_that_answers_is_told_and_its_past_is_not_invented(
    run: Run, config_of_fleet: str
) -> None:
    done = run("--config", config_of_fleet, "handover", "--instant", "--yes")
    assert done.code == 0, done.err
    assert "of 12 models" in done.out or "12 models, nothing wrong" in done.out
    done = run("--config", config_of_fleet, "failures", "fraud-scorer", "--since", "5m")
    assert done.code == 0, done.err
    assert done.out.startswith("# Failures of fraud-scorer, demo")
    assert "## Not judged" in done.out


@pytest.fixture
def config_of_fleet(fleet, tmp_path: Path) -> str:
    path = tmp_path / "demo.toml"
    path.write_text(fleet.config_toml().replace('refresh = "5s"\n', ""))
    path.chmod(0o600)
    return str(path)
