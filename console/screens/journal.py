"""The journal screen: the record, newest first, with a filter, and how far it is proven."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Protocol, runtime_checkable

from textual.message import Message

from console.domain.entry import RecordPage
from console.domain.text import visible
from console.screens.list_screen import FilteredList, place
from console.screens.panels.footer import in_glyphs
from console.screens.spans import RunLine, clock_text, fitted
from console.screens.tables.journal import (
    DETAIL_LINES,
    WIDE_FROM,
    EntryRows,
    entry_columns,
    entry_details,
    whole_entry,
)
from widgets.grid_rows import NoRows
from widgets.lines import Run

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from console.actions.spec import ActionSpec, Place
    from console.domain.entry import Entry, Verification
    from console.screens.session import Session
    from widgets.grid_rows import Column, Rows


@runtime_checkable
class ReadsJournal(Protocol):
    """An engine that reads the journal when it is asked to; callbacks come from its thread."""

    def request_journal_page(self, before_seq: int, deliver: Callable[[RecordPage], None]) -> None:
        """Read the entries before a number."""
        ...

    def request_verification(self, deliver: Callable[[Verification | str], None]) -> None:
        """Read the whole chain; a sentence says why it could not be read."""
        ...


def reader(engine: object) -> ReadsJournal | None:
    """Return the engine where it reads the journal when asked."""
    return engine if isinstance(engine, ReadsJournal) else None


class PageArrived(Message):
    """Older entries came."""

    def __init__(self, page: RecordPage) -> None:
        self.page = page
        super().__init__()


class Verified(Message):
    """The whole chain was read, or could not be."""

    def __init__(self, judged: Verification | str) -> None:
        self.judged = judged
        super().__init__()


class JournalScreen(FilteredList, inherit_bindings=False):
    """Entries of the record; Enter shows one whole, ``v`` reads the chain from its beginning."""

    PLACE: ClassVar[Place] = place("journal")
    FILTER_HINT: ClassVar[str] = (
        "words of kind, target, who, why, outcome; !not; Enter keeps, Esc takes back"
    )
    DETAILS: ClassVar[int] = DETAIL_LINES
    LOCAL_KEYS: ClassVar[tuple[tuple[str, str, str], ...]] = (
        ("/", "filter", "find"),
        ("v", "verify", "verify"),
        ("m", "more", "older"),
    )
    ALSO: ClassVar[tuple[str, ...]] = ("overrides",)

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._older = RecordPage()
        self._asked = False
        self._judged = ("chain not verified yet: v", "dim")

    def list_columns(self, width: int) -> Sequence[Column]:
        """Return the columns that fit."""
        return entry_columns(width)

    def list_rows(self) -> Rows:
        """Return the entries that match, newest first."""
        snapshot, session = self.session.snapshot, self.session
        if snapshot is None:
            return NoRows()
        record = snapshot.record
        return EntryRows(
            self._known_entries(),
            (*record.broken, *self._older.broken),
            self.wanted,
            session.clock(),
            session.glyphs,
            wide=self.size.width >= WIDE_FROM,
        )

    def _known_entries(self) -> tuple[Entry, ...]:
        snapshot = self.session.snapshot
        return () if snapshot is None else (*snapshot.record.entries, *self._older.entries)

    def title_runs(self) -> RunLine:
        """Return how the record is, what is shown of it, and whether its chain was verified."""
        snapshot, glyphs = self.session.snapshot, self.session.glyphs
        line: RunLine = [Run("JOURNAL  ", "title")]
        if snapshot is None:
            return [*line, Run("waiting for the first answer", "dim")]
        said, well = snapshot.record.summary(self.session.clock())
        bar = Run(f" {glyphs.bar} ", "dim")
        line.append(Run(said, "text" if well else "s2"))
        if self.wanted:
            line += [bar, Run(f"/{visible(' '.join(self.wanted), 60)}: {self.row_count}", "title")]
        line += [bar, Run(*self._judged)]
        if snapshot.record.place:
            line += [bar, Run(visible(snapshot.record.place, 200), "dim")]
        return fitted(line, self.size.width, glyphs.ellipsis)

    def detail_runs(self, width: int) -> list[RunLine]:
        """Return the lines about the entry under the cursor."""
        rows, glyphs = self.grid.rows, self.session.glyphs
        if not isinstance(rows, EntryRows):
            return entry_details(None, "", self.session.clock(), width, glyphs)
        line = rows.line(self.grid.cursor_key)
        problem = "" if line is None else rows.problem(line.seq)
        return entry_details(line, problem, self.session.clock(), width, glyphs)

    @property
    def chosen_model(self) -> str:
        """The model that the entry under the cursor is about."""
        rows, snapshot = self.grid.rows, self.session.snapshot
        line = rows.line(self.grid.cursor_key) if isinstance(rows, EntryRows) else None
        target: str = getattr(line, "target", "")
        return target if snapshot is not None and target in snapshot.index else ""

    # What happens

    def local(self, does: str) -> None:
        """Filter, verify, read older entries."""
        match does:
            case "filter":
                self.ask_filter()
            case "verify":
                self._verify()
            case _:
                self._more()

    def perform_here(self, spec: ActionSpec, argument: str) -> bool:
        """Show the entry under the cursor whole; take a filter that was typed as a command."""
        if spec.id == "filter":
            self.filter_by(argument)
        elif spec.id == "journal":
            self.go_back()
        elif spec.id == "model.open" and not argument:
            self._show_whole()
        else:
            return False
        return True

    def _show_whole(self) -> None:
        from widgets.textbox import Textbox

        rows, session = self.grid.rows, self.session
        line = rows.line(self.grid.cursor_key) if isinstance(rows, EntryRows) else None
        if line is None or not isinstance(rows, EntryRows):
            self.say("no entry is shown", "s3")
            return
        found = next((each for each in self._known_entries() if each.seq == line.seq), None)
        if found is None:
            self.say(f"entry {line.seq} cannot be read; run midwatch journal verify", "s3")
            return
        lines = in_glyphs(whole_entry(found, rows.problem(line.seq)), session.glyphs)
        ascii_only = session.glyphs.name == "ascii"
        title = f"Entry {found.seq}"
        self.app.push_screen(Textbox(title, lines, roles=session.roles, ascii_only=ascii_only))

    def go_back(self) -> None:
        """Take the filter away first, then close the screen."""
        if self.wanted:
            self.filter_by("")
        else:
            self.dismiss()

    def _verify(self) -> None:
        engine = reader(self.session.engine)
        if engine is None:
            self.say("the chain is verified by: midwatch journal verify", "s3")
            return
        self._judged = ("reading the whole chain", "dim")
        self.show_all()
        engine.request_verification(lambda judged: self._post(Verified(judged)))

    def _more(self) -> None:
        engine, known = reader(self.session.engine), self._known_entries()
        oldest = min((each.seq for each in known), default=0)
        if oldest <= 1:
            self.say("these are all entries", "dim")
        elif engine is None:
            self.say("older entries: midwatch journal list --limit 0", "s3")
        elif not self._asked:
            self._asked = True
            engine.request_journal_page(oldest, lambda page: self._post(PageArrived(page)))

    def _post(self, message: Message) -> None:
        self.post_message(message)

    def on_page_arrived(self, message: PageArrived) -> None:
        """Add older entries below."""
        message.stop()
        self._asked = False
        page = message.page
        if page.sentence:
            self.say(page.sentence, "s2")
            return
        known = {each.seq for each in self._older.entries}
        added = tuple(each for each in page.entries if each.seq not in known)
        self._older = RecordPage(
            (*self._older.entries, *added), (*self._older.broken, *page.broken)
        )
        self.show_all()
        self.say(f"{len(added)} older entries read" if added else "there are no older entries")

    def on_verified(self, message: Verified) -> None:
        """Say how the chain is."""
        message.stop()
        judged, at = message.judged, clock_text(self.session.clock())
        if isinstance(judged, str):
            said = visible(judged, 300)
            self._judged = (f"not verified: {said}", "s2")
        elif judged.ok:
            said = visible(judged.sentence, 300)
            self._judged = (f"{judged.entries} entries verified {at}Z, end {judged.end}", "ok")
        else:
            said = visible(judged.sentence, 300)
            where = "" if judged.bad_seq is None else f" at #{judged.bad_seq}"
            self._judged = (f"BROKEN{where}: {visible(judged.problem, 200)}", "s1")
        self.show_all()
        # The header may be too narrow for how far the anchor proves it, or why it cannot be read.
        self.say(said, self._judged[1])
