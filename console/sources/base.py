"""What every source of numbers offers to the engine, and how models are found from series
labels.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from console.domain.samples import SeenModel
from console.domain.text import visible
from console.metrics.profile import adapted, spelling_of, told_apart
from console.metrics.unread_kinds import unread_kinds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from console.domain.samples import Answer, Series, SourceStatus
    from console.metrics.profile import Profile
    from console.metrics.query_plan import Query
    from console.metrics.unread_kinds import Unread

COVERED_SHARE = 0.9
"""A long window is answered when the history covers at least this share of it."""

SHORT_WINDOW_SECONDS = 900.0
"""Windows up to this length are answered from what there is; a longer one would be a wrong number,
not a rough one."""


class SourceDown(Exception):
    """A source could not be asked anything; ``sentence`` says why and what to look at."""

    def __init__(self, sentence: str) -> None:
        """Keep the sentence, which holds no secret and no control character."""
        super().__init__(sentence)
        self.sentence = sentence


@dataclass(frozen=True, slots=True)
class Discovery:
    """The models a source knows, the profiles that are there, and what was odd about it.

    ``written`` are these profiles as this source writes them: spelling and model label.
    ``dropped`` are the labels that only tell copies of its series apart. ``companions`` are what
    stands beside models there, with how much of it was found; ``unread`` what has no row.
    """

    models: tuple[SeenModel, ...]
    profiles: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    written: Mapping[str, Profile] = field(default_factory=dict)
    companions: Mapping[str, int] = field(default_factory=dict)
    dropped: tuple[str, ...] = ()
    unread: tuple[Unread, ...] = ()


class Source(Protocol):
    """Where numbers come from; every time is Unix seconds (UTC) and is given by the caller."""

    name: str
    kind: str

    async def discover(self, profiles: Mapping[str, Profile], now: float) -> Discovery:
        """Find the models that are there; raises `SourceDown` when the source does not answer."""
        ...

    async def ask(self, queries: Sequence[Query], now: float) -> list[Answer]:
        """Answer ``queries`` in their order.

        A query that fails alone has its sentence in ``Answer.error`` and leaves the others;
        raises `SourceDown` when none could be asked.
        """
        ...

    async def ask_aside(self, query: Query, now: float) -> Answer:
        """Answer one question beside the rounds of `ask`; the status stays that of the round.

        Raises `SourceDown`.
        """
        ...

    async def series(
        self, query: Query, series_value: str, start: float, end: float, step: float
    ) -> Series:
        """Return one model's values from ``start`` to ``end`` every ``step`` seconds.

        ``series_value`` is the value of the query's first group label. The series is named
        after the query's column; its ``error`` is set when it could not be had.
        """
        ...

    def status(self) -> SourceStatus:
        """Say how the source is doing."""
        ...

    async def aclose(self) -> None:
        """Let go of connections and threads."""
        ...


MAX_MODELS = 20_000

REMEMBERED_SECONDS = 3600.0
"""A model that is gone stays listed for so long: its silence is news, not a reason to hide it."""

_MAX_NAME_CHARACTERS = 200


def seen_models(
    profile: Profile, source: str, series: Iterable[Mapping[str, str]]
) -> tuple[SeenModel, ...]:
    """Group signature series (their labels) by the profile's model label, sorted by name.

    A series without a model name stands for its server: it is shown under the server's name.
    """
    versions: dict[str, set[str]] = {}
    servers: dict[str, set[str]] = {}
    places: dict[str, set[str]] = {}
    where: dict[str, set[tuple[str, str]]] = {}
    for labels in series:
        value = profile.series_value(labels)
        places.setdefault(value, set()).update(_places(labels))
        where.setdefault(value, set()).add((labels.get("cluster", ""), labels.get("namespace", "")))
        found = versions.setdefault(value, set())
        servers.setdefault(value, set()).add(labels.get(profile.server_label, ""))
        version = profile.version_of(labels)
        if version is not None:
            found.add(visible(version, _MAX_NAME_CHARACTERS))
    models = [
        SeenModel(
            model=_shown_name(profile, value, min(servers[value])),
            series_value=value,
            profile=profile.name,
            source=source,
            versions=tuple(sorted(found)),
            server=visible(min(servers[value]), _MAX_NAME_CHARACTERS),
            namespace=_only(where[value], 1),
            cluster=_only(where[value], 0),
            places=frozenset(places[value]),
        )
        for value, found in versions.items()
    ]
    return _distinct(sorted(models, key=lambda seen: (seen.model, seen.series_value))[:MAX_MODELS])


def _places(labels: Mapping[str, str]) -> Iterator[str]:
    """Yield the process behind a series: its target, and its pod where one is told."""
    if labels.get("instance"):
        yield f"{labels.get('job', '')} {labels['instance']}"
    if labels.get("pod"):
        yield f"{labels.get('namespace', '')}/{labels['pod']}"


def _only(where: Iterable[tuple[str, str]], part: int) -> str:
    """Return the one cluster (0) or namespace (1) that a model is in, empty for several."""
    found = {each[part] for each in where}
    return visible(found.pop(), _MAX_NAME_CHARACTERS) if len(found) == 1 else ""


def _apart(profile: Profile, series: Sequence[Mapping[str, str]]) -> tuple[str, ...]:
    """Return which of cluster and namespace one name stands under more than once."""
    found: dict[str, tuple[set[str], set[str]]] = {}
    for labels in series:
        clusters, spaces = found.setdefault(profile.series_value(labels), (set(), set()))
        clusters.add(labels.get("cluster", ""))
        spaces.add(labels.get("namespace", ""))
    return tuple(
        label
        for part, label in enumerate(("cluster", "namespace"))
        if any(len(each[part] - {""}) > 1 for each in found.values())
    )


def as_written(
    profile: Profile, metrics: Iterable[str], series: Iterable[Mapping[str, str]]
) -> Profile:
    """Return a profile as one source writes it: its metrics' spelling, and its model label.

    ``metrics`` are the signature names that are there, ``series`` the labels of theirs.
    """
    found, twin = list(series), f"exported_{profile.model_label}"
    written = adapted(profile, metrics, exported=any(labels.get(twin) for labels in found))
    apart = _apart(written, found) if profile.role == "server" else ()
    return (told_apart(written, apart) if apart else None) or written


def _distinct(models: Iterable[SeenModel]) -> tuple[SeenModel, ...]:
    """Number models whose names look the same once they are made visible and cut."""
    counts: dict[tuple[str, str, str], int] = {}
    distinct = []
    for seen in models:
        name = (seen.model, seen.namespace, seen.cluster)
        counts[name] = count = counts.get(name, 0) + 1
        distinct.append(seen if count == 1 else replace(seen, model=f"{seen.model} ({count})"))
    return tuple(distinct)


def _shown_name(profile: Profile, value: str, server: str) -> str:
    name = profile.value_of(profile.name_in(value)) or server or profile.title
    return visible(name, _MAX_NAME_CHARACTERS)


class RecentModels:
    """The models a source listed within the last hour, in the order they are listed now."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], tuple[SeenModel, float]] = {}

    def with_gone(self, models: Iterable[SeenModel], now: float) -> tuple[SeenModel, ...]:
        """Return ``models`` and, after them, those that were among them within the last hour."""
        present = {(seen.profile, seen.series_value): (seen, now) for seen in models}
        named = {(seen.profile, seen.model) for seen, _ in present.values()}
        gone = {
            key: (seen, at)
            for key, (seen, at) in self._seen.items()
            # Names told apart from now on are the same models under another value.
            if key not in present
            and (key[0], seen.model) not in named
            and now - at <= REMEMBERED_SECONDS
        }
        self._seen = present | gone
        return tuple(seen for seen, _ in self._seen.values())


