"""What a confirmation must hold for each class, and the second person on the shared journal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.actions.fleet_view import subject_of
from console.domain.action import CLOCK_SLACK_SECONDS, ActionRefused, Guard, NotConfirmed, Together
from console.domain.entry import EntryDraft
from console.domain.text import visible
from console.journal.identity import is_shared_login, same_person, same_writer
from console.journal.store_base import Question
from console.settings.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.domain.action import Confirmation, PreparedAction
    from console.domain.entry import Entry, Json, Who, Writer
    from console.journal.store_base import Journal

APPROVAL_SECONDS = 600.0
"""How long an operation waits for its second person, and an approval counts."""

SHORTEST_REASON = 3


def check_confirmation(prepared: PreparedAction, confirmation: Confirmation) -> None:
    """Raise `NotConfirmed` or `ActionRefused` unless the confirmation reaches the class."""
    if prepared.forbidden:
        raise ActionRefused(prepared.forbidden)
    if len(prepared.request.reason.strip()) < SHORTEST_REASON:
        raise _not_confirmed("reason", "say why: a reason of at least three letters is required")
    if not confirmation.yes:
        raise _not_confirmed("confirm", f"{prepared.title}: not confirmed, nothing was sent")
    if prepared.confirm_class in ("C2", "C3") and not confirmation.by_yes:
        name = prepared.request.target
        if confirmation.typed not in (name, subject_of(name)):
            raise _not_confirmed("typed_name", f"{prepared.title}: its name was not typed, {name}")
    if prepared.confirm_class == "C3" and not (
        confirmation.approved_by or confirmation.break_glass.strip()
    ):
        raise NotConfirmed((*prepared.refused, Guard("second_person", "refuse", _second(prepared))))


def _second(prepared: PreparedAction) -> str:
    return (
        f"{prepared.title} is class C3: a second person confirms it with midwatch approve "
        f"{prepared.op_id} from another login on a shared journal, or --break-glass REASON goes "
        "without and stands in the record"
    )


def ask_approval(journal: Journal, prepared: PreparedAction, now: float) -> Entry:
    """Write that an operation waits for its second person. Blocks."""
    from console.actions.action_record import blast_json

    request = prepared.request
    return journal.append(
        EntryDraft(
            kind="approval",
            at=now,
            action=request.verb,
            target=request.target,
            op_id=prepared.op_id,
            why=request.reason,
            confirm_class=prepared.confirm_class,
            incident=request.incident,
            before=prepared.before,
            wanted=prepared.wanted,
            blast=blast_json(prepared.blast),
            details={
                "step": "asked",
                "digest": prepared.digest,
                "title": prepared.title,
                "command": prepared.command_line,
                "guards": [guard.sentence for guard in prepared.guards],
            },
        )
    )


def waiting(journal: Journal, op_id: str, now: float) -> Entry:
    """Return what ``op_id`` waits to be approved; raises `ActionRefused` where nothing does."""
    found = journal.entries(Question(op_id=op_id, kinds=("approval", "intent")))
    asked = next((each for each in found if each.details.get("step") == "asked"), None)
    if asked is None:
        raise _refused(f"no operation {visible(op_id, 40)} waits for a second person")
    if any(each.kind == "intent" for each in found) or _member_began(journal, asked):
        raise _refused("that operation has gone ahead already")
    if now - asked.at > APPROVAL_SECONDS:
        raise _refused("it waited longer than ten minutes; it has to be asked for again")
    if asked.at - now > CLOCK_SLACK_SECONDS:
        raise _refused(
            f"it was asked for {format_duration(round(asked.at - now))} ahead of this clock; one "
            "of the two clocks is wrong: put it right, and ask again"
        )
    return asked


def _member_began(journal: Journal, asked: Entry) -> bool:
    """Tell whether one of a set has gone ahead, by which its approval would come too late."""
    members = asked.details.get("members")
    ops = {
        str(one.get("op"))
        for one in (members if isinstance(members, list) else [])
        if isinstance(one, dict)
    }
    began = journal.entries(Question(kinds=("intent",), after_seq=asked.seq)) if ops else ()
    return any(each.op_id in ops for each in began)


def approve(journal: Journal, asked: Entry, me: Who, why: str, now: float) -> Entry:
    """Write that a second person confirms exactly what was asked. Blocks.

    Raises `ActionRefused` for the same person, and for a login that several people use.
    """
    if same_person(asked.who, me):
        raise _refused(f"{me.person} asked for it; the second person has another login")
    if is_shared_login(me):
        raise _refused(f"{me.person} is a login several people use; it proves no second person")
    if against := same_writer(journal.writer(asked.seq), journal.writer()):
        raise _refused(against)
    return journal.append(
        EntryDraft(
            kind="approval",
            at=now,
            action=asked.action,
            target=asked.target,
            op_id=asked.op_id,
            why=why,
            confirm_class="C3",
            details={"step": "given", "digest": asked.details.get("digest")},
        )
    )


def approval_of(journal: Journal, asked: PreparedAction | Together, me: Who, now: float) -> str:
    """Return the account that approved exactly this, or this set; empty while nobody has."""
    asked_by: Writer | None = None
    for entry in journal.entries(Question(op_id=asked.op_id, kinds=("approval",))):
        if entry.details.get("step") == "asked":
            asked_by = journal.writer(entry.seq)
        if (
            entry.details.get("step") == "given"
            and entry.details.get("digest") == asked.digest
            # One from the future was written by a clock that was ahead: nobody knows how old it is.
            and -CLOCK_SLACK_SECONDS <= now - entry.at <= APPROVAL_SECONDS
            and not same_person(entry.who, me)
            and not is_shared_login(entry.who)
            and not same_writer(asked_by, journal.writer(entry.seq))
        ):
            return entry.who.person
    return ""


def _refused(sentence: str) -> ActionRefused:
    return ActionRefused.forbidden("approval", sentence)


def _not_confirmed(guard: str, sentence: str) -> NotConfirmed:
    return NotConfirmed((Guard(guard, "forbid", sentence),))


def ask_for(journal: Journal, actions: Sequence[PreparedAction], now: float) -> Entry:
    """Write that one operation, or a set of them, waits for its second person. Blocks."""
    if len(actions) == 1:
        return ask_approval(journal, actions[0], now)
    return _ask(journal, actions, now)


def _ask(journal: Journal, actions: Sequence[PreparedAction], now: float) -> Entry:
    together, first = Together.of(actions), actions[0]
    request = first.request
    targets = f"{len(actions)} models"
    return journal.append(
        EntryDraft(
            kind="approval",
            at=now,
            action=request.verb,
            target=targets,
            op_id=together.op_id,
            why=request.reason,
            confirm_class="C3",
            incident=request.incident,
            details={
                "step": "asked",
                "digest": together.digest,
                "title": f"{request.purpose or request.verb} {targets} together",
                "command": "",
                "guards": list(dict.fromkeys(g.sentence for one in actions for g in one.guards)),
                "members": [_member(one) for one in actions],
            },
        )
    )


def _member(action: PreparedAction) -> Json:
    return {
        "op": action.op_id,
        "digest": action.digest,
        "target": action.request.target,
        "title": action.title,
        "before": action.before,
        "wanted": action.wanted,
        "effect": action.blast.effect,
        "command": action.command_line,
    }
