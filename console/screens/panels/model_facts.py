"""What is known of a model beside its signals: protection, lineage, people, events, criteria."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.domain.severity import BreakerState
from console.domain.text import visible
from console.evaluation.inventory import INFO, lineage_of
from console.metrics.units import format_signal
from console.screens.panels.detail import dependency_runs, owner_runs, why_runs
from console.screens.row_view import OPEN_STATES, ROLE_OF, off_primary
from console.screens.spans import (
    RunLine,
    age_text,
    clock_text,
    compact,
    fitted,
    percent_text,
    promise_text,
    twins,
    when_text,
    width_of,
)
from console.screens.tables.decisions import decision_block
from console.settings.field_parsers import CriterionError, parse_criterion
from widgets.lines import Run
from widgets.text_width import wrap

if TYPE_CHECKING:
    from collections.abc import Iterable

    from console.screens.row_view import RowView
    from themes.glyphs import Glyphs

LABEL = 10
_LINKS = (
    ("version", "version"),
    ("data_snapshot", "data"),
    ("code", "code"),
    ("trained_at", "trained"),
    ("approver", "approved"),
    ("consent", "consent"),
)


def model_header(view: RowView, now: float, width: int, glyphs: Glyphs) -> list[RunLine]:
    """Return two lines: who it is and how it is doing, then why."""
    row = view.model
    mark = glyphs.severity.get(view.role, "")
    parts = [f"tier {row.tier}"] if row.configured else []
    parts += [visible(one, 24) for one in (row.version, row.region, row.profile) if one]
    top = view.top
    level = visible(top.text, 160) if top is not None else "no rule holds"
    first: RunLine = [
        Run(f"{visible(row.model, 60)} ", "title"),
        Run(f"{mark} " if mark.strip() else "", view.role),
        Run(level, view.role),
        Run(f"   {', '.join(parts)}", "dim"),
    ]
    second: RunLine = [Run("WHY    ", "title"), *why_runs(view, now, glyphs)]
    return twins([fitted(line, width, glyphs.ellipsis) for line in (first, second)], glyphs)


def lineage_lines(view: RowView, now: float, width: int, glyphs: Glyphs) -> list[RunLine]:
    """Return protection, people, dependencies, lineage and criteria; what is not known is named."""
    return [line for block in lineage_blocks(view, now, width, glyphs) for line in block]


def lineage_blocks(view: RowView, now: float, width: int, glyphs: Glyphs) -> list[list[RunLine]]:
    """Return the same by block, each beginning with its title."""
    blocks: list[list[RunLine]] = [
        [_title("PROTECTION", width, glyphs), *_protection(view, now, glyphs)],
        [_title("PEOPLE", width, glyphs), *_people(view, width, glyphs)],
        [_title("DEPENDENCIES", width, glyphs), *_dependencies(view, glyphs)],
        [_title("DECISIONS", width, glyphs), *_decisions(view, now, width, glyphs)],
        [_title("LINEAGE", width, glyphs), *_lineage(view, width)],
        [_title("INTERVENTION CRITERIA", width, glyphs), *_criteria(view, width, glyphs)],
    ]
    return [
        twins([fitted(line, width, glyphs.ellipsis) for line in block], glyphs) for block in blocks
    ]


def lineage_in_two(view: RowView, now: float, width: int, glyphs: Glyphs) -> list[RunLine]:
    """Return the same in two columns, for a low and wide part of the screen."""
    left_width = (width - 3) // 2
    blocks = lineage_blocks(view, now, left_width, glyphs)
    left = [line for block in (blocks[1], blocks[2], blocks[5]) for line in block]
    right = [line for block in (blocks[0], blocks[3], blocks[4]) for line in block]
    lines: list[RunLine] = []
    for place in range(max(len(left), len(right))):
        first = list(left[place]) if place < len(left) else []
        second = list(right[place]) if place < len(right) else []
        gap = " " * max(0, left_width - width_of(first))
        lines.append([*first, Run(f"{gap} "), Run(f"{glyphs.bar} ", "dim"), *second])
    return twins(lines, glyphs)


def event_lines(view: RowView, now: float, width: int, glyphs: Glyphs) -> list[RunLine]:
    """Return what happened to the model and what it depends on, newest first."""
    subjects = {view.model.model, *(one.name for one in view.dependencies())}
    events = [
        (change.at, "change", visible(change.text, 300), "text")
        for change in view.snapshot.changes
        if change.subject in subjects
    ]
    events += [
        (finding.since, finding.rule, visible(finding.text, 300), ROLE_OF[finding.level])
        for finding in view.findings
    ]
    lines: list[RunLine] = [_title("EVENTS", width, glyphs)]
    for at, kind, text, role in sorted(events, key=lambda event: -event[0]):
        shown = clock_text(at) if now - at < 72_000 else when_text(at, now)
        lines.append([Run(f"{shown:<9}", "dim"), Run(f"{kind[:18]:<19}", "dim"), Run(text, role)])
    if len(lines) == 1:
        lines.append([Run("nothing has changed and no rule has held", "dim")])
    return twins([fitted(line, width, glyphs.ellipsis) for line in lines], glyphs)


_REPLICA_COLUMNS = (
    ("requests_rate", "RPS"),
    ("error_ratio", "ERR%"),
    ("latency_p95", "P95"),
    ("latency_mean", "MEAN"),
    ("ttft_p95", "TTFT"),
    ("queue_depth", "QUEUE"),
    ("kv_cache", "KV%"),
    ("saturation", "SAT"),
)
_CELL = 8


def replica_lines(view: RowView, width: int, glyphs: Glyphs) -> list[RunLine]:
    """Return what each replica does over two minutes, those that stand out first."""
    lines: list[RunLine] = [_title("REPLICAS over 2m", width, glyphs)]
    replicas = view.snapshot.replicas.get(view.row, ())
    if not replicas:
        told = "one replica, or nothing that tells several apart: no series bears pod or instance"
        return [*lines, [Run(told, "dim")]]
    given = {signal for each in replicas for signal in each.values}
    shown = [(signal, head) for signal, head in _REPLICA_COLUMNS if signal in given]
    room = max(12, width - _CELL * len(shown) - 12)
    heads = "".join(head.rjust(_CELL) for _, head in shown)
    lines.append([Run(f"{'REPLICA':<{room}}{heads}", "dim")])
    for each in sorted(replicas, key=lambda one: (not one.odd, one.place)):
        cells = "".join(
            format_signal(signal, each.values.get(signal)).rjust(_CELL) for signal, _ in shown
        )
        place = visible(each.place, room - 1)
        role = "s3" if each.odd else "text"
        lines.append([Run(f"{place:<{room}}{cells}", role), Run(f"  {each.odd}", role)])
    return [fitted(line, width, glyphs.ellipsis) for line in lines]


def _title(text: str, width: int, glyphs: Glyphs) -> RunLine:
    return [
        Run(f"{glyphs.rule * 2} ", "dim"),
        Run(f"{text} ", "title"),
        Run(glyphs.rule * max(0, width - len(text) - 4), "dim"),
    ]


def _row(label: str, text: str, role: str = "text") -> RunLine:
    return [Run(label.ljust(LABEL), "dim"), Run(text, role)]


def _wrapped(label: str, text: str, width: int, role: str = "text") -> list[RunLine]:
    pieces = wrap(text, max(8, width - LABEL), 4) or [""]
    return [_row(label if place == 0 else "", piece, role) for place, piece in enumerate(pieces)]


def _protection(view: RowView, now: float, glyphs: Glyphs) -> Iterable[RunLine]:
    breaker, route, row = view.breaker, view.route, view.model
    if breaker.state is BreakerState.UNKNOWN:
        yield _row("breaker", "not known: model_circuit_breaker_state would say", "dim")
    else:
        since = "" if breaker.since is None else f" for {age_text(now - breaker.since)}"
        role = "s1" if breaker.state in OPEN_STATES and not view.planned else "text"
        yield _row("breaker", f"{breaker.state.code} {breaker.state.verb}{since}", role)
    if route.known:
        where = f"{visible(route.target, 32)} {visible(route.level, 8)} {visible(route.region, 16)}"
        yield _row("route", where.rstrip(), "s2" if off_primary(route) else "text")
    else:
        yield _row("route", "not known: model_route would say", "dim")
    for number, rung in enumerate(row.fallbacks):
        capacity = rung.capacity_per_second
        room = "" if capacity is None else f" {compact(capacity * 60)}/min"
        allowed = not row.allowed_regions or rung.region in row.allowed_regions
        mark = glyphs.tick if allowed else f"{glyphs.cross} region not allowed"
        text = f"{rung.level} {visible(rung.name, 24)} {visible(rung.region, 8)} {mark}{room}"
        yield _row("ladder" if number == 0 else "", text, "text" if allowed else "s2")
    if row.configured and not row.fallbacks:
        yield _row("ladder", "no fallback declared", "dim")
    edge = row.confidence_threshold
    if edge is not None:
        yield _row("threshold", f"{compact(edge)}: below it a person decides")
    if row.configured:
        closed = "refuses (fails closed)" if row.fails_closed else "answers (fails open)"
        yield _row("in doubt", closed)


def _dependencies(view: RowView, glyphs: Glyphs) -> Iterable[RunLine]:
    shown = view.dependencies()
    for dependency in shown:
        owner = f"  {visible(dependency.owner, 24)}" if dependency.owner else ""
        yield [*dependency_runs(dependency, glyphs), Run(owner, "dim")]
    names = {one.name for one in shown}
    for name in view.model.dependencies:
        if name not in names:
            yield [Run(visible(name, 40), "text"), Run("  no data about it", "dim")]
    if not shown and not view.model.dependencies:
        yield [Run("none known: model_attempts_total or dependencies would say", "dim")]


def _lineage(view: RowView, width: int) -> Iterable[RunLine]:
    """Return every link with who says it, what nobody says, and where two say something else."""
    row = view.model
    lineage = lineage_of(row, view.snapshot.registry.get(row.model))
    for key, label in _LINKS:
        value = getattr(lineage, key)
        if value:
            origin = lineage.sources.get(key, INFO)
            told = "" if origin == INFO or key == "consent" else f" ({origin})"
            yield _row(label, f"{visible(value, 60)}{told}")
    for conflict in lineage.conflicts:
        yield from _wrapped("differs", visible(conflict, 300), width, "s2")
    known = {key for key, _ in _LINKS} | {"region", "model", "instance", "job"}
    for key in sorted(set(row.info) - known)[:6]:
        yield _row(visible(key, LABEL - 1), visible(row.info[key], 60))
    if row.info.get("region"):
        yield _row("built for", visible(row.info["region"], 60))
    if lineage.gaps:
        yield from _wrapped("gaps", f"not known: {', '.join(lineage.gaps)}", width, "dim")
    yield from _wrapped("read from", *_origin(view, width))
    regions = ", ".join(visible(one, 16) for one in row.allowed_regions)
    if row.configured:
        yield _row("regions", regions or "anywhere", "text" if regions else "dim")
        if row.drift_reference:
            yield _row("reference", visible(row.drift_reference, 60))


def _decisions(view: RowView, now: float, width: int, glyphs: Glyphs) -> Iterable[RunLine]:
    about = [each for each in view.snapshot.decisions if each.decision.model == view.model.model]
    return decision_block(about, now, width, glyphs)


def _origin(view: RowView, width: int) -> tuple[str, int, str]:
    """Return which source tells the numbers and how it names them, the width and the role."""
    row = view.model
    if not row.source:
        return "no source offers it", width, "s3"
    text = f"source {visible(row.source, 24)}"
    if row.profile:
        text += f", profile {visible(row.profile, 24)}"
    if row.server and row.server != row.source:
        text += f", server {visible(row.server, 40)}"
    return text, width, "text"


def _people(view: RowView, width: int, glyphs: Glyphs) -> Iterable[RunLine]:
    row = view.model
    runs = [run for run in owner_runs(view, glyphs) if "RUNBOOK" not in run.text]
    people = "".join(run.text for run in runs if run.text != visible(row.runbook, 160))
    yield from _wrapped("owner", people.replace("   no runbook", ""), width)
    if row.runbook:
        yield _row("runbook", visible(row.runbook, 160))
    else:
        yield _row("runbook", "none declared", "dim")
    objectives = row.objectives
    text = f"{percent_text(objectives.availability_ratio)} good"
    under, share = objectives.latency_under_seconds, objectives.latency_share_ratio
    if under is not None and share is not None:
        text += f", {percent_text(share)} under {promise_text(under)}"
    yield _row("promise", text if objectives.declared else f"~{text} (the default)")


def _criteria(view: RowView, width: int, glyphs: Glyphs) -> Iterable[RunLine]:
    written = view.model.intervene
    for when, do in written:
        live, role = _live(view, when)
        yield [Run(f"{live} ", role), Run(visible(when, 120), "text"),
               Run(f" {glyphs.arrow} {visible(do, 40)}", "title")]  # fmt: skip
    if not written:
        for text in wrap("none written; intervene of the model holds them", width, 2):
            yield [Run(text, "dim")]


def _live(view: RowView, when: str) -> tuple[str, str]:
    """Return the live value beside a criterion; how long it has held is the owner's to judge."""
    try:
        criterion = parse_criterion(when)
    except CriterionError:
        return "[ ?  ]", "unknown"
    reading = view.reading(criterion.signal)
    if reading.value is None or not reading.known:
        return "[ ?  ]", "unknown"
    value = format_signal(criterion.signal, reading.value)
    met = criterion.holds(reading.value)
    return f"[{'met' if met else 'no'} {value}]", "s2" if met else "dim"
