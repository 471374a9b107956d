"""``midwatch lint-metrics``: what a service's ``/metrics`` gives, what is missing, what to add."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from console.cli import exits
from console.cli.exits import CommandError
from console.cli.parsing import Parser, add_shared
from console.facts.reading import ReadingState
from console.facts.signals import SIGNALS
from console.facts.text import visible

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from console.facts.samples import SeenModel
    from console.signals.profile import Profile


def run(shared: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Read the endpoint once; 0 when a model is recognised, 1 when none is."""
    parser = Parser("midwatch lint-metrics", "Say which signals a /metrics endpoint gives.")
    parser.add_argument("url", metavar="URL")
    add_shared(parser)
    chosen = parser.parse_all(arguments)
    models = asyncio.run(_look(chosen.url))
    if not models:
        print(f"{visible(chosen.url)}: no model is recognised here")
        print("add: model_requests_total{model, outcome}; docs/profiles.md lists what else counts")
        return exits.FAILED
    from console.signals.profile import profiles

    for name in sorted({model.profile for model in models}):
        served = sorted(model.model for model in models if model.profile == name)
        _report(profiles()[name], served)
    return exits.OK


def _report(profile: Profile, served: Sequence[str]) -> None:
    from console.engine.hints import hint

    print(f"{profile.title}: {', '.join(visible(model, 60) for model in served)}")
    given = [name for name in SIGNALS if name in profile.signals]
    print(f"  this kind of service can give: {', '.join(given)}")
    for name, fact in SIGNALS.items():
        if name not in profile.signals and not fact.derived:
            how = hint(name, served[0], ReadingState.NO_DATA)
            print(f"  not from it: {name} ({fact.title})" + (f"; {how}" if how else ""))


async def _look(url: str) -> tuple[SeenModel, ...]:
    from console.engine.making import plain_factory
    from console.settings.schema import SourceSettings
    from console.signals.profile import profiles
    from console.sources.protocol import SourceDown

    source = plain_factory()(SourceSettings(name="lint", kind="scrape", targets=(url,)))
    try:
        return (await source.discover(profiles(), time.time())).models
    except SourceDown as down:
        raise CommandError(f"{visible(url)} cannot be read: {visible(down.sentence)}") from down
    finally:
        await source.aclose()
