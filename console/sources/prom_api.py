"""Decodes the Prometheus HTTP API's answers; clock skew; servers that leave 0/0 out.

A C decoder holds the interpreter for as long as it runs. Twelve megabytes in one go stall every
other thread for a fifth of a second, so series stay raw at first and are decoded some at a time.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, TypeVar

import msgspec
import numpy as np

from console.domain.text import visible
from console.http.refusals import said_in
from console.metrics.expressions import divides
from console.metrics.labels import ExpressionError, Matcher, conditions, selector
from console.metrics.units import format_age
from console.sources.exposition import LONGEST_VALUE, bounded_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from numpy.typing import NDArray

    from console.domain.samples import Answer
    from console.metrics.profile import Profile
    from console.metrics.queries import Query

    Floats = NDArray[np.float64]
    Keys = tuple[tuple[str, ...], ...]

_SeriesT = TypeVar("_SeriesT")

PIECE_SERIES = 250
"""Series decoded between two turns of the loop."""

PIECE_POINTS = 4000
"""Points of a range decoded between two turns of the loop."""

ANY_TYPE = "any"
"""The type of an empty answer that bears none: it is as good as any other."""

_SHOWN_CHARACTERS = 300
_MAX_NOTES = 20
_MOST_DISTINCT = 8
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
    result_type: str | None = ""
    result: tuple[msgspec.Raw, ...] | None = ()


class _Envelope(msgspec.Struct, frozen=True, rename={"error_type": "errorType"}):
    status: str
    data: _Data | None = None
    error_type: str | None = ""
    error: str | None = ""
    warnings: tuple[str, ...] | None = None
    infos: tuple[str, ...] | None = None


class _Instant(msgspec.Struct, frozen=True):
    metric: dict[str, str] | None
    value: tuple[float, str] | None = None


class _Ranged(msgspec.Struct, frozen=True):
    metric: dict[str, str] | None
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
    """Read the envelope; raises `ApiError` for status=error and for what is no API answer.

    A null where a list belongs is an empty one: some managed front ends write it so. An error
    is the API's own only with its ``errorType``; a gateway before it says things of its own.
    """
    try:
        envelope = _envelope.decode(body)
    except msgspec.ValidationError as fault:
        raise ApiError(_foreign(body, f"its JSON has another shape ({fault})")) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as fault:
        raise ApiError(_foreign(body, str(fault))) from None
    if envelope.status == "error" and envelope.error_type:
        raise ApiError(_refusal(envelope), refused=True)
    if envelope.status != "success":
        raise ApiError(_foreign(body, f"its status is {visible(envelope.status, 40)}"))
    data = envelope.data
    if data is None:
        raise ApiError(_foreign(body, "it has no data"))
    series = data.result or ()
    kind = data.result_type or ("" if series else ANY_TYPE)
    return Body(kind, series, _notes(envelope.warnings), _notes(envelope.infos))


async def instant_vector(body: Body) -> Vector:
    """Decode an instant answer piece by piece; raises `ApiError` for what is no vector."""
    if body.result_type == "scalar" and len(body.series) == 2:
        return Vector([{}], np.array([_number(body.series[1])]), 0)
    if body.result_type not in ("vector", ANY_TYPE):
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
                labels.append(_bounded(raw, series.metric or {}))
                values.append(float(series.value[1]))
    return Vector(labels, np.array(values, dtype=np.float64), len(body.series) - len(values))


async def range_matrix(body: Body) -> list[RangedSeries]:
    """Decode a range answer series by series; raises `ApiError` for what is no matrix."""
    if body.result_type not in ("matrix", ANY_TYPE):
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
        found.append(RangedSeries(series.metric or {}, times, values))
    return found


def _decoded(decoder: msgspec.json.Decoder[_SeriesT], raw: msgspec.Raw) -> _SeriesT:
    try:
        return decoder.decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError) as fault:
        raise ApiError(_foreign(bytes(raw), str(fault))) from None


def _bounded(raw: msgspec.Raw, labels: dict[str, str]) -> dict[str, str]:
    """Return labels none of which is longer than a scrape keeps."""
    if len(memoryview(raw)) <= LONGEST_VALUE:
        return labels
    return {name: bounded_value(value) for name, value in labels.items()}


def _number(raw: msgspec.Raw) -> float:
    return float(msgspec.json.decode(raw, type=str))


def _refusal(envelope: _Envelope) -> str:
    said = visible(envelope.error or "", _SHOWN_CHARACTERS) or "without a reason"
    kind = visible(envelope.error_type or "", 40)
    advice = _ADVICE.get(envelope.error_type or "", "")
    return f"the server refused this query ({kind}): {said}{advice}"


def _foreign(body: bytes, reason: str) -> str:
    said = said_in(body)
    start = visible(body[:_SHOWN_CHARACTERS].decode("utf-8", "replace").strip(), 80)
    shown = f"it begins with {start}" if start else "it is empty"
    if body[:2] == b"\x1f\x8b":
        shown = "it looks gzip-compressed, and no header says so"
    elif said and not start.startswith(said[:8]):
        shown = f"it says: {visible(said, 120)}"
    return (
        f"the answer is not the Prometheus API's ({visible(reason, 120)}); {shown}. "
        "The URL may point at a proxy or a login page, or the answer was cut off"
    )


def _notes(texts: tuple[str, ...] | None) -> tuple[str, ...]:
    return tuple(visible(text, _SHOWN_CHARACTERS) for text in (texts or ())[:_MAX_NOTES])


def narrowed(query: Query, series_value: str, step_seconds: float) -> str:
    """Return the query for one model in such steps; an operator's own text stays as it is."""
    if query.expression is None:
        return query.promql
    one = Matcher(query.by[0], "=", series_value)
    try:
        asked = replace(query.over_steps(step_seconds), matchers=(*query.matchers, one))
        return query.expression.promql(asked.scope())
    except ExpressionError:
        return query.promql


