"""Secrets by reference."""

from console.settings.hidden import SecretValue, redact

__all__ = ["SecretError", "SecretValue", "redact"]


class SecretError(Exception):
    """A secret cannot be had; the text says why and what to do, and never the value."""
