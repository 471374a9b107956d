"""Writes the demo fleet's configuration and its drift references."""

import json
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from console.demo.catalogue import CONFIG_HEAD, DEPENDENCIES
from console.demo.midwatch_series import SCORE_EDGES
from console.demo.scenario import ModelSpec
from console.demo.service_breaker import reference
from console.settings.drift_reference import reference_json

REFERENCED = ("fraud-scorer", "churn-ranker")
TAKEN_BEFORE_SECONDS = 42 * 86400.0
PREDICTIONS = 50_000
_NOTE = "simulated: the scores of a week in which nothing had moved"


def path_of(model: ModelSpec) -> str | None:
    """Return where the reference of a model stands beside the configuration, None without one."""
    return f"refs/{model.name}.json" if model.name in REFERENCED else None


def reference_file(model: ModelSpec, now: float) -> bytes:
    """Return the file as it was taken six weeks before ``now`` (Unix seconds)."""
    shares = reference(model)[0]
    counts = np.rint(PREDICTIONS * shares / shares.sum())
    return reference_json(
        model=model.name,
        taken_at=now - TAKEN_BEFORE_SECONDS,
        edges=SCORE_EDGES,
        counts=counts.tolist(),
        note=_NOTE,
    )


SOURCE_NAME = "demo"
HOURS_A_MONTH = 720.0
BUDGET_MARGIN = 1.1
_ALLOWED = {"eu": ("eu",), "us": ("us", "eu"), "ap": ("ap",)}


def planned_usd_per_hour(model: ModelSpec) -> float:
    """Return USD an hour that the model was planned to cost: requests, workers, retraining."""
    backend = model.primary
    request_usd = backend.request_usd
    if backend.tokens is not None:
        tokens = backend.tokens
        request_usd += tokens.prompt_mean * tokens.prompt_usd_per_million / 1e6
        request_usd += tokens.output_mean * tokens.output_usd_per_million / 1e6
    hourly = model.rate_per_second * 3600.0 * request_usd + backend.hourly_usd
    return hourly + model.retraining_usd_per_hour


def config_toml(
    models: Sequence[ModelSpec],
    targets: Sequence[str],
    prometheus_url: str | None,
    control_urls: Mapping[str, str] | None = None,
    *,
    references: bool = False,
    journal_url: str | None = None,
) -> str:
    """Return a complete configuration for ``models``, scraped or read from a Prometheus.

    ``control_urls`` gives the base URL of each model whose service can be controlled. With
    ``references`` the files that drift is measured against are named; with ``journal_url`` what
    is done to the models stands in a record of its own.
    """
    urls = control_urls or {}
    lines = [
        *CONFIG_HEAD,
        "",
        *_source(targets, prometheus_url),
    ]
    if journal_url is not None:
        lines += ["", "[journal]", f"url = {_text(journal_url)}"]
    for model in models:
        reference = path_of(model) if references else None
        lines += ["", *_model(model, model.name in urls, reference)]
    used = {name for model in models for name in model.dependencies}
    for dependency in DEPENDENCIES:
        if dependency.name in used:
            lines += [
                "",
                f"[dependencies.{_text(dependency.name)}]",
                f"owner = {_text(dependency.owner)}",
                f"match = {{ dependency = {_text(dependency.name)} }}",
            ]
            callers = [
                urls[model.name]
                for model in models
                if model.name in urls and dependency.name in model.dependencies
            ]
            if callers:
                lines += _dependency_control(dependency.name, callers)
    for model in models:
        if model.name in urls:
            lines += _controls(model, urls[model.name])
    return "\n".join(lines) + "\n"


def _source(targets: Sequence[str], prometheus_url: str | None) -> list[str]:
    head = ["[[sources]]", f"name = {_text(SOURCE_NAME)}"]
    if prometheus_url is not None:
        return [*head, 'kind = "prometheus"', f"url = {_text(prometheus_url)}"]
    return [*head, 'kind = "scrape"', "targets = [", *(f"  {_text(url)}," for url in targets), "]"]


def _text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _list(values: Iterable[str]) -> str:
    return "[" + ", ".join(_text(value) for value in values) + "]"


def _table(key: str, **entries: str) -> str:
    inside = ", ".join(f"{name} = {value}" for name, value in entries.items())
    return f"{key} = {{ {inside} }}"


