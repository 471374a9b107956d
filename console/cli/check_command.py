"""``midwatch check``: is the configuration sound, and does everything it names answer?"""

from __future__ import annotations

import asyncio
import os
import time
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from console.actions.verbs import SENDS
from console.cli import command_line
from console.cli.bootstrap import keep_out_of_log, loaded_with_profiles
from console.cli.command_line import Parser, add_shared, flags
from console.controls.declaration import declared, presets
from console.controls.protocol import ControlError
from console.domain.text import visible
from console.engine.outside_feeds import registry_factory
from console.http.resilience import WireError
from console.incidents.annotations import build_annotations
from console.incidents.feeds import AlertsUnreadable, build_reader
from console.sources.mlflow import RegistryUnreadable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Awaitable, Callable, Iterator, Sequence

    from console.controls.protocol import Control
    from console.domain.samples import Answer, SeenModel
    from console.engine.outside_feeds import MakeRegistry
    from console.engine.polling import Reader
    from console.http.endpoint import SecretLookup
    from console.incidents.annotations import ToldChanges
    from console.incidents.feeds import AlertAnswer
    from console.settings.endpoint_tables import RegistrySettings
    from console.settings.load import Loaded
    from console.settings.schema import Settings, SourceSettings
    from console.settings.secrets import SecretResolver
    from console.sources.base import Source
    from console.sources.mlflow import MlflowReader

    Checked = tuple[str, bool, str]


def check_decisions(settings: Settings) -> Iterator[Checked]:
    """Yield (key path, well, sentence) of each place of ``models.NAME.decisions``; asks nobody."""
    for model, of_model in settings.models.items():
        for sink, control in of_model.decisions.items():
            key = f"models.{visible(model)}.decisions.{sink}"
            yield key, *_offers(settings, control, SENDS[sink].action)


def _offers(settings: Settings, control: str, action: str) -> tuple[bool, str]:
    """Tell whether a control offers an action, and in a sentence what it offers instead."""
    shown = f"controls.{visible(control)}"
    try:
        made = declared(control, settings.controls[control])
    except ControlError as fault:
        return False, f"{shown}: {visible(str(fault), 600)}"
    if action in made.actions:
        return True, f"{shown} offers {action}"
    found = ", ".join(visible(each, 40) for each in sorted(made.actions)) or "nothing"
    return False, (
        f"{shown} lacks what such a decision needs; found: {found}; allowed: a control that offers "
        f"{action}{_presets_with(action)}, or the table {shown}.actions.{action} of your own"
    )


def _presets_with(action: str) -> str:
    """Return which shipped presets and kinds offer an action, as the end of a sentence."""
    offering = [
        f"{name} with kind = {kind}"
        for name, preset in presets().items()
        for kind, of_kind in preset.kinds.items()
        if action in of_kind.actions
    ]
    return f" (preset {', '.join(offering)})" if offering else ""


AnswerT = TypeVar("AnswerT")

_SHOWN_VALUES = 4
_LIMIT_SECONDS = 20.0


async def check_places(settings: Settings, resolver: SecretLookup) -> list[Checked]:
    """Return (what, well, sentence) of each declared place that is read."""
    alerts: list[Awaitable[Checked]] = [
        _place(
            f"alerts {visible(one.name)}",
            partial(build_reader, one, resolver),
            _count_alerts,
        )
        for one in settings.alerts
    ]
    changes = [
        _place(
            f"changes {visible(one.name)}",
            partial(build_annotations, one, resolver),
            _count_changes,
        )
        for one in settings.changes
    ]
    make = registry_factory(resolver)
    registries = [
        _place(
            f"registry {visible(model)}",
            partial(_registered, make, model, declared.registry),
            _say_registered,
        )
        for model, declared in settings.models.items()
        if declared.registry is not None
    ]
    return list(await asyncio.gather(*alerts, *changes, *registries))


class _Registered:
    """A registry as one more place that is read: the model and its alias, nothing of its runs."""

    def __init__(self, reader: MlflowReader) -> None:
        self._reader = reader

    async def read(self, _now: float) -> str:
        return await self._reader.check()

    async def aclose(self) -> None:
        await self._reader.aclose()


