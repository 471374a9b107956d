"""Loads profiles: data files that say what one kind of model server exports.

A profile names a signature metric by which a server is recognised, the labels that carry model
and version, and one measurement a signal. Files stand in ``console/metrics/profiles``.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Literal

import msgspec
from msgspec import Struct

from console.domain.signals import SIGNALS
from console.metrics.expressions import Aggregation, Expression, Scope, respelled
from console.metrics.labels import (
    ExpressionError,
    Metric,
    checked_label,
    conditions,
    names_of,
    pattern_of,
    quoted,
    selector,
)
from console.metrics.names import MODEL_LABEL, Derived, NameRule
from console.metrics.unread_kinds import unread_pattern

Role = Literal["server", "gateway", "companion"]

CLIENT_SIDE = frozenset({"error_ratio", "bad_rate", "refused_rate", "retries_rate"})
"""Signals that a gateway knows better than the server behind it: what the client gets."""


def preference(role: Role, signal: str) -> int:
    """Return how much a voice of a role counts for a signal: the highest is shown."""
    order = (
        ("companion", "server", "gateway")
        if signal in CLIENT_SIDE
        else ("companion", "gateway", "server")
    )
    return order.index(role)


PARTS: Mapping[str, str] = MappingProxyType(
    {
        "cost_rate": "spend in USD a second; gives cost_per_hour, cost_today, cost_month",
        "slow_ratio": "share of requests above the latency objective's bucket edge",
        "drift_samples": "current rows behind the drift measure",
        "review_capacity": "reviews a second that people can do",
        "failed_rate": "requests a second that were taken and failed; counts an incident's harm",
        "served_rate": "requests a second that were answered; counts what a lower rung served",
    }
)
"""Measurements beside the public signals that a profile may define, with their meaning."""

FACTS: Mapping[str, str] = MappingProxyType(
    {
        "breaker_state": "breaker state, Resilience4j numbering, by model, dependency and instance",
        "route": "the active route of a model: target, level, region",
        "info": "constant labels of a model: region, data snapshot, code",
        "process_start": "when the newest process that serves a model began, in Unix seconds",
        "versions": "requests a second by model and version",
        "dependency_error_ratio": "failed share of a dependency's calls",
        "dependency_timeout_ratio": "share of a dependency's calls that timed out",
        "dependency_requests_rate": "calls a second to a dependency",
        "dependency_latency_p95": "0.95 quantile of a dependency's call duration",
        "dependency_attempts": "attempts on a dependency per request, by model",
        "dependency_breaker": "breaker state in front of a dependency, by caller and instance",
        "dependency_calls": "calls of a model to a dependency over 5m",
        "dependency_bad_calls": "failed calls of a model to a dependency over 5m",
        "dependency_call_p95": "0.95 quantile of the duration of a model's calls to a dependency",
        "dependency_calls_before": "calls of the hours before, as is usual",
        "dependency_bad_calls_before": "failed calls of the hours before",
        "dependency_call_p95_before": "0.95 quantile of call durations of the hours before",
        "dependency_attempts_before": "attempts per request of the hours before",
        "review_outcomes": "finished reviews a second by model and outcome",
        "cost_by": "spend in USD an hour by model, component, team and use",
        "drift_by_feature": "PSI by model and feature",
        "score_buckets": "growth of the score histogram, asked where a drift reference is declared",
    }
)
"""Labelled measurements a profile may define, with their meaning."""


PLACE_LABELS = ("job", "instance", "namespace", "pod", "cluster")
"""Labels that say where a model runs, and so whether two sightings are one thing."""

APART = "|"
"""What stands between a cluster or namespace and the name after it."""


class ProfileError(Exception):
    """A profile file that cannot be used; the message names file, place and what is allowed."""


class Definition(Struct, frozen=True, forbid_unknown_fields=True):
    """How a profile measures one signal.

    ``window`` and ``cadence`` replace the usual ones; ``model_label`` stands for series that
    carry the model under another label; ``note`` says what the number is not. ``join`` is how a
    companion that is bound by labels adds up over the places where a model runs.
    """

    expression: Expression
    window: str | None = None
    cadence: Literal["tick", "slow"] | None = None
    model_label: str | None = None
    note: str = ""
    join: Aggregation = "sum"


class FactDefinition(Struct, frozen=True, forbid_unknown_fields=True):
    """How a profile measures a labelled fact; ``by[0]`` is the model or the dependency.

    ``before`` lets the window end so long ago (``10m``): what is usual, out of whatever part of
    the window there is history for.
    """

    expression: Expression
    by: tuple[str, ...]
    window: str | None = None
    cadence: Literal["tick", "slow"] | None = None
    note: str = ""
    before: str | None = None


class Bind(Struct, frozen=True, forbid_unknown_fields=True):
    """How a companion finds its models: by labels that stand on the server's series as well.

    Without a bind the value of the companion's own model label is the model's name.
    """

    on: tuple[str, ...]


class Profile(Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of model server, or of what stands beside one.

    ``signature`` lists metric names, newest first: a server that exports one is of this kind,
    with ``any_prefix`` also under a name with more before it (``ray_vllm_…``) and ``_`` for ``:``.
    ``model_label`` is the label that bears the model, or ``model`` the rule it is worked out by.
    A ``gateway`` makes a row only where no server does, a ``companion`` never.
    ``discovery_where`` are conditions a series must meet to speak of a model. Label values in
    ``no_values`` mean that there is no value. ``apart`` are labels that discovery puts before the
    names because a source has one name under several of their values. ``not_given`` says for
    each signal that the server does not export why not; ``cites`` names where the metrics were
    read.
    """

    name: str
    title: str
    signature: tuple[str, ...]
    signals: dict[str, Definition]
    model_label: str = ""
    model: NameRule | None = None
    version_label: str | None = None
    version: NameRule | None = None
    server_label: str = "job"
    role: Role = "server"
    bind: Bind | None = None
    any_prefix: bool = True
    discovery_where: dict[str, str | tuple[str, ...]] = msgspec.field(default_factory=dict)
    no_values: tuple[str, ...] = ("", "None", "default", "unknown", "not available")
    facts: dict[str, FactDefinition] = msgspec.field(default_factory=dict)
    notes: tuple[str, ...] = ()
    not_given: dict[str, str] = msgspec.field(default_factory=dict)
    cites: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()

    def value_of(self, text: str) -> str | None:
        """Return a label's value, or None for the many ways of writing that there is none."""
        return None if text in self.no_values else text

    @property
    def derived(self) -> tuple[Derived, ...]:
        """Return the label that the model's rule makes, if there is one."""
        return () if self.model is None else (Derived(MODEL_LABEL, self.model),)

    @property
    def discovery_labels(self) -> tuple[str, ...]:
        """Return the labels of signature series that say which models there are."""
        if self.bind is not None:
            return tuple(name for label in self.bind.on for name in (f"exported_{label}", label))
        named = (self.model_label, f"exported_{self.model_label}")
        model = named if self.model is None else self.model.labels
        rule = () if self.version is None else self.version.labels
        version = () if self.version_label is None else (self.version_label,)
        return tuple(dict.fromkeys((*model, *version, *rule, self.server_label, *PLACE_LABELS)))

    def series_value(self, labels: Mapping[str, str]) -> str:
        """Return the model's value for a series with these labels; empty where there is none."""
        if self.bind is not None:
            places = (labels.get(f"exported_{on}") or labels.get(on, "") for on in self.bind.on)
            return "/".join(places)
        if self.model is not None:
            return self.model.value(labels)
        return labels.get(self.model_label, "")

    def name_in(self, value: str) -> str:
        """Return the model's own name in a value of the model label: what follows ``apart``."""
        return value.split(APART, len(self.apart))[-1] if self.apart else value

    def version_of(self, labels: Mapping[str, str]) -> str | None:
        """Return the version for a series with these labels, None where there is none."""
        if self.version is not None:
            return self.value_of(self.version.value(labels, "version"))
        label = self.version_label
        return None if label is None else self.value_of(labels.get(label, ""))


