"""Everything wrong with a configuration, each with what to do about it; checks of file
permissions.
"""

import os
import stat
from collections.abc import Iterable
from pathlib import Path

from msgspec import Struct

from console.domain.text import visible


def writable_by_others(path: Path) -> str | None:
    """Return a sentence if somebody but root and this user can change ``path``, else None.

    Judged are the file behind every link, its owner, and each directory above it: who can write a
    directory can put another file in its place, unless the sticky bit stands in the way.
    """
    real = path.resolve(strict=True)
    status = real.stat()
    if is_mounted_read_only(real):
        return None
    if status.st_uid not in (0, os.geteuid()):
        return f"{real} belongs to another user (uid {status.st_uid}); own it: chown {os.geteuid()}"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"{real} can be written by others; take that away: chmod go-w {real}"
    for directory in real.parents:
        above = directory.stat()
        if above.st_mode & stat.S_IWOTH and not above.st_mode & stat.S_ISVTX:
            return f"anybody can replace it in {directory}; take that away: chmod o-w {directory}"
        if above.st_uid not in (0, os.geteuid()):
            return f"the directory {directory} belongs to another user (uid {above.st_uid})"
    return None


def is_mounted_read_only(path: Path) -> bool:
    """Tell whether a file lies on a file system that is mounted read-only for this process."""
    return bool(os.statvfs(path).f_flag & os.ST_RDONLY)


def readable_by_others(path: Path) -> str | None:
    """Return a sentence if others can read ``path`` or another user owns it, else None.

    On a mount of its own that nobody in here can write, as a container is given its secrets, the
    mode that counts is that of the world: the owner is root and the group this process's own.
    """
    status = path.stat()
    own_group = status.st_gid in {os.getegid(), *os.getgroups()}
    if own_group and not status.st_mode & stat.S_IRWXO and is_mounted_read_only(path):
        return None
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return f"group or others can read {path}; take that away: chmod 600 {path}"
    if status.st_uid not in (0, os.geteuid()):
        return f"{path} belongs to another user (uid {status.st_uid}); own it: chown {os.geteuid()}"
    return None


SHOWN_CHARACTERS = 80


class Problem(Struct, frozen=True):
    """One fault: where it stands, what was found, what is allowed, the nearest right spelling."""

    file: str
    line: int | None
    key_path: str
    found: str
    allowed: str
    hint: str = ""

    def render(self) -> str:
        """Return the fault as lines of plain text, safe to print on a terminal."""
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        head = f"{place}: {self.key_path}" if self.key_path else place
        lines = [head, f"    found    {self.found}", f"    allowed  {self.allowed}"]
        if self.hint:
            lines.append(f"    hint     {self.hint}")
        return "\n".join(lines)


class SettingsError(Exception):
    """The configuration cannot be used; ``problems`` holds every fault that was found."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__(self.render())

    def render(self) -> str:
        """Return all faults as plain text, one block a fault, ended by a count."""
        count = len(self.problems)
        closing = (
            "1 problem in the configuration."
            if count == 1
            else f"{count} problems in the configuration."
        )
        return "\n".join([*(problem.render() for problem in self.problems), closing])


def show(value: object) -> str:
    """Return a value from a file as one short, harmless piece of text with the name of its type."""
    match value:
        case bool():
            return f"{str(value).lower()} (true/false)"
        case str():
            return f'"{cut(value)}"'
        case int() | float():
            return f"{cut(repr(value))} (a number)"
        case list():
            return f"a list of {len(value)}"
        case dict():
            return "a table"
        case _:
            return f"{cut(str(value))} (a {type(value).__name__})"


def cut(text: str) -> str:
    """Return ``text`` with control characters visible and at most ``SHOWN_CHARACTERS`` long."""
    # Cut first: making 10 MB of rubbish visible only to throw it away would stall the start.
    shortened = text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
    return visible(shortened)


def nearest(word: str, choices: Iterable[str]) -> str:
    """Return ``did you mean "x"?`` for the closest of ``choices``, or nothing if none is close."""
    from difflib import get_close_matches  # only a faulty configuration pays for it

    known = {choice.casefold(): choice for choice in choices}
    close = get_close_matches(word.casefold()[:200], list(known), n=1, cutoff=0.6)
    return f'did you mean "{cut(known[close[0]])}"?' if close else ""


def one_of(choices: Iterable[str]) -> str:
    """Return the choices as a phrase, the first twelve spelled out."""
    listed = [cut(choice) for choice in choices]
    if not listed:
        return "nothing is declared there yet"
    more = f" and {len(listed) - 12} more" if len(listed) > 12 else ""
    return "one of " + ", ".join(listed[:12]) + more
