"""State of the box of a retraining decision: kind, texts, objections, second page.

Pure: nothing is drawn and nothing is asked here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from console.actions.approval import SHORTEST_REASON
from console.actions.decision_record import DecisionWish, check_review_by, parse_review_by
from console.domain.action import ActionRefused
from console.domain.decision import DECISION_KINDS
from console.domain.text import visible
from console.screens.dialogs.choose import next_field
from console.screens.dialogs.confirm_text import field_line, labelled
from widgets.lines import Run
from widgets.text_width import cells_of, harmless, wrap

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.actions.decision_record import PreparedDecision
    from console.actions.decision_sinks import PreparedSend
    from console.domain.action import Guard
    from console.domain.decision import DecisionKind
    from console.engine.client import Refused
    from console.screens.spans import RunLine
    from themes.glyphs import Glyphs

Phase = Literal["choosing", "reading", "asking", "checking", "refused"]
Field = Literal[
    "cancel", "reason", "review", "expected", "checked", "reverse", "to", "despite", "typed",
    "approver", "options", "trigger", "incident",
]  # fmt: skip

MAX_TEXT = 600
REVIEW = "14d"
DAY_SECONDS = 86400.0
REASON_TO_COME = "(to be given)"
MORE: tuple[Field, ...] = ("approver", "options", "trigger", "incident")
"""The fields of the second page: the box is for 80x24, and most decisions need none of them."""

WEIGHED: tuple[Field, ...] = ("to", *MORE)
"""Fields that change what stands against it, what is sent, or who is asked."""

NAMES_A_VERSION: frozenset[str] = frozenset({"ROLLBACK", "CANARY", "RETRAIN"})
"""Decisions that may say which version is to serve."""

ASKED_BY_THE_FORM = frozenset({"no_reversal", "no_expectation", "lineage_gaps", "lineage_conflict"})
"""Objections that the box shows in another way: an empty field, the lineage."""


class DecideForm:
    """The answers of one box about one model; ``kind`` is empty until one is chosen.

    ``live`` is False until what is shown could have been read. ``against`` are the objections to
    RETRAIN, known before it is chosen; None while nobody has looked. ``here`` is the incident of
    the row, to be looked at and not taken by itself.
    """

    def __init__(self, model: str, kind: str = "", reason: str = "", here: str = "") -> None:
        self.model = model
        self.kind = kind
        self.here = here
        self.more = False
        self.phase: Phase = "reading" if kind else "choosing"
        self.place = 0
        self.focus_on: Field = "cancel"
        self.texts: dict[Field, str] = {"reason": reason, "review": REVIEW}
        self.sends_on = True
        self.prepared: PreparedDecision | None = None
        self.refused: Refused | None = None
        self.against: tuple[Guard, ...] | None = None
        self.live = False
        self.hint = ""
        self._shown: tuple[object, ...] = ()
        self._weighed: tuple[str, ...] = ()

    # Choosing

    @property
    def marked(self) -> DecisionKind:
        """The kind under the cursor."""
        return DECISION_KINDS[self.place]

    def choose(self, kind: str) -> None:
        """Take a kind; its evidence has to be read."""
        self.kind, self.phase, self.focus_on = kind, "reading", "cancel"
        self.prepared, self.refused, self._shown = None, None, ()

    def back(self) -> None:
        """Choose again; what was typed stays."""
        self.kind, self.phase, self.hint, self.focus_on = "", "choosing", "", "cancel"

    # What is asked

    @property
    def fields(self) -> list[Field]:
        """What can have the focus, top to bottom; on the second page there is no Cancel."""
        if self.more:
            return list(MORE)
        found: list[Field] = ["cancel", "reason", "review", "expected", "checked", "reverse"]
        if self.kind in NAMES_A_VERSION:
            found.append("to")
        if self.objections:
            found.append("despite")
        if self.must_type:
            found.append("typed")
        return found

    def turn(self) -> None:
        """Go to the second page, or back."""
        self.more = not self.more
        self.focus_on, self.hint = ("approver" if self.more else "cancel"), ""

    @property
    def options(self) -> tuple[str, ...]:
        """What else was considered, as it was parted."""
        return tuple(one for each in self.text("options").split(";") if (one := each.strip()))

    @property
    def objections(self) -> tuple[Guard, ...]:
        """Return what only a written reason overrules."""
        guards = () if self.prepared is None else self.prepared.guards
        return tuple(each for each in guards if each.level == "refuse")

    @property
    def forbidden(self) -> bool:
        """Tell whether something stands against it that nothing overrules."""
        guards = () if self.prepared is None else self.prepared.guards
        return any(each.level == "forbid" for each in guards)

    @property
    def waits(self) -> bool:
        """Tell whether a second person is needed."""
        return self.prepared is not None and self.prepared.decision.needs_approval

    @property
    def sends(self) -> tuple[PreparedSend, ...]:
        """Return what goes out, or would but for a reason."""
        return () if self.prepared is None else self.prepared.sends

    @property
    def must_type(self) -> bool:
        """Tell whether the model's name has to be typed, because something of class C2 goes out."""
        return not self.waits and any(
            each.action is not None and each.action.confirm_class == "C2" for each in self.sends
        )

    def wish(self, now: float) -> DecisionWish:
        """Return the decision as it is answered now; a date that is none stands for two weeks."""
        review_by = self._review_by(now)
        return DecisionWish(
            model=self.model,
            kind=self.kind or "RETRAIN",
            reason=self.text("reason") or REASON_TO_COME,
            review_by=now + 14 * DAY_SECONDS if isinstance(review_by, str) else review_by,
            reverse_if=self.text("reverse"),
            expected=self.text("expected"),
            checked_by=self.text("checked"),
            approver=self.text("approver"),
            options=self.options,
            trigger=self.text("trigger"),
            incident=self.text("incident"),
            despite=self.text("despite") if len(self.text("despite")) >= SHORTEST_REASON else "",
            to_version=self.text("to") if self.kind in NAMES_A_VERSION else "",
            id="" if self.prepared is None else self.prepared.decision.id,
        )

    @property
    def sinks(self) -> Sequence[str] | None:
        """Return where it is sent: everywhere that is declared, or nowhere."""
        return None if self.sends_on else ()

    def text(self, field: Field) -> str:
        """Return what is written in a field, without what stands around it."""
        return self.texts.get(field, "").strip()

    def _review_by(self, now: float) -> float | str:
        """Return the review date, or the sentence on what is wrong with it."""
        try:
            review_by = parse_review_by(self.text("review"), now)
            check_review_by(review_by, now)
        except (ValueError, ActionRefused) as fault:
            return str(fault)
        return review_by

    def review_words(self, now: float) -> str:
        """Return the review date as a day, or what a date looks like."""
        from datetime import UTC, datetime

        found = self._review_by(now)
        if isinstance(found, str):
            return "14d or 2026-12-01"
        return datetime.fromtimestamp(found - 1.0, UTC).strftime("%a %Y-%m-%d")

    def take(self, answer: PreparedDecision | Refused) -> Literal["refused", "new", "same"]:
        """Take over what the engine says; ``new`` has to be read before it can be confirmed."""
        from console.engine.client import Refused

        if isinstance(answer, Refused):
            self.refused, self.phase, self.more = answer, "refused", False
            return "refused"
        before, self._shown = self._shown, material(answer)
        weighed, self._weighed = self._weighed, tuple(self.text(each) for each in WEIGHED)
        self.prepared, self.phase = answer, "asking"
        if self.focus_on not in self.fields:
            self.focus_on = "cancel"
        if before == self._shown:
            return "same"
        if before and weighed == self._weighed:
            self.hint = "something is different now: look again"
        self.live = False
        return "new"

    # Typing

    def step(self, step: int) -> None:
        """Give the focus to the next field."""
        self.focus_on = next_field(self.fields, self.focus_on, step)

    @property
    def in_text(self) -> bool:
        """Whether letters are typed now and are no keys."""
        return self.phase in ("asking", "reading") and self.focus_on != "cancel"

    def write(self, text: str) -> None:
        """Put ``text`` into the field with the focus."""
        self.texts[self.focus_on] = harmless(text)[:MAX_TEXT]

    # Yes

    def lacking(self, now: float) -> str:
        """Return what is still missing, and put the focus there; empty for nothing."""
        if not self.live:
            return "too quick: read it first"
        if self.forbidden:
            return "this is refused; nothing overrules it"
        if len(self.text("reason")) < SHORTEST_REASON:
            self.focus_on = "reason"
            return "say why: at least three letters, they stand in the record"
        if isinstance(found := self._review_by(now), str):
            self.focus_on = "review"
            return visible(found, 200)
        if self.objections and len(self.text("despite")) < SHORTEST_REASON:
            self.focus_on = "despite"
            return "refused, unless you say why you go against it"
        if self.must_type and self.text("typed") != self.model:
            self.focus_on = "typed"
            return f"the registry's alias moves: type {self.model} exactly"
        return ""


