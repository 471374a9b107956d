"""Help, manual pages and refusals: examples that parse, exit codes, every fault in one refusal."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from console.cli import manual
from console.cli.command_table import COMMANDS, EXITS, Command
from console.cli.main import parser_of, split_command
from console.cli.main import run as run_here
from tests.conftest import require_binary

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Run

EVERY = pytest.mark.parametrize("command", COMMANDS.values(), ids=lambda each: each.name)


@EVERY
def test_every_command_helps_with_examples_and_exit_codes(command: Command) -> None:
    text = parser_of(command).format_help()
    assert command.examples
    for line, purpose in command.examples:
        assert f"  {line}\n      {purpose}\n" in text
    assert "exit codes:\n  0   " in text
    codes = [code for code, _ in command.exits]
    assert codes == sorted(set(codes))
    assert set(codes) <= set(EXITS)
    arguments = parser_of(command).actions()
    assert all(action.help for action in arguments), "an argument without a word of help"


@EVERY
def test_every_example_is_a_command_line_that_parses(command: Command) -> None:
    for line, _ in command.examples:
        words = shlex.split(line.partition(" | ")[0].partition(" > ")[0].removeprefix("eval "))
        if words[0].startswith("$("):
            words = shlex.split(words[0].removeprefix("$(").removesuffix(")"))
        assert words[0] == "midwatch"
        rest = words[1:]
        if rest[0] == "--prometheus":
            rest = rest[2:]
        before, name, after = split_command(rest)
        assert name == command.name
        parser_of(command).parse_all([*before, *after])


def test_the_manual_pages_are_fresh() -> None:
    made = manual.pages()
    kept = {path.name: path.read_text("utf-8") for path in manual.FOLDER.glob("*.1")}
    assert set(kept) == set(made), "run python -m console.cli.manual"
    assert [name for name in made if made[name] != kept[name]] == []
    scripts = {path.name: path.read_text("utf-8") for path in manual.COMPLETIONS.iterdir()}
    assert scripts == manual.scripts(), "run python -m console.cli.manual"


def test_man_reads_every_page_without_a_warning(tmp_path: Path) -> None:
    require_binary("groff")
    for name, text in manual.pages().items():
        page = tmp_path / name
        page.write_text(text, "utf-8")
        done = subprocess.run(
            ["groff", "-Kutf8", "-man", "-ww", "-Tutf8", "-P-cbou", "-rLL=78n", str(page)],
            capture_output=True,
            text=True,
            timeout=30,
        )
        assert (done.returncode, done.stderr) == (0, ""), name
        assert "EXIT STATUS" in done.stdout


def test_man_finds_a_page_by_its_name(tmp_path: Path) -> None:
    require_binary("man")
    folder = tmp_path / "man1"
    shutil.copytree(manual.FOLDER, folder)
    done = subprocess.run(
        ["man", "-M", str(tmp_path), "midwatch"],
        capture_output=True,
        text=True,
        timeout=30,
        env={"PATH": "/usr/bin:/bin", "MANPAGER": "cat", "MANWIDTH": "80", "LANG": "C.UTF-8"},
    )
    assert done.returncode == 0, done.stderr
    assert "midwatch-handover(1)" in done.stdout
    assert "the on-call console for models in production" in done.stdout


def test_flags_of_the_console_may_stand_before_a_command_that_takes_them(run: Run) -> None:
    done = run("--plain", "status")
    assert done.code == 78  # understood; there is nothing to read here
    refused = run("--theme", "dark", "status")
    assert refused.code == 64
    assert "--theme is a flag of the console; midwatch status has none" in refused.err


def test_version_and_help_are_words_too(run: Run) -> None:
    assert run("version").out == run("--version").out
    assert run("help", "trip").out == run("trip", "--help").out
    assert run("help", "tripp").code == 64


def test_one_refusal_names_all_that_is_wrong(run: Run, config: str) -> None:
    done = run(
        "--config", config, "trip", "fraud-scorrer", "--reason", "ab", "--ttl", "soon", "--frob"
    )
    assert done.code == 64
    for sentence in (
        "there is no flag --frob",
        "at least three letters",
        "--ttl soon: ",
        'there is no model fraud-scorrer; did you mean "fraud-scorer"?',
        "try: midwatch trip --help",
    ):
        assert sentence in done.err


@pytest.mark.parametrize(
    ("arguments", "sentences"),
    [
        (["keep", "--every", "3m", "--onec"], ["--every 3m: between", 'did you mean "--once"?']),
        (["drill", "m", "braker", "--hold", "9m"], ["no drill braker", "--hold 9m: at most 4m"]),
        (["plot", "m", "latency_p59", "--range", "x"], ["latency_p", "--range x: "]),
        (["threshold", "m", "1.5", "--ttl", "x"], ["1.5 is no threshold", "--ttl x: ", "say why"]),
    ],
)
def test_faults_of_values_and_flags_are_named_together(
    arguments: list[str], sentences: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_here(arguments) == 64
    told = capsys.readouterr().err
    for sentence in sentences:
        assert sentence in told


def test_a_served_demo_takes_no_server_between(run: Run) -> None:
    done = run("demo", "--serve", "--real-prometheus")
    assert done.code == 64
    assert "leave one out" in done.err
