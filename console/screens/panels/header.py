"""The top three lines: is my view real, how bad is it, and where am I."""

from __future__ import annotations

from collections import Counter
from operator import attrgetter
from typing import TYPE_CHECKING

from msgspec import Struct

from console.domain.severity import BreakerState, Severity
from console.domain.signals import ReadingState
from console.domain.text import visible
from console.evaluation.overrides import count
from console.screens.row_view import ON_PRIMARY
from console.screens.spans import (
    Piece,
    RunLine,
    age_text,
    clock_text,
    compact,
    fitted,
    join_that_fit,
    local_text,
    piece,
    twins,
    usd_text,
)
from console.screens.tables.fleet import BY_KEY
from console.screens.tables.incidents import incident_notes
from widgets.lines import Run

if TYPE_CHECKING:
    from datetime import tzinfo

    from console.domain.samples import SourceStatus
    from console.domain.snapshot import Floats, Snapshot
    from console.screens.fleet import FleetScreen
    from console.screens.fleet_order import Arrangement
    from themes.glyphs import Glyphs
    from widgets.lines import Lines

STALE_AFTER_SECONDS = 20.0
"""Nobody has answered for so long (or three cadences): the whole view is called stale."""

_LEVELS = ("s1", "s2", "s3", "s4", "unknown", "unjudged")


class HeaderState(Struct, frozen=True):
    """What the header says beside the Snapshot.

    ``title`` replaces the environment's name (the demo says so). ``problem`` is a sentence of the
    engine about itself. ``notes`` stand in the counts line: filter, sort, freeze, pending moves.
    ``writes`` say whether the world can be changed and by whom, the most important first.
    """

    now: float
    zone: tzinfo | None
    width: int
    environment: str
    title: str = ""
    problem: str = ""
    notes: tuple[tuple[str, str], ...] = ()
    writes: tuple[tuple[str, str], ...] = (("READ-ONLY", "dim"),)


def role_of_environment(environment: str, title: str) -> str:
    """Return the header's role: production and the demo look like nothing else."""
    if title:
        return "header.demo"
    return "header.prod" if environment.lower().startswith("prod") else "header"


def data_age_seconds(snapshot: Snapshot, now: float) -> float | None:
    """Return the age of the newest answer of any source, None when none ever came."""
    answered = [one.answered_at for one in snapshot.sources if one.answered_at is not None]
    return max(0.0, now - max(answered)) if answered else None


def is_stale(snapshot: Snapshot, now: float) -> bool:
    """Tell whether the whole view is old: no source has answered for some time."""
    cadence = max((source.cadence_seconds for source in snapshot.sources), default=5.0)
    age = data_age_seconds(snapshot, now)
    return age is None or age > max(STALE_AFTER_SECONDS, 3 * cadence)


def header_lines(
    snapshot: Snapshot | None,
    state: HeaderState,
    glyphs: Glyphs,
    counts: RunLine | None = None,
) -> list[RunLine]:
    """Return the three lines of the header; ``counts`` is a second line made earlier."""
    rule = [Run(glyphs.rule * state.width, "dim")]
    if snapshot is None:
        said = state.problem or "waiting for the first answer"
        first = _first_line([piece(visible(said, 300), "stale" if state.problem else "dim")], state)
        return twins([first, [Run("no numbers yet; q quits, ? helps", "dim")], rule], glyphs)
    first = _first_line(_health(snapshot, state), state)
    if counts is None:
        counts = counts_line(snapshot, state, glyphs)
    return twins([first, counts, rule], glyphs)


def counts_line(snapshot: Snapshot, state: HeaderState, glyphs: Glyphs) -> RunLine:
    """Return the second line; it changes with the Snapshot and the notes, not with the clock."""
    return fitted(_counts(snapshot, state, glyphs), state.width, glyphs.ellipsis)


