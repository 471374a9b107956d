"""``midwatch init``: looks what is there and writes it down as a commented configuration."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from console.cli import command_line
from console.cli.bootstrap import looks_around, put_own_in_force
from console.cli.command_line import CommandError, Parser, UsageError, add_shared, flags
from console.domain.text import visible
from console.settings.load import Flags, HostSources, load, own_folder
from console.settings.own_files import own_profiles

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from console.domain.samples import SeenModel
    from console.settings.schema import AlertSettings, SourceSettings


def parser() -> Parser:
    """Return the command's own parser."""
    made = Parser("midwatch init", "Discover what is there and write a commented configuration.")
    made.add_argument("-o", "--output", metavar="FILE", help="write there instead of printing")
    made.add_argument("--force", action="store_true", help="replace FILE if it exists")
    add_shared(made)
    return made


def run(shared: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Discover models at --prometheus and --scrape and write a configuration."""
    chosen = parser().parse_all(arguments)
    asked = flags(shared)
    # Only the flags count: a configuration that exists already is not what is to be written.
    only_flags = Flags(prometheus=asked.prometheus, scrape=asked.scrape)
    if not (asked.prometheus or asked.scrape):
        only_flags = Flags(host=_on_this_host(asked))
    own = own_profiles(own_folder(os.environ, Path(os.environ.get("HOME") or "/")) / "profiles", ())
    put_own_in_force(own)
    settings = load(only_flags, {"HOME": os.devnull}).settings
    target = None if chosen.output is None else Path(chosen.output)
    if target is not None and target.exists() and not chosen.force:
        raise CommandError(f"{visible(str(target))} exists; --force replaces it")
    models, unread = asyncio.run(_discover(settings.sources))
    jobs = asyncio.run(_jobs(settings.sources))
    text = configuration(settings.sources, models, [*jobs, *unread], settings.alerts)
    if target is None:
        sys.stdout.write(text)
        return command_line.OK
    _write(target, text, force=chosen.force)
    sys.stderr.write(
        f"{visible(str(target))} written, models: {len({each.model for each in models})}; "
        f"next: midwatch --config {visible(str(target))} check\n"
    )
    return command_line.OK


def _on_this_host(asked: Flags) -> HostSources:
    """Return what this host runs; raises `UsageError` where that is nothing."""
    if looks_around(asked):
        from console.cli.host_look import look_around

        found = look_around(os.environ)
        if found.prometheus or found.scrape:
            sys.stderr.write(f"{found.sentence}\n")
            return HostSources(found.prometheus, found.alertmanager, found.scrape)
    raise UsageError("name what to look at: midwatch init --prometheus URL (or --scrape URL)")


async def _discover(sources: Sequence[SourceSettings]) -> tuple[list[SeenModel], list[str]]:
    """Return the models of all sources, and a line for each kind of server that is not read."""
    from console.metrics.profile import profiles
    from console.sources.base import SourceDown
    from console.sources.factory import made_or_broken, plain_factory

    found: list[SeenModel] = []
    unread: list[str] = []
    for settings in sources:
        source = made_or_broken(plain_factory(), settings)
        try:
            known = await source.discover(profiles(), time.time())
            found += known.models
            unread += [f"seen and not read: {each.sentence}" for each in known.unread]
        except SourceDown as down:
            raise CommandError(
                f"{visible(settings.name)} cannot be read: {visible(down.sentence)}"
            ) from down
        finally:
            await source.aclose()
    return found, unread


async def _jobs(sources: Sequence[SourceSettings]) -> list[str]:
    """Return one line a job of each server: how many models, versions and series it has."""
    from console.http.endpoint import endpoint_of
    from console.metrics.profile import profiles
    from console.sources.base import SourceDown
    from console.sources.data_frames import Frames

    lines: list[str] = []
    for settings in sources:
        if settings.kind != "prometheus":
            continue
        try:
            frame = await Frames(endpoint_of(settings)).discovery(profiles(), time.time())
        except SourceDown as down:
            lines.append(f"jobs of {visible(settings.name)} are not known: {down.sentence}")
            continue
        grouped = frame.groupby(["server", "profile"], sort=True)
        for (job, profile), group in grouped:
            lines.append(
                f"job {visible(str(job), 60)}: {profile}, models {group['model'].nunique()}, "
                f"signature series {group['series'].sum():.0f}"
            )
    return lines


def configuration(
    sources: Sequence[SourceSettings],
    models: Sequence[SeenModel],
    jobs: Sequence[str] = (),
    alerts: Sequence[AlertSettings] = (),
) -> str:
    """Return a configuration of what was found; what only people know is commented.

    No model is declared by it: every model is shown as it is found, and a declaration without an
    owner would make a row of each that only says so.
    """
    lines = [
        "# Written by `midwatch init`: what was found, ready to be completed.",
        "# Lines that start with '#' are for you to fill in; docs/configuration.md lists all keys.",
        "version = 1",
        'environment = "default"              # the name in the header; "prod" looks different',
        'writes = "armed"                     # never | armed | open',
        "",
    ]
    for source in sources:
        lines += _source(source)
    lines += _alerts(alerts)
    lines += [
        "# [journal]                          # the record; one host keeps it in a file by itself",
        '# url = "postgresql://host/midwatch" # for a team',
        "# [shift]",
        '# ends = ["06:00", "14:00", "22:00"]',
        "",
    ]
    kinds: dict[str, dict[str, SeenModel]] = {}
    for model in sorted(models, key=lambda each: each.model):
        kinds.setdefault(model.profile, {}).setdefault(model.model, model)
    count = sum(map(len, kinds.values()))
    summary = ", ".join(f"{len(found)} {profile}" for profile, found in sorted(kinds.items()))
    lines.append(f"# models found: {count} ({summary or 'none'})")
    lines += [f"#   {visible(line)}" for line in jobs]
    if count:
        lines += ["#", f"# No owner is known of {count} models. {_HOW_TO_DECLARE}"]
    for profile, found in sorted(kinds.items()):
        lines += ["", *_kind(profile, list(found.values()))]
    return "\n".join(lines) + "\n"


_HOW_TO_DECLARE = "Each is shown as it is; what you declare of one counts for it."
_MOST_NAMED = 200


def _alerts(alerts: Sequence[AlertSettings]) -> list[str]:
    if not alerts:
        return [
            "# [[alerts]]                         # who calls; read, and told who has an incident",
            '# name = "alertmanager"',
            '# kind = "alertmanager"',
            '# url = "http://localhost:9093"',
            "",
        ]
    lines = []
    for each in alerts:
        lines += [
            "[[alerts]]",
            f"name = {quoted(each.name)}",
            f"kind = {quoted(each.kind)}",
            f"url = {quoted(each.url or '')}",
            "",
        ]
    return lines


def _kind(profile: str, models: Sequence[SeenModel]) -> list[str]:
    """Return the models of one kind by name, one block to copy, and the preset it may have."""
    first = models[0]
    region = dict(first.info).get("region", "") or "eu"
    lines = [f"# --- {profile}: {len(models)}, from source {visible(first.source)}"]
    for model in models[:_MOST_NAMED]:
        versions = ", ".join(visible(each, 40) for each in model.versions[:5])
        about = f"  # versions {versions}" if versions else ""
        lines.append(f"# [models.{quoted(model.model)}]{about}")
    if len(models) > _MOST_NAMED:
        lines.append(f"# and {len(models) - _MOST_NAMED} more")
    lines += [
        "# under one of these:",
        "# tier = 1                             # 1 is the most important, 3 the least",
        '# owner = "team"',
        '# oncall = { primary = "…", secondary = "…", escalation = ["…"] }',
        '# runbook = "https://…"',
        '# slo = { availability = 0.999, latency = { under = "400ms", share = 0.99 } }',
        "# cost = { budget_month = 1000 }",
        f"# allowed_regions = [{quoted(region)}]           # where its data may be sent",
    ]
    preset = _PRESETS.get(profile)
    if preset is not None:
        lines += [
            f"# controls = {{ breaker = {quoted(preset)} }}",
            f"# [controls.{preset}]                # this kind can be acted on; docs/controls.md",
            '# driver = "http"',
            f"# preset = {quoted(preset)}",
            '# targets = ["https://…"]',
        ]
    return lines


_PRESETS = {
    "triton": "triton",
    "mlserver": "mlserver",
    "litellm": "litellm",
    "sglang_router": "sglang-router",
    "resilience4j": "resilience4j",
    "envoy": "envoy",
}
"""The preset of controls by the profile of the server it speaks to."""


def _source(source: SourceSettings) -> list[str]:
    lines = ["[[sources]]", f"name = {quoted(source.name)}", f"kind = {quoted(source.kind)}"]
    if source.kind == "prometheus":
        lines.append(f"url = {quoted(source.url or '')}")
        lines.append('# auth = { type = "bearer", secret = "keyring:midwatch/NAME" }')
        lines.append('# tenant = "…"                      # X-Scope-OrgID')
    else:
        targets = ", ".join(map(quoted, source.targets))
        lines.append(f"targets = [{targets}]")
    return [*lines, ""]


def quoted(text: str) -> str:
    """Return ``text`` as a TOML basic string; control characters and quotes are escaped."""
    escaped = "".join(
        f"\\u{ord(character):04x}"
        if ord(character) < 0x20 or 0x7F <= ord(character) < 0xA0
        else f"\\{character}"
        if character in '"\\'
        else character
        for character in text
    )
    return f'"{escaped}"'


def _write(target: Path, text: str, *, force: bool) -> None:
    part = target.with_name(f".{target.name}.part")
    try:
        handle = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        if force:
            part.replace(target)
        else:
            # A link fails where the name is taken: nothing that appeared meanwhile is lost.
            os.link(part, target)
            part.unlink()
    except OSError as fault:
        part.unlink(missing_ok=True)
        raise CommandError(f"{visible(str(target))} cannot be written: {fault.strerror}") from fault
