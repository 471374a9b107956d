"""The layers over the file: environment variables, then flags, each leaving its name on a value."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from msgspec import Struct, field

from console.settings.problems import Problem, show
from console.settings.spots import LineIndex, Parts

_TRUE = ("1", "true", "yes", "on")
_FALSE = ("0", "false", "no", "off", "")
_TEXT_VARIABLES = {
    "MIDWATCH_THEME": "theme",
    "MIDWATCH_REFRESH": "refresh",
    "MIDWATCH_ENVIRONMENT": "environment",
}


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


def _given(
    flag: tuple[str, ...], kind: str, environ: Mapping[str, str]
) -> tuple[list[str], Origin]:
    if flag:
        return list(flag), Origin("flag", f"--{kind}")
    variable = f"MIDWATCH_{kind.upper()}"
    return environ.get(variable, "").replace(",", " ").split(), Origin("environment", variable)
