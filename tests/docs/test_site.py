"""The site builds without a warning, and what the pages tell people to type is understood."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from console.cli.command_line import split_shared
from console.cli.command_table import COMMANDS, EXITS
from console.cli.main import parser_of, split_command
from console.settings.load import Flags, load

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(ROOT.glob("docs/*.md"))
TEXTS = [*PAGES, ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"]
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def commands_of(path: Path) -> list[str]:
    """Return every ``midwatch …`` line of the page's shell blocks, comments taken off."""
    found = []
    for language, body in _FENCE.findall(path.read_text("utf-8")):
        if language not in ("sh", "bash", "console"):
            continue
        for line in whole_lines(body):
            for part in re.split(r" && | \| ", line):
                command = part.strip().removeprefix('eval "$(').removesuffix(')"')
                if command.startswith("midwatch"):
                    found.append(command)
    return found


def whole_lines(body: str) -> list[str]:
    """Return the lines of a block; one that a backslash or an open quote continues is one line."""
    made: list[str] = []
    for line in body.replace("\\\n", " ").splitlines():
        if made and made[-1].count('"') % 2:
            made[-1] += f" {line.strip()}"
        else:
            made.append(line)
    return made


def part_of(text: str, heading: str) -> str:
    """Return what stands under a heading, up to the next of the same or a higher level."""
    level = len(heading.split(" ")[0])
    _, _, rest = text.partition(f"{heading}\n")
    assert rest, heading
    return re.split(rf"^#{{1,{level}}} ", rest, maxsplit=1, flags=re.MULTILINE)[0]


def anchors_of(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", path.read_text("utf-8"), flags=re.MULTILINE)
    plain = (re.sub(r"[`*]|\[([^\]]*)\]\([^)]*\)", r"\1", each) for each in headings)
    return {re.sub(r"[^\w\- ]", "", each.lower()).strip().replace(" ", "-") for each in plain}


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="the extra `docs` is not installed")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(tmp_path / "site")],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    built = {path.name for path in (tmp_path / "site").glob("*.html")}
    assert built >= {path.with_suffix(".html").name for path in PAGES}
    text = "".join(path.read_text("utf-8") for path in (tmp_path / "site").glob("*.html"))
    # Links may lead outside; what a page needs to be read may not.
    assert re.findall(r'src="https?://|<link[^>]+href="https?://', text) == []


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_every_link_has_a_target_and_an_anchor(path: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", path.read_text("utf-8")):
        if target.startswith(("http://", "https://", "mailto:")):
            continue
        name, _, anchor = target.partition("#")
        file = path if not name else (path.parent / name).resolve()
        assert file.exists(), target
        if path.parent.name == "docs":
            assert file.is_relative_to(ROOT / "docs"), f"{target} is not on the site"
        if anchor and file.suffix == ".md":
            assert anchor in anchors_of(file), target


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_every_command_on_a_page_is_understood(path: Path) -> None:
    for line in commands_of(path):
        words = shlex.split(line, comments=True)
        words = words[
            : min((words.index(each) for each in (">", "<") if each in words), default=99)
        ]
        while words and "=" in words[0] and not words[0].startswith("-"):
            words.pop(0)
        _, rest = split_shared(words[1:])
        before, name, after = split_command(rest)
        if name is None or name in ("help", "version"):
            continue
        assert name in COMMANDS, line
        parser_of(COMMANDS[name]).parse_all([*before, *after])


def test_the_page_of_commands_has_every_command_and_exit_code() -> None:
    text = (ROOT / "docs" / "cli.md").read_text("utf-8")
    quoted = " ".join(re.findall(r"`([^`]+)`", text))
    assert [name for name in COMMANDS if not re.search(rf"\b{re.escape(name)}\b", quoted)] == []
    codes = {
        int(code) for row in re.findall(r"^\| ([\d, ]+) \|", text, re.M) for code in row.split(",")
    }
    assert set(EXITS) <= codes


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_every_whole_configuration_on_a_page_loads(path: Path, tmp_path: Path) -> None:
    for number, (language, body) in enumerate(_FENCE.findall(path.read_text("utf-8"))):
        if language != "toml" or not body.startswith("version = 1"):
            continue
        file = tmp_path / f"{number}.toml"
        file.write_text(body)
        file.chmod(0o600)
        load(Flags(config=file), {"HOME": str(tmp_path)})