def material(prepared: PreparedDecision) -> tuple[object, ...]:
    """Return what a yes was said to: a change of any of it has to be read again."""
    decision = prepared.decision
    return (
        decision.kind,
        decision.needs_approval,
        tuple((each.id, each.level) for each in prepared.guards if each.level != "warn"),
        tuple((each.sink, each.before) for each in decision.sends),
        tuple(each.problem for each in prepared.sends),
        decision.lineage,
    )


_LABEL_WIDTH = 10
_WHOLE_LINES = 10
"""As many lines as the longest text of a field has."""


def page(form: DecideForm, width: int) -> list[RunLine]:
    """Return the fields; under the one with the focus what it is for, and a long text whole."""
    remarks: dict[Field, str] = {
        "approver": "another person",
        "options": "parted by ;",
        "trigger": "what prompted it",
        "incident": "its id",
    }
    lines: list[RunLine] = []
    for field in form.fields:
        text, focused = form.texts.get(field, ""), form.focus_on == field
        label, remark = field.ljust(_LABEL_WIDTH), remarks[field]
        lines.append(field_line(label, text, remark, width - 2, focused=focused))
        if focused:
            lines += [[Run(f"  {each}", "dim")] for each in wrap(_about(form, field), width - 2, 3)]
            if cells_of(text) > width - _LABEL_WIDTH - len(remark) - 6:
                whole = wrap(visible(text, 600), width - 2, _WHOLE_LINES)
                lines += [[Run(f"  {each}", "prompt")] for each in whole]
    said = visible(form.hint, width) if form.hint else ""
    return [*lines, [Run(said, "s3")], [Run("Enter goes on, Esc goes back to the question", "dim")]]


