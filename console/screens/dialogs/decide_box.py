"""The box of a retraining decision: drawing and keys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from textual.message import Message

from console.actions.decision_record import PreparedDecision
from console.actions.preview import request_lines
from console.domain.decision import DECISION_KINDS, KIND_MEANS
from console.domain.signals import SIGNALS
from console.domain.text import visible
from console.engine.client import Refused
from console.metrics.units import format_signal
from console.reports.decision_text import told
from console.screens.dialogs import decide_form
from console.screens.dialogs.choose import DrawnBox, edited
from console.screens.dialogs.confirm_box import DEAD_SECONDS
from console.screens.dialogs.confirm_text import field_line, guard_lines, labelled, refused_lines
from console.screens.dialogs.decide_form import ASKED_BY_THE_FORM, WEIGHED, DecideForm, summary
from console.screens.spans import age_text, clock_text
from console.screens.tables.decisions import SHORT_LABELS
from widgets.lines import Run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from textual import events

    from console.domain.decision import Decision, Evidence
    from console.screens.session import Session
    from console.screens.spans import RunLine
    from themes.glyphs import Glyphs

KIND_WIDTH = 23
TOLD_SIGNALS = {
    "drift_psi": "PSI",
    "low_confidence_ratio": "unsure",
    "ece": "ECE",
    "null_ratio": "nulls",
    "error_ratio": "errors",
    "latency_p95": "p95",
}
"""The readings worth a place in the box, and what they are called there; d shows all."""

LEFT_OUT_FIRST = ("means", "consent", "trigger", "seen")


def choices(form: DecideForm, width: int, glyphs: Glyphs) -> list[RunLine]:
    """Return the kinds, one line each, and what stands against training anew."""
    lines: list[RunLine] = []
    for number, kind in enumerate(DECISION_KINDS):
        refused = kind == "RETRAIN" and bool(form.against)
        role = "cursor" if number == form.place else "key"
        lines.append(
            [
                Run(f"{number + 1} ", "key"),
                Run(f" {kind} ".ljust(KIND_WIDTH), role),
                Run(f" {glyphs.cross} " if refused else "   ", "s2"),
                Run(KIND_MEANS[kind], "s2" if refused else "text"),
            ]
        )
        if refused and form.against is not None:
            lines += [
                [Run(" " * (KIND_WIDTH + 5)), Run(visible(each.sentence, 300), "s2")]
                for each in form.against
            ]
    return [*lines, [], _hint(form, width), _cancel(form)]


def exact(form: DecideForm, width: int) -> list[RunLine]:
    """Return everything that would be written, and the exact requests that would be sent."""
    prepared = form.prepared
    if prepared is None:
        return []
    lines: list[RunLine] = []
    for label, text in told(prepared.decision):
        lines += labelled(SHORT_LABELS.get(label, label), visible(text, 2000), width, lines=8)
    for each in prepared.guards:
        lines += labelled(each.level, visible(each.sentence, 600), width, "s3", 4)
    for send in prepared.sends:
        lines.append([])
        if send.action is None:
            lines += labelled(send.sink, visible(send.problem, 600), width, "s3", 4)
            continue
        lines.append([Run(visible(send.action.title, 200), "title")])
        for label, text in request_lines(send.action):
            lines += labelled(label, text, width, lines=8)
    return lines


def question(
    form: DecideForm, width: int, height: int, glyphs: Glyphs, *, now: float, confirm_key: str
) -> list[RunLine]:
    """Return the lines of the box, at most ``height`` of them."""
    if form.phase == "refused" and form.refused is not None:
        said = [visible(each, 600) for each in form.refused.sentences]
        return [*refused_lines(said, width, glyphs), [], _cancel(form)]
    if form.prepared is None:
        reading = f"freezing what is known of {visible(form.model, 60)}{glyphs.ellipsis}"
        return [[Run(reading, "dim")], [], _cancel(form)]
    below = [
        *_answers(form, width, now),
        *summary(form, width, glyphs),
        *_sending(form, width, glyphs),
        _hint(form, width),
        _buttons(form, confirm_key),
    ]
    shown = [each for each in form.prepared.guards if each.id not in ASKED_BY_THE_FORM]
    against = guard_lines(shown, width, glyphs)
    room = height - len(below)
    against = against[: max(2, room - 2)]
    return [*_fitting(_facts(form, width, glyphs), room - len(against)), *against, *below]


def _fitting(rows: Sequence[tuple[str, list[RunLine]]], room: int) -> list[RunLine]:
    """Return the facts that have room; what matters least goes first, and is told."""
    kept, gone = list(rows), 0
    for label in (*LEFT_OUT_FIRST, *(label for label, _ in reversed(rows))):
        if sum(len(lines) for _, lines in kept) + bool(gone) <= max(0, room):
            break
        gone += sum(1 for one in kept if one[0] == label)
        kept = [one for one in kept if one[0] != label]
    lines = [line for _, each in kept for line in each]
    return [*lines, [Run(f"{gone} more, d shows them", "dim")]] if gone and room > 0 else lines


def _facts(form: DecideForm, width: int, glyphs: Glyphs) -> list[tuple[str, list[RunLine]]]:
    assert form.prepared is not None
    decision = form.prepared.decision
    lineage = decision.lineage
    rows = [
        ("means", labelled("means", KIND_MEANS[decision.kind], width, "dim", 1)),
        ("trigger", labelled("trigger", visible(decision.trigger, 300), width, lines=2)),
        ("seen", labelled("seen", _seen(decision.evidence, glyphs), width, lines=3)),
        ("lineage", labelled("lineage", _lineage(decision, glyphs), width, lines=3)),
    ]
    if lineage.gaps:
        gaps = f"not known: {', '.join(lineage.gaps)}"
        rows.append(("gaps", labelled("", visible(gaps, 400), width, "s3", 2)))
    rows += [
        ("conflict", labelled("", visible(each, 300), width, "s2", 2)) for each in lineage.conflicts
    ]
    regions = ", ".join(decision.allowed_regions) or "anywhere"
    consent = f"{lineage.consent or 'not declared'}, regions {regions}"
    rows.append(("consent", labelled("consent", visible(consent, 200), width, "dim", 1)))
    return rows


def _seen(evidence: Evidence, glyphs: Glyphs) -> str:
    """Return the readings that matter most, frozen; what has no value says why."""
    if evidence.taken_at is None:
        return f"nothing: {visible(evidence.doubt, 200) or 'no source was asked'}"
    parts = []
    for name, word in TOLD_SIGNALS.items():
        reading = evidence.signal(name)
        if reading is None or reading.state == "no_data":
            continue
        if reading.value is None:
            parts.append(f"{word} {reading.state.replace('_', ' ')}")
            continue
        samples = "" if reading.n is None else f" n={reading.n:.0f}"
        doubt = f" {reading.state}" if reading.state != "ok" else ""
        parts.append(f"{word} {format_signal(name, reading.value)}{samples}{doubt}")
    known = sum(each.value is not None for each in evidence.signals)
    parts.append(f"{known} of {len(SIGNALS)} signals frozen {clock_text(evidence.taken_at)}")
    return f" {glyphs.dot} ".join(parts)


def _lineage(decision: Decision, glyphs: Glyphs) -> str:
    lineage = decision.lineage
    links = (
        ("version", lineage.version),
        ("data", lineage.data_snapshot),
        ("code", lineage.code),
        ("approver", lineage.approver),
    )
    told_links = [f"{name} {visible(text, 60) if text else '?'}" for name, text in links]
    return f" {glyphs.arrow} ".join(told_links)


def _answers(form: DecideForm, width: int, now: float) -> list[RunLine]:
    remarks = {
        "reason": ("reason", "(required)"),
        "review": ("review", form.review_words(now)),
        "expected": ("expect", "effect"),
        "checked": ("check", "how it will be seen"),
        "reverse": ("reverse", "if what happens"),
        "to": ("to", "version, where one is meant"),
        "despite": ("despite", "why against the refusal"),
        "typed": ("type", f"{visible(form.model, 40)}: the alias moves"),
    }
    lines: list[RunLine] = []
    for field in form.fields:
        if field != "cancel":
            label, remark = remarks[field]
            text, focused = form.texts.get(field, ""), form.focus_on == field
            lines.append(field_line(label, text, remark, width, focused=focused))
    return lines


def _sending(form: DecideForm, width: int, glyphs: Glyphs) -> list[RunLine]:
    """Return what follows once it is written: who else is needed, and where it is sent."""
    assert form.prepared is not None
    lines: list[RunLine] = []
    name = visible(form.prepared.decision.id, 40)
    if form.waits:
        text = f"for a second person, from another login: midwatch approve {name}"
        lines += labelled("waits", text, width, "s3", 2)
    if not form.sends_on:
        return [*lines, *labelled("sends", "nothing", width, "dim", 1)]
    told_sends = []
    for send in form.sends:
        action = send.action
        if action is None:
            told_sends.append(f"{glyphs.cross} {send.sink}: {visible(send.problem, 160)}")
        elif action.confirm_class == "C3":
            told_sends.append(f"{glyphs.cross} {send.sink} is class C3: midwatch decisions send")
        elif send.sink == "alias":
            told_sends.append(f"alias {action.before} {glyphs.arrow} {action.wanted}")
        else:
            told_sends.append(send.sink)
    if told_sends:
        when = "once approved, by midwatch decisions send: " if form.waits else ""
        text = f"{when}{f' {glyphs.dot} '.join(told_sends)}"
        lines += labelled("sends", text, width, "text", 3)
    return lines


def _hint(form: DecideForm, width: int) -> RunLine:
    return [Run(visible(form.hint, width), "s3")] if form.hint else []


def _cancel(form: DecideForm) -> RunLine:
    role = "cursor" if form.focus_on == "cancel" and form.phase != "choosing" else "dim"
    return [Run("     "), Run("[ Cancel ]", role)]


def _buttons(form: DecideForm, confirm_key: str) -> RunLine:
    line = _cancel(form)
    if form.phase == "checking":
        return [*line, Run("      looking once more, then writing it down…", "s3")]
    if form.forbidden:
        return line
    role = "key" if form.live else "dim"
    what = f"{form.kind} {visible(form.model, 40)}"
    if form.focus_on != "cancel":
        return [*line, Run("      Enter goes on, then ", "dim"), Run(confirm_key, "dim"),
                Run(f' = "{what}"', "dim")]  # fmt: skip
    return [
        *line,
        Run("      press ", "text" if form.live else "dim"),
        Run(confirm_key, role),
        Run(f' = "{what}"', role),
    ]


def note(form: DecideForm, now: float) -> str:
    """Return how old what is shown is, and the keys that are not of the form."""
    if form.phase == "choosing":
        return "1-8 choose  Esc cancels"
    if form.prepared is None or form.phase == "refused":
        return "Esc cancels"
    taken_at = form.prepared.decision.taken_at
    age = f"read {age_text(max(0.0, now - taken_at))} ago"
    return f"{age}  d all  m more  s send  Tab fields  Esc kinds"


_SCROLLS = {"up": -1, "k": -1, "down": 1, "j": 1, "pageup": -10, "pagedown": 10, "space": 10}


class DecideBox(DrawnBox[PreparedDecision | None]):
    """Asks about one decision; its result is what was confirmed, None for a no.

    The model is fixed when it opens. The key that opened it never confirms.
    """

    class Delivered(Message):
        """The engine answered ``round``; ``kind`` is empty for the look before choosing."""

        def __init__(self, round_: int, answer: PreparedDecision | Refused) -> None:
            self.round = round_
            self.answer = answer
            super().__init__()

    def __init__(
        self,
        session: Session,
        form: DecideForm,
        *,
        opened_by: str = "",
        refresh_seconds: float = 5.0,
    ) -> None:
        super().__init__(session)
        self.form = form
        self.confirm_key = "Y" if opened_by != "Y" else "S"
        self.exact = False
        self._refresh_seconds = refresh_seconds
        self._round = 0
        self._top = 0

    # The engine

    def begin(self) -> None:
        """Read the evidence, and keep what is shown young."""
        self._prepare()
        self.set_interval(1.0, self._every_second)

    def _prepare(self) -> None:
        """Ask for the decision as it is answered now; before one is chosen, for RETRAIN."""
        engine, form = self.session.engine, self.form
        if engine is None:
            return
        self._round += 1
        round_ = self._round
        wish = form.wish(self.session.clock())
        engine.prepare_decision(
            wish,
            lambda answer: self._post(round_, answer),
            form.sinks if form.kind else (),
        )

    def _post(self, round_: int, answer: PreparedDecision | Refused) -> None:
        # Called from the engine's thread: posting a message is all that is safe there.
        self.post_message(self.Delivered(round_, answer))

    def on_decide_box_delivered(self, message: Delivered) -> None:
        """Show what is known; go on where that was all that was waited for."""
        message.stop()
        form, answer = self.form, message.answer
        if message.round != self._round:
            return
        if form.phase == "choosing":
            if isinstance(answer, PreparedDecision):
                form.against = tuple(each for each in answer.guards if each.level == "refuse")
        else:
            checking = form.phase == "checking"
            came = form.take(answer)
            if came == "new":
                self.set_timer(DEAD_SECONDS, self._come_alive)
            elif came == "same" and checking:
                self.dismiss(form.prepared)
                return
        self.draw()

    def _come_alive(self) -> None:
        self.form.live = True
        self.draw()

    def _every_second(self) -> None:
        form = self.form
        prepared = form.prepared
        if form.phase == "asking" and prepared is not None:
            age = self.session.clock() - prepared.decision.taken_at
            if age > self._refresh_seconds:
                self._prepare()
        self.draw()

    # Keys

    def action_escape(self) -> None:
        """Close the exact view, go back to the kinds, or close without writing."""
        form = self.form
        if self.exact:
            self.exact = False
        elif form.more:
            self._turn()
        elif form.phase in ("asking", "reading"):
            form.back()
            self._prepare()
        else:
            self.dismiss(None)
            return
        self.draw()

    def take_key(self, key: str, character: str | None) -> None:
        """Do what a key means in this phase."""
        form = self.form
        if form.phase == "checking":
            return
        if self.exact:
            self._key_in_exact(key)
        elif form.phase == "choosing":
            self._key_choosing(key, character)
        elif key in ("up", "down"):
            self._leave_field(1 if key == "down" else -1)
        elif form.in_text:
            self._key_in_text(key, character)
        else:
            self._key_on_button(key, character)

    def on_paste(self, event: events.Paste) -> None:
        """Insert the first line of what was pasted into a text."""
        event.stop()
        lines = event.text.splitlines()
        if lines and self.form.in_text and not self.exact:
            self.form.write(self.form.texts.get(self.form.focus_on, "") + lines[0])
            self.draw()

    def _key_in_exact(self, key: str) -> None:
        if key in _SCROLLS:
            self._top = max(0, self._top + _SCROLLS[key])
        elif key in ("d", "q", "enter"):
            self.exact = False

    def _key_choosing(self, key: str, character: str | None) -> None:
        form, count = self.form, len(DECISION_KINDS)
        if key in ("down", "j", "up", "k"):
            form.place = (form.place + (1 if key in ("down", "j") else -1)) % count
        elif character == "q":
            self.dismiss(None)
        elif key == "enter":
            self._choose(form.marked)
        elif character is not None and character.isdecimal() and 1 <= int(character) <= count:
            self._choose(DECISION_KINDS[int(character) - 1])

    def _choose(self, kind: str) -> None:
        self.form.choose(kind)
        self._prepare()

    def _turn(self) -> None:
        """Go to the second page, or back from it; what is written there is weighed."""
        self.form.turn()
        if not self.form.more:
            self._prepare()

    def _leave_field(self, step: int) -> None:
        """Go on; what was typed may change what would be sent, and what stands against it."""
        left = self.form.focus_on
        self.form.step(step)
        if left in WEIGHED:
            self._prepare()

    def _key_in_text(self, key: str, character: str | None) -> None:
        form = self.form
        if key == "enter":
            last = form.focus_on == form.fields[-1]
            if last and form.more:
                self._turn()
            elif last and form.focus_on in ("despite", "typed"):
                self._yes()
            else:
                self._leave_field(1)
            return
        text = form.texts.get(form.focus_on, "")
        changed = edited(text, key)
        if changed is None and character is not None:
            changed = text + character
        if changed is not None:
            form.write(changed)

    def _key_on_button(self, key: str, character: str | None) -> None:
        form = self.form
        if key == "enter":
            self.dismiss(None)
        elif character == self.confirm_key and form.phase == "asking":
            self._yes()
        elif character == "d" and form.prepared is not None:
            self.exact, self._top = True, 0
        elif character == "s" and form.phase == "asking":
            form.sends_on = not form.sends_on
            self._prepare()
        elif character == "m" and form.phase == "asking":
            self._turn()
        elif character == "r" and form.phase == "asking":
            form.focus_on = "reason"

    def _yes(self) -> None:
        """Look once more with the answers as they are now, then go on unless it changed."""
        form = self.form
        form.hint = form.lacking(self.session.clock())
        if not form.hint:
            form.phase = "checking"
            self._prepare()

    # Drawing

    def lines(self, width: int, height: int) -> tuple[str, Sequence[RunLine], str]:
        """Return the box as it is now."""
        form, glyphs, now = self.form, self.session.glyphs, self.session.clock()
        title = f"Decide about {visible(form.model, 60)}"
        if self.exact:
            found = exact(form, width)
            self._top = max(0, min(self._top, len(found) - height))
            shown = found[self._top : self._top + height]
            return f"{title}: {form.kind}", shown, "up down scroll, d closes"
        if form.more:
            return (
                f"{title}: {form.kind}, more",
                decide_form.page(form, width),
                "Tab fields  Esc back",
            )
        bottom_line = note(form, now)
        if form.phase == "choosing":
            return f"{title}: which", choices(form, width, glyphs), bottom_line
        lines = question(form, width, height, glyphs, now=now, confirm_key=self.confirm_key)
        return f"{title}: {form.kind}", lines, bottom_line
