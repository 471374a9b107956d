"""The shape of an action in the registry and of the moment it is asked about."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Callable

Danger = Literal["none", "C0", "C1", "C2", "C3"]
"""``none`` only looks; C0 to C3 are the confirmation classes of actions that change the world."""

Place = Literal["anywhere", "fleet", "model", "incidents", "incident", "handover"]

Mode = Literal["read_only", "armed", "open"]
"""Whether this session may change the world: never, while armed, or always."""


ANYWHERE: frozenset[Place] = frozenset({"anywhere"})


class ActionContext(Struct, frozen=True):
    """What an action is judged by when somebody asks for it.

    ``model`` is the name under the cursor, empty when there is none. ``pending_moves`` counts
    rows that a frozen order holds back, ``marked_count`` rows marked to be acted on together.
    ``argument`` is what was typed after a command. ``columns`` and ``lines`` are the screen's size
    in cells. ``unwritable`` says why nothing can be acted on at all, ``unable`` by verb why the
    model under the cursor cannot; ``unarmable`` why arming is not possible. ``incident`` is the id
    of the one incident that is meant, empty where ``incident_count`` is not 1; ``runbook`` is the
    row's or the incident's, empty for none.
    """

    place: Place = "fleet"
    model: str = ""
    row_count: int = 0
    pending_moves: int = 0
    filtered: bool = False
    column: str = ""
    argument: str = ""
    columns: int = 80
    lines: int = 24
    has_engine: bool = True
    marked_count: int = 0
    unwritable: str = ""
    unable: Mapping[str, str] = {}
    unarmable: str = ""
    incident: str = ""
    incident_count: int = 0
    runbook: str = ""


def always(_context: ActionContext) -> str | None:
    """Return no reason against it."""
    return None


class ActionSpec(Struct, frozen=True):
    """One action: the single source of its key, footer, help, palette entry, command and docs.

    ``keys`` are named as people write them (``q``, ``ctrl+q``, ``enter``, ``?``). ``command`` is
    the word after ``:`` and ``argument`` what may follow it, in capitals (empty: nothing).
    ``footer`` orders the bottom line, lowest first; None keeps the action out of it, and
    ``footer_places`` keeps it to some places.
    ``disabled`` returns the reason why it cannot be done now, or None.
    """

    id: str
    keys: tuple[str, ...]
    title: str
    tooltip: str
    group: str
    places: frozenset[Place] = ANYWHERE
    danger: Danger = "none"
    command: str = ""
    argument: str = ""
    footer: int | None = None
    footer_title: str = ""
    footer_places: frozenset[Place] | None = None
    disabled: Callable[[ActionContext], str | None] = always

    @property
    def writes(self) -> bool:
        """Tell whether it changes the world outside this console."""
        return self.danger != "none"

    def in_place(self, place: Place) -> bool:
        """Tell whether the action exists in this place."""
        return "anywhere" in self.places or place in self.places
