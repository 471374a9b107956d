"""Why the journal did not do it, in a sentence for the person who waits."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from console.facts.entry import Entry


class JournalError(Exception):
    """The journal cannot be read or written; nothing was written unless the sentence says so."""

    @property
    def sentence(self) -> str:
        """What happened and what to do; harmless to show."""
        return str(self)


class JournalBusyError(JournalError):
    """Somebody else held the journal for longer than one waits; trying again is right."""


class JournalUncertainError(JournalError):
    """The connection broke while the entry was being written: it may or may not stand there."""


class BrokenEntryError(JournalError):
    """An entry that was asked for does not match its hash; ``seq`` names it."""

    def __init__(self, seq: int, problem: str) -> None:
        super().__init__(
            f"entry {seq} of the journal is broken: {problem}; run: midwatch journal verify"
        )
        self.seq = seq
        self.problem = problem


class TargetTouchedError(JournalError):
    """Somebody wrote about the target meanwhile; ``entry`` is the newest such entry."""

    def __init__(self, entry: Entry, sentence: str) -> None:
        super().__init__(sentence)
        self.entry = entry
