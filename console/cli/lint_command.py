"""``midwatch lint-metrics``: what a service's ``/metrics`` gives, what is missing, what to add."""

from __future__ import annotations

import asyncio
import re
import textwrap
from typing import TYPE_CHECKING

from console.cli import command_line
from console.cli.command_line import CommandError, Parser, UsageError, add_shared
from console.domain.signals import SIGNALS
from console.domain.text import visible
from console.metrics.fit import FIRST, NAME, Census, lacks, naming_labels

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from console.metrics.profile import Profile

_SAMPLE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[^\n]*\})?[ \t]", re.MULTILINE)
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)\s*=\s*"((?:[^"\\]|\\.)*)"')
_LARGEST_BYTES = 16 * 1024 * 1024


def parser() -> Parser:
    """Return the command's own parser."""
    made = Parser("midwatch lint-metrics", "Say which signals a /metrics endpoint gives.")
    made.add_argument("url", metavar="URL", help="the address of a /metrics endpoint")
    made.add_argument(
        "--objective",
        metavar="TIME",
        type=made.value(command_line.duration()),
        help="a latency objective, such as 400ms, that the buckets are to answer",
    )
    made.add_argument(
        "--threshold",
        metavar="RATIO",
        type=float,
        help="a confidence threshold, 0 to 1, that the buckets are to answer",
    )
    made.add_argument(
        "--strict",
        action="store_true",
        help="exit 1 also where a first signal, an edge or a bound is missing; for a pipeline",
    )
    add_shared(made)
    return made


