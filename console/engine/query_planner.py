"""Runs discovery and plans which queries each source is asked."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from console.engine.answer_table import Board
from console.engine.row_assignment import Seating, seat_rows
from console.evaluation.inventory import row_places
from console.metrics.profile import preference, profiles
from console.metrics.queries import counted_once
from console.metrics.query_plan import amount_queries, plan

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from console.domain.model import ModelRow
    from console.domain.samples import Answer, SeenModel
    from console.engine.row_assignment import Seat
    from console.evaluation.inventory import Place
    from console.evaluation.observations import Observed
    from console.metrics.profile import Profile
    from console.metrics.queries import Query
    from console.settings.schema import Settings
    from console.sources.base import Discovery

INFO_COLUMN = "info"
_SEVERAL = " + "


class Lineage:
    """Labels of `model_info` by source and series value; several versions are joined by ``+``."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, dict[str, str]]] = {}

    def take(self, source: str, query: Query, answer: Answer) -> bool:
        """Learn from an answer; tell whether anything is different from before."""
        if query.column != INFO_COLUMN or answer.error is not None:
            return False
        found: dict[str, dict[str, dict[str, None]]] = {}
        for key in answer.keys:
            labels = found.setdefault(key[0], {})
            for name, value in zip(query.by[1:], key[1:], strict=True):
                if value:
                    labels.setdefault(name, {})[value] = None
        told = {
            model: {name: _SEVERAL.join(values) for name, values in labels.items()}
            for model, labels in found.items()
        }
        if told == self._known.get(source, {}):
            return False
        self._known[source] = told
        return True

    def of(self, source: str, series_value: str) -> Mapping[str, str]:
        """Return what is known of one model, empty where its source says nothing."""
        return self._known.get(source, {}).get(series_value, {})


log = logging.getLogger(__name__)

_MINUTE_SECONDS = 60.0


@dataclass(slots=True)
class _Plan:
    queries: tuple[Query, ...]
    minute: int


@dataclass(slots=True)
class Asking:
    """What one source is asked for: its rows, and by row's name what is particular about them.

    ``own`` is operators' PromQL, ``selects`` what stands for ``$match`` in it, ``matches`` the
    labels that a row's series bear beside the model's.
    """

    rows: list[ModelRow] = field(default_factory=list)
    own: dict[str, Mapping[str, str]] = field(default_factory=dict)
    selects: dict[str, Mapping[str, str]] = field(default_factory=dict)
    matches: dict[str, Mapping[str, str]] = field(default_factory=dict)
    profiles: list[str] = field(default_factory=list)


