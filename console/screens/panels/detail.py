"""The lines under the table: why the row stands where it stands, and whose it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.domain.severity import BreakerState, Severity
from console.domain.text import visible
from console.evaluation.overrides import count, force
from console.screens.row_view import OPEN_STATES, ROLE_OF, RowView, off_primary
from console.screens.spans import (
    RunLine,
    age_text,
    clock_text,
    fitted,
    percent_text,
    twins,
    when_text,
    width_of,
)
from console.screens.tables.fleet_cells import last_answer
from console.screens.tables.incidents import held_since, incidents_of
from widgets.lines import Run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.domain.snapshot import Change, Dependency, Snapshot
    from themes.glyphs import Glyphs

LABEL_WIDTH = 7
DETAIL_LINES = 7
"""Title, NEXT, WHY, CHAIN, OWNER, CHANGE, and one for SENT, FORCE or SAY: nothing jumps."""

WIDE_LINES = DETAIL_LINES + 1
TALL_LINES = DETAIL_LINES + 3
"""With the runbook, and all three of SENT, FORCE and SAY."""

SHORT_LINES, LEAST_LINES = 5, 3
_RUN_LINE = 6

_LEVEL_WORDS = {
    Severity.S1: "act now",
    Severity.S2: "degraded",
    Severity.S3: "today",
    Severity.S4: "notice",
    Severity.UNKNOWN: "unknown",
    Severity.UNJUDGED: "not judged",
    Severity.OK: "ok",
}
_DEPENDENCY_ROLES = {"down": "s1", "degraded": "s2", "unknown": "unknown"}


def detail_lines(
    view: RowView | None,
    snapshot: Snapshot | None,
    now: float,
    width: int,
    glyphs: Glyphs,
    *,
    next_moves: Sequence[Run] = (),
    sent: Sequence[Run] = (),
    has_sent: bool = False,
    runbook: Sequence[Run] = (),
    room: int = 0,
    below: str = "",
) -> list[RunLine]:
    """Return ``room`` lines about the row under the cursor, what decides first.

    ``has_sent`` tells that ``sent`` is more than how to arm; ``below`` counts rows below the fold.
    """
    room = room or TALL_LINES
    last = _lines_in_force(view, snapshot, now, width, glyphs, sent if has_sent else ())
    if not last:
        last = [_labelled("SENT", sent, width, glyphs)]
    if view is None or snapshot is None:
        rule: RunLine = [Run(glyphs.rule * width, "dim")]
        return twins([rule, *([] for _ in range(room - 1 - len(last[:1]))), *last[:1]], glyphs)
    lines = [
        title_line(view, now, width, glyphs, below),
        _labelled("NEXT", next_moves, width, glyphs),
        _labelled("WHY", why_runs(view, now, glyphs), width, glyphs),
        _labelled("CHAIN", chain_runs(view, glyphs), width, glyphs),
        _labelled("OWNER", owner_runs(view, glyphs), width, glyphs),
        _labelled("CHANGE", change_runs(view, now, glyphs), width, glyphs),
        _labelled("RUN", runbook, width, glyphs),
    ]
    if room >= TALL_LINES:
        kept = lines
    elif room >= DETAIL_LINES:
        kept = lines[:_RUN_LINE]
    else:
        kept = lines[: max(1, room - 1)]
    kept += last[: room - len(kept)]
    if len(kept) < room and lines[_RUN_LINE] not in kept:
        kept.append(lines[_RUN_LINE])
    return twins([*kept, *([] for _ in range(room - len(kept)))], glyphs)


def _lines_in_force(
    view: RowView | None,
    snapshot: Snapshot | None,
    now: float,
    width: int,
    glyphs: Glyphs,
    sent: Sequence[Run],
) -> list[RunLine]:
    """Return SENT, FORCE and SAY where there is something, the one most needed first."""
    lines = [_labelled("SENT", sent, width, glyphs)] if sent else []
    held = force(snapshot, None if view is None else view.row, now) if snapshot is not None else ""
    if held:
        run = Run(held, _force_role(snapshot, now))
        lines.append(_labelled("FORCE", [run], width, glyphs))
    if snapshot is not None and snapshot.changes:
        lines.append(_say(snapshot, now, width, glyphs))
    return lines


def _force_role(snapshot: Snapshot | None, now: float) -> str:
    loud = snapshot is not None and count(snapshot, now)[1]
    return "s2" if loud else "text"


def _labelled(label: str, runs: Sequence[Run], width: int, glyphs: Glyphs) -> RunLine:
    return fitted([Run(label.ljust(LABEL_WIDTH), "title"), *runs], width, glyphs.ellipsis)


def title_line(view: RowView, now: float, width: int, glyphs: Glyphs, below: str = "") -> RunLine:
    """Return the rule with the model's name, its worst finding, and what it is.

    What ``below`` counts stands here, at the fold, before anything else finds room.
    """
    name = visible(view.model.model, 60)
    mark = glyphs.severity.get(view.role, "")
    left: RunLine = [
        Run(glyphs.rule * 2 + " ", "dim"),
        Run(name, "title"),
        Run(f" {mark} " if mark.strip() else " ", view.role),
        Run(headline(view, now), view.role),
        Run(" ", ""),
    ]
    identity = _identity(view)
    if below:
        longer = f"{below} {glyphs.dot} {identity}"
        fits = width_of(left) + len(longer) + 6 <= width
        identity = longer if fits else below
        if width_of(left) + len(below) + 6 > width:
            left = [*fitted(left, width - len(below) - 6, glyphs.ellipsis), Run(" ", "")]
    right = Run(f" {identity} ", "text" if below else "dim")
    room = width - width_of(left) - width_of([right]) - 2
    if room < 0:
        left = fitted(left, width, glyphs.ellipsis)
        return [*left, Run(glyphs.rule * max(0, width - width_of(left)), "dim")]
    return [*left, Run(glyphs.rule * room, "dim"), right, Run(glyphs.rule * 2, "dim")]


def headline(view: RowView, now: float) -> str:
    """Return one sentence on how the row is doing, by the name of the rule that decides."""
    top = view.top
    if top is not None:
        word = "planned" if view.planned else _LEVEL_WORDS[view.severity]
        word = "recovering" if view.recovering else word
        since = when_text(top.since, now)
        return f"{word}: {visible(top.text, 160)} since {since}"
    if view.unknown:
        return f"unknown: {unknown_reason(view, now)}"
    return "ok: no rule holds"


def unknown_reason(view: RowView, now: float) -> str:
    """Return why nobody can say how the row is doing."""
    name = view.model.source
    source = next((one for one in view.snapshot.sources if one.name == name), None)
    if source is None:
        return "no source offers this model"
    at = last_answer(view)
    age = "never answered" if at is None else f"last answered {age_text(now - at)} ago"
    if source.error:
        return f"{visible(name, 24)} {age}: {visible(source.error, 160)}"
    if source.state == "up":
        return f"{visible(name, 24)} answers, but has no data for it"
    return f"{visible(name, 24)} {age}"


def _identity(view: RowView) -> str:
    row = view.model
    parts = [visible(part, 24) for part in (row.version, row.region, row.owner) if part]
    if row.configured:
        parts.insert(1 if row.version else 0, f"tier {row.tier}")
    if row.server and row.server != row.owner:
        parts.append(visible(row.server, 24))
    if not row.objectives.declared:
        parts.append("~SLO 99%")
    return ", ".join(parts) or visible(row.profile, 24)


def why_runs(view: RowView, now: float, glyphs: Glyphs) -> list[Run]:
    """Return what is named as the cause first, then every other rule that holds."""
    runs: list[Run] = []
    arrow = Run(f" {glyphs.arrow} ", "dim")
    cause = view.snapshot.causes.get(view.row)
    if cause is not None:
        role = "s1" if cause.confidence == "likely" and not cause.over else "text"
        runs += [Run(visible(cause.text, 240), role), arrow]
    top = view.top
    others = [finding for finding in view.findings if finding is not top]
    dot = Run(f" {glyphs.dot} ", "dim")
    for finding in sorted(others, key=lambda one: (one.level, one.since)):
        runs += [Run(visible(finding.text, 160), ROLE_OF[finding.level]), dot]
    pending = view.snapshot.pending.get(view.row, ())
    for finding in pending[:3]:
        runs += [Run(f"{visible(finding.text, 120)} (not confirmed yet)", "dim"), dot]
    if runs:
        return runs[:-1]
    if top is not None:
        return [Run(f"only this rule holds: {top.rule}", "dim")]
    if view.unknown:
        return [Run("nothing is known, so nothing is called ok", "unknown")]
    return [Run("nothing to report", "dim")]


_CAUSES = ("world", "written")
"""Kinds of change that may be causes; symptoms and own actions stand in SAY and on the timeline."""


def change_runs(view: RowView, now: float, glyphs: Glyphs) -> list[Run]:
    """Return what changed lately for this model and what it depends on, newest first."""
    whole_fleet = ""
    subjects = {view.model.model, whole_fleet, *(one.name for one in view.dependencies())}
    world = [one for one in view.snapshot.changes if one.kind in _CAUSES]
    found = _newest(world, subjects)
    blind = [one for one in view.snapshot.change_sources if one.state != "up"]
    if not found and not blind:
        return [Run("no deploy seen for this model or what it depends on in 24 h", "dim")]
    runs = [Run(f"not known from {visible(one.name, 24)}, {one.state} ", "s2") for one in blind]
    for change in found[:4]:
        runs.append(Run(f"{when_text(change.at, now)} ", "dim"))
        runs.append(Run(visible(change.text, 160), "text"))
        runs.append(Run(f" {glyphs.dot} ", "dim"))
    return runs[:-1] if found else runs


def _newest(changes: Sequence[Change], subjects: set[str] | None = None) -> list[Change]:
    wanted = [change for change in changes if subjects is None or change.subject in subjects]
    return sorted(wanted, key=lambda change: -change.at)


def chain_runs(view: RowView, glyphs: Glyphs) -> list[Run]:
    """Return what the model depends on, its breaker, and where its traffic goes."""
    link = Run(f" {glyphs.chain}{glyphs.chain} ", "dim")
    runs: list[Run] = []
    for dependency in view.dependencies():
        runs += [*dependency_runs(dependency, glyphs), link]
    named = {one.name for one in view.dependencies()}
    for name in view.model.dependencies:
        if name not in named:
            runs += [Run(f"{visible(name, 32)} ?", "unknown"), link]
    state = view.breaker.state
    breaker = "" if state is BreakerState.UNKNOWN else f" {state.code} {state.verb}"
    role = "s1" if state in OPEN_STATES and not view.planned else "text"
    runs.append(Run(f"{visible(view.model.model, 40)}{breaker}", role))
    route = view.route
    if off_primary(route):
        runs += [link, Run(f"{visible(route.target, 32)} ({visible(route.level, 4)})", "s2")]
    elif route.known and not view.dependencies():
        runs += [link, Run(visible(route.target, 32), "text")]
    if not view.dependencies() and not view.model.dependencies:
        runs.append(Run("   no dependency known", "dim"))
    return runs


def dependency_runs(dependency: Dependency, glyphs: Glyphs) -> list[Run]:
    """Return a dependency's name, share of errors, attempts and breaker."""
    role = _DEPENDENCY_ROLES.get(dependency.state, "text")
    parts = [visible(dependency.name, 32)]
    error = dependency.error_ratio.value
    if dependency.state in ("down", "degraded"):
        mark = glyphs.severity["s1" if dependency.state == "down" else "s2"][0]
        parts.append(f"{mark}{percent_text(error)}" if error is not None else mark)
    else:
        parts.append("ok" if dependency.state == "ok" else "?")
    attempts = dependency.attempts_per_request.value
    if attempts is not None:
        parts.append(f"{attempts:.1f}")
    if dependency.breaker.state not in (BreakerState.UNKNOWN, BreakerState.CLOSED):
        parts.append(dependency.breaker.state.code)
    return [Run(" ".join(parts), role)]