def _about(form: DecideForm, field: Field) -> str:
    match field:
        case "approver":
            tier = None if form.prepared is None else form.prepared.decision.tier
            always = "Tier 1 always asks one" + (
                ", and this model is tier 1." if tier == 1 else "."
            )
            return f"Who is asked to approve it, from another login. {always}"
        case "options":
            return "What else was considered; several are parted by ;"
        case "trigger":
            return "What prompted it. Left empty, it is the worst rule that holds."
        case _:
            here = f" This row's is {visible(form.here, 40)}." if form.here else ""
            return f"The incident it belongs to.{here}"


def summary(form: DecideForm, width: int, glyphs: Glyphs) -> list[RunLine]:
    """Return what is written on the second page, or what can be, on the first."""
    count = len(form.options)
    told = [
        f"approver {visible(form.text('approver'), 60)}" if form.text("approver") else "",
        f"{count} option{'s' if count != 1 else ''}" if count else "",
        "trigger in own words" if form.text("trigger") else "",
        f"incident {visible(form.text('incident'), 40)}" if form.text("incident") else "",
    ]
    written = f" {glyphs.dot} ".join(each for each in told if each)
    if written:
        return labelled("more", written, width, lines=2)
    return labelled("more", "approver, options, trigger, incident", width, "dim", 1)