class Desk:
    """The one place that knows which source is asked what for which rows."""

    def __init__(self, settings: Settings, on_problem: Callable[[str], None]) -> None:
        self.settings = settings
        self.board = Board()
        self.warnings: dict[str, tuple[str, ...]] = {}
        self._lineage = Lineage()
        self._on_problem = on_problem
        self._seen: dict[str, tuple[SeenModel, ...]] = {}
        self._away: frozenset[str] = frozenset()
        self.speakers: Mapping[str, str] = {}
        self._next: dict[str, str] | None = None
        self._unheard: set[str] = set()
        self._places: tuple[Place, ...] = ()
        self._names: dict[str, str] = {}
        self._named: tuple[Place, ...] = ()
        self._plans: dict[str, _Plan] = {}
        self._written: dict[str, Mapping[str, Profile]] = {}
        self.companions: dict[str, Mapping[str, int]] = {}
        self._dropped: dict[str, tuple[str, ...]] = {}
        self._gather()

    def configure(self, settings: Settings) -> None:
        """Take new settings; what was seen and answered by sources that stay is kept."""
        self.settings = settings
        names = {source.name for source in settings.sources}
        for gone in [name for name in self._seen if name not in names]:
            del self._seen[gone]
            self._written.pop(gone, None)
            self.companions.pop(gone, None)
            self._plans.pop(gone, None)
            self.board.drop(gone)
        self._gather()

    def discovered(self, source: str, discovery: Discovery) -> None:
        """Take the models a source was found to know."""
        self.warnings[source] = discovery.warnings
        self.companions[source] = discovery.companions
        same = self._dropped.get(source, ()) == discovery.dropped
        if self._written.get(source) != discovery.written or not same:
            self._written[source] = discovery.written
            self._dropped[source] = discovery.dropped
            self._plans.pop(source, None)
        if self._seen.get(source) != discovery.models:
            self._seen[source] = discovery.models
            self._gather()

    def away(self, sources: Collection[str]) -> None:
        """Take which sources do not answer: their values are stale."""
        self._away = frozenset(sources)

    def speak(self, speakers: Mapping[str, str]) -> None:
        """Take who is to speak for the rows of a source that is away; the others speak themselves.

        Rows change over only when the new speaker has answered: until then the last values stay.
        """
        if speakers == (self.speakers if self._next is None else self._next):
            return
        self._next = dict(speakers)
        self._unheard = {
            self._next.get(name, name)
            for name in {*speakers, *self.speakers}
            if self._next.get(name, name) != self.speakers.get(name, name)
        }
        self._plans.clear()

    def _change_over(self, source: str, answers: Sequence[Answer]) -> None:
        """Seat rows anew once all who are to speak for them have."""
        if self._next is None or not any(answer.error is None for answer in answers):
            return
        self._unheard.discard(source)
        if not self._unheard:
            self.speakers, self._next = self._next, None
            self._seat()

    def questions(self, source: str, now: float) -> Sequence[Query]:
        """Return the plan of one source; windows that began at midnight grow by the minute."""
        known = self._plans.get(source)
        minute = int(now // _MINUTE_SECONDS)
        if known is None or known.minute != minute:
            known = _Plan(self._plan(source, now), minute)
            self._plans[source] = known
            self.board.plan(source, known.queries)
        return known.queries

    def amount_questions(
        self, source: str, spans: Mapping[str, tuple[float, float]]
    ) -> Sequence[Query]:
        """Return what asks one source for spend, requests and tokens over spans, by name.

        The voice that is preferred for spend comes first.
        """
        asking = self._asked_of(source)
        rows, matches, found = asking.rows, asking.matches, asking.profiles
        written = self._written.get(source, {})
        names = [*found, *(n for n, each in written.items() if each.role == "gateway")]
        voices = [self.profile_of(source, name) for name in dict.fromkeys(names)]
        known = [each for each in voices if each is not None]
        known.sort(key=lambda each: -preference(each.role, "cost_rate"))
        dropped = self._dropped.get(source, ())
        return [
            counted_once(query, dropped)
            for profile in known
            for query in amount_queries(
                profile, [row for row in rows if row.profile in (profile.name, "")], matches, spans
            )
        ]

    def answered(self, source: str, answers: Sequence[Answer]) -> None:
        """Take the answers of one round."""
        self.board.take(source, answers)
        self._change_over(source, answers)
        asked = {query.id: query for query in self.board.planned(source)}
        learnt = [
            self._lineage.take(source, asked[answer.query_id], answer)
            for answer in answers
            if answer.query_id in asked
        ]
        if any(learnt):
            self._seat()

    def profile_of(self, source: str, name: str) -> Profile | None:
        """Return a profile as this source writes it: its spelling and model label."""
        return self._written.get(source, {}).get(name) or profiles().get(name)

    def problem(self, sentence: str) -> None:
        """Tell the operator of a fault that is no source's."""
        self._on_problem(sentence)

    def observe(self) -> Observed:
        """Return what is known now, values of absent sources marked stale."""
        self._keep_names()
        return self.board.observe(self._away)

    def _gather(self) -> None:
        in_order = [
            model for source in self.settings.sources for model in self._seen.get(source.name, ())
        ]
        self._places = row_places(in_order, self.settings, self._names)
        self._seat()

    def _keep_names(self) -> None:
        """Let rows keep the names they are shown under, once every source was heard or is away.

        Before that a name would depend on which of two sources answered first.
        """
        if self._named is self._places:
            return
        sources = self.settings.sources
        standbys = {source.fallback for source in sources}
        waited_for = {source.name for source in sources} - standbys - self._away
        if not waited_for <= self._seen.keys():
            return
        self._named = self._places
        self._names |= {place.row.id: place.row.model for place in self._places if place.row.id}

    def _seat(self) -> None:
        seating = self._seating(self.speakers)
        self.board.seat(Seating(tuple(map(self._told, seating.rows, seating.seats)), seating.seats))
        # Thresholds and objectives are written into the questions: new rows, new plans.
        self._plans.clear()

    def _seating(self, speakers: Mapping[str, str]) -> Seating:
        return seat_rows(self._places, self.settings, speakers)

    def _told(self, row: ModelRow, seat: Seat) -> ModelRow:
        """Return a row with what its source says the model is made of."""
        told = self._lineage.of(seat.source, seat.series_value)
        if not told:
            return row
        return replace(row, info={**row.info, **told}, region=row.region or told.get("region", ""))

    def _asked_of(self, source: str) -> Asking:
        """Return a source's rows under its own names, own PromQL and labels by row, profiles."""
        seatings = [self.board.seating]
        if self._next is not None:
            seatings.append(self._seating(self._next))
        asking = Asking()
        found: set[str] = set()
        planned: set[tuple[str, Seat]] = set()
        for seating, index in ((each, i) for each in seatings for i in each.of_source(source)):
            row, seat = seating.rows[index], seating.seats[index]
            if (row.model, seat) in planned:
                continue
            planned.add((row.model, seat))
            found.add(seat.profile)
            # A source knows a model by its series, so its plan speaks in the source's names.
            asking.rows.append(replace(row, label=seat.series_value))
            configured = self.settings.models.get(row.model)
            if configured is not None and configured.signals:
                asking.own[row.model] = configured.signals
                asking.selects[row.model] = configured.labels
            if seat.labels:
                asking.matches[row.model] = dict(seat.labels)
        asking.profiles = sorted(found)
        return asking

    def _plan(self, source: str, now: float) -> tuple[Query, ...]:
        asking = self._asked_of(source)
        rows, found = asking.rows, asking.profiles
        written = self._written.get(source, {})
        beside = [name for name, each in written.items() if each.role != "server"]
        if not rows and not beside:
            return ()
        queries = plan(
            found,
            rows,
            asking.own,
            now,
            matches=asking.matches,
            selects=asking.selects,
            known={**profiles(), **written},
            companions=[name for name in beside if name not in found],
        )
        dropped = self._dropped.get(source, ())
        return tuple(counted_once(query, dropped) for query in queries)
