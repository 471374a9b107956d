"""Retraining decisions as rows, lines, marks and roles; what is due comes first."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from console.domain.decision import DecisionState
from console.domain.text import visible
from console.reports.decision_text import told
from console.screens.dialogs.confirm_text import labelled
from console.screens.spans import age_text, fitted, twins
from themes.glyphs import to_ascii
from widgets.grid_rows import Cell, Column
from widgets.lines import Run

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from console.domain.decision import DecisionRecord
    from console.screens.spans import RunLine
    from themes.glyphs import Glyphs

STATES: tuple[DecisionState, ...] = ("overdue", "due", "pending", "in_force", "closed")
STATE_ROLES = {"overdue": "s3", "due": "s4", "pending": "s3", "in_force": "text", "closed": "dim"}
ID_LETTERS = 6
"""Letters at the end of an id that name a decision among a few."""

SHORT_LABELS = {
    "decision": "what",
    "approver": "second",
    "conflict": "differs",
    "evidence": "seen",
    "incident": "inc",
}
"""Labels of a decision that are too long for a box."""

BLOCK_MOST = 3
_COLUMNS = (
    ("model", "MODEL", 16, 0),
    ("kind", "DECISION", 21, 0),
    ("state", "STATE", 9, 0),
    ("review", "REVIEW", 16, 0),
    ("by", "BY", 8, 100),
    ("taken", "TAKEN", 10, 120),
    ("sent", "SENT ON", 18, 120),
    ("approved", "APPROVED", 14, 150),
    ("id", "ID", 8, 150),
)


def by_due(records: Iterable[DecisionRecord], now: float) -> list[DecisionRecord]:
    """Return decisions, the overdue first, then the next to be reviewed; the closed come last."""

    def place(record: DecisionRecord) -> tuple[int, float]:
        state = record.state(now)
        # A closed one is not waited for: the newest is what may still be asked about.
        at = record.decision.review_by if record.closed_at is None else -record.closed_at
        return STATES.index(state), at

    return sorted(records, key=place)


def state_word(record: DecisionRecord, now: float) -> str:
    """Return where a decision stands, in a word or two."""
    state = record.state(now)
    if state == "overdue":
        late = age_text(now - record.decision.review_by)
        return f"OVERDUE {late}" + (" unapproved" if record.pending else "")
    return state.replace("_", " ")


def day(at: float) -> str:
    """Return the UTC day of Unix seconds."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d")


def review_day(record: DecisionRecord) -> str:
    """Return the day of the review; a day's own end is that day and not the next."""
    return day(record.decision.review_by - 1.0)


def sent_words(record: DecisionRecord) -> str:
    """Return where it was sent on and where not yet; empty where nothing was planned."""
    told_sent = {each.sink: each.outcome or "under way" for each in record.sent}
    parts = [f"{sink} {'ok' if kind in ('applied', 'no_op') else kind}"
             for sink, kind in told_sent.items()]  # fmt: skip
    parts += [f"{each.sink} not sent" for each in record.unsent if each.sink not in told_sent]
    return ", ".join(parts)


def decision_columns(width: int) -> tuple[Column, ...]:
    """Return the columns that fit; the reason takes what room is left."""
    columns = [Column(key, title, room) for key, title, room, least in _COLUMNS if width >= least]
    used = sum(column.width + 1 for column in columns)
    return (*columns, Column("why", "WHY", max(8, width - used)))


class DecisionRows:
    """Decisions as a table asks for them."""

    def __init__(self, records: Iterable[DecisionRecord], now: float, glyphs: Glyphs) -> None:
        self._records = by_due(records, now)
        self._places = {each.decision.id: place for place, each in enumerate(self._records)}
        self._now = now
        self._ascii = glyphs.name == "ascii"

    def __len__(self) -> int:
        return len(self._records)

    def key(self, index: int) -> str:
        """Return the decision's id."""
        return self._records[index].decision.id

    def index(self, key: str) -> int | None:
        """Return where a decision stands."""
        return self._places.get(key)

    def record(self, key: str | None) -> DecisionRecord | None:
        """Return a decision by its id."""
        place = None if key is None else self._places.get(key)
        return None if place is None else self._records[place]

    def cells(self, index: int, columns: Sequence[str]) -> Sequence[Cell]:
        """Return the cells of one decision."""
        record = self._records[index]
        made = (self._cell(record, key) for key in columns)
        return tuple(Cell(to_ascii(cell.text), cell.role) if self._ascii else cell for cell in made)

    def _cell(self, record: DecisionRecord, key: str) -> Cell:
        decision, state = record.decision, record.state(self._now)
        match key:
            case "model":
                return Cell(visible(decision.model, 60), "title")
            case "kind":
                return Cell(decision.kind, "dim" if state == "closed" else "text")
            case "state":
                word = "OVERDUE" if state == "overdue" else state.replace("_", " ")
                return Cell(word, STATE_ROLES[state])
            case "review":
                if record.closed_at is not None:
                    return Cell(f"closed {day(record.closed_at)[5:]}", "dim")
                left = decision.review_by - self._now
                away = f"in {age_text(left)}" if left > 0 else f"{age_text(-left)} late"
                return Cell(f"{review_day(record)[5:]} {away}", STATE_ROLES[state])
            case "by":
                return Cell(visible(decision.author, 30), "text")
            case "taken":
                return Cell(day(decision.taken_at), "dim")
            case "sent":
                words = sent_words(record)
                return Cell(words or "-", "s3" if record.unsent else "dim")
            case "approved":
                return _approval(record)
            case "id":
                return Cell(decision.id[-8:], "dim")
            case _:
                outcome = f"{visible(record.outcome, 100)}: " if record.outcome else ""
                return Cell(f"{outcome}{visible(decision.reason, 200)}", "text")


