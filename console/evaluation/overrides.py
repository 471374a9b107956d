"""What is held by hand, in words: for the FORCE line, lists, reports and rules.

Made without NumPy, so that a screen can ask at any time; ``now`` is in Unix seconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.metrics.units import clock, name, span

if TYPE_CHECKING:
    from collections.abc import Iterable

    from console.domain.action import Override
    from console.domain.snapshot import Snapshot


_CODES = {"trip": "F-OP", "disable": "DIS", "watch": "MET", "human": "human review"}
_REASON_LIMIT = 80
_SECONDS_SHOWN = 600.0


def held_word(override: Override) -> str:
    """Return what is held in a word or two: "F-OP", "fb fraud-small", "τ .80"."""
    if override.verb == "fallback":
        return f"fb {name(override.to or override.wanted)}"
    if override.verb == "threshold" and override.value is not None:
        return f"τ {override.value:.2f}".replace("0.", ".", 1)
    return _CODES.get(override.verb, name(f"{override.verb} {override.wanted}".strip()))


def countdown(seconds: float) -> str:
    """Write a time left: 4:32 in the last ten minutes, else 12m, 3h."""
    if 0 <= seconds < _SECONDS_SHOWN:
        return f"{int(seconds // 60)}:{int(seconds % 60):02d}"
    return span(seconds)


def ends_word(override: Override, now: float) -> str:
    """Return when it ends in a word or two: "12m", "4:32", "OVERDUE 3m", "NO END due 12m"."""
    left = override.left_seconds(now)
    match override.state(now):
        case "overdue":
            return f"OVERDUE {span(-(left or 0.0))}"
        case "no end":
            return "NO END" if left is None else f"NO END due {countdown(left)}"
        case _:
            return countdown(left or 0.0)


def enforcer_word(override: Override) -> str:
    """Return who ends it now: "service", "keeper", or "NO END" where nobody does."""
    enforcer = override.enforcer()
    return enforcer if enforcer in ("service", "keeper") else "NO END"


def sentence_of(override: Override, now: float) -> str:
    """Return one override as a clause.

    'toxicity F-OP by li "provider bug" 02:39, ends in 12m → half-open'.
    """
    words = [name(override.target), held_word(override)]
    if not override.certain:
        words.append("UNVERIFIED")
    if override.lost:
        words.append(f"LOST, now {name(override.lost)},")
    if override.drill:
        words.append("(drill)")
    words.append(f"by {name(override.by)}" if override.by else "by nobody")
    if override.reason:
        words.append(f'"{_reason(override.reason)}"')
    words.append(clock(override.began_at))
    state = override.state(now)
    ends = ends_word(override, now)
    if state not in ("overdue", "no end"):
        ends = f"ends in {ends}"
    return f"{' '.join(words)}, {ends} → {name(override.ends_in)}"


def _reason(text: str) -> str:
    from console.domain.text import visible

    return visible(text, _REASON_LIMIT)


def by_urgency(overrides: Iterable[Override], now: float) -> list[Override]:
    """Return overrides with the overdue first, then those without an end, then the next to end."""

    def urgency(override: Override) -> tuple[int, float, float]:
        left = override.left_seconds(now)
        place = {"overdue": 0, "no end": 1}.get(override.state(now), 2)
        return place, float("inf") if left is None else left, override.began_at

    return sorted(overrides, key=urgency)


def overrides_of(snapshot: Snapshot, row: int) -> tuple[Override, ...]:
    """Return a row's own overrides, then those on what it depends on."""
    if not snapshot.overrides:
        return ()
    model = snapshot.rows[row]
    own = [each for each in snapshot.overrides if each.target == model.model]
    used = {f"dep:{one}" for one in model.dependencies}
    used |= {f"dep:{one.name}" for one in snapshot.dependencies if model.model in one.models}
    return (*own, *(each for each in snapshot.overrides if each.target in used))


def force(snapshot: Snapshot, row: int | None, now: float) -> str:
    """Return the FORCE line: what is in force on the row, else the most urgent of the fleet.

    Others are counted behind it. Empty when nothing is held and the record is readable.
    """
    own = () if row is None else overrides_of(snapshot, row)
    first = by_urgency(own, now) + by_urgency(
        (each for each in snapshot.overrides if each not in own), now
    )
    doubt = "" if snapshot.record.trusted else snapshot.record.summary(now)[0]
    if not first:
        return doubt
    shown = first[: max(1, len(own))][:2]
    more = len(first) - len(shown)
    text = " · ".join(sentence_of(each, now) for each in shown)
    text += f" (and {more} more: O)" if more else ""
    return f"{text}  {doubt}" if doubt else text


def count(snapshot: Snapshot, now: float) -> tuple[str, bool]:
    """Return the counts line's part, "in force 2 next 12m", and whether it is to be loud.

    Empty when nothing is held; loud when something is overdue, ends soon, or is not known.
    """
    known = snapshot.record.trusted
    if not snapshot.overrides:
        return ("", False) if known else ("in force ?", True)
    states = [each.state(now) for each in snapshot.overrides]
    text = f"in force {len(states)}{'' if known else '?'}"
    overdue = states.count("overdue")
    lefts = [each.left_seconds(now) for each in snapshot.overrides]
    coming = [left for left in lefts if left is not None and left >= 0]
    if overdue:
        text += f" {overdue} OVERDUE"
    if coming:
        text += f" next {countdown(min(coming))}"
    unended = states.count("no end")
    if unended:
        text += f" {unended} NO END"
    return text, bool(overdue or unended) or "ends soon" in states or not known
