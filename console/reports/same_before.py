"""What came before and is like it, in words: for the incident screen and for the shell; pure."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from console.facts.severity import Severity
from console.signals.units import format_age

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.facts.earlier import Earlier, SameBefore

_VERDICTS: Final = {
    "useful": "page useful", "noise": "page was noise", "unclear": "page judged unclear",
}  # fmt: skip


def nothing_words(before: SameBefore) -> str:
    """Return why there is no earlier one to tell of; empty where there is."""
    if before.unknown:
        return f"not known: {before.unknown}"
    if before.earlier:
        return ""
    if before.since is None:
        return "none: nothing was ever written into the record"
    return f"none in the record since {date_words(before.since)}"


def date_words(at: float) -> str:
    """Return a day in UTC: 04 Oct 2026."""
    try:
        return datetime.fromtimestamp(at, UTC).strftime("%d %b %Y")
    except (OverflowError, ValueError, OSError):
        return "a time that cannot be read"


def reach_words(before: SameBefore) -> str:
    """Return how many there were, how far back the record was read, and what it may lack."""
    if before.unknown or before.since is None:
        return ""
    parts = [f"{before.known} before", f"record since {date_words(before.since)}", before.doubt]
    return ", ".join(part for part in parts if part)


def alike_words(one: Earlier, *, short: bool = False) -> str:
    """Return why it is held to be like the later one.

    In ``short`` what the later one is about by its own title is not named again.
    """
    match one.alike:
        case "dependency" | "alert" if short:
            return f"same {one.alike}"
        case "dependency":
            return f"same dependency {one.shared}"
        case "model and rule":
            return f"same model {one.shared}, same rule {one.rule}"
        case "model":
            return f"same model {one.shared}"
        case _:
            return f"same alert {one.shared}"


def end_words(one: Earlier, *, short: bool = False) -> str:
    """Return how bad it was, how long it took, and how it ended, as far as the record tells.

    In ``short`` without the level, which a mark shows, and without who closed it.
    """
    return ", ".join(_ends(one, short=short))


def _ends(one: Earlier, *, short: bool) -> Iterator[str]:
    if not short:
        known = one.level is not Severity.UNKNOWN
        yield f"reached {one.level.label}" if known else "level not on record"
    mitigated = one.took(one.mitigated_at)
    if mitigated is not None:
        yield f"mitigated after {format_age(mitigated)}"
    ended = one.took(one.ended_at)
    if one.verdict:
        by = f" by {one.closed_by}" if one.closed_by and not short else ""
        yield f"closed after {format_age(ended)}{by}"
        yield _VERDICTS.get(one.verdict, one.verdict)
    elif one.merged_into:
        yield f"merged into {one.merged_into}"
    elif ended is not None:
        yield f"over after {format_age(ended)}, nobody closed it"
    else:
        yield "nobody wrote how it ended"


def detail_words(one: Earlier) -> tuple[tuple[str, str], ...]:
    """Return what was said at its closing, what is left, decided and done, each under its word."""
    said = "" if one.closing in one.left else one.closing
    parts = (
        ("said", f'"{said}"' if said else ""),
        ("to do", "; ".join(f'"{each}"' for each in one.left)),
        ("decided", "; ".join(one.decided)),
        ("done", "; ".join(one.done)),
    )
    return tuple((label, text) for label, text in parts if text)


def before_text(before: SameBefore, now: float) -> Iterator[str]:
    """Yield it in lines for the shell."""
    if before.unknown:
        yield f"  {nothing_words(before)}"
        return
    blocks = "".join("?" if count is None else f"{count}" for count in _digits(before, now))
    yield f"  {blocks}  a digit for each of 24 days, this one counted, the last 24 h last"
    yield f"  {nothing_words(before) or reach_words(before)}"
    if before.doubt and not before.earlier:
        yield f"  {before.doubt}"
    for one in before.earlier:
        yield f"  {one.id}  {format_age(now - one.since)} ago  {alike_words(one)}"
        yield f"    {end_words(one)}"
        for label, text in detail_words(one):
            yield f"    {label:<8}{text}"


def _digits(before: SameBefore, now: float) -> Iterator[int | None]:
    for count in before.blocks(now):
        yield None if count is None else min(9, count)
