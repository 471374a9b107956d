"""How this run of the console was asked to look, after flags and environment were weighed."""

from __future__ import annotations

from msgspec import Struct


class ConsoleOptions(Struct, frozen=True):
    """What the command line adds to the settings for one run of the console.

    ``title`` is shown in the header instead of the environment's name when it is not empty
    (the demo says so); ``log_path`` is named in the sentence after a crash.
    """

    theme: str = "dark"
    ascii: bool = False
    mouse: bool = False
    colour: bool = True
    read_only: bool = False
    write: bool = False
    title: str = ""
    log_path: str = ""
