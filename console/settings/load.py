"""From flags, environment and file to one ``Settings``, with the origin of every value."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct
from msgspec.structs import replace

from console.facts.signals import SIGNALS
from console.facts.text import visible
from console.settings.checks import check_whole, warnings_of
from console.settings.convert import Conversion, declared_names
from console.settings.layers import Flags, Layers, Origin, lay_environment, lay_flags, lay_sources
from console.settings.leaves import LeafContext
from console.settings.permissions import writable_by_others
from console.settings.problems import Problem, SettingsError
from console.settings.schema import DEFAULT_JOURNAL_URL, Settings
from console.settings.spots import LineIndex, Spot

__all__ = ["Flags", "Loaded", "Origin", "Problem", "SettingsError", "load", "operator_name"]

LARGEST_FILE_BYTES = 4 * 1024 * 1024


class Loaded(Struct, frozen=True):
    """Settings ready for use; ``armed_at_start`` is whether ``--write`` was given and may count."""

    settings: Settings
    origins: Mapping[str, Origin]
    path: Path | None
    warnings: tuple[str, ...] = ()
    armed_at_start: bool = False


def load(flags: Flags, environ: Mapping[str, str], *, references: bool = True) -> Loaded:
    """Return the settings that flags, environment, file and defaults give, in that precedence.

    Raises ``SettingsError`` with every fault found; a missing file is a fault only if it was named.
    Without ``references`` drift references count as not declared: one is about to be written.
    """
    home = Path(environ.get("HOME") or "/")
    path = find_file(flags, environ, home)
    text = "" if path is None else _read_file(path)
    layers = Layers(_parse(text, path), str(path or "command line"), LineIndex(text))
    lay_environment(layers, environ)
    lay_flags(layers, flags)
    lay_sources(layers, flags, environ)
    origins: dict[str, Origin] = {}

    def note_origin(spot: Spot, given: bool) -> None:
        if spot.parts and isinstance(spot.parts[-1], int):
            return  # an element of a list comes from where its list comes from
        origins[spot.shown] = layers.origin(spot.parts) if given else Origin("default")

    conversion = Conversion(
        LeafContext(
            declared=declared_names(layers.document),
            signals=tuple(SIGNALS),
            base_directory=Path.cwd() if path is None else path.parent.absolute(),
            home=home,
            reads_references=references,
        ),
        lambda spot: layers.place(spot.parts),
        note_origin,
        layers.problems,
    )
    settings = conversion.table(Settings, layers.document, Spot())
    if settings is not None:
        check_whole(settings, layers.document, conversion)
    if layers.problems or settings is None:
        raise SettingsError(sorted(layers.problems, key=lambda fault: fault.line or 0))
    settings = _with_state_directory(settings, environ, home)
    return Loaded(
        settings,
        origins,
        path,
        (*layers.warnings, *warnings_of(settings)),
        armed_at_start=flags.write and settings.writes != "never",
    )


def find_file(flags: Flags, environ: Mapping[str, str], home: Path) -> Path | None:
    """Return the configuration file to read; None if none was named and the usual one is absent."""
    named = flags.config or (Path(value) if (value := environ.get("MIDWATCH_CONFIG")) else None)
    if named is not None:
        return home / str(named)[2:] if str(named).startswith("~/") else named
    usual = Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "midwatch" / "config.toml"
    return usual if usual.exists() else None


def operator_name(settings: Settings, environ: Mapping[str, str]) -> str:
    """Return the name written into the record; an ``env:`` name that is unset gives the login."""
    declared = settings.operator.name
    if not declared.startswith("env:"):
        return declared
    return visible(environ.get(declared.removeprefix("env:")) or _login(), 64)


def _login() -> str:
    import pwd

    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # containers run as users no password file knows
        return f"uid {os.getuid()}"


def _read_file(path: Path) -> str:
    try:
        complaint = writable_by_others(path)
        if not path.is_file():
            raise _file_fault(path, "something that is not a file", "a regular file")
        raw = path.read_bytes() if path.stat().st_size <= LARGEST_FILE_BYTES else None
    except OSError as error:
        reason = visible(error.strerror or str(error))
        raise _file_fault(
            path, f"a file that cannot be read: {reason}", "a readable file"
        ) from error
    if complaint is not None:
        raise _file_fault(path, complaint, "a file that only you or root can write")
    if raw is None:
        raise _file_fault(path, "a file of more than 4 MiB", "a configuration file")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise _file_fault(path, "bytes that are not UTF-8", "UTF-8 text", line) from error


def _parse(text: str, path: Path | None) -> dict[str, object]:
    if not text:
        return {}
    import tomllib

    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise _file_fault(path or Path(), "values nested too deeply", "TOML") from error
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        where = re.search(r"\(at line (\d+), column (\d+)\)", message)
        line = int(where.group(1)) if where else text.count("\n") + 1
        found = visible(message[0].lower() + message[1:])
        raise _file_fault(path or Path(), f"TOML with a fault: {found}", "TOML", line) from error


def _file_fault(path: Path, found: str, allowed: str, line: int | None = None) -> SettingsError:
    return SettingsError([Problem(visible(str(path)), line, "", found, allowed)])


def _with_state_directory(settings: Settings, environ: Mapping[str, str], home: Path) -> Settings:
    """Return ``settings`` with the default journal placed where this user keeps state."""
    if settings.journal.url != DEFAULT_JOURNAL_URL:
        return settings
    state = Path(environ.get("XDG_STATE_HOME") or home / ".local" / "state")
    url = f"sqlite:///{state / 'midwatch' / 'journal.db'}"
    return replace(settings, journal=replace(settings.journal, url=url))