def of_model(found: Sequence[RangedSeries], query: Query, series_value: str) -> RangedSeries | None:
    """Return the one series that is the model's; an operator's only series is, however named."""
    for series in found:
        if series.labels.get(query.by[0], "") == series_value:
            return series
    return found[0] if query.exclusive and len(found) == 1 else None


def on_grid(series: RangedSeries | None, start: float, step: float, count: int) -> Floats:
    """Put a range's points on the asked times, NaN where there is none."""
    values = np.full(count, np.nan)
    if series is not None:
        places = np.rint((series.times - start) / step).astype(np.int64)
        inside = (places >= 0) & (places < count)
        values[places[inside]] = series.values[inside]
    return values


# A server whose scrapes hang, or that is fed late, answers every question as quickly as ever.

MOST_SKEW_SECONDS = 20.0
LATE_SECONDS = 90.0
"""Half as much again as the longest usual scrape interval."""


def skew_note(server_date: str, now: float, allowed_seconds: float) -> tuple[str, ...]:
    """Compare clocks: questions are asked for this machine's now, samples bear the server's.

    ``server_date`` is the ``Date`` of an answer, which may be ``allowed_seconds`` old.
    """
    try:
        server = parsedate_to_datetime(server_date).timestamp()
    except ValueError:
        return ()
    ahead = now - server
    if abs(ahead) <= MOST_SKEW_SECONDS + allowed_seconds:
        return ()
    side = "ahead of" if ahead > 0 else "behind"
    return (f"this machine's clock is {abs(ahead):.0f} s {side} the server's",)


def newest_promql(profiles: Iterable[Profile]) -> str:
    """Return the question for the Unix seconds of the newest sample of any model."""
    stamps = (
        f"timestamp({selector(metric, conditions(profile.discovery_where))})"
        for profile in profiles
        for metric in profile.signature
    )
    return f"max({' or '.join(stamps)})"


