"""Prepares a command: settings loaded, the log file opened, output files written whole."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from console.cli import command_line
from console.cli.command_line import CommandError
from console.domain.text import visible
from console.engine.gc_tuning import hold_off_collector
from console.settings.load import Flags, HostSources, Loaded, load
from console.settings.problems import Problem, SettingsError
from console.settings.secret_references import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from console.domain.entry import JournalHead
    from console.domain.snapshot import Snapshot
    from console.engine.service import Engine
    from console.journal import Journal
    from console.settings.own_files import OwnFile
    from console.settings.schema import Settings, SourceSettings
    from console.settings.secret_references import SecretValue
    from console.settings.secrets import SecretResolver
    from console.sources.base import Source

LARGEST_BYTES = 2_000_000
KEPT_FILES = 3

_CREDENTIALS_IN_URL = r"(?i)(?P<scheme>[a-z][a-z0-9+.-]*://)[^/\s@]+@"
_AUTHORIZATION = r"(?i)\b(authorization|bearer|basic|password|token|secret)(\W+)\S+"


class CleanFormatter(logging.Formatter):
    """One line an event: control characters visible, secrets and what looks like one left out."""

    def __init__(self, form: str) -> None:
        super().__init__(form)
        self.secrets: Callable[[], Iterable[SecretValue]] = tuple

    def format(self, record: logging.LogRecord) -> str:
        """Return the event as text; a traceback keeps its own lines."""
        text = redact(super().format(record), self.secrets())
        # Compiled with the first line that is logged: most starts of the console log nothing.
        shown = re.sub(_CREDENTIALS_IN_URL, r"\g<scheme>•••@", text)
        clean = re.sub(_AUTHORIZATION, r"\1\2•••", shown)
        return "\n".join(visible(line, limit=2000) for line in clean.splitlines())


def start_log(file: str) -> None:
    """Log to ``file``; raises `CommandError` where it cannot be written."""
    from logging.handlers import RotatingFileHandler

    path = Path(file).expanduser()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Made with the right mode before anything is written into it.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600))
        handler = RotatingFileHandler(
            path, maxBytes=LARGEST_BYTES, backupCount=KEPT_FILES, encoding="utf-8", delay=True
        )
    except OSError as fault:
        raise CommandError(
            f"the log {visible(file)} cannot be written: {fault.strerror}; name another file"
        ) from fault
    handler.setFormatter(CleanFormatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    # A disk that fills up must not print tracebacks over the console; what it shows goes on.
    logging.raiseExceptions = False
    root = logging.getLogger()
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    for chatty in ("httpx", "httpcore", "asyncio"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def keep_out_of_log(secrets: Callable[[], Iterable[SecretValue]]) -> None:
    """Leave out of the log, from now on, whatever ``secrets`` returns when a line is written."""
    for handler in logging.getLogger().handlers:
        if isinstance(handler.formatter, CleanFormatter):
            handler.formatter.secrets = secrets


NOTHING_TO_READ = (
    "there is nothing to read: no source is configured. Give --prometheus URL or --scrape URL, "
    "write a configuration with `midwatch init --prometheus URL`, or look around with "
    "`midwatch demo`."
)


class Prepared(Struct, frozen=True):
    """Settings in force, how to load them again, and the secrets that are being fetched.

    ``notice`` says what was found on this host, where nothing is configured.
    """

    loaded: Loaded
    load_again: Callable[[], Loaded]
    resolver: SecretResolver
    notice: str = ""

    def engine(self, make_source: Callable[[SourceSettings], Source] | None = None) -> Engine:
        """Return an engine on these settings; imports NumPy and all that reads numbers."""
        # Until the first look at the fleet: see there.
        hold_off_collector()
        from console.engine.outside_feeds import reader_factory, registry_factory, teller_factory
        from console.engine.service import Engine
        from console.sources.factory import plain_factory

        return Engine(
            self.loaded,
            load_again=self.load_again,
            make_source=make_source
            or plain_factory(self.resolver, interval_seconds=self.loaded.settings.refresh_seconds),
            make_reader=reader_factory(self.resolver),
            make_teller=teller_factory(self.resolver),
            make_registry=registry_factory(self.resolver),
            open_record=self._open_record,
            read_witness=self._read_witness,
        )

    async def two_looks(self, engine: Engine, limit_seconds: float) -> Snapshot:
        """Return the fleet after two looks, one refresh apart: a rule is called when both agree."""
        if all(source.kind == "prometheus" for source in self.loaded.settings.sources):
            await engine.look_twice(limit_seconds)
        else:
            await engine.once(limit_seconds=limit_seconds)
            await asyncio.sleep(self.loaded.settings.refresh_seconds)
            await engine.once(limit_seconds=limit_seconds)
        # Who calls what is known after one judgement, and grouping needs it: judge once more.
        return await engine.once(limit_seconds=0.0)

    async def quick_look(self, limit_seconds: float) -> Snapshot | None:
        """Return the fleet as far as it answers within the limit; None with nothing to ask."""
        settings = self.loaded.settings
        if not (settings.sources or settings.alerts):
            return None
        engine = self.engine()
        try:
            await engine.once(remembers=False, limit_seconds=limit_seconds)
            # Who calls what is known after one judgement, and grouping needs it: judge once more.
            return await engine.once(remembers=False, limit_seconds=0.0)
        finally:
            await engine.close()

    def read_journal(self) -> Journal:
        """Open the record for reading; raises ``JournalError``."""
        return self._open_record(self.loaded.settings)

    def _open_record(self, settings: Settings) -> Journal:
        from console.journal import open_configured

        # Nothing is written here, so a configuration file that is gone by now is no hindrance.
        read = replace(self.loaded, settings=settings, path=None)
        return open_configured(read, self.resolver, os.environ, read_only=True)

    def _read_witness(self, settings: Settings) -> tuple[JournalHead, ...]:
        from console.journal.anchor import anchor_place, anchors_at

        return anchors_at(anchor_place(settings.journal.anchor), self.resolver)


def prepare(
    flags: Flags, *, needs_source: bool = True, references: bool = True, warns: bool = True
) -> Prepared:
    """Load settings and begin to fetch secrets.

    Without ``references`` drift references count as not declared: one is about to be written.
    Without ``warns`` what is doubtful in the configuration is left to another command to print.

    Raises `SettingsError`, and `CommandError` where no source is declared but one is needed.
    """
    from console.settings.secrets import SecretResolver, list_references

    asked = flags

    def load_again() -> Loaded:
        return loaded_with_profiles(asked, references=references)

    loaded = load_again()
    notice = ""
    if needs_source and not loaded.settings.sources:
        asked, notice = _with_host(flags, loaded.profiles)
        loaded = load_again() if notice else loaded
        if notice:
            sys.stderr.write(f"midwatch: {notice}\n")
    for warning in loaded.warnings if warns else ():
        sys.stderr.write(f"midwatch: {warning}\n")
    if needs_source and not loaded.settings.sources:
        raise CommandError(_nothing_to_read(flags), command_line.BAD_CONFIG)
    secrets = [each.reference for each in list_references(loaded.settings)]
    resolver = SecretResolver(secrets, os.environ)
    keep_out_of_log(resolver.known)
    resolver.start()
    return Prepared(loaded, load_again, resolver, notice)


def _with_host(flags: Flags, own: Sequence[OwnFile]) -> tuple[Flags, str]:
    """Return the flags with what this host runs, and the sentence about it; empty for nothing."""
    if not looks_around(flags):
        return flags, ""
    from console.cli.host_look import look_around

    found = look_around(os.environ, own=own)
    host = HostSources(found.prometheus, found.alertmanager, found.scrape)
    return replace(flags, host=host), found.sentence if found.prometheus or found.scrape else ""


def looks_around(flags: Flags) -> bool:
    """Tell whether this host may be looked over: ``--no-discovery`` and MIDWATCH_DISCOVERY=0."""
    return flags.discovery and os.environ.get("MIDWATCH_DISCOVERY", "1") not in ("0", "false", "no")


def _nothing_to_read(flags: Flags) -> str:
    if not looks_around(flags):
        return NOTHING_TO_READ
    from console.cli.host_look import NOTHING_HERE

    return f"{NOTHING_TO_READ} {NOTHING_HERE}"


def loaded_with_profiles(flags: Flags, *, references: bool = True) -> Loaded:
    """Load settings and put the operator's own profiles in force; raises `SettingsError`."""
    loaded = load(flags, os.environ, references=references)
    put_own_in_force(loaded.profiles)
    return loaded