def _roles(model: ModelSpec) -> tuple[str, ...]:
    return (
        "breaker",
        "route",
        "threshold",
        *(("human",) if model.reviewers_per_second > 0 else ()),
    )


def _controls(model: ModelSpec, url: str) -> list[str]:
    """Return the tables that say how one model is controlled, by the demo's own contract."""
    lines: list[str] = []
    for role in _roles(model):
        lines += [
            "",
            f"[controls.{_text(f'{model.name}-{role}')}]",
            'driver = "http"',
            'preset = "midwatch"',
            f'kind = "{role}"',
            f"targets = {_list([url])}",
            f"vars = {{ model = {_text(model.name)} }}",
        ]
    return lines


def _dependency_control(name: str, urls: Sequence[str]) -> list[str]:
    """Return the control of a shared dependency: one breaker in each service that calls it."""
    return [
        f"controls = {{ breaker = {_text(f'{name}-breaker')} }}",
        "",
        f"[controls.{_text(f'{name}-breaker')}]",
        'driver = "http"',
        'preset = "midwatch-dependency"',
        'kind = "breaker"',
        f"targets = {_list(urls)}",
        f"vars = {{ dependency = {_text(name)} }}",
    ]


def _model(model: ModelSpec, controllable: bool, reference: str | None) -> list[str]:
    key = f"models.{_text(model.name)}"
    lines = [
        f"[{key}]",
        f"tier = {model.tier}",
        f"region = {_text(model.region)}",
        f"allowed_regions = {_list(_ALLOWED[model.region])}",
    ]
    if model.profile != "midwatch":
        lines.append(f"profile = {_text(model.profile)}")
    if model.profile == "vllm":
        lines.append(f"match = {{ model_name = {_text(model.name)} }}")
    if model.consent:
        lines.append(f"consent = {_text(model.consent)}")
    if model.fails_closed:
        lines.append("fails_closed = true")
    if model.owner:
        primary, secondary = model.on_call
        lines += [
            f"owner = {_text(model.owner)}",
            _table(
                "oncall",
                primary=_text(primary),
                secondary=_text(secondary),
                escalation=_list((f"#{model.owner}", "duty-manager")),
            ),
        ]
    lines.append(f"runbook = {_text(f'https://runbooks.example.net/{model.name}')}")
    if model.dependencies:
        lines.append(f"dependencies = {_list(model.dependencies)}")
    if controllable:
        named = {role: _text(f"{model.name}-{role}") for role in _roles(model)}
        lines.append(_table("controls", **named))
    lines += _promises(model)
    if reference is not None:
        lines.append(_table("drift", reference=_text(reference)))
    for backend in model.fallbacks:
        lines += [
            "",
            f"[[{key}.fallbacks]]",
            f"name = {_text(backend.name)}",
            f"level = {_text(backend.level)}",
            f"region = {_text(backend.region)}",
            f"capacity = {backend.capacity_per_second:.1f}",
        ]
    return lines


def _promises(model: ModelSpec) -> list[str]:
    latency = ""
    if model.latency_under_seconds is not None:
        under = f"{model.latency_under_seconds * 1000:g}ms"
        latency = f', latency = {{ under = "{under}", share = {model.latency_share:g} }}'
    lines = [f"slo = {{ availability = {model.availability:g}{latency} }}"]
    hourly_usd = planned_usd_per_hour(model)
    budget = max(1.0, hourly_usd * HOURS_A_MONTH * BUDGET_MARGIN)
    if model.profile != "midwatch":
        # Its server exports no cost, so the plan's price stands in for it.
        per_1k = hourly_usd / (model.rate_per_second * 3.6)
        return [
            *lines,
            f"cost = {{ budget_month = {budget:.0f}, per_1k_requests = {per_1k:.4f} }}",
        ]
    if "confidence" not in model.omits:
        base = model.primary.low_share
        lines.append(f"confidence = {{ threshold = {model.threshold:g}, base = {base:g} }}")
    if model.reviewers_per_second > 0:
        lines.append(
            f"review = {{ capacity_per_second = {model.reviewers_per_second:g}, "
            f'sla = "{model.review_sla_seconds:g}s" }}'
        )
    if "cost" not in model.omits:
        lines.append(f"cost = {{ budget_month = {budget:.0f} }}")
    return lines
