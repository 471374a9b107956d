"""Placeholder."""

from console.screens.base import ConsoleScreen


class ModelScreen(ConsoleScreen):
    """x."""

    def show_model(self, name: str) -> None:
        """x."""
