"""What every alert API has in common: labels, times, severities, and one bad entry of many."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeVar

import msgspec

from console.facts.severity import Severity
from console.facts.text import visible

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from console.facts.alert import Alert, Labels

T = TypeVar("T")

SEVERITIES = {
    "critical": Severity.S1,
    "page": Severity.S1,
    "warning": Severity.S2,
    "warn": Severity.S2,
    "info": Severity.S4,
    "none": Severity.S4,
}
"""Values of the severity label, in lower case; anything else is unknown, and said to be."""

_SHOWN_CHARACTERS = 200
_NAME_CHARACTERS = 80


@dataclass(frozen=True, slots=True)
class AlertAnswer:
    """Everything one source said at one moment; ``warnings`` are sentences about what is missing.

    ``offered`` is False where the server has no alerts API at all.
    """

    alerts: tuple[Alert, ...]
    warnings: tuple[str, ...] = ()
    offered: bool = True


class AlertReader(Protocol):
    """One place alerts are read from."""

    name: str
    kind: str

    async def read(self, now: float) -> AlertAnswer:
        """Read all alerts; raises `WireError`, or `AlertsUnreadable` for a foreign answer."""

    async def aclose(self) -> None:
        """Close every connection."""


class AlertsUnreadable(Exception):
    """The server answered, but not with alerts; the message says what to look at."""


@dataclass(frozen=True, slots=True)
class LabelNames:
    """Which labels say what; a mapping of the configuration replaces a default."""

    model: str = "model"
    dependency: str = "dependency"
    service: str = "service"
    severity: str = "severity"

    @classmethod
    def of(cls, declared: Mapping[str, str]) -> LabelNames:
        """Return the defaults with what was ``declared`` over them."""
        return cls(**{key: value for key, value in declared.items() if value})


@dataclass(frozen=True, slots=True)
class Described:
    """What labels and annotations say of an alert, whatever API they came through."""

    name: str
    severity: Severity
    severity_text: str
    labels: Labels
    summary: str
    runbook: str
    model: str
    dependency: str
    service: str


def describe(
    labels: Mapping[str, str], annotations: Mapping[str, str], names: LabelNames
) -> Described:
    """Read labels and annotations; texts are made harmless, label values stay as they came."""
    said = labels.get(names.severity, "")
    text = annotations.get("summary") or annotations.get("message") or ""
    return Described(
        name=visible(labels.get("alertname") or "alert without a name", _NAME_CHARACTERS),
        severity=SEVERITIES.get(said.strip().lower(), Severity.UNKNOWN),
        severity_text=visible(said, _NAME_CHARACTERS),
        labels=tuple(sorted(labels.items())),
        summary=visible(text or annotations.get("description", "")),
        runbook=visible(annotations.get("runbook_url") or annotations.get("runbook") or ""),
        model=labels.get(names.model, ""),
        dependency=labels.get(names.dependency, ""),
        service=labels.get(names.service, ""),
    )


def fingerprint(labels: Mapping[str, str]) -> str:
    """Return 16 hex digits that stand for this set of labels."""
    text = json.dumps(sorted(labels.items()))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def seconds(moment: datetime | None) -> float | None:
    """Return Unix seconds; Go's zero time (year 1) means that nobody set one."""
    if moment is None or moment.year <= 1:
        return None
    return moment.timestamp()


@dataclass(slots=True)
class Faults:
    """Entries that could not be read: counted, with the first reason, so that none is silent."""

    what: str
    count: int = 0
    first: str = ""
    seen: int = field(default=0)

    def sentences(self) -> tuple[str, ...]:
        """Return one sentence, or none where all is well."""
        if not self.count:
            return ()
        return (f"{self.count} of {self.seen} {self.what} cannot be read: {self.first}",)


def decode_each(
    raws: Iterable[msgspec.Raw], decoder: msgspec.json.Decoder[T], faults: Faults
) -> list[T]:
    """Decode one by one: a foreign entry costs itself alone and is counted in ``faults``."""
    found: list[T] = []
    for raw in raws:
        faults.seen += 1
        try:
            found.append(decoder.decode(raw))
        except (msgspec.MsgspecError, UnicodeDecodeError) as fault:
            faults.count += 1
            faults.first = faults.first or visible(str(fault), 120)
    return found


def foreign(body: bytes, what: str) -> AlertsUnreadable:
    """Return the error for an answer that is not ``what`` was asked for."""
    start = visible(body[:_SHOWN_CHARACTERS].decode("utf-8", "replace").strip(), 80)
    shown = f"it begins with {start}" if start else "it is empty"
    return AlertsUnreadable(
        f"the answer is not {what}; {shown}. The url may point at a proxy, a login page or "
        "another server"
    )
