"""``midwatch check``: is the configuration sound, and does everything it names answer?"""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.cli import exits
from console.cli.parsing import Parser, add_shared, flags
from console.facts.text import visible
from console.settings.load import load

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from console.settings.load import Loaded
    from console.settings.schema import Settings, SourceSettings
    from console.settings.secrets import SecretResolver

_LIMIT_SECONDS = 20.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, whether it is well, and what to do."""

    what: str
    well: bool
    sentence: str

    def __str__(self) -> str:
        return f"{'ok    ' if self.well else 'FAILED'} {self.what}: {self.sentence}"


def run(shared: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Check and print one line each; 0 all well, 1 something failed, 78 a faulty configuration."""
    parser = Parser("midwatch check", "Validate the configuration, then what it names.")
    parser.add_argument("--offline", action="store_true", help="ask nothing of the network")
    add_shared(parser)
    chosen = parser.parse_all(arguments)
    loaded = load(flags(shared), os.environ)
    print(Finding("configuration", True, _where(loaded)))
    for warning in loaded.warnings:
        print(f"note   configuration: {visible(warning)}")
    findings: list[Finding] = []
    if not loaded.settings.sources:
        print("note   sources: none is declared; `midwatch init --prometheus URL` writes one")
    findings += _secrets(loaded.settings)
    if not chosen.offline:
        findings += asyncio.run(_sources(loaded.settings))
    for finding in findings:
        print(finding)
    for line in _undriven(loaded.settings):
        print(line)
    _print_origins(loaded)
    return exits.OK if all(finding.well for finding in findings) else exits.FAILED


def _where(loaded: Loaded) -> str:
    settings = loaded.settings
    counts = f"sources: {len(settings.sources)}, models: {len(settings.models)}"
    place = "no file; flags, environment and defaults"
    return f"{visible(str(loaded.path)) if loaded.path else place} ({counts})"


def _secrets(settings: Settings) -> list[Finding]:
    from console.settings.secrets import list_references, test_secret

    found: list[Finding] = []
    for each in list_references(settings):
        result = test_secret(each.reference, os.environ)
        found.append(Finding(f"secret {each.key_path}", result.ok, visible(result.sentence)))
    return found


async def _sources(settings: Settings) -> list[Finding]:
    from console.settings.secrets import SecretResolver, list_references

    references = [each.reference for each in list_references(settings)]
    resolver = SecretResolver(references, os.environ)
    resolver.start()
    from console.cli.check_alerts import check_alerts

    found = list(await asyncio.gather(*(_source(each, resolver) for each in settings.sources)))
    return [*found, *(Finding(*each) for each in await check_alerts(settings, resolver))]


async def _source(settings: SourceSettings, resolver: SecretResolver) -> Finding:
    from console.engine.making import made_or_broken, plain_factory
    from console.signals.profile import profiles
    from console.sources.protocol import SourceDown

    what = f"source {visible(settings.name)}"
    source = made_or_broken(plain_factory(resolver), settings)
    began_at = time.monotonic()
    try:
        async with asyncio.timeout(_LIMIT_SECONDS):
            found = await source.discover(profiles(), time.time())
    except SourceDown as down:
        return Finding(what, False, f"{visible(down.sentence)}; look at its url, auth and network")
    except TimeoutError:
        return Finding(what, False, f"no answer within {_LIMIT_SECONDS:.0f} s; is the url right?")
    finally:
        await source.aclose()
    took_seconds = time.monotonic() - began_at
    if not found.models:
        return Finding(
            what,
            False,
            "it answers, but knows no model; docs/profiles.md says which metrics are recognised",
        )
    warned = f"; {visible(found.warnings[0])}" if found.warnings else ""
    return Finding(
        what,
        True,
        f"answers in {took_seconds:.2f} s; models: {len(found.models)} "
        f"(profiles {', '.join(found.profiles)}){warned}",
    )


def _undriven(settings: Settings) -> list[str]:
    """Say plainly what is declared but not read by this version."""
    lines = []
    if settings.controls:
        lines.append(f"note   controls: {len(settings.controls)} declared; this version only reads")
    from console.cli.check_alerts import unread

    return [*lines, *unread(settings)]


def _print_origins(loaded: Loaded) -> None:
    print("where each value came from:")
    defaults = 0
    for key, origin in loaded.origins.items():
        if origin.kind == "default":
            defaults += 1
            continue
        print(f"  {visible(key)}: {origin.kind} {visible(origin.where)}".rstrip())
    print(f"  everything else ({defaults} values): default")
