"""A postmortem of the incident on screen, gathered by the engine and saved in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable
from urllib.parse import quote

from textual.message import Message

from console.engine.handle import Refused
from console.screens.savedfile import save_text, saved_path

if TYPE_CHECKING:
    from collections.abc import Callable


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