def owner_runs(view: RowView, glyphs: Glyphs) -> list[Run]:
    """Return who owns the model, who is called in which order, and the runbook."""
    row = view.model
    runs = _holders(view, glyphs)
    people = [
        f"{visible(name, 24)} ({word})"
        for name, word in ((row.oncall.primary, "pri"), (row.oncall.secondary, "sec"))
        if name
    ]
    people += [visible(name, 24) for name in row.oncall.escalation[:4]]
    if row.owner or people:
        owner = visible(row.owner, 32) or "no owner"
        runs.append(Run(owner + (": " if people else ""), "text"))
        runs.append(Run(f" {glyphs.arrow} ".join(people), "text"))
    elif row.configured:
        runs.append(Run("nobody: set owner and oncall for this model", "s3"))
    else:
        runs.append(Run("not declared; a [models] entry in the configuration names one", "dim"))
    if row.runbook:
        runs += [Run("   RUNBOOK ", "title"), Run(visible(row.runbook, 160), "text")]
    elif row.configured:
        runs.append(Run("   no runbook", "dim"))
    return runs


def _holders(view: RowView, glyphs: Glyphs) -> list[Run]:
    """Return who has the row's incidents: that is not who answers for the model."""
    found = [one for one in incidents_of(view.snapshot, view.model.model) if one.group < 2]
    if not found:
        return []
    now = view.snapshot.taken_at
    held = [f"{one.who} {held_since(one, now)}".strip() for one in found if one.held]
    nobodys = len(found) - len(held)
    runs = [Run(f"held by {', '.join(held)}", "text")] if held else []
    if nobodys:
        said = "nobody has its incident" if not held else f", {nobodys} unheld"
        runs.append(Run(said, view.role))
    return [*runs, Run(f" {glyphs.dot} ", "dim")]


def run_runs(runbook: str, key: str, glyphs: Glyphs) -> list[Run]:
    """Return the runbook of a row, and the key that opens it."""
    if not runbook:
        return [Run("no runbook is declared, and no alert names one", "dim")]
    opens = f"{key} opens and copies it" if key else ":runbook opens it"
    return [Run(visible(runbook, 200), "text"), Run(f" {glyphs.dot} {opens}", "dim")]


def _say(snapshot: Snapshot | None, now: float, width: int, glyphs: Glyphs) -> RunLine:
    newest = _newest(snapshot.changes)[:1] if snapshot is not None else []
    if not newest:
        return _labelled("SAY", [Run("nothing has changed since this console began", "dim")],
                         width, glyphs)  # fmt: skip
    change = newest[0]
    at = clock_text(change.at) if now - change.at < 72_000 else when_text(change.at, now)
    return _labelled(
        "SAY", [Run(f"{at} ", "dim"), Run(visible(change.text, 300), "text")], width, glyphs
    )
