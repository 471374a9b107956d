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

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from console.metrics.profile import Profile

_SAMPLE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[^\n]*\})?[ \t]", re.MULTILINE)
_LARGEST_BYTES = 16 * 1024 * 1024


def parser() -> Parser:
    """Return the command's own parser."""
    made = Parser("midwatch lint-metrics", "Say which signals a /metrics endpoint gives.")
    made.add_argument("url", metavar="URL", help="the address of a /metrics endpoint")
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
    samples = list(_SAMPLE.finditer(asyncio.run(_read(chosen.url))))
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
    for profile in known:
        _report(profile, names)
    for sentence in unlabelled:
        print(f"no row: {sentence}")
    return command_line.FAILED if len(unlabelled) == len(known) else command_line.OK


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


def _report(profile: Profile, names: frozenset[str]) -> None:
    given, missing, foreign = _sorted_out(profile, names)
    print(f"recognised: this is {profile.title} (profile {profile.name})")
    for name in given:
        print(f"  ok      {name}: {SIGNALS[name].title}")
    for name, metrics in missing:
        print(f"  missing {name}: {SIGNALS[name].title}; add {', '.join(metrics)}")
    if foreign:
        # By kind of server, so that what can be mended stays on the screen.
        print(f"  none    {len(foreign)} signals this kind of server does not give:")
        for line in textwrap.wrap(", ".join(foreign), 86):
            print(f"          {line}")
        print("          docs/profiles.md says what would fill each")


def _sorted_out(
    profile: Profile, names: frozenset[str]
) -> tuple[list[str], list[tuple[str, list[str]]], list[str]]:
    """Return the signals that are given, those whose metrics are missing, and all others."""
    from console.metrics.variants import measurements

    measured = {**measurements(profile)}
    for name in ("cost_today", "cost_month"):
        if "cost_increase" in measured:
            measured.setdefault(name, measured["cost_increase"])
    given: list[str] = []
    missing: list[tuple[str, list[str]]] = []
    foreign: list[str] = []
    for name, fact in SIGNALS.items():
        if fact.derived:
            continue
        if name not in measured:
            foreign.append(name)
            continue
        metrics = measured[name].expression.metrics()
        if metrics & names:
            given.append(name)
        else:
            missing.append((name, sorted(metrics)))
    return given, missing, foreign


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
