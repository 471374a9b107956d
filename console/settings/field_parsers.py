"""Parses one configuration value by its kind; a fault is returned, never raised."""

import math
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct

from console.domain.distribution import DriftReference
from console.domain.shift import clock_time, zone_named
from console.settings.durations import ALLOWED as ALLOWED_durations
from console.settings.durations import DurationError, format_duration, parse_duration
from console.settings.field_meta import Key
from console.settings.problems import cut, nearest, one_of, show
from console.settings.secret_references import BadReferenceError, parse_reference

PLACEHOLDERS = ("$window", "$match")
ALLOWED = "$window, $match, and $$ for a dollar; nothing else after a $"

# The longest name is taken, so that $windows is a fault and not $window followed by an s.
_DOLLAR = re.compile(r"\$(\$|\{[^}]*\}?|[A-Za-z0-9_]+)?")


class PlaceholderError(ValueError):
    """A ``$`` that stands for nothing; ``found``, ``allowed`` and ``hint`` make the sentence."""

    def __init__(self, found: str, allowed: str, hint: str = "") -> None:
        super().__init__(f"found {found}; allowed {allowed}")
        self.found = found
        self.allowed = allowed
        self.hint = hint


def check_placeholders(promql: str) -> None:
    """Raise ``PlaceholderError`` at the first ``$`` that is no known placeholder, or if empty."""
    if not promql.strip():
        raise PlaceholderError("an empty expression", "PromQL with $window and $match")
    for match in _DOLLAR.finditer(promql):
        found = match.group()
        if found != "$$" and found not in PLACEHOLDERS:
            hint = nearest(found.replace("{", "").replace("}", ""), PLACEHOLDERS)
            raise PlaceholderError(f'the placeholder "{cut(found)}"', ALLOWED, hint)


Comparison = Literal[">", ">=", "<", "<="]
COMPARISONS: tuple[Comparison, ...] = (">", ">=", "<", "<=")
CRITERIA_ALLOWED = '"SIGNAL > VALUE" or "SIGNAL > VALUE for DURATION", comparisons > >= < <='

_CRITERION = re.compile(r"\s*([A-Za-z_][A-Za-z0-9_]*)\s*(>=|<=|>|<)\s*(\S+)(?:\s+for\s+(\S+))?\s*")


class CriterionError(ValueError):
    """A text that is no criterion; the message says what is allowed."""


class Criterion(Struct, frozen=True):
    """``signal`` compared with ``value`` (in the signal's unit), held for ``for_seconds``."""

    signal: str
    comparison: Comparison
    value: float
    for_seconds: float

    def holds(self, reading: float) -> bool:
        """Return whether one reading meets the comparison; NaN never does."""
        match self.comparison:
            case ">":
                return reading > self.value
            case ">=":
                return reading >= self.value
            case "<":
                return reading < self.value
            case "<=":
                return reading <= self.value


def parse_criterion(text: str) -> Criterion:
    """Return the criterion written in ``text``; raise ``CriterionError`` if it is none."""
    found = _CRITERION.fullmatch(text)
    if found is None:
        raise CriterionError(CRITERIA_ALLOWED)
    signal, written, number, duration = found.groups()
    comparison = next(each for each in COMPARISONS if each == written)
    try:
        value = float(number)
        for_seconds = parse_duration(duration) if duration else 0.0
    except DurationError as error:
        raise CriterionError(f"after for, {error}") from error
    except ValueError as error:
        raise CriterionError(f"{CRITERIA_ALLOWED}; VALUE is a number") from error
    if not math.isfinite(value):
        raise CriterionError(f"{CRITERIA_ALLOWED}; VALUE is a finite number")
    return Criterion(signal, comparison, value, for_seconds)


VERBS = ("trip", "half-open", "reset", "fallback", "human", "restore", "rollback", "threshold")

