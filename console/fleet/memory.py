"""What one evaluation leaves for the next: streaks, first sights, and how it was before."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Memory:
    """Opaque between evaluations; `Memory()` starts anew."""
