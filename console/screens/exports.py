"""What a console saves for somebody: pictures of its screens, postmortems of its incidents."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable
from urllib.parse import quote

from textual.message import Message

from console.engine.client import Refused
from console.screens.spans import clock_text

if TYPE_CHECKING:
    from collections.abc import Callable


def saved_path(argument: str, kind: str, name: str, suffix: str, now: float) -> Path:
    """Return where to save: the path given, or a name of its own in the state directory.

    ``kind`` is the folder there. Nothing is ever written into the current directory unasked.
    """
    if argument:
        return Path(argument).expanduser()
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    stamp = f"{int(now)}-{clock_text(now).replace(':', '')}Z"
    return Path(state).expanduser() / "midwatch" / kind / f"{name}-{stamp}.{suffix}"


def save_text(text: str, path: Path, what: str) -> tuple[str, str]:
    """Write a file that only its owner reads; return the sentence about it and its role."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        return f"{what} was not saved: {error.strerror or error}", "error"
    return f"saved {path}", "text"


@runtime_checkable
class TellsIncidents(Protocol):
    """An engine that tells an incident after the fact; callbacks come from its thread."""

    def request_postmortem(self, incident: str, deliver: Callable[[str | Refused], None]) -> None:
        """Gather a postmortem as Markdown."""
        ...


class PostmortemCame(Message):
    """A postmortem was gathered, or could not be."""

    def __init__(self, incident: str, told: str | Refused) -> None:
        self.incident = incident
        self.told = told
        super().__init__()


def telling(engine: object) -> TellsIncidents | None:
    """Return the engine where it tells incidents after the fact."""
    return engine if isinstance(engine, TellsIncidents) else None


def saved(message: PostmortemCame, now: float) -> tuple[str, str]:
    """Save what came in the state directory; return the sentence about it and its role."""
    if isinstance(message.told, Refused):
        return "; ".join(message.told.sentences), "s2"
    name = quote(message.incident, safe="")
    return save_text(message.told, saved_path("", "postmortems", name, "md", now), "the postmortem")
