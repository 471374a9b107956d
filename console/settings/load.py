"""Loads settings from file, environment and flags, with the origin of every value."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from msgspec import Struct, field
from msgspec.structs import replace

from console.domain.signals import SIGNALS
from console.domain.text import visible
from console.settings.convert import Conversion, LineIndex, Parts, Spot, declared_names
from console.settings.field_parsers import LeafContext
from console.settings.own_files import (
    OwnFile,
    built_in_profiles,
    file_fault,
    own_presets,
    own_profiles,
    read_file,
)
from console.settings.problems import Problem, SettingsError, nearest, one_of, show
from console.settings.schema import DEFAULT_JOURNAL_URL, Settings
from console.settings.validate import check_whole, warnings_of

_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off", "")
_TEXT_VARIABLES = {
    "MIDWATCH_THEME": "theme",
    "MIDWATCH_REFRESH": "refresh",
    "MIDWATCH_ENVIRONMENT": "environment",
}


class HostSources(Struct, frozen=True):
    """What was found on this host: counts where nothing is configured to be read."""

    prometheus: tuple[str, ...] = ()
    alertmanager: tuple[str, ...] = ()
    scrape: tuple[str, ...] = ()


class Flags(Struct, frozen=True):
    """The global flags of the command line, as given; None and () mean not given."""

    config: Path | None = None
    prometheus: tuple[str, ...] = ()
    scrape: tuple[str, ...] = ()
    theme: str | None = None
    ascii: bool | None = None
    write: bool = False
    read_only: bool = False
    refresh: str | None = None
    environment: str | None = None
    discovery: bool = True
    host: HostSources | None = None


HERE = "found on this host"


class Origin(Struct, frozen=True):
    """Where one value came from; ``where`` is the flag, the variable, or ``file:line``."""

    kind: Literal["flag", "environment", "file", "default"]
    where: str = ""


class Layers(Struct):
    """The raw document while layers are laid over it, and who laid which part."""

    document: dict[str, object]
    file: str
    lines: LineIndex
    problems: list[Problem] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    _origins: dict[Parts, Origin] = field(default_factory=dict)
    _added_sources: int = 0

    def put(self, key: str, value: object, origin: Origin) -> None:
        """Set one top-level key from ``origin``."""
        self.document[key] = value
        self._origins[(key,)] = origin

    def add_sources(self, added: list[tuple[dict[str, object], Origin]]) -> None:
        """Put sources before the file's own, so that they have precedence, under free names."""
        declared = self.document.get("sources", [])
        if not added or not isinstance(declared, list):
            return  # the conversion reports a faulty table itself
        taken = {str(entry.get("name")) for entry in declared if isinstance(entry, dict)}
        for index, (entry, origin) in enumerate(added):
            entry["name"] = _free_name(str(entry["name"]), taken)
            taken.add(str(entry["name"]))
            self._origins[("sources", index)] = origin
        self.document["sources"] = [*(entry for entry, _ in added), *declared]
        self._added_sources = len(added)

    def origin(self, parts: Parts) -> Origin:
        """Return who gave the value at ``parts``."""
        for length in range(len(parts), 0, -1):
            laid = self._origins.get(parts[:length])
            if laid is not None:
                return laid
        line = self.lines.line(self._in_file(parts))
        return Origin("file", self.file if line is None else f"{self.file}:{line}")

    def place(self, parts: Parts) -> tuple[str, int | None]:
        """Return the file and line to name in a problem, or the flag or variable at fault."""
        origin = self.origin(parts)
        if origin.kind == "file":
            return self.file, self.lines.line(self._in_file(parts))
        return origin.where, None

    def _in_file(self, parts: Parts) -> Parts:
        match parts:
            case ("sources", int(index), *rest):
                return ("sources", index - self._added_sources, *rest)
        return parts


def _free_name(base: str, taken: set[str]) -> str:
    name, number = base, 2
    while name in taken:
        name, number = f"{base}-{number}", number + 1
    return name


