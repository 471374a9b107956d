"""What stands beside and under a timeline: CAN, impact, people, clock, what is in force, checks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.domain.text import visible
from console.evaluation.overrides import ends_word, held_word
from console.screens.flows.incident_words import check_runs
from console.screens.spans import (
    RunLine,
    age_text,
    clock_text,
    fitted,
    percent_text,
    twins,
    usd_text,
    width_of,
)
from console.screens.tables.incidents import SOON_SECONDS
from console.screens.tables.overrides import ends_role
from widgets.lines import Run
from widgets.text_width import harmless, wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.domain.action import Measure, Override
    from console.domain.incident import IncidentClock, IncidentImpact, IncidentView, UpdateDue
    from console.screens.tables.incidents import Listed
    from themes.glyphs import Glyphs

CAN_LABEL = 10
LEAST_CAN = 4
NUMBERS_OF_IMPACT = 4
_TERMS = (
    ("TTD", "detected_at"), ("TTA", "acked_at"), ("TTM", "mitigated_at"), ("TTR", "resolved_at"),
)  # fmt: skip


def rule_line(text: str, width: int, glyphs: Glyphs, right: str = "") -> RunLine:
    """Return a title with a rule that fills the line."""
    left: RunLine = [Run(f"{glyphs.rule * 2} ", "dim"), Run(text, "title"), Run(" ")]
    tail = f" {right} " if right else ""
    room = max(0, width - width_of(left) - len(tail))
    return [*left, Run(glyphs.rule * room, "dim"), Run(tail, "s3")]


def side_blocks(
    view: IncidentView, width: int, height: int, glyphs: Glyphs, now: float
) -> list[RunLine]:
    """Return CAN, IMPACT, PEOPLE and CLOCK in ``height`` lines; where it is short CAN gives way."""
    impact = impact_lines(view.impact, width, glyphs)
    rest = [
        rule_line("PEOPLE", width, glyphs),
        *people_lines(view, width),
        rule_line("CLOCK", width, glyphs),
        *clock_lines(view.clock, width),
        update_line(view.update, now),
    ]
    # CAN gives way first; where that is not enough the regions do, so that the clock stays.
    over = LEAST_CAN + len(impact) + 1 + len(rest) - height
    impact = impact[: max(NUMBERS_OF_IMPACT, len(impact) - max(0, over))]
    below = [rule_line("IMPACT", width, glyphs, _impact_age(view, now)), *impact, *rest]
    room = max(3, height - len(below) - 1)
    lines = [rule_line("CAN", width, glyphs), *can_lines(view, width, room), *below]
    return twins([fitted(line, width, glyphs.ellipsis) for line in lines], glyphs)


def can_lines(view: IncidentView, width: int, room: int) -> list[RunLine]:
    """Return condition, actions and needs in at most ``room`` lines, each at least one."""
    parts = (("Condition", view.condition), ("Actions", view.actions), ("Needs", view.needs))
    made = [wrap(harmless(visible(text, 600)), max(16, width - CAN_LABEL), 8) for _, text in parts]
    kept = [max(1, len(pieces)) for pieces in made]
    while sum(kept) > max(3, room):
        kept[kept.index(max(kept))] -= 1
    lines: list[RunLine] = []
    for (label, text), pieces, count in zip(parts, made, kept, strict=True):
        shown = pieces[:count] or ["nothing is known" if label == "Condition" else "nothing"]
        if len(pieces) > count:
            shown[-1] = (
                f"{shown[-1]}…" if len(shown[-1]) < width - CAN_LABEL else (shown[-1][:-1] + "…")
            )
        role = "text" if text else "dim"
        lines += [
            [Run((label if number == 0 else "").ljust(CAN_LABEL), "title"), Run(each, role)]
            for number, each in enumerate(shown)
        ]
    return lines


def can_text(view: IncidentView) -> str:
    """Return the CAN report to read out or to paste."""
    parts = (("Condition", view.condition), ("Actions", view.actions), ("Needs", view.needs))
    return "\n".join(f"{label}: {visible(text, 2000) or 'nothing'}" for label, text in parts)


def can_in_two(view: IncidentView, width: int, glyphs: Glyphs) -> list[RunLine]:
    """Return the CAN report in two lines: what is so, and what is done and needed."""
    condition = visible(view.condition, 400) or "nothing is known"
    first: RunLine = [Run("CAN    ", "title"), Run(condition, "text")]
    second: RunLine = [Run("NEEDS  ", "title"), Run(visible(view.needs, 300) or "nothing", "text")]
    if view.actions:
        second += [Run(f" {glyphs.dot} done: ", "dim"), Run(visible(view.actions, 300), "text")]
    return twins([fitted(line, width, glyphs.ellipsis) for line in (first, second)], glyphs)


def _impact_age(view: IncidentView, now: float) -> str:
    until = view.impact.until
    return f"{age_text(now - until)} old" if until and now - until > 90.0 else ""


def impact_lines(impact: IncidentImpact, width: int, glyphs: Glyphs) -> list[RunLine]:
    """Return what it did to users and money; what nobody measures says so and is never 0."""
    lines = [
        _pair(("refused", impact.refused), ("failed", impact.failed)),
        _pair(("L2-L3", impact.lower_level), ("budget", impact.budget_spent)),
        _pair(("reviews +", impact.reviews_added), ("late", impact.reviews_late)),
        [Run("excess ", "dim"), *_measure(impact.excess_usd, long=True)],
    ]
    if impact.regions:
        pieces = wrap(harmless(visible(impact.regions, 200)), width, 2)
        lines += [[Run(each, "text")] for each in pieces]
    return [fitted(line, width, glyphs.ellipsis) for line in lines]


def _pair(left: tuple[str, Measure], right: tuple[str, Measure]) -> RunLine:
    first: RunLine = [Run(f"{left[0]} ", "dim"), *_measure(left[1])]
    return [
        *first,
        Run(" " * max(2, 20 - width_of(first))),
        Run(f"{right[0]} ", "dim"),
        *_measure(right[1]),
    ]


def _measure(measure: Measure, *, long: bool = False) -> list[Run]:
    value = measure.value
    if value is None:
        why = visible(measure.unknown, 80)
        return [Run("?", "unknown"), Run(f" {why}" if long and why else "", "dim")]
    if measure.unit in ("USD", "$"):
        return [Run(usd_text(value), "text")]
    if measure.unit in ("1", "%", "ratio"):
        return [Run(percent_text(value), "text")]
    return [Run(f"{value:,.0f}", "text" if value else "dim")]


def people_lines(view: IncidentView, width: int) -> list[RunLine]:
    """Return who works on it, and in which part, in at most two lines."""
    if not view.people:
        return [[Run("nobody yet", "s3")]]
    told = [f"{visible(name, 24)} {visible(part, 40)}".strip() for name, part in view.people[:8]]
    pieces = wrap(harmless(" · ".join(told)), width, 2)
    return [[Run(each, "text")] for each in pieces]


def clock_lines(clock: IncidentClock, width: int) -> list[RunLine]:
    """Return TTD, TTA, TTM and TTR, counted from the impact's beginning; open is no number."""
    if clock.impact_at is None:
        return [[Run("no impact is known to have begun", "dim")]]
    line: RunLine = []
    for term, name in _TERMS:
        seconds = clock.since_impact(getattr(clock, name))
        line += [
            Run(f"{term} ", "dim"),
            Run("open" if seconds is None else took_text(seconds), "s3" if seconds is None else ""),
            Run("  "),
        ]
    return [line[:-1]]


