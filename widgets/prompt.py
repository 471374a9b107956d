"""A line at the bottom of the screen to type into: a filter, or a command."""

from __future__ import annotations

from collections.abc import Mapping

from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.message import Message
from textual.strip import Strip
from textual.widget import Widget

from widgets.grid_rows import read_style
from widgets.text_width import cells_of, cut, fit, harmless

MAX_LENGTH = 500
"""Characters kept; a paste longer than that was not meant for one line."""


class Prompt(Widget, can_focus=True):
    """A one-line editor that is hidden until it is opened.

    While open it takes every printable key, so that the letters of the app's own bindings can be
    typed. Enter submits, Escape cancels; both close it and give the focus back.
    """

    DEFAULT_CSS = """
    Prompt {
        dock: bottom;
        height: 1;
        width: 1fr;
        display: none;
        background: transparent;
    }
    Prompt.-open {
        display: block;
    }
    """

    class Said(Message):
        """What a prompt says: its label (``/`` or ``:``) and its text."""

        def __init__(self, prompt: Prompt, label: str, text: str) -> None:
            self.prompt = prompt
            self.label = label
            self.text = text
            super().__init__()

        @property
        def control(self) -> Prompt:
            """The prompt that sent this."""
            return self.prompt

    class Changed(Said):
        """The text is another one now."""

    class Submitted(Said):
        """Enter was pressed."""

    class Cancelled(Said):
        """Escape was pressed, or Backspace on an empty line."""

    def __init__(
        self,
        *,
        name: str | None = None,
        id: str | None = None,
        classes: str | None = None,
    ) -> None:
        super().__init__(name=name, id=id, classes=classes)
        self._label = ""
        self._text = ""
        self._place = 0
        self._hint = ""
        self._style = Style(bold=True)
        self._dim = Style(dim=True)
        self._before: Widget | None = None

    def show_roles(self, roles: Mapping[str, str]) -> None:
        """Draw the line in role ``prompt`` and its hint in ``dim``."""
        self._style = read_style(roles.get("prompt", "bold"))
        self._dim = read_style(roles.get("dim", "dim"))
        self.refresh()

    def open(self, label: str, text: str = "", hint: str = "") -> None:
        """Show the prompt with this label and beginning, and take the focus."""
        if not self.is_open:
            self._before = self.screen.focused
        self._label = label
        self._hint = hint
        self._text = harmless(text[:MAX_LENGTH])
        self._place = len(self._text)
        self.add_class("-open")
        # At once and not, as focus() does, after the keys that wait already: they are its text.
        self.screen.set_focus(self)
        self.refresh()

    def close(self) -> None:
        """Hide the prompt and give the focus back."""
        if not self.is_open:
            return
        self.remove_class("-open")
        before, self._before = self._before, None
        if before is not None and before.is_attached:
            self.screen.set_focus(before)
        else:
            self.blur()

    @property
    def is_open(self) -> bool:
        """Whether it can be typed into now."""
        return self.has_class("-open")

    @property
    def text(self) -> str:
        """What has been typed."""
        return self._text

    @property
    def label(self) -> str:
        """What stands before the text."""
        return self._label

    def show_hint(self, hint: str) -> None:
        """Say something after the text, such as matches or what is wrong with it."""
        if hint != self._hint:
            self._hint = hint
            self.refresh()

    def replace_text(self, text: str) -> None:
        """Put ``text`` in place of what was typed, for completion and history."""
        self._edit(harmless(text[:MAX_LENGTH]), len(text))

    def render_line(self, y: int) -> Strip:
        """Draw the line with its own cursor, scrolled so that the cursor is seen."""
        width = self.content_size.width
        base = self.rich_style
        style = base + self._style
        label = cut(self._label, max(0, width - 2))
        room = max(1, width - cells_of(label) - 1)
        before, after = self._text[: self._place], self._text[self._place :]
        while cells_of(before) > room - 1:
            before = before[1:]
        at, after = (after[0], after[1:]) if after else (" ", "")
        segments = [
            Segment(label + before, style),
            Segment(at, style + Style(reverse=True)),
        ]
        used = sum(cells_of(segment.text) for segment in segments)
        after = cut(after, max(0, width - used))
        used += cells_of(after)
        segments.append(Segment(after, style))
        if width > used:
            hint = f"  {self._hint}" if self._hint else ""
            segments.append(Segment(fit(hint, width - used), base + self._dim))
        return Strip([segment for segment in segments if segment.text]).adjust_cell_length(
            width, base
        )

    def check_consume_key(self, key: str, character: str | None) -> bool:
        """Say that printable keys are typed here and not bindings."""
        return character is not None and character.isprintable()

    def on_key(self, event: events.Key) -> None:
        """Edit the line; keys that mean nothing here go on to the app."""
        if event.key == "enter":
            label, text = self._label, self._text
            self.close()
            self.post_message(self.Submitted(self, label, text))
        elif event.key == "escape" or (event.key == "backspace" and not self._text):
            label, text = self._label, self._text
            self.close()
            self.post_message(self.Cancelled(self, label, text))
        elif event.is_printable and event.character is not None:
            self._insert(event.character)
        elif not self._edited_by(event.key):
            return
        event.stop()
        event.prevent_default()

    def on_paste(self, event: events.Paste) -> None:
        """Insert the first line of what was pasted."""
        event.stop()
        lines = event.text.splitlines()
        if lines:
            self._insert(lines[0])

    def on_blur(self) -> None:
        """Close when the focus goes elsewhere: a prompt nobody types into hides the keys."""
        if self.is_open:
            self.remove_class("-open")
            self._before = None
            self.post_message(self.Cancelled(self, self._label, self._text))

    def _insert(self, typed: str) -> None:
        typed = harmless(typed[: max(0, MAX_LENGTH - len(self._text))])
        place = self._place
        self._edit(self._text[:place] + typed + self._text[place:], place + len(typed))

    def _edited_by(self, key: str) -> bool:
        text, place = self._text, self._place
        before = text[:place]
        edits = {
            "left": (text, place - 1),
            "right": (text, place + 1),
            "home": (text, 0),
            "ctrl+a": (text, 0),
            "end": (text, len(text)),
            "ctrl+e": (text, len(text)),
            "backspace": (text[: max(0, place - 1)] + text[place:], place - 1),
            "delete": (before + text[place + 1 :], place),
            "ctrl+u": (text[place:], 0),
            "ctrl+k": (before, place),
            "ctrl+w": (_without_last_word(before) + text[place:], len(_without_last_word(before))),
        }
        edit = edits.get(key)
        if edit is None:
            return False
        self._edit(*edit)
        return True

    def _edit(self, text: str, place: int) -> None:
        changed = text != self._text
        self._text = text
        self._place = max(0, min(place, len(text)))
        self.refresh()
        if changed:
            self.post_message(self.Changed(self, self._label, text))


def _without_last_word(text: str) -> str:
    return text.rstrip().rpartition(" ")[0] + (" " if " " in text.rstrip() else "")