def _registered(make: MakeRegistry, model: str, settings: RegistrySettings) -> _Registered:
    return _Registered(make(model, settings))


def _say_registered(told: str) -> tuple[str, tuple[str, ...]]:
    return told, ()


def _count_alerts(found: AlertAnswer) -> tuple[str, tuple[str, ...]]:
    return f"alerts: {len(found.alerts)}", found.warnings


def _count_changes(found: ToldChanges) -> tuple[str, tuple[str, ...]]:
    return f"changes of the last day: {len(found.changes)}", found.warnings


async def _place(
    what: str,
    build: Callable[[], Reader[AnswerT]],
    count: Callable[[AnswerT], tuple[str, tuple[str, ...]]],
) -> Checked:
    try:
        reader = build()
    except (OSError, ValueError) as fault:
        return what, False, f"this place cannot be set up: {visible(str(fault))}"
    began_at = time.monotonic()
    try:
        async with asyncio.timeout(_LIMIT_SECONDS):
            found = await reader.read(time.time())
    except (WireError, AlertsUnreadable) as fault:
        return what, False, f"{visible(str(fault))}; look at its url, auth and network"
    except RegistryUnreadable as fault:
        return what, False, f"{visible(str(fault), 400)}; look at url, name and alias of its table"
    except TimeoutError:
        return what, False, f"no answer within {_LIMIT_SECONDS:.0f} s; is the url right?"
    finally:
        await reader.aclose()
    took_seconds = time.monotonic() - began_at
    counted, warnings = count(found)
    warned = f"; {visible(warnings[0])}" if warnings else ""
    return what, not warnings, f"answers in {took_seconds:.2f} s; {counted}{warned}"


_REFERENCE_DAYS = 90.0
_JOURNAL_FILE = "sqlite:///"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line: what was looked at, whether it is well, and what to do."""

    what: str
    well: bool
    sentence: str

    def __str__(self) -> str:
        return f"{'ok    ' if self.well else 'FAILED'} {self.what}: {self.sentence}"


def parser() -> Parser:
    """Return the command's own parser."""
    made = Parser("midwatch check", "Validate the configuration, then what it names.")
    made.add_argument("--offline", action="store_true", help="ask nothing of the network")
    add_shared(made)
    return made


