"""Metadata of a configuration key beyond its type: kind, bounds, sentence for the docs."""

from typing import Literal

from msgspec import Struct

Kind = Literal[
    "plain",
    "duration",
    "seconds",
    "ratio",
    "number",
    "base_url",
    "target_url",
    "proxy_url",
    "journal_url",
    "path",
    "own_file",
    "name",
    "reference",
    "secret",
    "operator",
    "promql",
    "criterion",
    "verb",
    "free",
    "keys",
    "argv",
    "path_template",
    "drift_reference",
    "clock_time",
    "time_zone",
]


class Key(Struct, frozen=True):
    """One key's meaning; ``low`` and ``high`` are inclusive and in the unit the program holds.

    ``refers_to`` names the tables a ``reference`` may point into, for example ``("sources",)``,
    ``words`` what it may say instead. ``keys`` lists the only keys a mapping may have;
    ``signal_keys`` ties them to the signal names.
    """

    doc: str
    kind: Kind = "plain"
    unit: str = ""
    low: float | None = None
    high: float | None = None
    refers_to: tuple[str, ...] = ()
    words: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    signal_keys: bool = False