def parse_profile(text: str, where: str) -> Profile:
    """Read a profile's TOML; ``where`` names the file in errors. Raises `ProfileError`."""
    try:
        profile = msgspec.convert(tomllib.loads(text), Profile)
    except tomllib.TOMLDecodeError as problem:
        raise ProfileError(f"{where} is not TOML: {problem}") from problem
    except msgspec.ValidationError as problem:
        raise ProfileError(f"{where}: {problem}") from problem
    if profile.model is not None:
        if profile.model_label:
            raise ProfileError(f"{where}: there is model_label and a rule model; one of them names")
        profile = msgspec.structs.replace(profile, model_label=MODEL_LABEL)
    _check_names(profile.signals, {*_measured_signals(), *PARTS}, f"{where}: signals")
    _check_names(profile.not_given, set(SIGNALS), f"{where}: not_given")
    _check_names(profile.facts, set(FACTS), f"{where}: facts")
    _check_content(profile, where)
    return profile


def _measured_signals() -> list[str]:
    return [name for name, fact in SIGNALS.items() if not fact.derived]


def _check_names(found: Mapping[str, object], known: set[str], where: str) -> None:
    for name in found:
        if name not in known:
            near = difflib.get_close_matches(name, sorted(known), n=1)
            hint = (
                f"; did you mean {near[0]}?" if near else f"; there are {', '.join(sorted(known))}"
            )
            raise ProfileError(f"{where}.{name} is not a known name{hint}")