_NAME = re.compile(r"[^\s\x00-\x1f\x7f](?:[^\x00-\x1f\x7f]{0,126}[^\s\x00-\x1f\x7f])?")
_TEMPLATE_VARIABLE = re.compile(r"\{[A-Za-z_][A-Za-z0-9_]*\}")
_TABLE_SINGULAR = {
    "sources": "source",
    "models": "model",
    "dependencies": "dependency",
    "controls": "control",
}


class Complaint(Struct, frozen=True):
    """Why one value will not do."""

    found: str
    allowed: str
    hint: str = ""


class LeafContext(Struct, frozen=True):
    """What values are judged against: declared names, signal names, and where paths start.

    Without ``reads_references`` the files that drift is measured against are left unread.
    """

    declared: Mapping[str, tuple[str, ...]]
    signals: tuple[str, ...]
    base_directory: Path
    home: Path
    reads_references: bool = True


def read_leaf(
    type_: object, choices: tuple[str, ...], mark: Key, raw: object, context: LeafContext
) -> object | Complaint:
    """Return the value the program holds for ``raw``, or the complaint."""
    if mark.kind == "free":
        return raw
    if mark.kind == "duration":
        return _duration(mark, raw)
    if mark.kind == "seconds":
        return _duration(mark, raw) if isinstance(raw, str) else _number(False, mark, raw)
    if choices:
        if isinstance(raw, str) and raw in choices:
            return raw
        hint = nearest(raw, choices) if isinstance(raw, str) else ""
        return Complaint(show(raw), one_of(choices), hint)
    if type_ is bool:
        return raw if isinstance(raw, bool) else Complaint(show(raw), "true or false")
    if type_ is int or type_ is float:
        return _number(type_ is int, mark, raw)
    if not isinstance(raw, str):
        return Complaint(show(raw), "a text in quotes")
    return _TEXT_KINDS.get(mark.kind, _plain)(mark, raw, context)


def _duration(mark: Key, raw: object) -> float | Complaint:
    if isinstance(raw, (int, float)) and not isinstance(raw, bool):
        hint = f'write "{raw:g}s" if these are seconds' if math.isfinite(raw) else ""
        return Complaint(show(raw), ALLOWED_durations, hint)
    if not isinstance(raw, str):
        return Complaint(show(raw), ALLOWED_durations)
    try:
        seconds = parse_duration(raw)
    except DurationError as error:
        return Complaint(show(raw), str(error))
    if mark.low is not None and seconds < mark.low:
        return Complaint(show(raw), f"at least {format_duration(mark.low)}")
    if mark.high is not None and seconds > mark.high:
        return Complaint(show(raw), f"at most {format_duration(mark.high)}")
    return seconds


def _number(whole: bool, mark: Key, raw: object) -> int | float | Complaint:
    low, high = (0.0, 1.0) if mark.kind == "ratio" else (mark.low, mark.high)
    allowed = _range_phrase(whole, low, high, mark.unit)
    if isinstance(raw, bool) or not isinstance(raw, (int, float)) or not math.isfinite(raw):
        return Complaint(show(raw), allowed)
    if whole and raw != int(raw):
        return Complaint(show(raw), allowed)
    if (low is not None and raw < low) or (high is not None and raw > high):
        hint = f"{raw:g}% is {raw / 100:g}" if mark.kind == "ratio" and 1 < raw <= 100 else ""
        return Complaint(show(raw), allowed, hint)
    return int(raw) if whole else float(raw)


def _range_phrase(whole: bool, low: float | None, high: float | None, unit: str) -> str:
    phrase = "a whole number" if whole else "a number"
    if low is not None and high is not None:
        phrase += f" from {low:g} to {high:g}"
    elif low is not None:
        phrase += f" of at least {low:g}"
    return f"{phrase}, in {unit}" if unit else phrase


def _plain(_mark: Key, raw: str, _context: LeafContext) -> str | Complaint:
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in raw):
        return Complaint(show(raw), "a text without control characters")
    return raw