def run(shared: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Read the endpoint once; 0 when a profile is recognised, 1 when none is."""
    from console.metrics.profile import adapted, profile_of_metric, profiles
    from console.metrics.unread_kinds import unread_kinds

    chosen = parser().parse_all(arguments)
    if not chosen.url.startswith(("http://", "https://")):
        raise UsageError(
            f'{visible(chosen.url)} is no URL; did you mean "http://{visible(chosen.url)}"?'
        )
    text = asyncio.run(_read(chosen.url))
    samples = list(_SAMPLE.finditer(text))
    series, faults = _series(text)
    names = frozenset(found.group(1) for found in samples)
    told = {each.name for name in names if (each := profile_of_metric(name)) is not None}
    known = [adapted(each, names) for each in profiles().values() if each.name in told]
    others = unread_kinds(names)
    for other in others:
        print(
            f"this is {other.title}: {other.reason}; its numbers come by [models.NAME] with match, "
            "source and own PromQL, or by a profile of your own"
        )
    if not known and others:
        return command_line.FAILED
    if not known:
        print(f"{visible(chosen.url)}: {len(names)} metrics, none of a server that is recognised")
        if not names:
            print("it answers, but not with metrics; most services give them under /metrics")
        print("add: model_requests_total{model, outcome}; docs/profiles.md lists what else counts")
        return command_line.FAILED
    unlabelled = [each for profile in known for each in _without_label(profile, samples)]
    census = Census.of(series)
    reported = [_report(profile, census) for profile in known]
    for sentence in unlabelled:
        print(f"no row: {sentence}")
    wanted = {"slow_ratio": chosen.objective, "low_confidence_ratio": chosen.threshold}
    faults += [each for profile in known for each in buckets(profile, series, wanted)]
    faults += cardinality(series)
    for fault in faults:
        print(f"mend: {fault}")
    strict = chosen.strict and (faults or unlabelled or not all(reported))
    if strict or len(unlabelled) == len(known):
        return command_line.FAILED
    return command_line.OK


def _series(text: str) -> tuple[list[dict[str, str]], list[str]]:
    """Return the labels of every series, and what is wrong with the page as such."""
    from console.sources.exposition import ExpositionError
    from console.sources.series_list import series_of

    try:
        return series_of(text.encode()), []
    except ExpositionError as fault:
        lines = [
            {NAME: found.group(1), **dict(_LABEL.findall(found.group(2) or ""))}
            for found in _SAMPLE.finditer(text)
        ]
        return lines, [f"{fault.sentence}; a Prometheus refuses the whole page for it"]


def _without_label(profile: Profile, samples: Sequence[re.Match[str]]) -> list[str]:
    """Return why no row can be made of a profile's metric: it lacks the label that names models."""
    from console.metrics.unread_kinds import without_label

    mine = [found for found in samples if found.group(1) in profile.signature]
    needed = [label for label, value in profile.discovery_where.items() if str(value)[:1] == "!"]
    if not mine or profile.role == "companion":
        return []
    if any(all(_has(found.group(2) or "", label) for label in needed) for found in mine):
        return []
    return [without_label(profile, [mine[0].group(1)]).sentence]


def _has(labels: str, label: str) -> bool:
    return re.search(rf'[{{,]\s*{re.escape(label)}\s*=\s*"[^"]', labels) is not None


def _report(profile: Profile, census: Census) -> bool:
    """Print the signals of one kind of server; tell whether none of the first ones is missing."""
    given, missing, foreign = _sorted_out(profile, census)
    print(f"recognised: this is {profile.title} (profile {profile.name})")
    first = [name for name in FIRST if name in missing]
    for name in first:
        print(f"  first   {name}: {SIGNALS[name].title}; {missing[name]}")
    for name in given:
        print(f"  ok      {name}: {SIGNALS[name].title}")
    for name, why in missing.items():
        if name not in first:
            print(f"  missing {name}: {SIGNALS[name].title}; {why}")
    if foreign:
        # By kind of server, so that what can be mended stays on the screen.
        print(f"  none    {len(foreign)} signals this kind of server does not give:")
        for line in textwrap.wrap(", ".join(foreign), 86):
            print(f"          {line}")
        print("          docs/profiles.md says what would fill each")
    return not first


def _sorted_out(profile: Profile, census: Census) -> tuple[list[str], dict[str, str], list[str]]:
    """Return the signals that are given, those that lack something with what, and all others."""
    from console.metrics.variants import measurements

    measured = {**measurements(profile)}
    for name in ("cost_today", "cost_month"):
        if "cost_increase" in measured:
            measured.setdefault(name, measured["cost_increase"])
    given: list[str] = []
    missing: dict[str, str] = {}
    foreign: list[str] = []
    for name, fact in SIGNALS.items():
        if fact.derived:
            continue
        if name not in measured:
            foreign.append(name)
            continue
        each = measured[name]
        found = lacks(each.expression, census, naming_labels(profile, each.model_label))
        if found:
            missing[name] = "; ".join(lack.advice for lack in found)
        else:
            given.append(name)
    return given, missing, foreign


MOST_SERIES, MOST_VALUES = 2000, 500
"""Above these a metric costs its server, and whoever reads it, more than it can tell."""


def cardinality(series: Sequence[Mapping[str, str]]) -> list[str]:
    """Return sentences about metrics with too many series, each with the label that makes them."""
    by_metric: dict[str, list[Mapping[str, str]]] = {}
    for each in series:
        by_metric.setdefault(each[NAME], []).append(each)
    told = []
    for metric, mine in sorted(by_metric.items(), key=lambda item: -len(item[1])):
        values: dict[str, set[str]] = {}
        for labels in mine:
            for label, value in labels.items():
                if label not in (NAME, "le"):
                    values.setdefault(label, set()).add(value)
        label, most = max(
            ((label, len(found)) for label, found in values.items()),
            key=lambda item: item[1],
            default=("", 0),
        )
        if len(mine) > MOST_SERIES or most > MOST_VALUES:
            told.append(
                f"{metric} has {len(mine)} series; label {label} has {most} values: leave it out "
                "or bound it, each costs memory here and in every server that scrapes it"
            )
    return told


def buckets(
    profile: Profile, series: Sequence[Mapping[str, str]], wanted: Mapping[str, float | None]
) -> list[str]:
    """Return sentences about edges: a share under an objective or threshold needs one there.

    ``wanted`` is the edge by measurement (``slow_ratio``, ``low_confidence_ratio``), in the
    histogram's unit, None where none was asked for.
    """
    told = []
    for name, edge in wanted.items():
        definition = profile.signals.get(name)
        if edge is None or definition is None:
            continue
        for metric in sorted(definition.expression.metrics()):
            texts = {each["le"] for each in series if each[NAME] == metric and "le" in each}
            edges = sorted(float(text) for text in texts if text not in ("+Inf", "inf"))
            if not edges or any(abs(found - edge) <= 1e-9 * max(1.0, edge) for found in edges):
                continue
            near = sorted(sorted(edges, key=lambda found: abs(found - edge))[:2])
            told.append(
                f"{metric} has no bucket edge at {edge:g}, so that {name} cannot be answered; "
                f"the nearest are {' and '.join(f'{found:g}' for found in near)}"
            )
    return told


async def _read(url: str) -> str:
    from console.http.client import Wire
    from console.http.endpoint import endpoint_of_target
    from console.http.resilience import WireError
    from console.settings.schema import SourceSettings

    declared = SourceSettings(name="lint", kind="scrape", targets=(url,))
    wire = Wire(endpoint_of_target(declared, url), None, max_bytes=_LARGEST_BYTES)
    try:
        answer = await wire.get("")
    except WireError as fault:
        raise CommandError(fault.sentence) from fault
    finally:
        await wire.aclose()
    if answer.status != 200:
        raise CommandError(f"{visible(url)} answered {answer.status}; is it the metrics path?")
    return answer.body.decode("utf-8", "replace")