def _check_content(profile: Profile, where: str) -> None:
    if not profile.signature:
        raise ProfileError(f"{where}: signature needs at least one metric name")
    label, derived = profile.model_label, profile.derived
    if profile.bind is not None and (profile.role != "companion" or not profile.bind.on):
        raise ProfileError(f"{where}: bind is for a companion, and names the labels it binds on")
    if not label and profile.bind is None:
        raise ProfileError(f"{where}: the model's name needs model_label or a rule, model = {{…}}")
    try:
        for rule in (profile.model, profile.version):
            if rule is not None:
                rule.check()
    except ExpressionError as problem:
        raise ProfileError(f"{where}: {problem}") from problem
    for name, definition in profile.signals.items():
        by = profile.bind.on if profile.bind else (definition.model_label or label,)
        scope = Scope(by=by, edge=0.5, derived=derived)
        _check_definition(definition, scope, f"{where}: signals.{name}")
    for name, fact in profile.facts.items():
        scope = Scope(by=fact.by, edge=0.5, derived=derived)
        _check_definition(fact, scope, f"{where}: facts.{name}")
    for name in profile.not_given:
        if name in profile.signals:
            raise ProfileError(f"{where}: {name} is both measured and not given")
    try:
        models_promql(profile)
    except ExpressionError as problem:
        raise ProfileError(f"{where}: {problem}") from problem


def _check_definition(definition: Definition | FactDefinition, scope: Scope, where: str) -> None:
    try:
        definition.expression.promql(scope)
        window_seconds(definition.window)
        if isinstance(definition, FactDefinition):
            window_seconds(definition.before)
    except ExpressionError as problem:
        raise ProfileError(f"{where}: {problem}") from problem


_DURATION = re.compile(r"([1-9][0-9]*)(s|m|h|d)\Z")
_UNIT_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def window_seconds(text: str | None) -> float | None:
    """Return a profile's window in seconds; raises `ExpressionError` for one it cannot read."""
    if text is None:
        return None
    found = _DURATION.match(text)
    if found is None:
        raise ExpressionError(f"{text!r} is not a window; write 30s, 5m, 1h or 1d")
    return int(found.group(1)) * _UNIT_SECONDS[found.group(2)]


@cache
def built_in() -> Mapping[str, Profile]:
    """Return the profiles that come with the program, by name. Raises `ProfileError`."""
    folder = resources.files("console.metrics") / "profiles"
    files = sorted(folder.iterdir(), key=lambda item: item.name)
    return MappingProxyType(
        dict(
            named(file.read_text(encoding="utf-8"), file.name, f"profiles/{file.name}")
            for file in files
            if file.name.endswith(".toml")
        )
    )


def named(text: str, file_name: str, where: str) -> tuple[str, Profile]:
    """Return a profile under its name, which is its file's. Raises `ProfileError`."""
    profile = parse_profile(text, where)
    if file_name != f"{profile.name}.toml":
        raise ProfileError(f"{where}: name is {profile.name!r}; it must be the file's")
    return profile.name, profile


_in_force: Mapping[str, Profile] | None = None


def profiles() -> Mapping[str, Profile]:
    """Return the profiles in force, by name; the same object until others are put in force.

    Raises `ProfileError`.
    """
    return built_in() if _in_force is None else _in_force


def put_in_force(own: Mapping[str, Profile]) -> None:
    """Let the operator's profiles count beside those of the program; an equal name replaces one.

    Theirs are looked for first: what somebody wrote for their server knows it better.
    """
    global _in_force
    found = {**own, **{name: each for name, each in built_in().items() if name not in own}}
    if _in_force is None or dict(_in_force) != found:
        _in_force = MappingProxyType(found) if own else None


def discovery_promql(known: Mapping[str, Profile] | None = None) -> str:
    """Return the one query whose answer says which profiles are there and under which jobs.

    It asks for the kinds that are recognised and not read as well.
    """
    patterns = [
        _signature_pattern(profile, metric)
        for profile in (profiles() if known is None else known).values()
        for metric in profile.signature
    ]
    patterns.append(unread_pattern())
    return f"count by (__name__, job) ({{__name__=~{quoted('|'.join(patterns))}}})"


