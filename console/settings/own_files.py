"""Reads files of the operator's under one safety rule: configuration, own profiles, own presets.

A file that somebody else can change is refused, whatever it is for: a profile decides what is
believed of a model, a preset what is sent.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from console.domain.text import visible
from console.settings.problems import Problem, SettingsError, writable_by_others

if TYPE_CHECKING:
    from collections.abc import Sequence

LARGEST_FILE_BYTES = 4 * 1024 * 1024
FILE_PREFIX = "file:"
ENDING = ".toml"
BUILT_IN = Path(__file__).parent.parent / "metrics" / "profiles"


class OwnFile(Struct, frozen=True):
    """One profile of the operator's: its name, its path, its text."""

    name: str
    path: str
    text: str


def read_file(path: Path) -> str:
    """Return a file's text; raises `SettingsError` where it is unsafe, too large or no text."""
    try:
        complaint = writable_by_others(path)
        if not path.is_file():
            raise file_fault(path, "something that is not a file", "a regular file")
        raw = path.read_bytes() if path.stat().st_size <= LARGEST_FILE_BYTES else None
    except OSError as error:
        reason = visible(error.strerror or str(error))
        raise file_fault(
            path, f"a file that cannot be read: {reason}", "a readable file"
        ) from error
    if complaint is not None:
        raise file_fault(path, complaint, "a file that only you or root can write")
    if raw is None:
        raise file_fault(path, "a file of more than 4 MiB", "a configuration file")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise file_fault(path, "bytes that are not UTF-8", "UTF-8 text", line) from error


def file_fault(path: Path, found: str, allowed: str, line: int | None = None) -> SettingsError:
    """Return the fault of one file as the only problem."""
    return SettingsError([Problem(visible(str(path)), line, "", found, allowed)])


def own_profiles(folder: Path, declared: Sequence[str]) -> tuple[OwnFile, ...]:
    """Return the profiles in ``folder``, and those named ``file:PATH``, which come last and win.

    A folder that is not there holds none. Raises `SettingsError`.
    """
    named = [Path(each.removeprefix(FILE_PREFIX)) for each in declared]
    found = {path.stem: path for path in (*_in_folder(folder), *named)}
    return tuple(OwnFile(stem, str(path), read_file(path)) for stem, path in found.items())


def own_presets(folder: Path) -> dict[str, str]:
    """Return the operator's presets of controls by name, each as ``file:PATH``."""
    return {path.stem: f"{FILE_PREFIX}{path.absolute()}" for path in _in_folder(folder)}


def _in_folder(folder: Path) -> list[Path]:
    try:
        return sorted(path for path in folder.iterdir() if path.suffix == ENDING)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        reason = visible(error.strerror or str(error))
        raise file_fault(folder, f"a folder that cannot be read: {reason}", "a folder") from error


def built_in_profiles() -> tuple[str, ...]:
    """Return the names of the profiles that come with the program, without reading one."""
    return tuple(path.stem for path in _in_folder(BUILT_IN))


def signatures(own: Sequence[OwnFile] = ()) -> dict[str, str]:
    """Return the title of the profile by each signature metric, read without building profiles.

    A file that is no TOML counts for nothing here: whoever builds profiles says what is wrong.
    """
    import tomllib

    texts = [*(each.text for each in own)]
    texts += [path.read_text(encoding="utf-8") for path in _in_folder(BUILT_IN)]
    found: dict[str, str] = {}
    for text in texts:
        # What names a profile stands before its first table, which are nine tenths of the file.
        head = text.partition("\n[")[0]
        try:
            told = tomllib.loads(head)
        except tomllib.TOMLDecodeError:
            continue
        for metric in told.get("signature", ()):
            found.setdefault(str(metric), str(told.get("title", "")))
    return found
