"""The smallest Textual app: the floor that the console's first frame is measured against."""

from textual.app import App, ComposeResult
from textual.widgets import Static


class Minimal(App[None]):
    """One line of text."""

    def compose(self) -> ComposeResult:
        """Return the one widget."""
        yield Static("MINIMAL")


if __name__ == "__main__":
    Minimal().run(mouse=False)
