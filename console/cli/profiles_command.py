"""``midwatch profiles list|show|test``: what is known of model servers, and a profile tried out."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from console.cli import command_line
from console.cli.bootstrap import loaded_with_profiles
from console.cli.command_line import CommandError, Parser, UsageError, add_shared, flags, one_of
from console.domain.signals import SIGNALS
from console.domain.text import visible
from console.settings.load import Flags, load
from console.settings.own_files import OwnFile, built_in_profiles, read_file
from console.settings.problems import nearest

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

    from console.domain.samples import Answer
    from console.metrics.fit import Census, Lack
    from console.metrics.profile import Profile
    from console.metrics.queries import Query
    from console.settings.schema import SourceSettings

_VERBS = ("list", "show", "test")
_LOOKS, _BETWEEN_SECONDS = 4, 1.0
"""A /metrics address is read so often: a rate needs two readings."""
_SHOWN_MODELS = 3


def parser() -> Parser:
    """Return the command's own parser."""
    made = Parser("midwatch profiles", "What is known of model servers; try a profile out.")
    made.add_argument(
        "verb",
        metavar="|".join(_VERBS),
        type=made.value(one_of(_VERBS, "midwatch profiles")),
        help="list all, show one, or test one against a server",
    )
    made.add_argument("name", nargs="?", metavar="NAME|FILE", help="show: a name; test: a file")
    made.add_argument("--toml", action="store_true", help="show: the file itself, to start from")
    add_shared(made)
    return made


def run(shared: argparse.Namespace, arguments: Sequence[str]) -> int:
    """List, show or test; a test exits 0 when the server is recognised and lacks nothing."""
    chosen = parser().parse_all(arguments)
    if chosen.verb == "list":
        return _list(loaded_with_profiles(flags(shared)).profiles)
    if not chosen.name:
        raise UsageError(
            f"name what to {chosen.verb}: midwatch profiles show vllm"
            if chosen.verb == "show"
            else "name a file: midwatch profiles test my.toml --scrape http://host:8000/metrics"
        )
    if chosen.verb == "show":
        return _show(chosen.name, loaded_with_profiles(flags(shared)).profiles, toml=chosen.toml)
    asked = flags(shared)
    profile = _read(Path(chosen.name))
    print(f"{visible(chosen.name)} is well formed: profile {profile.name}, {profile.title}")
    _say_unsaid(profile)
    if not (asked.prometheus or asked.scrape):
        print("nothing was asked: give --prometheus URL or --scrape URL to see its values")
        return command_line.OK
    # Only the flags count: which servers are declared is no part of the test.
    only_flags = Flags(prometheus=asked.prometheus, scrape=asked.scrape)
    sources = load(only_flags, {"HOME": os.devnull}).settings.sources
    codes = [asyncio.run(_test(profile, source)) for source in sources]
    return max(codes)


def _list(own: Sequence[OwnFile]) -> int:
    from console.metrics.profile import profiles

    paths = {each.name: each.path for each in own}
    shipped = built_in_profiles()
    for name in sorted(profiles()):
        profile = profiles()[name]
        whose = ""
        if name in paths:
            whose = f"  {visible(paths[name])}"
            whose += " (replaces the built-in)" if name in shipped else ""
        print(f"{name:<18} {profile.role:<10} {profile.title}{whose}")
    return command_line.OK


def _show(name: str, own: Sequence[OwnFile], *, toml: bool) -> int:
    from importlib import resources

    from console.metrics.profile import profiles

    profile = profiles().get(name)
    if profile is None:
        close = nearest(name, profiles())
        raise CommandError(
            f"there is no profile {visible(name, 60)}; {close or '`midwatch profiles list`'}"
        )
    if toml:
        mine = next((each.text for each in own if each.name == name), None)
        shipped = resources.files("console.metrics") / "profiles" / f"{name}.toml"
        sys.stdout.write(shipped.read_text(encoding="utf-8") if mine is None else mine)
        return command_line.OK
    print(f"{profile.title} (profile {profile.name}, {profile.role})")
    print(f"recognised by {', '.join(profile.signature)}")
    for note in profile.notes:
        print(f"note: {note}")
    for query in _queries(profile, ()):
        print(f"\n{query.column}\n  {query.promql}")
    if profile.not_given:
        print()
    for signal, why in profile.not_given.items():
        print(f"not given  {signal}: {why}")
    return command_line.OK


def _read(path: Path) -> Profile:
    from console.metrics.profile import ProfileError, named

    try:
        return named(read_file(path), path.name, visible(str(path)))[1]
    except ProfileError as fault:
        raise CommandError(visible(str(fault), 600)) from fault


def _say_unsaid(profile: Profile) -> None:
    from console.metrics.fit import unsaid

    open_ones = unsaid(profile)
    if open_ones and profile.role != "companion":
        print(
            f"note: {', '.join(open_ones)}: neither measured nor under [not_given] with the "
            "reason, which the screen would show"
        )


