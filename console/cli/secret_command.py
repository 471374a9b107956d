"""``midwatch secret``: set, test and list secrets by reference; a value is never printed."""

from __future__ import annotations

import getpass
import os
import sys
from typing import TYPE_CHECKING

from console.cli import command_line
from console.cli.command_line import CommandError, Parser, UsageError, add_shared, flags, one_of
from console.domain.text import visible
from console.settings.load import load
from console.settings.secrets import (
    SecretError,
    SecretValue,
    list_references,
    set_secret,
    shown_reference,
    test_secret,
)

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

_VERBS = ("set", "test", "list")
_LARGEST_CHARACTERS = 65_536


def parser() -> Parser:
    """Return the command's own parser."""
    made = Parser("midwatch secret", "Secrets by reference; a value is never printed.")
    made.add_argument(
        "verb",
        metavar="|".join(_VERBS),
        type=made.value(one_of(_VERBS, "midwatch secret")),
        help="store a value, look references up, or list them",
    )
    made.add_argument(
        "reference", nargs="?", metavar="REFERENCE", help="keyring:service/user, file:/path …"
    )
    add_shared(made)
    return made


def run(shared: argparse.Namespace, arguments: Sequence[str]) -> int:
    """Run one of set, test and list."""
    chosen = parser().parse_all(arguments)
    match chosen.verb:
        case "set":
            if not chosen.reference:
                raise UsageError("name where to put it: midwatch secret set keyring:service/user")
            if load(flags(shared), os.environ).settings.writes == "never":
                raise CommandError(
                    "midwatch secret set changes what this configuration reads, and it says "
                    'writes = "never"; store the secret with another configuration',
                    command_line.NOT_ALLOWED,
                )
            return _set(chosen.reference)
        case "test":
            references = [chosen.reference] if chosen.reference else _declared(shared)
            return _test(references)
        case _:
            return _list(shared)


def _set(reference: str) -> int:
    value = SecretValue(_ask(reference))
    try:
        print(set_secret(reference, value, os.environ))
    except SecretError as fault:
        raise CommandError(str(fault)) from fault
    return command_line.OK


def _ask(reference: str) -> str:
    """Read the value without an echo from a terminal, else one line from standard input."""
    if not sys.stdin.isatty():
        return sys.stdin.read(_LARGEST_CHARACTERS).rstrip("\r\n")
    try:
        return getpass.getpass(f"value for {shown_reference(reference)} (not shown): ")
    except EOFError as fault:
        raise CommandError("nothing was entered, nothing was stored") from fault


def _test(references: Sequence[str]) -> int:
    if not references:
        print("no secret is referred to")
        return command_line.OK
    failed = False
    for reference in dict.fromkeys(references):
        found = test_secret(reference, os.environ)
        failed = failed or not found.ok
        print(f"{'ok    ' if found.ok else 'FAILED'} {visible(found.sentence)}")
    return command_line.FAILED if failed else command_line.OK


def _list(shared: argparse.Namespace) -> int:
    listed = list_references(load(flags(shared), os.environ).settings)
    for each in listed:
        print(f"{each.key_path} = {shown_reference(each.reference)}")
    if not listed:
        print("no secret is referred to")
    return command_line.OK


def _declared(shared: argparse.Namespace) -> list[str]:
    settings = load(flags(shared), os.environ).settings
    return [each.reference for each in list_references(settings)]
