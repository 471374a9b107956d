"""Reads and writes reference files: a frozen distribution of a model's scores as JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from console.domain.distribution import DriftReference
from console.domain.text import visible
from console.settings.problems import show

SCHEMA = "midwatch.reference/1"
LARGEST_FILE_BYTES = 256 * 1024
FEWEST_BINS, MOST_BINS = 2, 20
ABOVE_ALL = "+Inf"
HOW_TO_WRITE_ONE = "`midwatch reference MODEL -o FILE` writes one; see docs/drift.md"

_SHARE_SLACK = 1e-3
_LONGEST_NOTE = 400


class ReferenceFault(Exception):
    """A file that cannot serve as a reference: what was found, what is allowed, what to do."""

    def __init__(self, found: str, allowed: str, hint: str = "") -> None:
        super().__init__(f"{found}; allowed: {allowed}")
        self.found, self.allowed, self.hint = found, allowed, hint


class ReferenceFile(Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """The document: either ``counts`` or ``shares``, one entry for each of ``upper_edges``.

    The last upper edge may be ``"+Inf"``; without it, what lies above the last edge belongs to
    the last bin.
    """

    schema: str
    model: Annotated[str, Meta(min_length=1, max_length=128)]
    what: Literal["score"]
    taken_at: Annotated[datetime, Meta(tz=True)]
    upper_edges: tuple[float | str, ...]
    n: float
    counts: tuple[float, ...] | None = None
    shares: tuple[float, ...] | None = None
    note: Annotated[str, Meta(max_length=4000)] = ""


def read_reference(path: Path, name: str) -> DriftReference:
    """Read and judge a reference file; ``name`` is how the operator calls it.

    Raises `ReferenceFault`.
    """
    raw = _bytes_of(path)
    try:
        found = msgspec.json.decode(raw, type=ReferenceFile)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as fault:
        raise ReferenceFault(
            f"a file that is no reference: {visible(str(fault), 160)}",
            f"JSON of the schema {SCHEMA}",
            HOW_TO_WRITE_ONE,
        ) from fault
    # Imported late: a configuration without a reference starts without it.
    import hashlib

    return _judged(found, visible(name, 120), hashlib.sha256(raw).hexdigest())


def _bytes_of(path: Path) -> bytes:
    try:
        # A pipe or a device would hold the start up for ever: only regular files are opened.
        if not path.is_file():
            found = "something that is not a file" if path.exists() else "a file that is not there"
            raise ReferenceFault(found, "a reference file", HOW_TO_WRITE_ONE)
        with path.open("rb") as file:
            raw = file.read(LARGEST_FILE_BYTES + 1)
    except OSError as error:
        reason = visible(error.strerror or str(error))
        raise ReferenceFault(f"a file that cannot be read: {reason}", "a readable file") from error
    if len(raw) > LARGEST_FILE_BYTES:
        raise ReferenceFault("a file of more than 256 KiB", "a reference of a few KiB")
    return raw


def _judged(found: ReferenceFile, name: str, sha256: str) -> DriftReference:
    if found.schema != SCHEMA:
        raise ReferenceFault(f"the schema {show(found.schema)}", f'"{SCHEMA}"', HOW_TO_WRITE_ONE)
    edges = _edges(found.upper_edges)
    return DriftReference(
        name=name,
        model=visible(found.model, 128),
        what=found.what,
        taken_at=found.taken_at.timestamp(),
        edges=edges,
        shares=_shares(found, len(edges)),
        n=found.n,
        note=visible(found.note, _LONGEST_NOTE),
        sha256=sha256,
    )


def _edges(listed: Sequence[float | str]) -> tuple[float, ...]:
    edges: list[float] = []
    for place, edge in enumerate(listed):
        if isinstance(edge, str):
            if edge != ABOVE_ALL or place != len(listed) - 1:
                raise ReferenceFault(
                    f"the upper edge {show(edge)}", f'numbers, and "{ABOVE_ALL}" as the last only'
                )
            edge = math.inf
        elif not math.isfinite(edge):
            raise ReferenceFault(f"the upper edge {show(edge)}", "finite numbers")
        edges.append(edge)
    if not FEWEST_BINS <= len(edges) <= MOST_BINS:
        raise ReferenceFault(
            f"{len(edges)} upper edges", f"{FEWEST_BINS} to {MOST_BINS}: PSI knows its noise there"
        )
    if any(not before < after for before, after in pairwise(edges)):
        raise ReferenceFault("upper edges that do not ascend", "each edge above the one before it")
    return tuple(edges)


def _shares(found: ReferenceFile, bins: int) -> tuple[float, ...]:
    if (found.counts is None) == (found.shares is None):
        both = "neither counts nor shares" if found.counts is None else "both counts and shares"
        raise ReferenceFault(both, "one of the two")
    kind = "counts" if found.counts is not None else "shares"
    parts = found.counts if found.counts is not None else found.shares or ()
    if len(parts) != bins:
        raise ReferenceFault(f"{len(parts)} {kind} for {bins} upper edges", "one for each edge")
    if any(not math.isfinite(part) or part < 0 for part in parts):
        raise ReferenceFault(f"{kind} with a number below 0 or without end", f"{kind} from 0 up")
    if not math.isfinite(found.n) or found.n < 1:
        raise ReferenceFault(f"n = {show(found.n)}", "how many predictions it rests on, at least 1")
    total = math.fsum(parts)
    expected = found.n if kind == "counts" else 1.0
    if not math.isfinite(total) or abs(total - expected) > _SHARE_SLACK * expected:
        goal = f"n, which is {found.n:g}" if kind == "counts" else "1"
        raise ReferenceFault(f"{kind} that sum to {total:g}", f"{kind} that sum to {goal}")
    return tuple(part / total for part in parts)


def reference_json(
    *,
    model: str,
    taken_at: float,
    edges: Sequence[float],
    counts: Sequence[float],
    note: str = "",
) -> bytes:
    """Return a reference file; ``taken_at`` is Unix seconds, ``counts`` one a bin.

    Counts are rounded to whole predictions. Raises `ReferenceFault` for what could not be read
    back.
    """
    whole = tuple(round(count) for count in counts)
    document = ReferenceFile(
        schema=SCHEMA,
        model=model,
        what="score",
        taken_at=datetime.fromtimestamp(round(taken_at), UTC),
        upper_edges=tuple(edge if math.isfinite(edge) else ABOVE_ALL for edge in edges),
        n=sum(whole),
        counts=whole,
        note=note,
    )
    _judged(document, "", "")
    # One key a line, so that a review of the file reads well.
    entries = msgspec.to_builtins(document).items()
    lines = [b"  %s: %s" % (_encoded(key), _encoded(value)) for key, value in entries]
    return b"{\n" + b",\n".join(lines) + b"\n}\n"


def _encoded(value: object) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=0)
