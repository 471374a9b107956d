"""``midwatch completion bash|zsh|fish``: the shell's script, and the words it asks for at each Tab.

The scripts hold no word of their own: at each Tab they hand the typed words to
``midwatch __complete`` and show what it prints, so a script never lags behind the program.
"""

from __future__ import annotations

import asyncio
import re
import sys
from contextlib import closing
from functools import cache
from typing import TYPE_CHECKING

from console.cli.command_line import (
    Parser,
    UsageError,
    add_console,
    add_shared,
    flags,
    split_shared,
)
from console.cli.command_table import COMMANDS
from console.cli.main import parser_of
from console.domain.text import visible
from console.settings.problems import SettingsError, nearest

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Sequence

    from console.cli.bootstrap import Prepared
    from console.domain.snapshot import Snapshot

    Candidate = tuple[str, str]

SHELLS = ("bash", "zsh", "fish")
LIMIT_SECONDS = 2.0
"""How long one Tab waits for sources and places for alerts."""

FILES = ":files"
"""The line that asks the shell to complete names of files itself."""

_NEWEST = 40
_ALTERNATIVES = re.compile(r"[\w.-]+(\|[\w.-]+)+")
_FILE_NAMES = frozenset({"FILE", "DIR", "PATH"})


def parser() -> Parser:
    """Return the command's own parser."""
    made = Parser("midwatch completion", "Print the script that completes commands in a shell.")
    made.add_argument("shell", metavar="bash|zsh|fish", help="for which shell")
    add_shared(made)
    return made


