"""One of a few things, by one key: a level, a verdict, an end, another incident."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from console.facts.text import visible
from console.screens.drawnbox import DrawnBox
from widgets.cutting import cells_of, fit, harmless
from widgets.lines import Run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.screens.runs import RunLine
    from console.screens.session import Session


class Choice(NamedTuple):
    """One thing to choose: its key, what the box answers, and the words beside it."""

    key: str
    value: str
    name: str
    about: str = ""
    role: str = "text"


class ChoiceBox(DrawnBox[str | None]):
    """Lists choices; its result is the value of one, None for none.

    ``before`` are lines to read first. Enter takes what the cursor is on, and a choice's own key
    takes it at once.
    """

    def __init__(
        self,
        session: Session,
        title: str,
        choices: Sequence[Choice],
        *,
        before: Sequence[RunLine] = (),
        place: int = 0,
    ) -> None:
        super().__init__(session)
        self.choices = tuple(choices)
        self.place = place
        self._box_title = title
        self._before = tuple(before)

    def take_key(self, key: str, character: str | None) -> None:
        """Choose with arrows and Enter, or by a choice's own key."""
        if key in ("up", "down"):
            step = 1 if key == "down" else -1
            self.place = (self.place + step) % len(self.choices)
        elif key == "enter":
            self.dismiss(self.choices[self.place].value)
        elif character is not None:
            found = next((one for one in self.choices if one.key == character), None)
            if found is not None or character == "q":
                self.dismiss(None if found is None else found.value)

    def lines(self, width: int, height: int) -> tuple[str, Sequence[RunLine], str]:
        """Return what is to be read, and what is to be chosen; the latter stays on screen."""
        choices = [self._line(*each) for each in enumerate(self.choices)]
        title = visible(self._box_title, 120)
        return title, [*self._before, *choices], "Enter or its key takes it  Esc cancels"

    def _line(self, number: int, one: Choice) -> RunLine:
        widest = max(cells_of(harmless(visible(each.name, 40))) for each in self.choices)
        name = fit(harmless(visible(one.name, 40)), widest)
        return [
            Run(f"{one.key} ", "key"),
            Run(f" {name} ", "cursor" if number == self.place else one.role),
            Run(f"  {visible(one.about, 200)}" if one.about else "", "dim"),
        ]
