"""Usage errors, versions, help, and how the console refuses to open without a terminal."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from console.cli import main as entry
from console.cli.command_line import flags, split_shared
from console.domain.version import VERSION

if TYPE_CHECKING:
    from tests.cli.conftest import Run

PROJECT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("arguments", "close"),
    [
        (["stauts"], 'did you mean "status"?'),
        (["status", "--jsn"], 'did you mean "--json"?'),
        (["status", "--json", "--plain"], "not allowed with"),
        (["frobnicate"], "commands: status, check"),
        (["--thme", "dark"], 'did you mean "--theme"?'),
        (["plot", "m", "latency_p59"], 'did you mean "latency_p'),
        (["plot", "m", "latency_p95", "--range", "soon"], "--range soon: "),
        (["plot", "m"], "SIGNAL"),
        (["secret", "sett"], 'did you mean "set"?'),
        (["init"], "--prometheus URL"),
        (["demo", "--plain", "--config", "x"], "brings its own configuration"),
        (["demo", "--plain", "--scenario", "sturm"], "story"),
        (["demo", "--plain", "--models", "-3"], "models"),
        (["--config"], "expected one argument"),
    ],
)
def test_bad_usage_exits_64_and_says_what_is_close(
    arguments: list[str], close: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert entry.run(arguments) == 64
    told = capsys.readouterr()
    assert told.out == ""
    assert close in told.err


def test_flags_of_every_command_may_stand_before_or_after_its_name() -> None:
    wanted = (("http://a", "http://b"), ("http://c",))
    for arguments in (
        ["--prometheus", "http://a", "status", "--prometheus=http://b", "--scrape", "http://c"],
        ["status", "--prometheus", "http://a", "--prometheus", "http://b", "--scrape=http://c"],
    ):
        shared, rest = split_shared(arguments)
        found = flags(shared)
        assert (found.prometheus, found.scrape) == wanted
        assert rest == ["status"]


def test_the_version_is_the_packagings_and_quick(run: Run) -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    assert "version" in project["project"]["dynamic"]
    source = (PROJECT / project["tool"]["hatch"]["version"]["path"]).read_text()
    assert re.findall(project["tool"]["hatch"]["version"]["pattern"], source) == [VERSION]
    done = run("--version")
    assert (done.code, done.out) == (0, f"midwatch {VERSION}\n")


def test_the_version_imports_next_to_nothing() -> None:
    program = (
        "import sys; before = set(sys.modules); sys.argv = ['midwatch', '--version'];"
        "from console.launch import main; main();"
        "print(sorted(set(sys.modules) - before), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    loaded = done.stderr
    for heavy in ("argparse", "msgspec", "numpy", "textual", "asyncio"):
        assert f"'{heavy}'" not in loaded


def test_help_names_the_commands_that_exist(run: Run) -> None:
    done = run("--help")
    assert done.code == 0
    for command in ("status", "check", "init", "demo", "plot", "secret"):
        assert f"  {command}" in done.out
    assert "  handover" in done.out
    assert "  readiness" in done.out
    assert run("status", "--help").out.startswith("usage: midwatch status")


def test_the_console_without_a_terminal_is_a_sentence(run: Run) -> None:
    done = run("--prometheus", "http://127.0.0.1:1")
    assert done.code == 64
    assert "midwatch status" in done.err
    assert run("demo").code == 64


def test_nothing_to_read_says_how_to_begin(run: Run) -> None:
    done = run("status")
    assert done.code == 78
    assert "midwatch demo" in done.err


def test_a_faulty_configuration_lists_every_fault(run: Run, tmp_path: Path) -> None:
    config = tmp_path / "bad.toml"
    config.write_text('version = 1\nrefresh = "soon"\nwritse = "never"\n')
    config.chmod(0o600)
    for command in (["status"], ["check"], ["--plain"]):
        done = run("--config", str(config), *command, MIDWATCH_REFRESH="")
        assert done.code == 78
        assert "refresh" in done.err
        assert "writes" in done.err
        assert done.out == ""


def test_a_reader_that_leaves_is_no_fault(config: str) -> None:
    done = subprocess.run(
        f"{sys.executable} -m console --config {config} status --watch --plain | head -n 1",
        shell=True,
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, "MIDWATCH_REFRESH": "1s"},
    )
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""


def test_an_interrupt_ends_a_watch_with_130(config: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "console", "--config", config, "--plain"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "MIDWATCH_REFRESH": "1s"},
    )
    assert process.stdout is not None
    assert "sources 1 of 1" in process.stdout.readline()
    time.sleep(0.2)
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=10)
    assert process.returncode == 130
    assert told == ""


def test_a_watch_reads_its_configuration_again_on_sigusr1(config: str) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "console", "--config", config, "--plain"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "MIDWATCH_REFRESH": "1s"},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    assert " demo, " in process.stdout.readline()
    path = Path(config)
    whole = path.read_text()
    path.write_text(f"{whole}\nnonsense = 1\n")
    process.send_signal(signal.SIGUSR1)
    assert "the old one stays" in process.stderr.readline()
    path.write_text(whole.replace('environment = "demo"', 'environment = "renamed"'))
    process.send_signal(signal.SIGUSR1)
    give_up_at = time.monotonic() + 20
    while " renamed, " not in process.stdout.readline():
        assert time.monotonic() < give_up_at
    process.terminate()
    process.communicate(timeout=10)
    assert process.returncode == 143


def test_an_inner_fault_is_a_sentence_and_a_log(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("broken \x1b[2J inside")

    monkeypatch.setattr("console.cli.main._dispatch", fail)
    assert entry.run(["status"]) == 70
    told = capsys.readouterr().err
    assert "\x1b" not in told
    assert "--log FILE" in told


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("arguments", [["--version"], ["help"], ["check", "--offline"]])
def test_a_full_disk_is_said_in_one_line(arguments: list[str], tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "console", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=30,
            check=False,
            env={**os.environ, "HOME": str(tmp_path)},
        )
    assert done.returncode == 74
    assert done.stderr.count("\n") == 1
    assert "cannot be written: no space left on device" in done.stderr.lower()


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_watching_ends_when_nothing_more_can_be_written(config: str, tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "console", "--config", config, "status", "--watch"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=30,
            check=False,
            env={**os.environ, "HOME": str(tmp_path), "MIDWATCH_REFRESH": "1s"},
        )
    assert done.returncode == 74
    assert "no space left on device" in done.stderr


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_no_encoding_of_a_terminal_ends_a_command(run: Run, config: str, encoding: str) -> None:
    done = run("--config", config, "status", "--instant", PYTHONIOENCODING=encoding, LC_ALL="C")
    assert "fraud-scorer" in done.out
    close = run("secret", "test", "nonsense→", PYTHONIOENCODING=encoding, LC_ALL="C")
    assert close.code != 70


@pytest.mark.parametrize(
    ("address", "said"),
    [("127.0.0.1:9100/metrics", 'did you mean "http://127.0.0.1:9100/metrics"?')],
)
def test_an_address_without_a_scheme_is_no_url(run: Run, address: str, said: str) -> None:
    done = run("lint-metrics", address)
    assert done.code == 64
    assert said in done.err
