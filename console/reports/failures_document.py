"""The shape of ``midwatch failures --json``: every spell in which a model failed, over a span."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

SCHEMA: Final = "midwatch.failures/1"


class SpellReport(Struct, frozen=True, kw_only=True):
    """One spell in which a rule would have held.

    ``ended_at`` null: it still held at the end of the span. ``bad_requests`` null: not measured.
    ``rule`` is the fleet's rule where there is one of that name (docs/rules.md).
    """

    rule: str
    level: str
    what: str
    began_at: str
    ended_at: str | None
    seconds: float
    worst: str
    worst_at: str | None
    bad_requests: float | None
    before: str | None
    done: tuple[str, ...]


class BudgetReport(Struct, frozen=True, kw_only=True):
    """How available the model was; null where nobody measured. Ratios 0-1.

    ``known_ratio`` is the share of the span with numbers, ``budget_spent`` the bad requests over
    those the objective allows in this span. ``declared`` false: the default objective.
    """

    requests: float | None
    bad_requests: float | None
    availability: float | None
    objective: float
    declared: bool
    budget_spent: float | None
    known_ratio: float


class FailuresDocument(Struct, frozen=True, kw_only=True):
    """One model over one span; ``step_seconds`` is how far apart its points stand."""

    schema: Literal["midwatch.failures/1"]
    environment: str
    model: str
    tier: int
    version: str
    since: str
    until: str
    written_at: str
    step_seconds: float
    budget: BudgetReport
    spells: tuple[SpellReport, ...]
    not_judged: tuple[str, ...]
