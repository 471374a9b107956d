"""Text from outside, made harmless to look at."""

from __future__ import annotations

import unicodedata

from msgspec import Struct

_KEPT_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def _shown(character: str) -> str:
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "\u2421"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def visible(text: str, limit: int = 400) -> str:
    """Return ``text`` on one line with control, format and direction characters made visible.

    At most ``limit`` characters are kept; a cut is marked by an ellipsis. The result is plain
    text: it still must not be handed to anything that reads markup.
    """
    cut = text[: limit + 1]
    if cut.isascii() and cut.isprintable():
        shown = cut
    else:
        shown = "".join(
            _shown(character) if unicodedata.category(character) in _KEPT_CATEGORIES else character
            for character in cut
        )
    return shown if len(shown) <= limit else shown[: limit - 1] + "…"


class ConsoleOptions(Struct, frozen=True):
    """What the command line adds to the settings for one run of the console.

    ``title`` is shown in the header instead of the environment's name when it is not empty
    (the demo says so); ``log_path`` is named in the sentence after a crash; ``notice`` is said once
    the first frame is out.
    """

    theme: str = "dark"
    ascii: bool = False
    mouse: bool = False
    colour: bool = True
    read_only: bool = False
    write: bool = False
    title: str = ""
    log_path: str = ""
    notice: str = ""