def late_note(newest_at: float, now: float) -> tuple[str, ...]:
    """Return a warning where the newest sample is old; both times in Unix seconds."""
    age_seconds = now - newest_at
    if age_seconds <= LATE_SECONDS:
        return ()
    age = format_age(age_seconds)
    return (f"the newest sample of any model is {age} old: this server scrapes or receives late",)


# VictoriaMetrics answers the error ratio of an idle model with nothing, as if nobody measured it.
# No traffic and no data are two things: where such a server says that a model is asked nothing,
# what
# it leaves out of that model's shares and quantiles is put back as NaN.

ZERO_BY_ZERO = "vector(0) / vector(0)"
"""One NaN from a server that tells it, no series from one that leaves it out."""

TRAFFIC = "requests_rate"


class Unsaid:
    """What one server leaves out. ``known`` is False until it was asked `ZERO_BY_ZERO`."""

    def __init__(self) -> None:
        self.known = False
        self._leaves_out = False
        self._idle: dict[str, frozenset[str]] = {}

    def learn(self, series_count: int) -> None:
        """Take the number of series the server answered `ZERO_BY_ZERO` with."""
        self.known = True
        self._leaves_out = series_count == 0

    def put_back(
        self,
        queries: Sequence[Query],
        answers: Sequence[Answer],
        same_keys: Callable[[str, Keys], Keys],
    ) -> list[Answer]:
        """Return the answers of one round with NaN for idle models that were left out.

        ``same_keys`` returns the known keys object of a query where it says the same.
        """
        if not self._leaves_out:
            return list(answers)
        self._see_idle(queries, answers)
        return [
            self._with_idle(query, answer, same_keys)
            for query, answer in zip(queries, answers, strict=True)
        ]

    def _see_idle(self, queries: Sequence[Query], answers: Sequence[Answer]) -> None:
        """Note per profile which models are asked nothing; other questions come less often."""
        idle: dict[str, set[str]] = {}
        for query, answer in zip(queries, answers, strict=True):
            if query.column == TRAFFIC and len(query.by) == 1 and answer.error is None:
                names = idle.setdefault(query.profile, set())
                still = np.flatnonzero(answer.values == 0.0).tolist()
                names.update(answer.keys[place][0] for place in still)
        self._idle.update((profile, frozenset(names)) for profile, names in idle.items())

    def _with_idle(
        self, query: Query, answer: Answer, same_keys: Callable[[str, Keys], Keys]
    ) -> Answer:
        idle = self._idle.get(query.profile)
        asked = query.expression is not None and len(query.by) == 1 and not query.exclusive
        if not idle or not asked or answer.error is not None:
            return answer
        if query.expression is None or not divides(query.expression):
            return answer
        wanted = idle if query.models is None else idle & query.models
        missing = sorted(wanted - {key[0] for key in answer.keys})
        if not missing:
            return answer
        keys = (*answer.keys, *((name,) for name in missing))
        values = np.concatenate([answer.values, np.full(len(missing), np.nan)])
        return replace(answer, keys=same_keys(query.id, keys), values=values)


def keys_of(
    series: Sequence[Mapping[str, str]], by: tuple[str, ...]
) -> tuple[tuple[str, ...], ...]:
    """Return the values of the labels ``by`` for each series."""
    if len(by) == 1:
        (label,) = by
        return tuple([(labels.get(label, ""),) for labels in series])
    return tuple([tuple([labels.get(label, "") for label in by]) for labels in series])


def own_infos(answer: Answer) -> tuple[str, ...]:
    """Return what the server said; what is withheld is told once for the whole round."""
    return answer.infos[:-1] if answer.withheld else answer.infos


def distinct(
    answers: Sequence[Answer], notes: Callable[[Answer], tuple[str, ...]]
) -> tuple[str, ...]:
    """Return what the answers of one round say, each once, the first few."""
    found = dict.fromkeys(visible(note) for answer in answers for note in notes(answer))
    return tuple(found)[:_MOST_DISTINCT]
