"""A list that ``/`` filters while it is typed; Escape takes that back."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from console.screens.listscreen import ListScreen

if TYPE_CHECKING:
    from console.screens.session import Session
    from widgets.prompt import Prompt

LABEL = "/"


class FilteredList(ListScreen, inherit_bindings=False):
    """``wanted`` are the words that a row must hold; ``FILTER_HINT`` says of what they can be."""

    FILTER_HINT: ClassVar[str] = ""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.wanted: tuple[str, ...] = ()
        self._wanted_before: tuple[str, ...] = ()

    def ask_filter(self) -> None:
        """Open the prompt with the filter as it is."""
        self._wanted_before = self.wanted
        self.prompt.open(LABEL, " ".join(self.wanted), self.FILTER_HINT)

    def filter_by(self, text: str) -> None:
        """Keep the rows that hold these words, every row for none."""
        self.wanted = tuple(text.lower().split())
        self.show_all()

    def on_prompt_changed(self, message: Prompt.Changed) -> None:
        """Filter while it is typed."""
        if message.label == LABEL:
            message.stop()
            self.filter_by(message.text)

    def on_prompt_cancelled(self, message: Prompt.Cancelled) -> None:
        """Take back what typing had changed."""
        if message.label == LABEL:
            message.stop()
            self.filter_by(" ".join(self._wanted_before))

    def take_text(self, label: str, text: str) -> None:
        """Keep the filter that was typed."""
        if label == LABEL:
            self.filter_by(text)