def _first_line(health: list[Piece], state: HeaderState) -> RunLine:
    role = role_of_environment(state.environment, state.title)
    place = visible(state.title or state.environment, 40)
    pieces = [
        piece(f" MIDWATCH {place} ", role),
        piece(f"{clock_text(state.now)}Z", "header", 1),
        piece(f"({local_text(state.now, state.zone)} local)", "dim", 6),
        *health,
        *_writes(state),
    ]
    return join_that_fit(pieces, state.width, Run("  ", ""))


def _writes(state: HeaderState) -> list[Piece]:
    """Return mode and person; a console that can change the world says so to the last."""
    first, *rest = state.writes
    mode = piece(first[0], first[1], 1 if first[1] == "armed" else 5)
    return [mode, *(piece(text, role, 4) for text, role in rest)]


def _health(snapshot: Snapshot, state: HeaderState) -> list[Piece]:
    now = state.now
    if state.problem:
        return [piece(visible(state.problem, 300), "stale", 1)]
    age = data_age_seconds(snapshot, now)
    if not snapshot.sources:
        return [piece("no source configured", "stale", 1)]
    if is_stale(snapshot, now):
        said = "NEVER ANSWERED" if age is None else f"LAST VALUES {age_text(age)} OLD"
        names = ", ".join(visible(one.name, 24) for one in snapshot.sources)
        return [
            piece(f" STALE  {said} ", "stale", 0),
            piece(f"{names} away{_next_try(snapshot, now)}", "text", 4),
        ]
    return [
        *_sources(snapshot, now, state.width),
        *_alert_places(snapshot, now),
        piece(f"data {_age(age)}", "text", 2),
    ]


def _alert_places(snapshot: Snapshot, now: float) -> list[Piece]:
    """Name the places for alerts that are away: without them "no alert" means nothing."""
    away = [one for one in snapshot.alert_places if one.state in ("down", "stale")]
    return [
        piece(f" !alerts {visible(one.name, 20)} {_away(one, now)} ", "stale", 1)
        for one in away[:2]
    ]


def _age(age: float | None) -> str:
    return "?" if age is None else age_text(age)


def _next_try(snapshot: Snapshot, now: float) -> str:
    tries = [one.next_try_at for one in snapshot.sources if one.next_try_at is not None]
    return f", next try in {age_text(max(0.0, min(tries) - now))}" if tries else ""


def _sources(snapshot: Snapshot, now: float, width: int) -> list[Piece]:
    bad = [one for one in snapshot.sources if one.state in ("down", "stale")]
    starting = [one for one in snapshot.sources if one.state == "starting"]
    up = len(snapshot.sources) - len(bad) - len(starting)
    out: list[Piece] = []
    if width >= 140 and len(snapshot.sources) <= 5 and not starting:
        good = [one for one in snapshot.sources if one not in bad]
        texts = " · ".join(f"{visible(one.name, 24)} {_answered(one, now)}" for one in good)
        out.append(piece(f"sources {texts}", "text", 2))
    else:
        out.append(piece(f"sources {up}/{len(snapshot.sources)}", "text", 2))
    out.extend(
        piece(f" !{visible(one.name, 20)} {_away(one, now)} ", "stale", 1) for one in bad[:3]
    )
    out.extend(
        piece(f" {visible(one.name, 20)}{_standby(one)} ", "stale", 1)
        for one in snapshot.sources
        if one.standby and one not in bad
    )
    if len(bad) > 3:
        out.append(piece(f"and {len(bad) - 3} more", "stale", 3))
    out.extend(piece(f"{visible(one.name, 20)} starting", "dim", 4) for one in starting[:2])
    slow = [one for one in snapshot.sources if one.server_seconds > 1.0]
    out.extend(
        piece(f"{visible(one.name, 20)} slow: every {age_text(one.cadence_seconds)}", "s3", 4)
        for one in slow[:1]
    )
    told = sum(len(one.warnings) for one in snapshot.sources)
    if told:
        out.append(piece(f"{told} warning{'s' if told != 1 else ''}, s", "s4", 4))
    unread = len({told for one in snapshot.sources for told in one.unread})
    if unread:
        out.append(piece(f"{unread} kind{'s' if unread != 1 else ''} not read", "s4", 3))
    failed = sum(one.failed_queries for one in snapshot.sources if one.state == "up")
    if failed:
        out.append(piece(f"{failed} queries failed", "s3", 4))
    return out


