"""Manual pages in roff from the command table and the commands' own parsers.

``python -m console.cli.manual`` writes ``man/`` and ``completions/``; a test keeps them fresh.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from console.cli.command_line import Parser, add_console, add_shared
from console.cli.command_table import COMMANDS, CONSOLE_EXAMPLES, EXITS
from console.cli.completion_command import SCRIPTS
from console.cli.main import parser_of
from console.domain.version import VERSION

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Sequence

    from console.cli.command_table import Command

FOLDER = Path(__file__).resolve().parents[2] / "man"
COMPLETIONS = FOLDER.parent / "completions"

_ABOUT = """Without a command the console opens on the terminal: latency, confidence, drift and cost
of every model, incidents, and what can be done about them.
With a command the same facts and actions stand at the shell."""
_FILES = (
    (
        "~/.config/midwatch/config.toml",
        "the configuration; MIDWATCH_CONFIG or --config names another",
    ),
    ("~/.local/state/midwatch/journal.db", "the record, where [journal] url names no other place"),
    (
        "~/.local/state/midwatch/last-seen-*",
        "the last known screen of each fleet, painted at a start",
    ),
)
_ENVIRONMENT = (
    ("MIDWATCH_CONFIG", "the configuration file"),
    (
        "MIDWATCH_ENVIRONMENT, MIDWATCH_REFRESH, MIDWATCH_THEME, MIDWATCH_ASCII, MIDWATCH_WRITES",
        "the configuration keys of these names; a flag stands above them",
    ),
    ("MIDWATCH_LAST_SEEN", "0: neither keep nor paint the last known screen"),
    ("NO_COLOR", "draw without colour"),
    ("VISUAL, EDITOR", "the editor of midwatch handover --edit"),
    ("XDG_CONFIG_HOME, XDG_STATE_HOME", "where configuration and record stand"),
)


def scripts() -> dict[str, str]:
    """Return the name of each shell's completion file, as that shell looks for it, and its text."""
    names = {"bash": "midwatch.bash", "zsh": "_midwatch", "fish": "midwatch.fish"}
    return {names[shell]: text for shell, text in SCRIPTS.items()}


def pages() -> dict[str, str]:
    """Return the name of each page's file and its text."""
    made = {"midwatch.1": _overview()}
    for command in COMMANDS.values():
        made[f"midwatch-{command.name}.1"] = _page(command)
    return made


def _overview() -> str:
    own = Parser("midwatch")
    add_console(own)
    add_shared(own)
    body = [
        *_head("midwatch", "the on-call console for models in production"),
        ".SH SYNOPSIS",
        ".B midwatch\n[\\fIflags\\fR]",
        ".br",
        ".B midwatch\n\\fICOMMAND\\fR [\\fIflags\\fR]",
        ".SH DESCRIPTION",
        _ABOUT,
        ".SH COMMANDS",
        *_terms((f"midwatch-{each.name}(1)", each.summary) for each in COMMANDS.values()),
        ".SH OPTIONS",
        *_options(own.actions()),
        ".SH EXIT STATUS",
        *_terms((str(code), text) for code, text in EXITS.items()),
        ".SH ENVIRONMENT",
        *_terms(_ENVIRONMENT),
        ".SH FILES",
        *_terms(_FILES),
        *_examples(CONSOLE_EXAMPLES),
    ]
    return _joined(body)


def _page(command: Command) -> str:
    parser = parser_of(command)
    actions = list(parser.actions())
    flags = [action for action in actions if action.option_strings]
    arguments = [action for action in actions if not action.option_strings]
    usage = re.sub(r"\s+", " ", parser.format_usage()).removeprefix("usage: ").strip()
    head, _, rest = usage.partition(command.name)
    body = [
        *_head(f"midwatch-{command.name}", command.summary),
        ".SH SYNOPSIS",
        f".B {_text(head + command.name)}",
        _text(rest.strip()),
        ".SH DESCRIPTION",
        _text(parser.description or command.summary),
    ]
    if arguments:
        body += [".SH ARGUMENTS", *_options(arguments)]
    body += [".SH OPTIONS", *_options(flags)]
    body += [".SH EXIT STATUS", *_terms((str(code), text) for code, text in command.exits)]
    body += _examples(command.examples)
    body += [".SH SEE ALSO", ".BR midwatch (1)"]
    return _joined(body)


def _head(name: str, summary: str) -> list[str]:
    return [
        f'.TH "{name.upper()}" "1" "" "midwatch {VERSION}" "Midwatch"',
        ".SH NAME",
        f"{_text(name)} \\- {_text(summary)}",
    ]


def _options(actions: Iterable[argparse.Action]) -> list[str]:
    pairs = []
    for action in actions:
        metavar = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
        value = "" if action.nargs == 0 else metavar
        names = ", ".join(action.option_strings)
        pairs.append((f"{names} {value}".strip() if names else metavar, action.help or ""))
    return _terms(pairs)


def _terms(pairs: Iterable[tuple[str, str]]) -> list[str]:
    return [line for term, text in pairs for line in (".TP", f".B {_text(term)}", _text(text))]


def _examples(examples: Sequence[tuple[str, str]]) -> list[str]:
    if not examples:
        return []
    lines = [".SH EXAMPLES"]
    for line, text in examples:
        lines += [".TP", f".B {_text(line)}", _text(text)]
    return lines


def _text(text: str) -> str:
    """Return plain text as roff: no character of it is an instruction."""
    escaped = text.replace("\\", "\\e").replace("-", "\\-").replace("'", "\\(aq")
    return "\n".join(
        f"\\&{line}" if line[:1] in (".", "'") else line for line in escaped.split("\n")
    )


def _joined(lines: Sequence[str]) -> str:
    return "\n".join(line for line in lines if line) + "\n"


def main() -> None:
    """Write every page and completion script, and remove what is no more."""
    for folder, made in ((FOLDER, pages()), (COMPLETIONS, scripts())):
        folder.mkdir(exist_ok=True)
        for old in folder.iterdir():
            if old.name not in made:
                old.unlink()
        for name, text in made.items():
            (folder / name).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