async def _test(profile: Profile, source: SourceSettings) -> int:
    """Print every signal with its PromQL, its values, or what it lacks."""
    from console.metrics.fit import Census, near_signatures, unmet
    from console.sources.base import SourceDown, as_written, wanted_metrics
    from console.sources.series_list import listed

    where = visible(source.url or ", ".join(source.targets))
    try:
        names = wanted_metrics({profile.name: profile})
        census = Census.of(await listed(source, names))
        written = as_written(profile, census.labels, [])
        if written is not profile:
            names = wanted_metrics({profile.name: written})
            census = Census.of(await listed(source, names))
        found, answers = await _values(profile, source)
    except SourceDown as down:
        raise CommandError(f"{where} cannot be read: {visible(down.sentence)}") from down
    if not found:
        print(f"{where}: not recognised: {_why_not(profile, census)}")
        for near in near_signatures(profile, census):
            print(f"  it has {visible(near)}")
        return command_line.FAILED
    print(f"{where}: recognised, models: {len(found)} ({', '.join(found[:5])})")
    lacking = unmet(written, census)
    whole = [_told(query, answer, lacking, found) for query, answer in answers]
    valued = sum(whole)
    print(f"signals with a value: {valued} of {len(whole)}")
    return command_line.OK if valued == len(whole) else command_line.FAILED


def _why_not(profile: Profile, census: Census) -> str:
    there = [metric for metric in profile.signature if metric in census.labels]
    if not there:
        return f"it exports none of {', '.join(profile.signature)}"
    conditions = ", ".join(f"{name} {value}" for name, value in profile.discovery_where.items())
    return f"{there[0]} is there, but no series of it meets discovery_where ({conditions})"


async def _values(
    profile: Profile, source: SourceSettings
) -> tuple[list[str], list[tuple[Query, Answer]]]:
    """Return the models' names and every question with its answer."""
    from console.sources.factory import made_or_broken, plain_factory

    read = made_or_broken(plain_factory(interval_seconds=_BETWEEN_SECONDS), source)
    try:
        looks = _LOOKS if source.kind == "scrape" else 1
        for look in range(looks):
            if look:
                await asyncio.sleep(_BETWEEN_SECONDS)
            discovery = await read.discover({profile.name: profile}, time.time())
        written = discovery.written.get(profile.name, profile)
        queries = _queries(written, [each.series_value for each in discovery.models])
        answers = await read.ask(queries, time.time())
        beside = [f"{n} places" for n in discovery.companions.values()]
        return [each.model for each in discovery.models] or beside, list(
            zip(queries, answers, strict=True)
        )
    finally:
        await read.aclose()


def _queries(profile: Profile, models: Sequence[str]) -> list[Query]:
    """Return the plain question of every signal and fact the profile defines, in their order."""
    from console.domain.model import ModelRow, Objectives
    from console.metrics.fit import NAME
    from console.metrics.query_plan import plan

    objectives = replace(Objectives(), latency_under_seconds=1.0)
    rows = [
        ModelRow(model, profile=profile.name, objectives=objectives) for model in models or [NAME]
    ]
    server = replace_role(profile)
    planned = plan([profile.name], rows, {}, time.time(), known={profile.name: server})
    by_column = {query.column: query for query in reversed(planned)}
    order = (*profile.signals, *profile.facts)
    return [by_column[name] for name in order if name in by_column]


def replace_role(profile: Profile) -> Profile:
    """Return a bound companion by the labels it is bound by: there is no server to join here."""
    import msgspec

    if profile.bind is None:
        return profile
    return msgspec.structs.replace(profile, model_label=profile.bind.on[0], bind=None)


def _told(
    query: Query, answer: Answer, lacking: Mapping[str, Sequence[Lack]], models: Sequence[str]
) -> bool:
    """Print one signal; tell whether it has a value, or nothing was asked of the models."""
    import numpy as np

    from console.metrics.units import format_signal

    fact = SIGNALS.get(query.column)
    title = f"{query.column}: {fact.title}" if fact is not None else query.column
    values = [
        (key, value)
        for key, value in zip(answer.keys, answer.values.tolist(), strict=True)
        if not np.isnan(value)
    ]
    lacks = [lack.sentence for lack in lacking.get(query.column, ())]
    if lacks:
        # Also where there is a value: without the label it would be a zero that nobody measured.
        state, text = "missing", "; ".join(lacks)
    elif values:
        shown = ", ".join(
            f"{visible('/'.join(key), 60)} {format_signal(query.column, value)}"
            for key, value in values[:_SHOWN_MODELS]
        )
        more = f" and {len(values) - _SHOWN_MODELS} more" if len(values) > _SHOWN_MODELS else ""
        state, text = "ok", f"{shown}{more}"
    elif answer.error is not None:
        state, text = "error", visible(answer.error, 300)
    elif answer.keys:
        state, text = "idle", "0/0: nothing was asked of it in the window"
    else:
        state, text = (
            "empty",
            "its series are there, but none meets the conditions, or too short a history",
        )
    print(f"\n{state:<8} {title}\n         {text}\n         {query.promql}")
    return state in ("ok", "idle")