def run(shared: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Check and print one line each; 0 all well, 1 something failed, 78 a faulty configuration."""
    chosen = parser().parse_all(arguments)
    loaded = loaded_with_profiles(flags(shared))
    print(Finding("configuration", True, _where(loaded)))
    for warning in loaded.warnings:
        print(f"note   configuration: {visible(warning)}")
    findings: list[Finding] = []
    if not loaded.settings.sources:
        print("note   sources: none is declared; `midwatch init --prometheus URL` writes one")
    findings += _own_profiles(loaded)
    findings += _references(loaded.settings, time.time())
    findings += _secrets(loaded.settings)
    findings += _decisions(loaded.settings)
    if not chosen.offline:
        findings += asyncio.run(_answers(loaded.settings))
    findings += _journal(loaded, offline=chosen.offline)
    for finding in findings:
        print(finding)
    _print_origins(loaded)
    return command_line.OK if all(finding.well for finding in findings) else command_line.FAILED


def _where(loaded: Loaded) -> str:
    settings = loaded.settings
    counts = f"sources: {len(settings.sources)}, models: {len(settings.models)}"
    place = "no file; flags, environment and defaults"
    return f"{visible(str(loaded.path)) if loaded.path else place} ({counts})"


def _own_profiles(loaded: Loaded) -> list[Finding]:
    """Say which profiles are the operator's, and which of the program's they replace."""
    from console.settings.own_files import built_in_profiles

    shipped = built_in_profiles()
    return [
        Finding(
            f"profile {visible(each.name)}",
            True,
            f"{visible(each.path)} is well formed"
            + ("; it replaces the built-in of that name" if each.name in shipped else ""),
        )
        for each in loaded.profiles
    ]


def _references(settings: Settings, now: float) -> list[Finding]:
    """Say of every drift reference what it rests on, how old it is, and its hash."""
    found: list[Finding] = []
    for name, model in settings.models.items():
        held = None if model.drift is None else model.drift.reference
        if held is None:
            continue
        days = max(0.0, now - held.taken_at) / 86400.0
        old = (
            f"; older than {_REFERENCE_DAYS:.0f} d: take a new one"
            if days > _REFERENCE_DAYS
            else ""
        )
        found.append(
            Finding(
                f"drift reference {visible(name)}",
                True,
                f"{held.name}, n={held.n:.0f}, {len(held.edges)} bins, {days:.0f} d old, "
                f"sha256 {held.sha256}{old}",
            )
        )
    return found


def _secrets(settings: Settings) -> list[Finding]:
    from console.settings.secrets import list_references, test_secret

    found: list[Finding] = []
    for each in list_references(settings):
        result = test_secret(each.reference, os.environ)
        found.append(Finding(f"secret {each.key_path}", result.ok, visible(result.sentence)))
    return found


def _decisions(settings: Settings) -> list[Finding]:
    """Say of every place a decision is sent on to whether its control can do what it must."""
    if not any(model.decisions for model in settings.models.values()):
        return []

    return [Finding(*each) for each in check_decisions(settings)]


def _resolver(settings: Settings) -> SecretResolver:
    from console.settings.secrets import SecretResolver, list_references

    references = [each.reference for each in list_references(settings)]
    resolver = SecretResolver(references, os.environ)
    keep_out_of_log(resolver.known)
    resolver.start()
    return resolver


async def _answers(settings: Settings) -> list[Finding]:
    """Ask every source and place for alerts and read every control, all at once."""

    resolver = _resolver(settings)
    sources = [_source(each, settings, resolver) for each in settings.sources]
    controls: list[Awaitable[Finding | list[Finding]]] = []
    if settings.controls:
        from console.controls.registry import build_controls

        controls = [_control(each) for each in build_controls(settings, resolver).values()]
    asked = asyncio.gather(*sources, *controls)
    found, places = await asyncio.gather(asked, check_places(settings, resolver))
    told = (one for each in found for one in (each if isinstance(each, list) else [each]))
    return [*told, *(Finding(*each) for each in places)]


async def _control(control: Control) -> Finding:
    """Read whether what a control names is there; nothing is changed."""
    from console.controls.registry import check_control

    what = f"control {visible(control.name)}"
    try:
        async with asyncio.timeout(_LIMIT_SECONDS):
            checked = await check_control(control, time.time())
    except TimeoutError:
        return Finding(what, False, f"no answer within {_LIMIT_SECONDS:.0f} s; look at its targets")
    finally:
        await control.aclose()
    told = "existence read: " if checked.well else ""
    return Finding(what, checked.well, f"{told}{visible(checked.sentence, 600)}")


def _journal(loaded: Loaded, *, offline: bool) -> list[Finding]:
    """Open the journal for reading and verify its end; one not written yet is no fault."""
    from console.journal import JournalError, open_configured

    url = loaded.settings.journal.url
    what = f"journal {visible(url.rpartition('@')[2], 200)}"
    if url.startswith(_JOURNAL_FILE):
        path = Path(url.removeprefix(_JOURNAL_FILE)).expanduser()
        if not path.exists():
            return [Finding(what, True, "not written yet; the first action makes it")]
    elif offline:
        return []
    try:
        journal = open_configured(loaded, _resolver(loaded.settings), os.environ, read_only=True)
        try:
            head = journal.head()
            # Reading an entry compares it with its hash.
            end = () if head is None else journal.tail(head.seq - 1, 1)
        finally:
            journal.close()
    except JournalError as fault:
        return [Finding(what, False, visible(fault.sentence, 600))]
    if head is None or not end:
        return [Finding(what, True, "opens; nothing is written in it yet")]
    return [
        Finding(
            what,
            True,
            f"opens; its end, entry {head.seq} ({visible(end[0].kind, 20)}), is what was hashed; "
            "`midwatch journal verify` reads the whole chain",
        )
    ]


async def _source(
    declared: SourceSettings, settings: Settings, resolver: SecretResolver
) -> list[Finding]:
    """Look for models in one source, and ask once each PromQL text that is written for its rows."""
    from console.sources.factory import made_or_broken, plain_factory

    source = made_or_broken(plain_factory(resolver), declared)
    try:
        finding, models = await _discovered(source, declared)
        own = [] if models is None else await _own_promql(source, models, settings)
    finally:
        await source.aclose()
    return [finding, *own]


async def _own_promql(
    source: Source, models: Sequence[SeenModel], settings: Settings
) -> list[Finding]:
    """Ask each operator's own text of this source's rows once, and say what it gave."""
    from console.engine.row_assignment import seat_rows
    from console.evaluation.inventory import row_places
    from console.metrics.query_plan import plan
    from console.sources.base import SourceDown

    seating = seat_rows(row_places(models, settings), settings)
    found = []
    for at in seating.of_source(source.name):
        row = replace(seating.rows[at], label=seating.seats[at].series_value)
        declared = settings.models.get(row.model)
        if declared is None or not declared.signals:
            continue
        selects = {row.model: declared.labels} if declared.labels else {}
        now = time.time()
        for query in plan((), [row], {row.model: declared.signals}, now, selects=selects):
            if query.column not in declared.signals:
                continue
            what = f"models.{visible(row.model, 60)}.signals.{query.column}"
            try:
                async with asyncio.timeout(_LIMIT_SECONDS):
                    answer = await source.ask_aside(query, now)
            except (SourceDown, TimeoutError) as fault:
                said = getattr(fault, "sentence", f"no answer within {_LIMIT_SECONDS:.0f} s")
                found.append(Finding(what, False, visible(said, 600)))
                continue
            found.append(Finding(what, *_given(answer)))
    return found


def _given(answer: Answer) -> tuple[bool, str]:
    """Return whether an own text answers one row, and in words what it answered."""
    if answer.error is not None:
        return False, visible(answer.error, 600)
    count = len(answer.keys)
    if not count:
        return False, "no series; nothing there bears what $match selects, or the name is another"
    values = ", ".join(f"{value:.6g}" for value in answer.values[:_SHOWN_VALUES])
    if count > 1:
        labels = ", ".join(visible(key[0], 40) or "no label" for key in answer.keys[:_SHOWN_VALUES])
        return True, f"{count} series ({labels}: {values}); the row takes the one of its name"
    return True, f"one series: {values}"


async def _discovered(
    source: Source, settings: SourceSettings
) -> tuple[Finding, tuple[SeenModel, ...] | None]:
    """Return what a source knows, and its models; None where it does not answer."""
    from console.metrics.profile import profiles
    from console.sources.base import SourceDown

    what = f"source {visible(settings.name)}"
    began_at = time.monotonic()
    try:
        async with asyncio.timeout(_LIMIT_SECONDS):
            found = await source.discover(profiles(), time.time())
    except SourceDown as down:
        told = f"{visible(down.sentence)}; look at its url, auth and network"
        return Finding(what, False, told), None
    except TimeoutError:
        told = f"no answer within {_LIMIT_SECONDS:.0f} s; is the url right?"
        return Finding(what, False, told), None
    took_seconds = time.monotonic() - began_at
    unread = "; not read: ".join(visible(each.sentence) for each in found.unread)
    if not found.models:
        told = (
            f"not read: {unread}"
            if unread
            else ("docs/profiles.md says which metrics are recognised")
        )
        clock = "".join(f"; {visible(each)}" for each in source.status().warnings)
        return Finding(what, False, f"it answers, but knows no model{clock}; {told}"), ()
    remarks = list(dict.fromkeys((*source.status().warnings, *found.warnings)))
    warned = f"; {visible(remarks[0])}" if remarks else ""
    if unread:
        warned += f"; not read: {unread}"
    told = (
        f"answers in {took_seconds:.2f} s; models: {len(found.models)} "
        f"(profiles {', '.join(found.profiles)}){warned}"
    )
    return Finding(what, True, told), found.models


def _print_origins(loaded: Loaded) -> None:
    print("where each value came from:")
    defaults = 0
    for key, origin in loaded.origins.items():
        if origin.kind == "default":
            defaults += 1
            continue
        print(f"  {visible(key)}: {origin.kind} {visible(origin.where)}".rstrip())
    print(f"  everything else ({defaults} values): default")
