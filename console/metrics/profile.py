"""Loads profiles: data files that say what one kind of model server exports.

A profile names a signature metric by which a server is recognised, the labels that carry model
and version, and one measurement a signal. Files stand in ``console/metrics/profiles``.
"""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Literal

import msgspec
from msgspec import Struct

from console.domain.signals import SIGNALS
from console.metrics.expressions import Expression, Scope
from console.metrics.labels import ExpressionError, conditions, pattern_of, quoted, selector

PARTS: Mapping[str, str] = MappingProxyType(
    {
        "cost_rate": "spend in USD a second; gives cost_per_hour, cost_today, cost_month",
        "slow_ratio": "share of requests above the latency objective's bucket edge",
        "drift_samples": "current rows behind the drift measure",
        "review_capacity": "reviews a second that people can do",
        "refused_rate": "requests a second that were turned away; counts an incident's harm",
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
        "review_outcomes": "finished reviews a second by model and outcome",
        "cost_by": "spend in USD an hour by model, component, team and use",
        "drift_by_feature": "PSI by model and feature",
        "score_buckets": "growth of the score histogram, asked where a drift reference is declared",
    }
)
"""Labelled measurements a profile may define, with their meaning."""


class ProfileError(Exception):
    """A profile file that cannot be used; the message names file, place and what is allowed."""


class Definition(Struct, frozen=True, forbid_unknown_fields=True):
    """How a profile measures one signal.

    ``window`` and ``cadence`` replace the usual ones; ``model_label`` stands for series that
    carry the model under another label; ``note`` says what the number is not.
    """

    expression: Expression
    window: str | None = None
    cadence: Literal["tick", "slow"] | None = None
    model_label: str | None = None
    note: str = ""


class FactDefinition(Struct, frozen=True, forbid_unknown_fields=True):
    """How a profile measures a labelled fact; ``by[0]`` is the model or the dependency."""

    expression: Expression
    by: tuple[str, ...]
    window: str | None = None
    cadence: Literal["tick", "slow"] | None = None
    note: str = ""


class Profile(Struct, frozen=True, forbid_unknown_fields=True):
    """One kind of model server.

    ``signature`` lists metric names, newest first: a server that exports one is of this kind.
    ``discovery_where`` are conditions a series must meet to speak of a model. Label values in
    ``no_values`` mean that there is no value.
    """

    name: str
    title: str
    signature: tuple[str, ...]
    model_label: str
    signals: dict[str, Definition]
    version_label: str | None = None
    server_label: str = "job"
    discovery_where: dict[str, str | tuple[str, ...]] = msgspec.field(default_factory=dict)
    no_values: tuple[str, ...] = ("", "None", "default", "unknown")
    facts: dict[str, FactDefinition] = msgspec.field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def value_of(self, text: str) -> str | None:
        """Return a label's value, or None for the many ways of writing that there is none."""
        return None if text in self.no_values else text


def parse_profile(text: str, where: str) -> Profile:
    """Read a profile's TOML; ``where`` names the file in errors. Raises `ProfileError`."""
    try:
        profile = msgspec.convert(tomllib.loads(text), Profile)
    except tomllib.TOMLDecodeError as problem:
        raise ProfileError(f"{where} is not TOML: {problem}") from problem
    except msgspec.ValidationError as problem:
        raise ProfileError(f"{where}: {problem}") from problem
    _check_names(profile.signals, {*_measured_signals(), *PARTS}, f"{where}: signals")
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
    label = profile.model_label
    for name, definition in profile.signals.items():
        scope = Scope(by=(definition.model_label or label,), edge=0.5)
        _check_definition(definition, scope, f"{where}: signals.{name}")
    for name, fact in profile.facts.items():
        _check_definition(fact, Scope(by=fact.by, edge=0.5), f"{where}: facts.{name}")
    try:
        models_promql(profile)
    except ExpressionError as problem:
        raise ProfileError(f"{where}: {problem}") from problem


def _check_definition(definition: Definition | FactDefinition, scope: Scope, where: str) -> None:
    try:
        definition.expression.promql(scope)
        window_seconds(definition.window)
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
def profiles() -> Mapping[str, Profile]:
    """Return the profiles that come with the program, by name. Raises `ProfileError`."""
    found = {}
    folder = resources.files("console.metrics") / "profiles"
    for file in sorted(folder.iterdir(), key=lambda item: item.name):
        if file.name.endswith(".toml"):
            profile = parse_profile(file.read_text(encoding="utf-8"), f"profiles/{file.name}")
            if file.name != f"{profile.name}.toml":
                raise ProfileError(f"profiles/{file.name}: name is {profile.name!r}")
            found[profile.name] = profile
    return MappingProxyType(found)


def discovery_promql(known: Mapping[str, Profile] | None = None) -> str:
    """Return the one query whose answer says which profiles are there and under which jobs."""
    names = [
        metric
        for profile in (profiles() if known is None else known).values()
        for metric in profile.signature
    ]
    pattern = "|".join(map(pattern_of, names))
    return f"count by (__name__, job) ({{__name__=~{quoted(pattern)}}})"


def profile_of_metric(metric: str, known: Mapping[str, Profile] | None = None) -> Profile | None:
    """Return the profile whose signature has this metric."""
    for profile in (profiles() if known is None else known).values():
        if metric in profile.signature:
            return profile
    return None


def models_promql(profile: Profile) -> str:
    """Return the query whose series are a profile's models with version and job."""
    labels = [profile.model_label, profile.server_label]
    if profile.version_label is not None:
        labels.insert(1, profile.version_label)
    where = conditions(profile.discovery_where)
    counts = [f"count by ({', '.join(labels)}) ({selector(m, where)})" for m in profile.signature]
    return " or ".join(counts)
