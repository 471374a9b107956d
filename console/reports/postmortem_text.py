"""A postmortem to be read: what happened, what it cost, what to change; UTC throughout."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.domain.blocks import Drawing, Heading, Item, Paragraph, Table, part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.domain.blocks import Block
    from console.reports.postmortem import DoneReport, MomentReport, PostmortemDocument

_ROLES = (
    "People are named by their part: what matters is what the system let happen, and what would "
    "have stopped it."
)


def postmortem_blocks(found: PostmortemDocument) -> tuple[Block, ...]:
    """Return a postmortem in its order of reading; a part without anything is one line."""
    return tuple(_blocks(found))


def _blocks(found: PostmortemDocument) -> Iterator[Block]:
    yield Heading(f"Postmortem: {found.title}", level=1)
    yield Paragraph(_when(found))
    if not found.named:
        yield Paragraph(_ROLES)
    yield Heading("Summary")
    for sentence in found.summary:
        yield Paragraph(sentence)
    yield from part("Not known", tuple(Item(each) for each in found.unknown), "nothing is missing.")
    yield from _impact(found)
    if found.regions:
        yield Paragraph(found.regions, lead="Regions:")
    yield Heading("Times")
    yield Table(
        ("", "from the impact", "at (UTC)"),
        tuple((f"{each.name}, {each.means}", each.text, each.at or "–") for each in found.clock),
    )
    yield from _timeline(found)
    yield from _charts(found)
    yield from part("In force because of it", _done(found.in_force), "nothing was held by hand.")
    yield from part("Retraining decisions", _done(found.decisions), "none names this incident.")
    yield Paragraph(f"{found.re_examine.rstrip('.')}.", lead="Decisions to re-examine:")
    yield from part(
        "People",
        tuple(Item(each.part, lead=each.who) for each in found.people),
        "nobody took part, or nobody wrote it down.",
    )
    yield from part(
        "Follow-ups", tuple(Item(each) for each in found.follow_ups), "none is written down."
    )
    yield from part("Not closed yet", tuple(Item(each) for each in found.open_checks), "nothing.")
    yield from part("Same cause before", tuple(_earlier(found)), "not on the record.")


def _when(found: PostmortemDocument) -> str:
    until = found.ended_at or f"now, it is {found.state}"
    said = [f"{found.id}, {found.level}, {found.environment}.", f"{found.began_at} to {until}."]
    if found.dependency is not None:
        said.append(f"Shared dependency: {found.dependency}.")
    said.append(f"Written {found.written_at}; all times are UTC.")
    return " ".join(said)


def _impact(found: PostmortemDocument) -> Iterator[Block]:
    """One table, or one line where nobody measured anything for one and the same reason."""
    reasons = {each.unknown for each in found.impact}
    (reason, *others) = reasons or {None}
    if reason is not None and not others:
        yield Paragraph(f"not known: {reason}.", lead="Impact:")
        return
    yield Heading("Impact")
    yield Table(("what", "how much"), tuple((each.name, each.text) for each in found.impact))


def _timeline(found: PostmortemDocument) -> Iterator[Block]:
    if not found.timeline:
        yield Paragraph("no event is known.", lead="Timeline:")
        return
    yield Heading(f"Timeline ({len(found.timeline)})")
    rows = tuple(
        (each.mark, _clock(each, found), each.kind, _said(each), each.by or "", each.source or "")
        for each in found.timeline
    )
    yield Table(("", "UTC", "what", "happened", "by", "witness"), rows)


def _clock(each: MomentReport, found: PostmortemDocument) -> str:
    """Return the time of day, with the date where it is not the day the incident began."""
    day, clock = each.at[:10], each.at[11:19]
    return clock if day == found.began_at[:10] else f"{day} {clock}"


def _said(each: MomentReport) -> str:
    said = each.text
    if each.before or each.after:
        said += f"; before: {each.before or 'not known'}; after: {each.after or 'not known'}"
    return f"{said}; effect: {each.effect}" if each.effect else said


def _charts(found: PostmortemDocument) -> Iterator[Block]:
    if not found.charts:
        yield Paragraph("none: no signal was asked for.", lead="Charts:")
        return
    yield Heading("Charts")
    if any(each.mark for each in found.timeline):
        yield Paragraph("Letters under a chart are those of the timeline.")
    for each in found.charts:
        if each.problem is None:
            yield Paragraph(each.model)
            yield Drawing(each.drawing)
        else:
            yield Paragraph(f"{each.problem}.", lead=f"{each.model} {each.signal}:")


def _done(listed: tuple[DoneReport, ...]) -> tuple[Item, ...]:
    return tuple(
        Item(f"{each.text}{f', by {each.by}' if each.by else ''}", lead=each.at) for each in listed
    )


def _earlier(found: PostmortemDocument) -> Iterator[Item]:
    for each in found.earlier:
        closed = f"closed {each.closed_at}" if each.closed_at else "never closed"
        judged = f", page judged {each.verdict}" if each.verdict else ""
        yield Item(f"{closed}{judged}: {each.text}", lead=each.since)
