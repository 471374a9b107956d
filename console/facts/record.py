"""What the console knows of the journal at one tick: its state, its end, its newest entries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from console.facts.entry import Entry

RecordState = Literal["off", "starting", "open", "absent", "unreadable"]
"""``absent``: nothing was ever written; ``unreadable``: what is known is from ``read_at``."""


@dataclass(frozen=True, slots=True)
class BrokenEntry:
    """An entry that is not what was hashed, or does not follow the one before."""

    seq: int
    problem: str


@dataclass(frozen=True, slots=True)
class Record:
    """The journal as it was last read; times in Unix seconds.

    ``sentence`` says why it cannot be read and what to do. ``entries`` are the newest, newest
    first, and ``broken`` what did not belong among what was read since ``followed_from``.
    ``keeper`` is who ends overrides (``midwatch keep``) and ``keeper_until`` how long that counts
    without another sign of life; empty is nobody, and None that it was never read.
    """

    state: RecordState = "off"
    place: str = ""
    sentence: str = ""
    read_at: float | None = None
    head_seq: int = 0
    followed_from: int = 0
    entries: tuple[Entry, ...] = ()
    broken: tuple[BrokenEntry, ...] = ()
    keeper: str | None = None
    keeper_until: float | None = None

    @property
    def trusted(self) -> bool:
        """Tell whether what is in force is known now, and nothing read so far is broken."""
        return self.state in ("off", "open", "absent") and not self.broken

    def summary(self, now: float) -> tuple[str, bool]:
        """Return the record in a few words, and whether it is well."""
        match self.state:
            case "off":
                return "journal not read here", True
            case "starting":
                return "journal not read yet", True
            case "absent":
                return "journal empty: nothing was ever done from here", True
            case "unreadable":
                age = "never" if self.read_at is None else f"{max(0.0, now - self.read_at):.0f} s"
                return f"journal UNREADABLE, last read {age} ago: {self.sentence}", False
            case "open" if self.broken:
                first = self.broken[0]
                return f"journal BROKEN at #{first.seq}: {first.problem}", False
            case "open":
                return f"journal followed to #{self.head_seq}", True


NO_RECORD = Record()


@dataclass(frozen=True, slots=True)
class RecordPage:
    """Older entries, newest first; ``sentence`` says why there are none that could be read."""

    entries: tuple[Entry, ...] = ()
    broken: tuple[BrokenEntry, ...] = ()
    sentence: str = ""
