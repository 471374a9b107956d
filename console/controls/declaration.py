"""A control as declared by a shipped preset, a preset file or the settings; JMESPath compiled
once.
"""

import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal

import jmespath
from jmespath.exceptions import JMESPathError
from msgspec import Struct, field
from msgspec.structs import asdict

from console.controls.protocol import ControlError
from console.controls.template import bind
from console.domain.control import JsonValue, Proof, Scalar
from console.domain.text import visible
from console.settings.convert import Conversion, LineIndex, Spot
from console.settings.endpoint_tables import (
    ControlAction,
    ControlKind,
    ControlRead,
    ControlSettings,
    Method,
)
from console.settings.field_meta import Key
from console.settings.field_parsers import LeafContext
from console.settings.problems import SettingsError, writable_by_others


class QueryFailed(Exception):
    """The expression cannot be applied to this answer; the text is a sentence."""


class Query:
    """One expression with its variables bound; ``text`` is what was compiled."""

    def __init__(self, expression: str, variables: Mapping[str, JsonValue], place: str) -> None:
        self.text = bind(expression, variables)
        self._place = place
        try:
            self._compiled = jmespath.compile(self.text)
        except JMESPathError as error:
            said = visible(re.sub(r"\s+", " ", str(error)).strip(), 200)
            raise ControlError(f"{place} is no JMESPath: {said}") from error

    def scalar(self, document: object) -> Scalar:
        """Return the plain value found, None for nothing; raises ``QueryFailed``."""
        found = self._search(document)
        if found is None or isinstance(found, (str, int, float, bool)):
            return found
        raise QueryFailed(f"{self._place} finds a list or an object where a plain value belongs")

    def holds(self, document: object) -> bool:
        """Tell whether the expression is exactly true; raises ``QueryFailed``."""
        return self._search(document) is True

    def _search(self, document: object) -> object:
        try:
            return self._compiled.search(document)
        except (JMESPathError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
            # jmespath lets a bare TypeError through when an answer compares text with numbers.
            said = visible(re.sub(r"\s+", " ", str(error)), 160)
            raise QueryFailed(f"{self._place} does not fit the answer: {said}") from error


FILE_PREFIX = "file:"
MATCH_PREFIX = "jmespath:"
LARGEST_PRESET_BYTES = 256 * 1024


class Read(ControlRead, frozen=True):
    """Reading, with what only presets may say."""

    query: Annotated[dict[str, str], Key("Query parameters.")] = field(default_factory=dict)
    json: Annotated[object, Key("JSON body of a read that needs one.", "free")] = None


class Probe(Struct, frozen=True):
    """A request beside the change itself: its rehearsal, or the search for its marker.

    What is left out comes from the action.
    """

    method: Annotated[Method | None, Key("HTTP method.")] = None
    path: Annotated[str | None, Key("Path under the target.", "path_template")] = None
    query: Annotated[dict[str, str], Key("More query parameters.")] = field(default_factory=dict)
    headers: Annotated[dict[str, str], Key("More request headers.")] = field(default_factory=dict)
    json: Annotated[object, Key("JSON body.", "free")] = None
    argv: Annotated[tuple[str, ...], Key("Program and arguments.", "argv")] = ()
    found: Annotated[str | None, Key("JMESPath that is true where the marker stands.")] = None
    ok: Annotated[tuple[int, ...], Key("HTTP statuses.", "number", low=100, high=599)] = (200,)


class Change(ControlAction, frozen=True):
    """One change, with what only presets may say."""

    dry_run: Annotated[Probe | None, Key("The rehearsal the service offers.")] = None
    find: Annotated[Probe | None, Key("How an operation's marker is found again.")] = None
    rejected_exits: Annotated[
        tuple[int, ...],
        Key("Exit statuses that prove nothing changed.", "number", low=1, high=255),
    ] = ()
    note: Annotated[str, Key("What the preview should add.")] = ""


class Kind(Struct, frozen=True):
    """What a preset declares for one kind of control."""

    needs: Annotated[dict[str, str], Key("Variables that must be set, and what they are.")] = field(
        default_factory=dict
    )
    vars: Annotated[dict[str, object], Key("Variables with a default.", "free")] = field(
        default_factory=dict
    )
    read: Annotated[Read | None, Key("Reading the state.")] = None
    actions: Annotated[dict[str, Change], Key("The changes.")] = field(default_factory=dict)
    note: Annotated[str, Key("What the preview should add.")] = ""


class Preset(Struct, frozen=True):
    """A declaration file: what it speaks to, on what it rests, and the kinds it offers."""

    title: Annotated[str, Key("What it speaks to.")]
    proof: Annotated[Literal["ci", "contract", "not_run"], Key("On what it rests.")] = "not_run"
    server: Annotated[str, Key("The server and version it was run against.")] = ""
    source: Annotated[str, Key("Where its contract was read.")] = ""
    driver: Annotated[Literal["http", "exec"], Key("Who carries it out.")] = "http"
    serves: Annotated[
        tuple[str, ...], Key("Metrics profiles of the servers it can act on; empty: any.")
    ] = ()
    kinds: Annotated[dict[str, Kind], Key("What it can control.", keys=())] = field(
        default_factory=dict
    )


class Declared(Struct, frozen=True):
    """One control with its preset applied; ``own`` are the actions written in the settings."""

    name: str
    kind: str
    settings: ControlSettings
    vars: dict[str, object]
    needs: dict[str, str]
    read: Read | None
    actions: dict[str, Change]
    proof: Proof
    own: frozenset[str]
    note: str = ""
    serves: tuple[str, ...] = ()

    def proof_of(self, action: str) -> Proof:
        """Return the preset's proof, but for an action the operator wrote: nobody ran that."""
        return Proof("not_run") if action in self.own else self.proof


def declared(name: str, settings: ControlSettings) -> Declared:
    """Apply the preset, if one is named; a table written in the settings replaces its whole twin.

    Raises ``ControlError`` for a preset that is not there, faulty, or without the kind asked for.
    """
    serves: tuple[str, ...] = ()
    if settings.preset is None:
        kind: str = settings.kind or ""
        base, proof = Kind(), Proof("not_run")
    else:
        preset = load_preset(settings.preset)
        if preset.driver != settings.driver:
            raise ControlError(
                f'the preset {visible(settings.preset)} is for driver = "{preset.driver}", and '
                f'"{settings.driver}" is declared'
            )
        kind, base = _kind_of(preset, settings)
        proof = Proof(preset.proof, preset.server, preset.source)
        serves = preset.serves
    own_read = settings.read
    return Declared(
        name=name,
        kind=kind,
        settings=settings,
        vars={**base.vars, **settings.vars},
        needs=base.needs,
        read=base.read if own_read is None else Read(**asdict(own_read)),
        actions={
            **base.actions,
            **{verb: Change(**asdict(change)) for verb, change in settings.actions.items()},
        },
        proof=proof if own_read is None else Proof("not_run"),
        own=frozenset(settings.actions),
        note=base.note,
        serves=serves,
    )


def _kind_of(preset: Preset, settings: ControlSettings) -> tuple[str, Kind]:
    known = ", ".join(sorted(preset.kinds))
    name = visible(settings.preset or "", 80)
    if settings.kind is None:
        if len(preset.kinds) == 1:
            return next(iter(preset.kinds.items()))
        raise ControlError(f"the preset {name} needs kind = one of {known}")
    found = preset.kinds.get(settings.kind)
    if found is None:
        raise ControlError(f"the preset {name} has no kind {settings.kind}; it has {known}")
    return settings.kind, found


def load_preset(name: str) -> Preset:
    """Return a shipped preset, or the file behind ``file:/path``; raises ``ControlError``."""
    if name.startswith(FILE_PREFIX):
        return _own_preset(Path(name.removeprefix(FILE_PREFIX)))
    found = presets().get(name)
    if found is None:
        raise ControlError(
            f'there is no preset "{visible(name, 60)}"; there are {", ".join(presets())}, '
            'and "file:/path" names one of your own'
        )
    return found


@cache
def presets() -> Mapping[str, Preset]:
    """Return the presets that come with the program, by name; raises ``ControlError``."""
    found = {}
    folder = resources.files("console.controls") / "presets"
    for file in sorted(folder.iterdir(), key=lambda item: item.name):
        if file.name.endswith(".toml"):
            text = file.read_text(encoding="utf-8")
            found[file.name.removesuffix(".toml")] = parse_preset(text, f"presets/{file.name}")
    return MappingProxyType(found)


def _own_preset(path: Path) -> Preset:
    shown = visible(str(path))
    if not path.is_absolute():
        raise ControlError(f"preset file:{shown}: the path must be absolute")
    try:
        complaint = writable_by_others(path)
        raw = path.read_bytes() if path.stat().st_size <= LARGEST_PRESET_BYTES else None
    except OSError as error:
        reason = visible(error.strerror or str(error))
        raise ControlError(f"preset file:{shown} cannot be read: {reason}") from error
    if complaint is not None:
        raise ControlError(f"preset file:{shown} is refused: {complaint}")
    if raw is None:
        raise ControlError(f"preset file:{shown} is refused: it is larger than 256 KiB")
    preset = parse_preset(raw.decode("utf-8", "replace"), shown)
    # Only what this program's own tests run may call itself proven.
    return Preset(
        title=preset.title,
        source=preset.source,
        driver=preset.driver,
        kinds=preset.kinds,
        serves=preset.serves,
    )


def parse_preset(text: str, where: str) -> Preset:
    """Return the preset written in ``text``; raises ``ControlError`` with every fault found."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ControlError(f"{where} is not TOML: {visible(str(error))}") from error
    lines = LineIndex(text)
    conversion = Conversion(
        LeafContext({}, (), Path("/"), Path("/")),
        lambda spot: (where, lines.line(spot.parts)),
        lambda _spot, _given: None,
    )
    made = conversion.table(Preset, document, Spot())
    if conversion.problems or made is None:
        raise ControlError(SettingsError(conversion.problems).render())
    unknown = sorted(set(made.kinds) - set(_KINDS))
    if unknown or not made.kinds:
        found = f"the unknown kind {visible(unknown[0], 60)}" if unknown else "no kind"
        raise ControlError(f"{where} declares {found}; allowed: {', '.join(_KINDS)}")
    return made


_KINDS: tuple[str, ...] = ControlKind.__args__  # type: ignore[attr-defined]
