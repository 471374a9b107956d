"""Keeps the last head of a journal that this host saw, and says where the journal contradicts it.

A chain cannot show that its end was cut off or that another one lies in its place. A disk that came
back from a copy, a file that was deleted: what is in force is then forgotten without a word.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

from console.domain.entry import JournalHead
from console.domain.text import visible
from console.journal.chain import iso

if TYPE_CHECKING:
    from console.journal.store_base import Journal

log = logging.getLogger(__name__)


class HeadMemory:
    """One small file a journal, named by a digest of the journal's place."""

    def __init__(self, folder: Path, place: str, *, keeps: bool = True) -> None:
        """Name the file; without ``keeps`` it is read and never written."""
        self._keeps = keeps
        digest = hashlib.sha256(place.encode("utf-8", "surrogatepass")).hexdigest()[:24]
        self._path = folder / "heads" / f"{digest}.json"
        self._place = place

    def head(self) -> JournalHead | None:
        """Return the head that was kept, None where none was or the file says nothing sensible."""
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
            return JournalHead(
                chain=str(kept["chain"]),
                seq=int(kept["seq"]),
                hash=str(kept["hash"]),
                at=float(kept["at"]),
            )
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError, KeyError, TypeError) as fault:
            log.warning("the head kept in %s cannot be read: %s", self._path, fault)
            return None

    def keep(self, head: JournalHead, *, anew: bool = False) -> None:
        """Keep a head unless a later one of its chain is kept; ``anew`` keeps it whatever was.

        Never raises: the entry stands, and a memory that cannot be written only knows less.
        """
        if not self._keeps:
            return
        known = None if anew else self.head()
        if known is not None and (known.chain != head.chain or known.seq >= head.seq):
            return
        made = {
            "journal": self._place,
            "chain": head.chain,
            "seq": head.seq,
            "hash": head.hash,
            "at": head.at,
        }
        beside = self._path.with_suffix(f".{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            beside.write_text(json.dumps(made) + "\n", encoding="utf-8")
            beside.replace(self._path)
        except OSError as fault:
            log.warning("the journal's head cannot be kept in %s: %s", self._path, fault)
            with contextlib.suppress(OSError):
                beside.unlink()

    def doubt(self, journal: Journal | None) -> str:
        """Return why a journal is not the one whose head was kept, empty where it is.

        None is a journal that is not there. Raises ``JournalError`` where it cannot be read.
        """
        known = self.head()
        if known is None:
            return ""
        was = f"entry {known.seq} of {iso(known.at)} was written or read here"
        head = None if journal is None else journal.head()
        if head is None or journal is None:
            return f"it is not there any more, or empty, and {was}"
        if head.chain != known.chain:
            return f"it is another journal: {was}, of chain {visible(known.chain, 40)}"
        if head.seq < known.seq:
            return f"it is an older copy or was cut off: it ends at {head.seq}, and {was}"
        if head.seq == known.seq and head.hash != known.hash:
            return f"entry {known.seq} is another one than the one that was written or read here"
        return ""