def _name(_mark: Key, raw: str, _context: LeafContext) -> str | Complaint:
    if not _NAME.fullmatch(raw):
        return Complaint(show(raw), "a name of 1 to 128 characters, no spaces at its ends")
    return raw


def _reference(mark: Key, raw: str, context: LeafContext) -> str | Complaint:
    choices = [name for table in mark.refers_to for name in context.declared.get(table, ())]
    if raw in choices or raw in mark.words:
        return raw
    kinds = " or ".join(_TABLE_SINGULAR[table] for table in mark.refers_to)
    return Complaint(
        f"{show(raw)}, a {kinds} that is not declared", one_of(choices), nearest(raw, choices)
    )


def _secret(_mark: Key, raw: str, context: LeafContext) -> str | Complaint:
    try:
        reference = parse_reference(raw)
    except BadReferenceError as error:
        return Complaint(error.found, error.allowed)
    if reference.scheme != "file":
        return raw
    return f"file:{_absolute(reference.body, context)}"


def _operator(mark: Key, raw: str, context: LeafContext) -> str | Complaint:
    if raw.startswith("env:") and not re.fullmatch(r"env:[A-Za-z_][A-Za-z0-9_]*", raw):
        return Complaint(show(raw), "env: and the name of a variable, for example env:USER")
    return _name(mark, raw, context)


def _base_url(_mark: Key, raw: str, _context: LeafContext) -> str | Complaint:
    return _url(raw, ("http", "https"), query=False)


def _target_url(_mark: Key, raw: str, _context: LeafContext) -> str | Complaint:
    return _url(raw, ("http", "https"), query=True)


def _proxy_url(_mark: Key, raw: str, _context: LeafContext) -> str | Complaint:
    return _url(raw, ("http", "https"), query=False)


def _url(raw: str, schemes: tuple[str, ...], *, query: bool) -> str | Complaint:
    allowed = f"a URL such as {schemes[-1]}://host.example.net:9090"
    if not raw.isprintable() or any(character.isspace() for character in raw):
        return Complaint(show(raw), allowed)
    try:
        split = urlsplit(raw)
        host, port = split.hostname, split.port
    except ValueError:
        return Complaint(show(raw), allowed)
    if split.username is not None or split.password is not None:
        # The value may hold a password, so it is not shown.
        return Complaint(
            "a URL with a user name or password in it (not shown)",
            'a URL without them; put the password behind auth = { type = "basic", secret = "…" }',
        )
    if split.scheme not in schemes or not host or port == 0:
        hint = f'did you mean "http://{raw}"?' if "://" not in raw and raw else ""
        return Complaint(show(raw), allowed, hint if len(raw) < 60 else "")
    if split.fragment or (split.query and not query):
        return Complaint(show(raw), f"{allowed}, without ? and #")
    return raw


def _journal_url(_mark: Key, raw: str, context: LeafContext) -> str | Complaint:
    allowed = "sqlite:///PATH or postgresql://HOST/DATABASE"
    if raw.startswith("sqlite:///"):
        path = raw.removeprefix("sqlite:///")
        # sqlite:////var/x and sqlite:///~/x are absolute; sqlite:///x starts at the config file.
        return f"sqlite:///{_absolute(path, context)}" if path else Complaint(show(raw), allowed)
    if raw.startswith(("postgresql://", "postgres://")):
        try:
            split = urlsplit(raw)
        except ValueError:
            return Complaint(show(raw), allowed)
        if split.password is not None:
            return Complaint(
                "a URL with a password in it (not shown)",
                'a URL without it; put the password behind secret = "keyring:midwatch/journal"',
            )
        return raw
    return Complaint(show(raw), allowed)


def _path(_mark: Key, raw: str, context: LeafContext) -> str | Complaint:
    if not raw or not raw.isprintable():
        return Complaint(show(raw), "a path to a file")
    return str(_absolute(raw, context))


