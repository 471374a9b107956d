"""check: what it says of controls and of the journal."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from console.journal import open_journal
from tests.conftest import free_port
from tests.journal.records import WHO, note, tamper

if TYPE_CHECKING:
    from tests.cli.conftest import Done, Run


def _lines(done: Done, start: str) -> list[str]:
    return [line for line in done.out.splitlines() if start in line]


def _config(tmp_path: Path, journal: str, more: str = "") -> str:
    path = tmp_path / "config.toml"
    path.write_text(f'version = 1\n[journal]\nurl = "{journal}"\n{more}')
    path.chmod(0o600)
    return str(path)


def test_each_control_of_the_demo_is_read_and_nothing_is_written(run: Run, config: str) -> None:
    done = run("--config", config, "check")
    controls = _lines(done, " control ")
    assert controls, done.out
    assert all(line.startswith("ok     control ") for line in controls), controls
    assert all("existence read: " in line for line in controls)
    assert "only reads" not in done.out


def test_a_control_that_does_not_answer_says_what_to_look_at(run: Run, tmp_path: Path) -> None:
    control = (
        '[controls.gone]\ndriver = "http"\npreset = "midwatch"\nkind = "breaker"\n'
        f'targets = ["http://127.0.0.1:{free_port()}"]\nvars = {{ model = "m" }}\n'
    )
    done = run("check", "--config", _config(tmp_path, f"sqlite:///{tmp_path}/j.db", control))
    assert done.code == 1
    (line,) = _lines(done, " control ")
    assert line.startswith("FAILED control gone: ")
    assert "look at targets" in line


def test_a_journal_not_written_yet_is_well_and_is_not_made(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "state" / "journal.db"
    done = run("check", "--config", _config(tmp_path, f"sqlite:///{path}"))
    assert done.code == 0, done.out
    (line,) = _lines(done, " journal ")
    assert line.startswith("ok ")
    assert "not written yet" in line
    assert not path.exists()


def test_the_end_of_a_journal_is_verified(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "journal.db"
    journal = open_journal(f"sqlite:///{path}", who=WHO)
    journal.append(note("looked"))
    journal.close()
    config = _config(tmp_path, f"sqlite:///{path}")
    done = run("check", "--offline", "--config", config)
    (line,) = _lines(done, " journal ")
    assert "its end, entry 2 (note), is what was hashed" in line
    tamper(path, "UPDATE midwatch_entry SET body = replace(body, 'looked', 'did it') WHERE seq = 2")
    broken = run("check", "--offline", "--config", config)
    assert broken.code == 1
    (line,) = _lines(broken, " journal ")
    assert line.startswith("FAILED journal")
    assert "entry 2 of the journal is broken" in line


@pytest.mark.parametrize("content", ["no database " * 100])
def test_a_file_that_is_no_journal_fails(run: Run, tmp_path: Path, content: str) -> None:
    path = tmp_path / "journal.db"
    path.write_text(content)
    done = run("check", "--offline", "--config", _config(tmp_path, f"sqlite:///{path}"))
    assert done.code == 1
    (line,) = _lines(done, " journal ")
    assert "no journal" in line
