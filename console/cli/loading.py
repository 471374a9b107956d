"""Settings for a command: loaded, their warnings told, their secrets on the way."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from msgspec import Struct
from msgspec.structs import replace

from console.cli import exits
from console.cli.exits import CommandError
from console.cli.logs import keep_out_of_log
from console.settings.load import Flags, Loaded, load

if TYPE_CHECKING:
    from collections.abc import Callable

    from console.engine.service import Engine
    from console.facts.entry import JournalHead
    from console.journal import Journal
    from console.settings.schema import Settings, SourceSettings
    from console.settings.secrets import SecretResolver
    from console.sources.protocol import Source

NOTHING_TO_READ = (
    "there is nothing to read: no source is configured. Give --prometheus URL or --scrape URL, "
    "write a configuration with `midwatch init --prometheus URL`, or look around with "
    "`midwatch demo`."
)


class Prepared(Struct, frozen=True):
    """Settings in force, how to load them again, and the secrets that are being fetched."""

    loaded: Loaded
    load_again: Callable[[], Loaded]
    resolver: SecretResolver

    def engine(self, make_source: Callable[[SourceSettings], Source] | None = None) -> Engine:
        """Return an engine on these settings; imports NumPy and all that reads numbers."""
        from console.engine.alerts import reader_factory
        from console.engine.making import plain_factory
        from console.engine.registries import registry_factory
        from console.engine.service import Engine
        from console.engine.told import teller_factory

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

    def _open_record(self, settings: Settings) -> Journal:
        from console.journal import open_configured

        # Nothing is written here, so a configuration file that is gone by now is no hindrance.
        read = replace(self.loaded, settings=settings, path=None)
        return open_configured(read, self.resolver, os.environ, read_only=True)

    def _read_witness(self, settings: Settings) -> tuple[JournalHead, ...]:
        from console.journal.anchor import anchor_place, anchors_at

        return anchors_at(anchor_place(settings.journal.anchor), self.resolver)


def prepare(flags: Flags, *, needs_source: bool = True, references: bool = True) -> Prepared:
    """Load settings and begin to fetch secrets.

    Without ``references`` drift references count as not declared: one is about to be written.

    Raises `SettingsError`, and `CommandError` where no source is declared but one is needed.
    """
    from console.settings.secrets import SecretResolver, list_references

    def load_again() -> Loaded:
        return load(flags, os.environ, references=references)

    loaded = load_again()
    for warning in loaded.warnings:
        sys.stderr.write(f"midwatch: {warning}\n")
    if needs_source and not loaded.settings.sources:
        raise CommandError(NOTHING_TO_READ, exits.BAD_CONFIG)
    secrets = [each.reference for each in list_references(loaded.settings)]
    resolver = SecretResolver(secrets, os.environ)
    keep_out_of_log(resolver.known)
    resolver.start()
    return Prepared(loaded, load_again, resolver)