def _answered(source: SourceStatus, now: float) -> str:
    return "?" if source.answered_at is None else age_text(now - source.answered_at)


def _away(source: SourceStatus, now: float) -> str:
    word = "DOWN" if source.state == "down" else "STALE"
    since = "" if source.answered_at is None else f" {age_text(now - source.answered_at)}"
    return f"{word}{since}{_standby(source)}"


def _standby(source: SourceStatus) -> str:
    """Name who speaks for a source's rows in its place."""
    return f", {visible(source.standby, 20)} stands in" if source.standby else ""


def _counts(snapshot: Snapshot, state: HeaderState, glyphs: Glyphs) -> RunLine:
    bar = Run(f" {glyphs.bar} ", "dim")
    line: RunLine = []
    counts = _level_counts(snapshot)
    for name in _LEVELS:
        count = counts[name]
        role = name if count else "dim"
        # What is judged well goes without saying; a narrow line says nothing of notices either.
        if not count and (name == "unjudged" or (name == "s4" and state.width < 100)):
            continue
        line.append(Run(f"{glyphs.severity[name]} {count}", role))
        line.append(Run("  ", ""))
    line.pop()
    models = len(snapshot.rows)
    line += [bar, Run(f"{models} model{'s' if models != 1 else ''}", "text")]
    for text, role in state.notes:
        line += [bar, Run(text, role)]
    for text, role in _fleet_facts(snapshot):
        line += [bar, Run(text, role)]
    return line


def _level_counts(snapshot: Snapshot) -> dict[str, int]:
    import numpy as np

    counts = np.bincount(snapshot.severities, minlength=len(Severity) + 1).tolist()
    levels = (
        Severity.S1,
        Severity.S2,
        Severity.S3,
        Severity.S4,
        Severity.UNKNOWN,
        Severity.UNJUDGED,
    )
    return {name: counts[level] for name, level in zip(_LEVELS, levels, strict=True)}


def _fleet_facts(snapshot: Snapshot) -> list[tuple[str, str]]:
    facts: list[tuple[str, str]] = []
    # Counting by attribute stays out of Python's own loop: there may be thousands.
    states = Counter(map(attrgetter("state"), snapshot.breakers.values()))
    words = {
        "open": states[BreakerState.OPEN],
        "half": states[BreakerState.HALF_OPEN],
        "forced": states[BreakerState.FORCED_OPEN],
    }
    said = " ".join(f"{word} {count}" for word, count in words.items() if count)
    if said:
        facts.append((f"breakers {said}", "s2" if words["open"] else "text"))
    levels = Counter(map(attrgetter("level"), snapshot.routes.values()))
    away = sum(count for level, count in levels.items() if level not in ON_PRIMARY)
    if away:
        facts.append((f"off primary {away}", "s3"))
    waiting = _total(snapshot, "review_depth")
    if waiting:
        oldest = _largest(snapshot, "review_oldest")
        facts.append(
            (f"review {waiting:.0f}" + (f", oldest {age_text(oldest)}" if oldest else ""), "text")
        )
    today = _total(snapshot, "cost_today")
    if today:
        facts.append((f"today {usd_text(today)}", "text"))
    facts.extend(_month_end(snapshot))
    rate = _total(snapshot, "requests_rate")
    if rate:
        facts.append((f"{compact(rate)} rps", "dim"))
    return facts


