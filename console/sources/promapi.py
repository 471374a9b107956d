"""The Prometheus HTTP API's answers, decoded typed and in pieces.

A C decoder holds the interpreter for as long as it runs. Twelve megabytes in one go stall every
other thread for a fifth of a second, so series stay raw at first and are decoded some at a time.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import msgspec
import numpy as np

from console.facts.text import visible

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

_SeriesT = TypeVar("_SeriesT")

PIECE_SERIES = 250
"""Series decoded between two turns of the loop."""

PIECE_POINTS = 4000
"""Points of a range decoded between two turns of the loop."""

_SHOWN_CHARACTERS = 300
_MAX_NOTES = 20
_ADVICE = {
    "timeout": "; it took longer than the source's timeout",
    "execution": "; the server's limits or the data do not allow it",
    "bad_data": "; the query does not suit this server",
    "unavailable": "; the server is starting or shutting down",
}


class ApiError(Exception):
    """An answer that is no result; ``sentence`` is harmless to show.

    ``refused`` tells that a healthy server refused this one question.
    """

    def __init__(self, sentence: str, *, refused: bool = False) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.refused = refused


class _Data(msgspec.Struct, frozen=True, rename={"result_type": "resultType"}):
    result_type: str = ""
    result: tuple[msgspec.Raw, ...] = ()


class _Envelope(msgspec.Struct, frozen=True, rename={"error_type": "errorType"}):
    status: str
    data: _Data | None = None
    error_type: str = ""
    error: str = ""
    warnings: tuple[str, ...] | None = None
    infos: tuple[str, ...] | None = None


class _Instant(msgspec.Struct, frozen=True):
    metric: dict[str, str]
    value: tuple[float, str] | None = None


class _Ranged(msgspec.Struct, frozen=True):
    metric: dict[str, str]
    values: tuple[tuple[float, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Body:
    """A successful answer whose series are still raw, with what the server said beside it."""

    result_type: str
    series: tuple[msgspec.Raw, ...]
    warnings: tuple[str, ...]
    infos: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Vector:
    """Labels and values (float64, same length) of an instant answer; ``skipped`` had no number."""

    labels: list[dict[str, str]]
    values: Floats
    skipped: int


@dataclass(frozen=True, slots=True)
class RangedSeries:
    """One series of a range answer: Unix seconds and values."""

    labels: dict[str, str]
    times: Floats
    values: Floats


_envelope = msgspec.json.Decoder(_Envelope)
_instant = msgspec.json.Decoder(_Instant)
_ranged = msgspec.json.Decoder(_Ranged)


def open_body(body: bytes) -> Body:
    """Read the envelope; raises `ApiError` for status=error and for what is no API answer."""
    try:
        envelope = _envelope.decode(body)
    except msgspec.ValidationError as fault:
        raise ApiError(_foreign(body, f"its JSON has another shape ({fault})")) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise ApiError(_foreign(body, str(fault))) from None
    if envelope.status != "success" or envelope.data is None:
        raise ApiError(_refusal(envelope), refused=True)
    data = envelope.data
    return Body(data.result_type, data.result, _notes(envelope.warnings), _notes(envelope.infos))


async def instant_vector(body: Body) -> Vector:
    """Decode an instant answer piece by piece; raises `ApiError` for what is no vector."""
    if body.result_type == "scalar" and len(body.series) == 2:
        return Vector([{}], np.array([_number(body.series[1])]), 0)
    if body.result_type != "vector":
        found = visible(body.result_type, 40) or "nothing"
        raise ApiError(f"the query answers a {found}, not one value a series", refused=True)
    labels: list[dict[str, str]] = []
    values: list[float] = []
    for begin in range(0, len(body.series), PIECE_SERIES):
        if begin:
            await asyncio.sleep(0)
        for raw in body.series[begin : begin + PIECE_SERIES]:
            series = _decoded(_instant, raw)
            if series.value is not None:
                labels.append(series.metric)
                values.append(float(series.value[1]))
    return Vector(labels, np.array(values, dtype=np.float64), len(body.series) - len(values))


async def range_matrix(body: Body) -> list[RangedSeries]:
    """Decode a range answer series by series; raises `ApiError` for what is no matrix."""
    if body.result_type != "matrix":
        raise ApiError(f"a range query answered a {visible(body.result_type, 40)}", refused=True)
    found = []
    points = 0
    for raw in body.series:
        if points > PIECE_POINTS:
            points = 0
            await asyncio.sleep(0)
        series = _decoded(_ranged, raw)
        points += len(series.values)
        times = np.array([at for at, _ in series.values], dtype=np.float64)
        values = np.array([float(text) for _, text in series.values], dtype=np.float64)
        found.append(RangedSeries(series.metric, times, values))
    return found


def _decoded(decoder: msgspec.json.Decoder[_SeriesT], raw: msgspec.Raw) -> _SeriesT:
    try:
        return decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError) as fault:
        raise ApiError(_foreign(bytes(raw), str(fault))) from None


def _number(raw: msgspec.Raw) -> float:
    return float(msgspec.json.decode(raw, type=str))


def _refusal(envelope: _Envelope) -> str:
    said = visible(envelope.error, _SHOWN_CHARACTERS) or "without a reason"
    kind = visible(envelope.error_type, 40) or "unknown error"
    advice = _ADVICE.get(envelope.error_type, "")
    return f"the server refused this query ({kind}): {said}{advice}"


def _foreign(body: bytes, reason: str) -> str:
    start = visible(body[:_SHOWN_CHARACTERS].decode("utf-8", "replace").strip(), 80)
    shown = f"it begins with {start}" if start else "it is empty"
    return (
        f"the answer is not the Prometheus API's ({visible(reason, 120)}); {shown}. "
        "The URL may point at a proxy or a login page, or the answer was cut off"
    )


def _notes(texts: tuple[str, ...] | None) -> tuple[str, ...]:
    return tuple(visible(text, _SHOWN_CHARACTERS) for text in (texts or ())[:_MAX_NOTES])