class Wanted:
    """Which metrics of a scrape are kept: what profiles read, under any spelling of theirs."""

    def __init__(self, profiles: Mapping[str, Profile]) -> None:
        spelled = {name: each for name, each in profiles.items() if each.any_prefix}
        self._names, self._long = wanted_metrics(profiles), long_metrics(profiles)
        self._ends = frozenset(map(_plain, wanted_metrics(spelled)))
        self._long_ends = frozenset(map(_plain, long_metrics(spelled)))
        self._met: dict[str, None] = {}
        self._passed_over: set[str] = set()

    def keeps(self, metric: str) -> bool:
        """Tell whether any profile reads this metric."""
        if metric not in self._names and not _ends_in(metric, self._ends):
            if len(self._passed_over) < MAX_MODELS:
                self._passed_over.add(metric)
            return False
        self._met[metric] = None
        return True

    def unread(self) -> tuple[Unread, ...]:
        """Return the kinds of server that the metrics passed over tell."""
        return unread_kinds(sorted(self._passed_over))

    def keeps_long(self, metric: str) -> bool:
        """Tell whether windows of days read this metric."""
        return metric in self._long or _ends_in(metric, self._long_ends)

    def spelled(self, profile: Profile) -> list[str]:
        """Return the names under which a profile's signature was met, or may be in a history."""
        # A copy in one step: texts are read in threads, which meet names meanwhile.
        here = [name for name in tuple(self._met) if spelling_of(profile, name) is not None]
        return list(dict.fromkeys((*profile.signature, *here)))


def _plain(metric: str) -> str:
    return metric.replace(":", "_")


def _ends_in(metric: str, ends: frozenset[str]) -> bool:
    """Tell whether a name is one of ``ends`` with a prefix and separator before it, or without."""
    rest = _plain(metric)
    while rest:
        if rest in ends:
            return True
        rest = rest.partition("_")[2]
    return False


def found_here(
    models: Iterable[SeenModel], here: Mapping[str, Profile], warnings: tuple[str, ...]
) -> Discovery:
    """Return what a source was found to know, its profiles in the order they were looked for.

    A companion makes no row. A gateway's row gives way to a server's of the same name.
    """
    roles = {name: profile.role for name, profile in here.items()}
    listed = tuple(models)
    served = {seen.model for seen in listed if roles.get(seen.profile) == "server"}
    beside = Counter(seen.profile for seen in listed if roles.get(seen.profile) == "companion")
    rows = tuple(
        seen
        for seen in listed
        if (role := roles.get(seen.profile, "server")) != "companion"
        and not (role == "gateway" and seen.model in served)
    )
    return Discovery(rows, tuple(here), warnings, here, beside)


def wanted_metrics(profiles: Mapping[str, Profile]) -> frozenset[str]:
    """Return the names of all series that the profiles read."""
    return frozenset[str]().union(
        *(profile.signature for profile in profiles.values()),
        *(
            expression.metrics()
            for profile in profiles.values()
            for expression in (
                *(signal.expression for signal in profile.signals.values()),
                *(fact.expression for fact in profile.facts.values()),
            )
        ),
    )


def long_metrics(profiles: Mapping[str, Profile]) -> frozenset[str]:
    """Return the names of the series that windows of days read: requests, bad ones, and cost."""
    return frozenset[str]().union(
        *(
            profile.signals[name].expression.metrics()
            for profile in profiles.values()
            for name in ("requests_rate", "bad_rate", "error_ratio", "cost_rate")
            if name in profile.signals
        )
    )