def _approval(record: DecisionRecord) -> Cell:
    if record.approved_by:
        return Cell(visible(record.approved_by, 30), "text")
    return Cell("waits", "s3") if record.pending else Cell("-", "dim")


def decision_details(
    record: DecisionRecord | None, now: float, width: int, height: int, glyphs: Glyphs
) -> list[RunLine]:
    """Return the lines about one decision, the heading first, at most ``height``."""
    if record is None:
        said = "no decision is written; D on a model writes one"
        lines: list[RunLine] = [[Run(glyphs.rule * width, "dim")], [Run(said, "dim")]]
        return twins(lines, glyphs)
    decision = record.decision
    head = f" {decision.kind} {visible(decision.model, 60)}: {state_word(record, now)} "
    title = [Run(glyphs.rule * 2, "dim"), Run(head, "title"),
             Run(glyphs.rule * max(0, width - len(head) - 2), "dim")]  # fmt: skip
    lines = [title]
    for label, text in _facts(record):
        lines += labelled(SHORT_LABELS.get(label, label), visible(text, 600), width, lines=2)
    return twins([fitted(line, width, glyphs.ellipsis) for line in lines[:height]], glyphs)


def _facts(record: DecisionRecord) -> list[tuple[str, str]]:
    """Return what happened to it first, then everything it says."""
    decision = record.decision
    facts = [("id", f"midwatch decisions show {decision.id}")]
    if record.pending:
        facts.append(("waits", f"midwatch approve {decision.id}, from another login"))
    elif record.unsent and record.closed_at is None:
        facts.append(("send", f"midwatch decisions send {decision.id}"))
    if words := sent_words(record):
        facts.append(("sent", words))
    if record.closed_at is not None:
        facts.append(("outcome", f"{record.outcome} ({record.closed_by}, {day(record.closed_at)})"))
    else:
        facts.append(("close", f"midwatch decisions close {decision.id} --outcome TEXT"))
    wanted = ("reason", "trigger", "expect", "checked", "reverse", "lineage", "gaps", "conflict")
    return [*facts, *((label, text) for label, text in told(decision) if label in wanted)]


def decision_block(
    records: Iterable[DecisionRecord], now: float, width: int, glyphs: Glyphs
) -> list[RunLine]:
    """Return the decisions about one model, two lines each: what is due first."""
    listed = by_due(records, now)
    shown = [each for each in listed if each.closed_at is None][:BLOCK_MOST]
    if not shown:
        shown = listed[:1]
    lines: list[RunLine] = []
    for record in shown:
        decision = record.decision
        role = STATE_ROLES[record.state(now)]
        lines.append(
            [
                Run(f"{decision.id[-ID_LETTERS:]} ", "dim"),
                Run(f"{decision.kind} ", "title"),
                Run(state_word(record, now), role),
            ]
        )
        lines.append(
            [
                Run("  ", ""),
                Run(f"{visible(decision.author, 16)} {day(decision.taken_at)[5:]} ", "dim"),
                Run(f"rev {review_day(record)[5:]} ", role),
                Run(visible(record.outcome or decision.reason, 200), "text"),
            ]
        )
    if len(listed) > len(shown):
        lines.append([Run(f"{len(listed) - len(shown)} more: :decisions", "dim")])
    if not lines:
        lines.append([Run("none; D writes one", "dim")])
    return [fitted(line, width, glyphs.ellipsis) for line in lines]