def lay_environment(layers: Layers, environ: Mapping[str, str]) -> None:
    """Lay the ``MIDWATCH_…`` variables over the document."""
    for variable, key in _TEXT_VARIABLES.items():
        if value := environ.get(variable):
            layers.put(key, value, Origin("environment", variable))
    if (written := environ.get("MIDWATCH_ASCII")) is not None:
        _lay_ascii(layers, written)
    if writes := environ.get("MIDWATCH_WRITES"):
        _lay_writes(layers, writes)


def _lay_ascii(layers: Layers, written: str) -> None:
    folded = written.strip().casefold()
    if folded in _TRUE or folded in _FALSE:
        layers.put("ascii", folded in _TRUE, Origin("environment", "MIDWATCH_ASCII"))
        return
    layers.problems.append(
        Problem("MIDWATCH_ASCII", None, "ascii", show(written), "1 or 0, true or false")
    )


def _lay_writes(layers: Layers, writes: str) -> None:
    if layers.document.get("writes") == "never" and writes != "never":
        layers.warnings.append(
            'MIDWATCH_WRITES is ignored: the file says writes = "never", which nothing can raise'
        )
        return
    layers.put("writes", writes, Origin("environment", "MIDWATCH_WRITES"))


def lay_flags(layers: Layers, flags: Flags) -> None:
    """Lay the flags over the document; they win over everything but ``writes = "never"``."""
    for key, value in (
        ("theme", flags.theme),
        ("refresh", flags.refresh),
        ("environment", flags.environment),
        ("ascii", flags.ascii),
    ):
        if value is not None:
            layers.put(key, value, Origin("flag", f"--{key}"))
    if flags.write and flags.read_only:
        layers.problems.append(
            Problem("--write", None, "writes", "--write with --read-only", "one of the two")
        )
    elif flags.write and layers.document.get("writes") == "never":
        layers.warnings.append(
            f'--write is ignored: writes is "never" ({layers.origin(("writes",)).where}), '
            "which no flag can raise"
        )
    if flags.read_only:
        layers.put("writes", "never", Origin("flag", "--read-only"))


def lay_sources(layers: Layers, flags: Flags, environ: Mapping[str, str]) -> None:
    """Add the sources of flags, or of the environment where no flag names any of that kind.

    Each server is a source of its own; all scrape targets are one, because sources that offer the
    same model are ranked and never summed, while replicas of a service must be summed.
    """
    servers, origin = _given(flags.prometheus, "prometheus", environ)
    added: list[tuple[dict[str, object], Origin]]
    added = [({"name": "prometheus", "kind": "prometheus", "url": url}, origin) for url in servers]
    targets, origin = _given(flags.scrape, "scrape", environ)
    scraped: dict[str, object] = {"name": "scrape", "kind": "scrape", "targets": targets}
    layers.add_sources([*added, (scraped, origin)] if targets else added)
    if flags.host is not None and not layers.document.get("sources"):
        _lay_host(layers, flags.host)


def _lay_host(layers: Layers, host: HostSources) -> None:
    """Let what was found on this host count, because nothing else is to be read."""
    here = Origin("default", HERE)
    added: list[tuple[dict[str, object], Origin]]
    added = [({"name": "here", "kind": "prometheus", "url": url}, here) for url in host.prometheus]
    if host.scrape:
        targets = list(host.scrape)
        added.append(({"name": "direct", "kind": "scrape", "targets": targets}, here))
    layers.add_sources(added)
    if host.alertmanager and not layers.document.get("alerts"):
        told = [
            {"name": "alertmanager", "kind": "alertmanager", "url": url}
            for url in host.alertmanager
        ]
        layers.put("alerts", told, here)


def _given(
    flag: tuple[str, ...], kind: str, environ: Mapping[str, str]
) -> tuple[list[str], Origin]:
    if flag:
        return list(flag), Origin("flag", f"--{kind}")
    variable = f"MIDWATCH_{kind.upper()}"
    return environ.get(variable, "").replace(",", " ").split(), Origin("environment", variable)


__all__ = ["Flags", "Loaded", "Origin", "Problem", "SettingsError", "load", "operator_name"]