def put_own_in_force(files: Sequence[OwnFile]) -> None:
    """Read the operator's profiles and let them count; raises `SettingsError`."""
    if not files and "console.metrics.profile" not in sys.modules:
        return
    from console.metrics.profile import ProfileError, named, put_in_force

    own = {}
    for file in files:
        try:
            name, profile = named(file.text, Path(file.path).name, visible(file.path))
        except ProfileError as fault:
            allowed = "a profile; `midwatch profiles test FILE` helps to write one"
            problem = Problem(visible(file.path), None, "", visible(str(fault), 600), allowed)
            raise SettingsError([problem]) from fault
        own[name] = profile
    put_in_force(own)


def refuse_existing(target: Path, *, force: bool) -> None:
    """Raise `CommandError` where the name is taken, before anything slow begins."""
    if os.path.lexists(target) and not force:
        raise CommandError(f"{visible(str(target))} exists; --force replaces it")


def write_whole(target: Path, content: bytes, *, force: bool) -> None:
    """Write whole or not at all: somebody else may read the file at this moment."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        if not force:
            with target.open("xb") as file:
                file.write(content)
            return
        beside = target.with_name(f".{target.name}.{os.getpid()}")
        with beside.open("xb") as file:
            file.write(content)
        beside.replace(target)
    except FileExistsError as fault:
        raise CommandError(f"{visible(str(target))} exists; --force replaces it") from fault
    except OSError as fault:
        reason = visible(fault.strerror or str(fault))
        raise CommandError(f"{visible(str(target))} cannot be written: {reason}") from fault