def run(_shared: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Print the script of one shell."""
    shell = parser().parse_all(arguments).shell
    if shell not in SHELLS:
        close = nearest(shell, SHELLS) or f"there are {', '.join(SHELLS)}"
        raise UsageError(f"there is no script for the shell {visible(shell, 40)}; {close}")
    sys.stdout.write(SCRIPTS[shell])
    return 0


def complete(words: Sequence[str]) -> int:
    """Print a candidate a line (word, tab, description) for the last of ``words``.

    ``words`` are what stands after ``midwatch``, the last one as far as it was typed. What cannot
    be asked gives no candidate: a Tab is no place for an error.
    """
    *before, prefix = words or ("",)
    for word, description in candidates(tuple(before), prefix):
        if word == FILES or word.startswith(prefix):
            text = visible(description, 100).replace("\t", " ")
            sys.stdout.write(f"{visible(word, 200)}\t{text}\n" if text else f"{word}\n")
    return 0


def candidates(before: tuple[str, ...], prefix: str) -> Iterator[Candidate]:
    """Yield what may stand after ``before`` where ``prefix`` was typed."""
    own, name, rest = _split(before)
    if name is None:
        waiting = _waiting_flag(own, before)
        if waiting is not None:
            yield from _values(waiting, before)
        elif prefix.startswith("-"):
            yield from _flags_of(own, before)
        else:
            yield from ((each.name, each.summary) for each in COMMANDS.values())
        return
    made = parser_of(COMMANDS[name])
    waiting = _waiting_flag(made, rest)
    if waiting is not None:
        yield from _values(waiting, before)
    elif prefix.startswith("-"):
        yield from _flags_of(made, rest)
    else:
        yield from _positional(made, rest, before)


def _split(before: tuple[str, ...]) -> tuple[Parser, str | None, list[str]]:
    """Return the parser of the flags before a command, the command, and the words after it."""
    own = Parser("midwatch")
    own.add_argument("--version", action="store_true", help="print the version")
    add_console(own)
    add_shared(own)
    words = list(before)
    while words:
        word = words.pop(0)
        if word in COMMANDS:
            return own, word, words
        action = own.option(word)
        if action is not None and action.nargs != 0 and "=" not in word and words:
            words.pop(0)
    return own, None, []


def _waiting_flag(made: Parser, words: Sequence[str]) -> argparse.Action | None:
    """Return the flag whose value is typed now, None where no value is."""
    if not words or not words[-1].startswith("-") or "=" in words[-1]:
        return None
    action = made.option(words[-1])
    return None if action is None or action.nargs == 0 else action


def _flags_of(made: Parser, words: Sequence[str]) -> Iterator[Candidate]:
    given = {word.partition("=")[0] for word in words}
    for action in made.actions():
        names = action.option_strings
        repeatable = type(action).__name__ == "_AppendAction"
        if names and (repeatable or not given & set(names)):
            yield names[-1], (action.help or "").split(";")[0]


def _positional(made: Parser, words: Sequence[str], before: tuple[str, ...]) -> Iterator[Candidate]:
    """Yield values for the argument that stands at this place, by the words already there."""
    given = []
    pending = False
    for word in words:
        if pending:
            pending = False
        elif word.startswith("-"):
            action = made.option(word)
            pending = action is not None and action.nargs != 0 and "=" not in word
        else:
            given.append(word)
    places = [action for action in made.actions() if not action.option_strings]
    place = len(given)
    if place < len(places):
        yield from _values(places[place], before, tuple(given))
    elif places and places[-1].nargs in ("*", "+"):
        yield from _values(places[-1], before, tuple(given))


def _values(
    action: argparse.Action, before: tuple[str, ...], given: tuple[str, ...] = ()
) -> Iterator[Candidate]:
    """Yield the values of one flag or argument; its metavar says of which kind they are."""
    if action.choices is not None:
        yield from ((str(each), "") for each in action.choices)
        return
    metavar = action.metavar if isinstance(action.metavar, str) else action.dest.upper()
    kinds = metavar.split(" | ")
    for kind in kinds:
        verb, _, of_verb = kind.rpartition(" ")
        if verb:
            # ``show ID``: the word first, then what it is about.
            if not given:
                yield verb, ""
            elif given[0] == verb and len(given) == 1:
                yield from _of_kind(of_verb, before, given)
        elif not given or len(kinds) == 1:
            yield from _of_kind(kind, before, given)


def _of_kind(kind: str, before: tuple[str, ...], given: tuple[str, ...]) -> Iterator[Candidate]:
    if _ALTERNATIVES.fullmatch(kind):
        yield from ((each, "") for each in kind.split("|") if each.islower() or each.isalnum())
    elif kind in _FILE_NAMES:
        yield FILES, ""
    elif kind in FIXED:
        yield from FIXED[kind]()
    elif kind in READ:
        yield from READ[kind](before, given)


# What stands in the program itself


def _signals() -> Iterator[Candidate]:
    from console.domain.signals import SIGNALS

    yield from ((name, fact.title) for name, fact in SIGNALS.items())


def _decisions() -> Iterator[Candidate]:
    from console.domain.decision import DECISION_KINDS

    yield from ((kind, "") for kind in DECISION_KINDS)


def _kinds() -> Iterator[Candidate]:
    from console.domain.entry import ENTRY_KINDS

    yield from ((kind, "") for kind in ENTRY_KINDS)


def _times() -> Iterator[Candidate]:
    from console.settings.schema import SHIFT_END

    yield from ((text, "") for text in ("15m", "1h", "4h", SHIFT_END))


FIXED: dict[str, Callable[[], Iterator[Candidate]]] = {
    "SIGNAL": _signals,
    "DECISION": _decisions,
    "KIND": _kinds,
    "TIME": _times,
    "LEVEL": lambda: iter(tuple((level, "") for level in ("S1", "S2", "S3", "S4"))),
}
"""Kind of value: its words, known without asking anybody."""


# What has to be read: the configuration, the sources, the journal


@cache
def _prepared(before: tuple[str, ...]) -> Prepared | None:
    """Return the settings that the typed words name; None where they are faulty."""
    from console.cli.bootstrap import prepare

    shared, _ = split_shared(before)
    try:
        return prepare(flags(shared), needs_source=False, warns=False)
    except SettingsError:
        return None


@cache
def _snapshot(before: tuple[str, ...]) -> Snapshot | None:
    """Return the fleet after one short look; None where nothing is declared to look at."""
    prepared = _prepared(before)
    return None if prepared is None else asyncio.run(prepared.quick_look(LIMIT_SECONDS))


def _models(before: tuple[str, ...], given: tuple[str, ...]) -> Iterator[Candidate]:
    prepared, snapshot = _prepared(before), _snapshot(before)
    names = set() if prepared is None else set(prepared.loaded.settings.models)
    if snapshot is not None:
        names |= {row.model for row in snapshot.rows}
    yield from ((name, "") for name in sorted(names - set(given)))


def _targets(before: tuple[str, ...], given: tuple[str, ...]) -> Iterator[Candidate]:
    yield from _models(before, given)
    prepared = _prepared(before)
    shared = () if prepared is None else sorted(prepared.loaded.settings.dependencies)
    yield from ((f"dep:{name}", "a shared dependency") for name in shared)


def _incidents(before: tuple[str, ...], _given: tuple[str, ...]) -> Iterator[Candidate]:
    snapshot = _snapshot(before)
    for each in () if snapshot is None else snapshot.incidents:
        yield each.id, f"{each.severity.label} {each.title}"


def _operations(before: tuple[str, ...], _given: tuple[str, ...]) -> Iterator[Candidate]:
    """Yield the newest operations of the journal by their short ids, the newest first."""
    from console.journal import JournalError, Question
    from console.journal.store_base import short_op

    prepared = _prepared(before)
    if prepared is None:
        return
    try:
        with closing(prepared.read_journal()) as journal:
            found = journal.entries(Question(kinds=("intent",), newest=_NEWEST))
    except JournalError:
        return
    for entry in reversed(found):
        yield short_op(entry.op_id), f"{entry.action} {entry.target} by {entry.who.name}"


READ: dict[str, Callable[[tuple[str, ...], tuple[str, ...]], Iterator[Candidate]]] = {
    "MODEL": _models,
    "TARGET": _targets,
    "ID": _incidents,
    "OP": _operations,
}
"""Kind of value: what gives its words; each may wait `LIMIT_SECONDS`."""

SCRIPTS = {
    "bash": r"""# bash completion of midwatch: eval "$(midwatch completion bash)"
_midwatch() {
    local line words word prefix IFS=$' \t\n'
    # Bash splits words at ':' and '='; midwatch wants them as they were typed.
    read -ra words <<< "${COMP_LINE:0:COMP_POINT}"
    [[ "${COMP_LINE:0:COMP_POINT}" == *[[:space:]] ]] && words+=("")
    prefix="${words[-1]}"
    COMPREPLY=()
    while IFS= read -r line; do
        word="${line%%$'\t'*}"
        if [[ "$word" == ":files" ]]; then
            compopt -o default 2>/dev/null
            return
        fi
        [[ "$prefix" == *:* ]] && word="${word#"${prefix%"${prefix##*:}"}"}"
        COMPREPLY+=("$(printf '%q' "$word")")
    done < <("${words[0]/#\~/$HOME}" __complete "${words[@]:1}" 2>/dev/null)
}
complete -F _midwatch midwatch
""",
    "zsh": r"""#compdef midwatch
# zsh completion of midwatch: source <(midwatch completion zsh), or a file _midwatch in $fpath
_midwatch() {
    local line word
    local -a found
    while IFS= read -r line; do
        word="${line%%$'\t'*}"
        if [[ "$word" == ":files" ]]; then
            _files
            return
        fi
        if [[ "$line" == *$'\t'* ]]; then
            found+=("${word//:/\\:}:${line#*$'\t'}")
        else
            found+=("${word//:/\\:}")
        fi
    done < <("${words[1]}" __complete "${(@)words[2,CURRENT]}" 2>/dev/null)
    _describe -V midwatch found
}
if [[ "$funcstack[1]" == "_midwatch" ]]; then
    _midwatch "$@"
else
    compdef _midwatch midwatch
fi
""",
    "fish": r"""# fish completion of midwatch: midwatch completion fish | source
function __midwatch_words
    set -l words (commandline -opc) (commandline -ct)
    for line in ($words[1] __complete $words[2..-1] 2>/dev/null)
        if test "$line" = ":files"
            __fish_complete_path (commandline -ct)
        else
            echo $line
        end
    end
end
complete -c midwatch -f -k -a '(__midwatch_words)'
""",
}
"""Shell: the script that hands the typed words over and shows what comes back."""