def _own_file(mark: Key, raw: str, context: LeafContext) -> str | Complaint:
    path = raw.removeprefix("file:")
    if path == raw or not path.endswith(".toml"):
        return Complaint(show(raw), "file: and the path of a .toml file")
    found = _path(mark, path, context)
    return found if isinstance(found, Complaint) else f"file:{found}"


def _drift_reference(
    mark: Key, raw: str, context: LeafContext
) -> DriftReference | Complaint | None:
    path = _path(mark, raw, context)
    if isinstance(path, Complaint):
        return path
    if not context.reads_references:
        return None
    from console.settings.drift_reference import ReferenceFault, read_reference

    try:
        return read_reference(Path(path), raw)
    except ReferenceFault as fault:
        return Complaint(f"{show(raw)}, {fault.found}", fault.allowed, fault.hint)


def _absolute(raw: str, context: LeafContext) -> Path:
    if raw == "~" or raw.startswith("~/"):
        return context.home / raw[2:]
    return context.base_directory / raw


def _promql(_mark: Key, raw: str, _context: LeafContext) -> str | Complaint:
    try:
        check_placeholders(raw)
    except PlaceholderError as error:
        return Complaint(error.found, error.allowed, error.hint)
    return raw


def _criterion(_mark: Key, raw: str, context: LeafContext) -> str | Complaint:
    try:
        criterion = parse_criterion(raw)
    except CriterionError as error:
        return Complaint(show(raw), str(error))
    if criterion.signal not in context.signals:
        return Complaint(
            f"the unknown signal {show(criterion.signal)}",
            one_of(context.signals),
            nearest(criterion.signal, context.signals),
        )
    return raw


def _verb(_mark: Key, raw: str, _context: LeafContext) -> str | Complaint:
    verb = raw.split(" ", 1)[0]
    if verb in VERBS:
        return raw
    return Complaint(show(raw), one_of(VERBS), nearest(verb, VERBS))


def _keys(_mark: Key, raw: str, _context: LeafContext) -> str | Complaint:
    names = raw.split(",")
    if not raw.isprintable() or any(not name.strip() or len(name) > 40 for name in names):
        return Complaint(show(raw), 'key names with commas between, for example "f5,ctrl+r"')
    return ",".join(name.strip() for name in names)


def _path_template(_mark: Key, raw: str, _context: LeafContext) -> str | Complaint:
    allowed = "a path that starts with /, with {name} for variables, and without .. or //host"
    if not raw:
        return raw  # the target's own address, as it is
    fixed = _TEMPLATE_VARIABLE.sub("x", raw)
    steps = fixed.partition("?")[0].split("/")
    if not fixed.startswith("/") or fixed.startswith("//") or not raw.isprintable():
        return Complaint(show(raw), allowed)
    if {".", ".."} & set(steps) or set("{}\\# ") & set(fixed):
        return Complaint(show(raw), allowed)
    return raw


def _clock_time(_mark: Key, raw: str, _context: LeafContext) -> str | Complaint:
    try:
        clock_time(raw)
    except ValueError:
        return Complaint(show(raw), 'a time of day such as "06:00" or "22:30"')
    return raw


def _time_zone(_mark: Key, raw: str, _context: LeafContext) -> str | Complaint:
    try:
        zone_named(raw)
    except ValueError:
        return Complaint(
            f"{show(raw)}, a zone this machine does not know",
            'a zone of the IANA list such as "Europe/Berlin" or "UTC"',
        )
    return raw


_TEXT_KINDS: Mapping[str, Callable[[Key, str, LeafContext], object]] = {
    "name": _name,
    "reference": _reference,
    "secret": _secret,
    "operator": _operator,
    "base_url": _base_url,
    "target_url": _target_url,
    "proxy_url": _proxy_url,
    "journal_url": _journal_url,
    "path": _path,
    "own_file": _own_file,
    "promql": _promql,
    "criterion": _criterion,
    "verb": _verb,
    "keys": _keys,
    "path_template": _path_template,
    "drift_reference": _drift_reference,
    "clock_time": _clock_time,
    "time_zone": _time_zone,
}