def update_line(update: UpdateDue, now: float) -> RunLine:
    """Return when those who wait for word are to be told again; marked once that is past."""
    if update.due_at is None and update.why:
        return [Run(f"no update is due, {visible(update.why, 80)}", "dim")]
    if update.due_at is None:
        why = visible(update.unknown, 80) or "not known"
        return [Run("update due ", "dim"), Run("?", "unknown"), Run(f" {why}", "dim")]
    word, role = update_word(update, now)
    due = clock_text(update.due_at, seconds=False)
    if role == "s2":
        return [Run(word, role), Run(_silence(update) or f", was due {due}", "dim")]
    every = f" (every {age_text(update.every_seconds)})"
    return [
        Run("update due ", "dim"), Run(due, role), Run(f" {word}", role),
        Run(_silence(update) or every, "dim"),
    ]  # fmt: skip


def update_word(update: UpdateDue, now: float) -> tuple[str, str]:
    """Return how long it is until then, or that it is overdue, with the role it is said in.

    Empty where nothing is due, or nobody can tell.
    """
    if update.due_at is None:
        return "", "dim"
    late = update.overdue_seconds(now)
    if late is not None:
        return f"! update OVERDUE {age_text(late)}", "s2"
    left = update.due_at - now
    return f"in {age_text(left)}", "s3" if left < SOON_SECONDS else "text"


