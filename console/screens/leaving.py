"""Leaving while something that was sent is still on its way: asked about once, never barred."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from console.screens.session import Session


def words_before_leaving(session: Session) -> str:
    """Return what is to be said instead of leaving, empty to leave.

    It is said once: the next quit leaves, unless another action was sent meanwhile.
    """
    flying = [one for one in session.sent.entries if one.in_flight]
    ids = frozenset(one.op_id for one in flying)
    if ids <= session.leaving_without:
        return ""
    session.leaving_without = ids
    key = session.keys.first_key("quit") or "quit"
    if len(flying) == 1:
        title = flying[0].title
        what, whose = f"{title[:1].upper()}{title[1:]} is still on its way", "it is"
    else:
        what, whose = f"{len(flying)} actions are still on their way", "they are"
    return f"{what}; {key} once more leaves, {whose} verified at the next start"