_PREFIX = "([a-zA-Z0-9_]+_)?"


def _signature_pattern(profile: Profile, metric: str) -> str:
    """Return the RE2 pattern of a metric's spellings: any prefix, and ``_`` in place of ``:``."""
    if not profile.any_prefix:
        return pattern_of(metric)
    # A prefix holds no colon: names with one are recording rules, sums of what is there already.
    return _PREFIX + pattern_of(metric).replace(":", "[:_]")


class Spelling(Struct, frozen=True):
    """How one source writes a profile's metrics: with what before them, and what for ``:``."""

    prefix: str = ""
    separator: str = ":"

    def of(self, metric: str) -> str:
        """Return a metric's name in this spelling."""
        return self.prefix + metric.replace(":", self.separator)


def spelling_of(profile: Profile, metric: str) -> Spelling | None:
    """Return how a name spells one of the profile's signature metrics, None if it is none."""
    if metric in profile.signature:
        return Spelling()
    if not profile.any_prefix:
        return None
    for base in profile.signature:
        found = _signature(_signature_pattern(profile, base)).fullmatch(metric)
        if found is not None:
            prefix = found.group(1) or ""
            same = metric[len(prefix) :] == base
            return Spelling(prefix, ":" if same else "_")
    return None


@cache
def _signature(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def profile_of_metric(metric: str, known: Mapping[str, Profile] | None = None) -> Profile | None:
    """Return the profile whose signature has this metric, in any spelling."""
    candidates = (profiles() if known is None else known).values()
    for profile in candidates:
        if metric in profile.signature:
            return profile
    return next((each for each in candidates if spelling_of(each, metric) is not None), None)


def adapted(profile: Profile, metrics: Iterable[str], *, exported: bool = False) -> Profile:
    """Return a profile as one source writes it.

    ``metrics`` are the signature names that were found there. ``exported`` says that the source's
    own target label has the model label's name, so that the server's word stands in
    ``exported_…``.
    """
    found = dict.fromkeys(spelling_of(profile, metric) for metric in sorted(metrics))
    spellings = sorted(
        (each for each in found if each is not None), key=lambda each: each != Spelling()
    )
    if spellings and spellings != [Spelling()]:
        profile = _spelled(profile, spellings)
    if exported and profile.model is None and profile.model_label:
        first = (f"exported_{profile.model_label}", profile.model_label)
        profile = msgspec.structs.replace(
            profile, model=NameRule(first_of=first), model_label=MODEL_LABEL,
            facts={n: _renamed(f, profile.model_label) for n, f in profile.facts.items()},
            discovery_where={},
        )  # fmt: skip
    return profile


def told_apart(profile: Profile, labels: tuple[str, ...]) -> Profile | None:
    """Return the profile with ``labels`` before each model's name; None where its rule forbids."""
    if profile.model is not None or not profile.model_label or profile.bind is not None:
        return None
    fields = APART.join(f"{{{label}}}" for label in (*labels, profile.model_label))
    return msgspec.structs.replace(
        profile, model=NameRule(template=fields), model_label=MODEL_LABEL, apart=labels,
        facts={n: _renamed(f, profile.model_label) for n, f in profile.facts.items()},
    )  # fmt: skip


def _renamed(fact: FactDefinition, label: str) -> FactDefinition:
    by = tuple(MODEL_LABEL if each == label else each for each in fact.by)
    return msgspec.structs.replace(fact, by=by)


def _spelled(profile: Profile, spellings: Sequence[Spelling]) -> Profile:
    stems = {re.split("[:_]", metric, maxsplit=1)[0] for metric in profile.signature}

    def names(metric: str) -> Metric:
        if re.split("[:_]", metric, maxsplit=1)[0] not in stems:
            return metric
        return tuple(dict.fromkeys(spelling.of(metric) for spelling in spellings))

    return msgspec.structs.replace(
        profile,
        signature=tuple(n for metric in profile.signature for n in names_of(names(metric))),
        signals={
            name: msgspec.structs.replace(each, expression=respelled(each.expression, names))
            for name, each in profile.signals.items()
        },
        facts={
            name: msgspec.structs.replace(each, expression=respelled(each.expression, names))
            for name, each in profile.facts.items()
        },
    )


def models_promql(profile: Profile) -> str:
    """Return the query whose series are a profile's models with version and job."""
    labels = ", ".join(map(checked_label, profile.discovery_labels))
    where = conditions(profile.discovery_where)
    counts = [f"count by ({labels}) ({selector(m, where)})" for m in profile.signature]
    return " or ".join(counts)