def _silence(update: UpdateDue) -> str:
    return ", no word yet" if update.last_at is None else ""


def took_text(seconds: float) -> str:
    """Return a duration as 45s, 1m25, 33m, 2h05."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 600:
        return f"{whole // 60}m{whole % 60:02d}"
    if whole < 3600:
        return f"{whole // 60}m"
    return f"{whole // 3600}h{whole % 3600 // 60:02d}"


def force_lines(
    overrides: Sequence[Override], most: int, width: int, glyphs: Glyphs, now: float
) -> list[RunLine]:
    """Return what is in force because of it, in at most ``most`` lines."""
    if not overrides:
        return [[Run("nothing is held because of this incident", "dim")]]
    shown = overrides if len(overrides) <= most else overrides[: most - 1]
    lines = [_override(one, now) for one in shown]
    if len(shown) < len(overrides):
        lines.append([Run(f"and {len(overrides) - len(shown)} more: O lists all", "dim")])
    return [fitted(line, width, glyphs.ellipsis) for line in lines]


def _override(one: Override, now: float) -> RunLine:
    then = f" → {visible(one.ends_in, 24)}" if one.ends_in else ""
    return [
        Run(f"{visible(one.target, 40)} ", "title"),
        Run(held_word(one), "text"),
        Run(f"   {visible(one.by, 24) or 'nobody'}   ", "dim"),
        Run(f"ends {ends_word(one, now)}{then}", ends_role(one, now)),
        Run(f'   "{visible(one.reason, 80)}"' if one.reason else "", "dim"),
    ]


def check_lines(view: IncidentView, columns: int, width: int, glyphs: Glyphs) -> list[RunLine]:
    """Return the close checklist in so many columns, read downwards."""
    if not view.checks:
        return [[Run("no checklist is known", "dim")]]
    each = width // columns
    made = [fitted(check_runs(one, glyphs), each - 2, glyphs.ellipsis) for one in view.checks]
    deep = -(-len(made) // columns)
    lines: list[RunLine] = []
    for row in range(deep):
        line: RunLine = []
        for place in range(row, len(made), deep):
            line += [*made[place], Run(" " * max(0, each - width_of(made[place])))]
        lines.append(line)
    return lines


def checks_done(view: IncidentView) -> str:
    """Return how far the checklist is: 2 of 8."""
    done = sum(1 for one in view.checks if one.done)
    return f"{done} of {len(view.checks)} done"


def merged_words(listed: Listed) -> str:
    """Return what stands in it, or what it stands in, empty for neither."""
    if listed.merged_into:
        return f"merged into {visible(listed.merged_into, 20)}"
    merged = () if listed.care is None else listed.care.merged
    return f"with {', '.join(visible(one, 20) for one in merged[:4])}" if merged else ""
