"""The incidents screen: what is open, who holds what and until when, and what is over."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from console.actions.registry import BY_ID
from console.domain.text import visible
from console.reports.incident_document import deaf, read_places
from console.screens.list_screen import FilteredList
from console.screens.spans import RunLine, age_text, fitted, twins
from console.screens.tables.incidents import (
    DETAIL_LINES,
    LABEL_WIDTH,
    IncidentRows,
    Listed,
    counts,
    incident_columns,
    incident_details,
    listed_incidents,
)
from widgets.grid_rows import NoRows
from widgets.lines import Run

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from console.actions.spec import ActionContext, ActionSpec, Place
    from console.domain.snapshot import Snapshot
    from console.screens.session import Session
    from widgets.grid_rows import Column, Rows


class IncidentsScreen(FilteredList, inherit_bindings=False):
    """Incidents, the open first, then the held, the longest held first; Enter opens one.

    ``model`` keeps those that touch one model.
    """

    PLACE: ClassVar[Place] = "incidents"
    FILTER_HINT: ClassVar[str] = (
        "words of id, state, who, about, models; !not; Enter keeps, Esc takes back"
    )
    DETAILS: ClassVar[int] = DETAIL_LINES + 1
    LOCAL_KEYS: ClassVar[tuple[tuple[str, str, str], ...]] = (("/", "filter", "find"),)
    TITLES: ClassVar[Mapping[str, str]] = {"model.open": "open"}
    FIRST: ClassVar[tuple[str, ...]] = (
        "model.open", "care.ack", "care.note", "care.close", "care.severity", "care.merge",
        "care.escalate",
    )  # fmt: skip

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.model = ""

    # What is shown

    def list_columns(self, width: int) -> Sequence[Column]:
        """Return the columns that fit."""
        return incident_columns(width)

    def list_rows(self) -> Rows:
        """Return the incidents that match."""
        snapshot = self.session.snapshot
        if snapshot is None:
            return NoRows()
        return IncidentRows(
            self._matching(snapshot), self.session.clock(), self.session.glyphs, self.size.width
        )

    def _matching(self, snapshot: Snapshot) -> list[Listed]:
        return [
            one
            for one in listed_incidents(snapshot)
            if (not self.model or self.model in (one.about, *one.models))
            and (not self.wanted or _matches(one, self.wanted))
        ]

    def title_runs(self) -> RunLine:
        """Return how many there are of which kind, what is shown of them, and what is not known."""
        session, glyphs = self.session, self.session.glyphs
        snapshot, now = session.snapshot, session.clock()
        line: RunLine = [Run("INCIDENTS  ", "title")]
        if snapshot is None:
            return [*line, Run("waiting for the first answer", "dim")]
        everything, shown = listed_incidents(snapshot), len(self._matching(snapshot))
        opened, held, quiet = counts(everything)
        known = not deaf(snapshot)
        doubt = "" if known else "?"
        line += [
            Run(f"{opened}{doubt} unheld", "s1" if opened else "text"),
            Run(f"  {held} held", "text"),
            Run(f"  {quiet} quiet" if quiet else "", "dim"),
            Run(f"  {len(everything) - opened - held - quiet} over", "dim"),
        ]
        bar = Run(f" {glyphs.bar} ", "dim")
        if any(one.incident is not None and one.incident.flood for one in everything):
            line += [bar, Run("FLOOD: grouped by what models share", "s1")]
        if self.model:
            line += [bar, Run(f"touching {visible(self.model, 40)}: {shown}", "title")]
        if self.wanted:
            line += [bar, Run(f"/{visible(' '.join(self.wanted), 60)}: {shown}", "title")]
        for text in _deaf_words(snapshot, now):
            line += [bar, Run(text, "s2")]
        return fitted(line, self.size.width, glyphs.ellipsis)

    def detail_runs(self, width: int) -> list[RunLine]:
        """Return the lines about the incident under the cursor, and what became of a key."""
        session, glyphs, now = self.session, self.session.glyphs, self.session.clock()
        lines = incident_details(self.chosen, self._nothing(), now, width, glyphs)
        sent = session.sent.line(now, width - LABEL_WIDTH, glyphs, session.idle_words)
        return [*lines, *twins([[Run("SENT".ljust(LABEL_WIDTH), "title"), *sent]], glyphs)]

    def _nothing(self) -> RunLine:
        """Say that nothing is there only where every place has just said so."""
        snapshot = self.session.snapshot
        if snapshot is None:
            return [Run("waiting for the first answer", "dim")]
        if self.model or self.wanted:
            return [Run("no incident matches; Esc shows all", "dim")]
        if away := _deaf_words(snapshot, self.session.clock()):
            return [Run(f"none is known, but {'; '.join(away)}", "s2")]
        if not snapshot.record.trusted:
            said = snapshot.record.summary(self.session.clock())[0]
            return [Run(f"nothing fires; what is held is not known: {said}", "s2")]
        heard = "" if read_places(snapshot.alert_sources) else "; no alert server is read"
        return [Run(f"nothing fires and nothing is held{heard}", "ok")]

    def show_sent(self) -> None:
        """Show how far what was done from here is."""
        if self.ready and not self.too_small:
            self.show_details()
            self.show_footer()

    # What happens

    @property
    def chosen(self) -> Listed | None:
        """The incident under the cursor."""
        rows = self.grid.rows if self.ready else None
        return rows.listed(self.grid.cursor_key) if isinstance(rows, IncidentRows) else None

    @property
    def chosen_model(self) -> str:
        """The model under the cursor: the one it is about, or the first it touches."""
        chosen, snapshot = self.chosen, self.session.snapshot
        if chosen is None or snapshot is None:
            return ""
        return next((one for one in (chosen.about, *chosen.models) if one in snapshot.index), "")

    @property
    def context(self) -> ActionContext:
        """What actions are judged by: the incident under the cursor."""
        return self.with_incident(super().context, self.chosen)

    def local(self, does: str) -> None:
        """Filter."""
        self.ask_filter()

    def perform_here(self, spec: ActionSpec, argument: str) -> bool:
        """Open the incident under the cursor; filter by what a command says."""
        if spec.id == "incidents":
            if argument:
                self.show_only(argument)
            else:
                self.go_back()
            return True
        if spec.id == "filter":
            self.filter_by(argument)
            return True
        if spec.id == "model.open" and not argument:
            chosen = self.chosen
            if chosen is not None:
                self.ask(BY_ID["incident.open"], chosen.id)
            return True
        return False

    def show_only(self, model: str) -> None:
        """Keep the incidents that touch this model."""
        self.model = model
        self.show_all()

    def go_back(self) -> None:
        """Take filters away first, then close the screen."""
        if self.wanted or self.model:
            self.model = ""
            self.filter_by("")
        else:
            self.dismiss()


def _deaf_words(snapshot: Snapshot, now: float) -> list[str]:
    told = []
    for one in deaf(snapshot):
        age = "" if one.answered_at is None else f" {age_text(now - one.answered_at)}"
        word = "in part" if one.state == "up" else one.state.upper()
        told.append(f"{visible(one.name, 24)} {word}{age}")
    return told[:3]


def _matches(one: Listed, words: Sequence[str]) -> bool:
    from console.screens.tables.journal import matches

    incident = one.incident
    alerts = () if incident is None else incident.alerts
    parts = (
        one.id, one.severity.label, one.state, one.who, one.title, one.about, *one.models,
        "" if incident is None else incident.summary, *(alert.name for alert in alerts),
    )  # fmt: skip
    return matches(" ".join(parts).lower(), words)
