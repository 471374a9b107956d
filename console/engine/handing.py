"""A handover as it was read becomes what is to be written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.actions.handovers import HandedHold, HandoverWish
from console.reports.handover_text import part_counts
from console.reports.times import seconds_of

if TYPE_CHECKING:
    from console.reports.handover_document import HandoverDocument


def wish_of(text: str, document: HandoverDocument) -> HandoverWish:
    """Return what is to be written: ``text``, which may have been edited, and what is held."""
    accounts = (document.account, document.account.partition("@")[0])
    return HandoverWish(
        text=text,
        since=seconds_of(document.since),
        to=document.to or "",
        holds=tuple(
            HandedHold(each.incident, each.title)
            for each in document.held
            if each.account in accounts
        ),
        state=document.state,
        counts=part_counts(document),
    )
