"""Why a request gave no answer, as one kind for code and one sentence for people."""

from typing import Literal

Kind = Literal[
    "connect",
    "connect_timeout",
    "read_timeout",
    "tls",
    "http",
    "too_large",
    "truncated",
    "breaker_open",
    "secret",
    "redirect",
    "protocol",
]


class WireError(Exception):
    """No usable answer; ``sentence`` is harmless to show, and free of secrets.

    ``status`` and ``body`` (at most 64 KiB, raw) are those of an HTTP error answer, kind ``http``.
    """

    def __init__(
        self, kind: Kind, sentence: str, *, status: int | None = None, body: bytes = b""
    ) -> None:
        super().__init__(sentence)
        self.kind: Kind = kind
        self.sentence = sentence
        self.status = status
        self.body = body


# What says nothing about the server's health must not open the breaker before it.
INNOCENT_KINDS: frozenset[Kind] = frozenset({"secret", "redirect", "too_large", "breaker_open"})


def blames_the_server(error: WireError) -> bool:
    """Return whether the failure counts for the breaker; a 4xx answer comes from a live server."""
    if error.kind == "http":
        return error.status is not None and error.status >= 500
    return error.kind not in INNOCENT_KINDS