class Loaded(Struct, frozen=True):
    """Settings ready for use; ``armed_at_start`` is whether ``--write`` was given and may count.

    ``profiles`` are the operator's own, not read as profiles yet.
    """

    settings: Settings
    origins: Mapping[str, Origin]
    path: Path | None
    warnings: tuple[str, ...] = ()
    armed_at_start: bool = False
    profiles: tuple[OwnFile, ...] = ()


def load(flags: Flags, environ: Mapping[str, str], *, references: bool = True) -> Loaded:
    """Return the settings that flags, environment, file and defaults give, in that precedence.

    Raises ``SettingsError`` with every fault found; a missing file is a fault only if it was named.
    Without ``references`` drift references count as not declared: one is about to be written.
    """
    home = Path(environ.get("HOME") or "/")
    path = find_file(flags, environ, home)
    text = "" if path is None else read_file(path)
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
    profiles: tuple[OwnFile, ...] = ()
    if settings is not None:
        check_whole(settings, layers.document, conversion)
        folder = own_folder(environ, home)
        profiles = own_profiles(folder / "profiles", settings.profiles)
        _check_profiles(settings, profiles, conversion)
        settings = _with_presets(settings, own_presets(folder / "presets"))
    if layers.problems or settings is None:
        raise SettingsError(sorted(layers.problems, key=lambda fault: fault.line or 0))
    settings = _with_state_directory(settings, environ, home)
    return Loaded(
        settings,
        origins,
        path,
        (*layers.warnings, *warnings_of(settings)),
        armed_at_start=flags.write and settings.writes != "never",
        profiles=profiles,
    )


def _check_profiles(settings: Settings, own: tuple[OwnFile, ...], conversion: Conversion) -> None:
    """Report models that name a profile that is not there."""
    models = {name: model.profile for name, model in settings.models.items() if model.profile}
    if not models:
        return
    known = sorted({*built_in_profiles(), *(each.name for each in own)})
    for name, profile in models.items():
        if profile not in known:
            conversion.complain(
                Spot().child("models").child(name).child("profile"),
                show(profile),
                f"{one_of(known)}; `midwatch profiles list` names all",
                nearest(profile, known),
            )


def _with_presets(settings: Settings, own: Mapping[str, str]) -> Settings:
    """Return ``settings`` in which a preset's name means the operator's file of that name."""
    if not own:
        return settings
    controls = {
        name: replace(control, preset=own.get(control.preset or "", control.preset))
        for name, control in settings.controls.items()
    }
    return replace(settings, controls=controls)


def find_file(flags: Flags, environ: Mapping[str, str], home: Path) -> Path | None:
    """Return the configuration file to read; None if none was named and the usual one is absent."""
    named = flags.config or (Path(value) if (value := environ.get("MIDWATCH_CONFIG")) else None)
    if named is not None:
        return home / str(named)[2:] if str(named).startswith("~/") else named
    usual = own_folder(environ, home) / "config.toml"
    return usual if usual.exists() else None


def own_folder(environ: Mapping[str, str], home: Path) -> Path:
    """Return the folder of this user's configuration, profiles and presets."""
    return Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "midwatch"


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


def _parse(text: str, path: Path | None) -> dict[str, object]:
    if not text:
        return {}
    import tomllib

    try:
        return tomllib.loads(text)
    except RecursionError as error:
        raise file_fault(path or Path(), "values nested too deeply", "TOML") from error
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        where = re.search(r"\(at line (\d+), column (\d+)\)", message)
        line = int(where.group(1)) if where else text.count("\n") + 1
        found = visible(message[0].lower() + message[1:])
        raise file_fault(path or Path(), f"TOML with a fault: {found}", "TOML", line) from error


def _with_state_directory(settings: Settings, environ: Mapping[str, str], home: Path) -> Settings:
    """Return ``settings`` with the default journal placed where this user keeps state."""
    if settings.journal.url != DEFAULT_JOURNAL_URL:
        return settings
    state = Path(environ.get("XDG_STATE_HOME") or home / ".local" / "state")
    url = f"sqlite:///{state / 'midwatch' / 'journal.db'}"
    return replace(settings, journal=replace(settings.journal, url=url))