def _month_end(snapshot: Snapshot) -> list[tuple[str, str]]:
    """Return the month's end forecast of all models with a budget, against their budgets."""
    import numpy as np

    column = snapshot.columns.get("cost_month_p50")
    if column is None:
        return []
    known = np.flatnonzero(column.states == ReadingState.OK).tolist()
    declared = [row for row in known if snapshot.rows[row].budget_month_usd]
    if not declared:
        return []
    ahead = float(column.values[declared].sum())
    budget = sum(snapshot.rows[row].budget_month_usd or 0.0 for row in declared)
    role = "s3" if ahead > budget else "text"
    return [(f"month P50 {usd_text(ahead)} of {usd_text(budget)}", role)]


def _known_values(snapshot: Snapshot, signal: str) -> Floats | None:
    column = snapshot.columns.get(signal)
    return None if column is None else column.values[column.states == ReadingState.OK]


def _total(snapshot: Snapshot, signal: str) -> float:
    known = _known_values(snapshot, signal)
    return 0.0 if known is None else float(known.sum())


def _largest(snapshot: Snapshot, signal: str) -> float:
    known = _known_values(snapshot, signal)
    return 0.0 if known is None or not len(known) else float(known.max())


def marked_notes(marked: frozenset[str]) -> tuple[tuple[str, str], ...]:
    """Return how many rows are marked to be acted on together."""
    return ((f" {len(marked)} MARKED ", "mark"),) if marked else ()


def held_notes(snapshot: Snapshot | None, now: float) -> tuple[tuple[str, str], ...]:
    """Return how much is held by hand, and when the next of it ends."""
    text, loud = ("", False) if snapshot is None else count(snapshot, now)
    return ((text, "s2" if loud else "planned"),) if text else ()


def order_notes(
    arrangement: Arrangement,
    frozen_seconds: float | None,
    pending: int,
    apply_key: str,
    shown: int,
) -> tuple[tuple[str, str], ...]:
    """Return what is said of the order: frozen, moves pending, filter, sorting, grouping."""
    notes: list[tuple[str, str]] = []
    if frozen_seconds is not None:
        notes.append((f" FROZEN {age_text(frozen_seconds)} ", "stale"))
    if pending:
        notes.append((f"{pending} move{'s' if pending != 1 else ''} pending {apply_key}", "s3"))
    if arrangement.words:
        notes.append((f"/{visible(' '.join(arrangement.words), 60)}: {shown} shown", "title"))
    if arrangement.sort or arrangement.reverse:
        title = BY_KEY[arrangement.sort].title if arrangement.sort else "rank"
        notes.append((f"by {title}{', reversed' if arrangement.reverse else ''}", "text"))
    if arrangement.group != "none":
        notes.append((f"grouped by {arrangement.group}", "text"))
    return tuple(notes)


class FleetHeader:
    """Draws the header of the fleet screen; the counts are made anew only when they may differ."""

    def __init__(self, screen: FleetScreen) -> None:
        self._screen = screen
        self._counts: tuple[tuple[object, ...], RunLine] | None = None

    def show(self, part: Lines) -> None:
        """Show the header as the newest Snapshot and the clock have it."""
        session, state = self._screen.session, self._state()
        snapshot = session.snapshot
        if snapshot is None:
            lines = header_lines(None, state, session.glyphs)
        else:
            made_for = (id(snapshot), state.width, state.notes)
            if self._counts is None or self._counts[0] != made_for:
                self._counts = (made_for, counts_line(snapshot, state, session.glyphs))
            lines = header_lines(snapshot, state, session.glyphs, self._counts[1])
        part.show_lines(lines)

    def _state(self) -> HeaderState:
        screen = self._screen
        session = screen.session
        now, keys = session.clock(), session.keys
        frozen = None if screen.frozen_at is None else now - screen.frozen_at
        return HeaderState(
            now=now,
            zone=session.zone,
            width=screen.size.width,
            environment=session.environment,
            title=session.title,
            problem=session.problem,
            notes=(
                *marked_notes(session.marked),
                *incident_notes(session.snapshot),
                *held_notes(session.snapshot, now),
                *order_notes(
                    screen.arrangement,
                    frozen,
                    screen.pending,
                    keys.first_key("order.apply"),
                    screen.shown_count,
                ),
            ),
            writes=session.write_words,
        )
