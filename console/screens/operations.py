"""Keeps what this console has sent and what became of it, one line for several together."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from console.domain.severity import BreakerState
from console.domain.text import visible
from console.screens.spans import Piece, age_text, clock_text, join_that_fit, piece
from widgets.lines import Run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.domain.action import Outcome, PreparedAction
    from console.domain.incident import CareWish
    from console.domain.snapshot import Snapshot
    from console.engine.client import Refused
    from console.screens.panels.footer import BoxLine
    from themes.glyphs import Glyphs

_GOOD = ("applied", "no_op")
_TARGET_WIDTH = 24
_KIND_WIDTH = 12


def all_well(members: Sequence[Sent]) -> bool:
    """Tell whether each is as it was wanted."""
    return all(one.kind in _GOOD for one in members)


def title_of(members: Sequence[Sent]) -> str:
    """Return what was sent together in a few words: "fallback 3 models"."""
    return f"{members[0].verb} {len(members)} models"


def set_pieces(members: Sequence[Sent], glyphs: Glyphs) -> list[Piece]:
    """Return how many are in force, on their way and not done, and the first that is not."""
    good = sum(1 for one in members if one.kind in _GOOD)
    waiting = sum(1 for one in members if one.in_flight)
    bad = [one for one in members if not one.in_flight and one.kind not in _GOOD]
    role = "ok" if good == len(members) else "text"
    pieces = [piece(f"{good} of {len(members)} applied", role, 0)]
    if waiting:
        pieces.append(piece(f"{waiting} on the way{glyphs.ellipsis}", "s3", 1))
    for one in bad[:1]:
        more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
        said = f"{glyphs.cross} {visible(one.target, 60)} {one.kind.upper()}{more}"
        pieces.append(piece(said, "s2", 0))
    return pieces


def set_lines(members: Sequence[Sent], glyphs: Glyphs) -> list[BoxLine]:
    """Return one row a target: what became of it, and why."""
    lines: list[BoxLine] = []
    for one in members:
        good = one.kind in _GOOD
        role = "s3" if one.in_flight else "ok" if good else "s2"
        kind = "on the way" if one.in_flight else one.kind if good else one.kind.upper()
        mark = " " if good or one.in_flight else glyphs.cross
        lines.append(
            [
                Run(f"{mark} {visible(one.target, 200)[:_TARGET_WIDTH]:<{_TARGET_WIDTH}} ", "text"),
                Run(f"{kind:<{_KIND_WIDTH}} ", role),
                Run(visible(one.sentence, 300), "dim" if good else "text"),
            ]
        )
    undo = [one for one in members if one.changed and not one.undone]
    lines.append([])
    lines += [[Run(f":undo {one.op_id}  {visible(one.target, 60)}", "key")] for one in undo]
    return lines


EFFECT_SECONDS = 60.0
"""How long an effect may take before it is said that none was seen."""

UNDO_SECONDS = 30.0
"""How long the line offers to go back."""

SHOWN_SECONDS = 900.0
WHOLE_WAY_FROM_COLUMNS = 100
_REFUSING = (BreakerState.OPEN, BreakerState.FORCED_OPEN)


CARE_UNDONE = ("ack", "snooze", "severity", "merge")
"""What people do about an incident that can be taken back, while it is fresh."""


class Sent(Struct):
    """One operation on its way: its stages so far, and its effect as the metrics show it.

    ``bad_before`` and ``bad_now`` are bad requests a minute, None not known. ``effect`` is
    empty while it is awaited. ``together`` names the set it was sent with, empty for one alone.
    ``cares``: it was done about an incident, which changes no number.
    """

    op_id: str
    title: str
    verb: str
    target: str
    to: str
    began_at: float
    bad_before: float | None = None
    bad_now: float | None = None
    stages: tuple[str, ...] = ()
    done_at: float | None = None
    kind: str = ""
    sentence: str = ""
    effect: str = ""
    undone: bool = False
    cares: bool = False
    together: str = ""

    @property
    def in_flight(self) -> bool:
        """Whether its outcome is awaited."""
        return self.done_at is None

    @property
    def changed(self) -> bool:
        """Whether it is, or may be, in force, so that it can be undone."""
        from console.domain.action import MAY_HAVE_CHANGED  # not before the first frame

        taken_back = not self.cares or self.verb in CARE_UNDONE
        return taken_back and self.kind in MAY_HAVE_CHANGED

    def old(self, now: float) -> bool:
        """Tell whether it was done longer ago than going back is offered for."""
        return self.done_at is not None and now - self.done_at > UNDO_SECONDS


class ActionLog:
    """The operations of this console, oldest first."""

    def __init__(self) -> None:
        self.entries: list[Sent] = []

    def begin(
        self,
        prepared: PreparedAction,
        snapshot: Snapshot | None,
        now: float,
        arrow: str = "->",
        together: str = "",
    ) -> Sent:
        """Note that an operation is on its way; ``arrow`` stands before where it leads."""
        request = prepared.request
        sent = Sent(
            prepared.op_id,
            _title(prepared, arrow),
            request.verb,
            request.target,
            request.to,
            now,
            bad_before=bad_per_minute(snapshot, request.target),
            effect="read back: it is there" if request.decision else "",
            together=together,
        )
        self.entries = [*self.entries[-49:], sent]
        if request.purpose == "undo":
            for one in self.entries:
                one.undone = one.undone or one.op_id == request.ends_op
        return sent

    def begin_care(self, key: str, title: str, wish: CareWish, now: float) -> Sent:
        """Note that something was asked for about an incident; ``key`` stands for its operation."""
        # What the first frame imports is short: it does not show incidents.
        from console.domain.incident import INCIDENT_PREFIX

        sent = Sent(key, title, wish.verb, f"{INCIDENT_PREFIX}{wish.incident}", "", now, cares=True)
        self.entries = [*self.entries[-49:], sent]
        if wish.verb == "undo":
            for one in self.entries:
                one.undone = one.undone or one.op_id == wish.op_id
        return sent

    def finish_care(self, key: str, answer: Outcome | Refused, now: float) -> None:
        """Note what became of it; from now on it goes by its operation's id, where it has one."""
        sent = self.find(key)
        if sent is None:
            return
        self.finish(key, answer, now)
        sent.op_id = getattr(answer, "op_id", key) or key
        sent.effect = sent.sentence or sent.kind

    def find(self, op_id: str) -> Sent | None:
        """Return an operation by its id."""
        return next((one for one in self.entries if one.op_id == op_id), None)

    def stage(self, op_id: str, stage: str, sentence: str) -> None:
        """Note that an operation came one step on; ``sentence`` is what was answered."""
        sent = self.find(op_id)
        if sent is None:
            return
        words = {"intent": ("written",), "observed": ("observed",), "sent": _answered(sentence)}
        came = words.get(stage, ())
        sent.stages = tuple(dict.fromkeys((*sent.stages, *came)))

    def finish(self, op_id: str, answer: Outcome | Refused, now: float) -> None:
        """Note what became of an operation."""
        sent = self.find(op_id)
        if sent is None:
            return
        sent.done_at = now
        kind = getattr(answer, "kind", "")
        sentences = getattr(answer, "sentences", None)
        if sentences is None:
            sent.kind, sent.sentence = kind, str(getattr(answer, "sentence", ""))
        else:
            sent.kind = "unverified" if kind == "fault" else "refused"
            sent.sentence = "; ".join(sentences)

    def busy(self, target: str) -> Sent | None:
        """Return the operation on its way to ``target``, None when there is none."""
        return next((one for one in self.entries if one.in_flight and one.target == target), None)

    def last_undoable(self, now: float) -> Sent | None:
        """Return the newest operation that can be undone; what was done to the record, 30 s."""
        return next(
            (
                one
                for one in reversed(self.entries)
                if one.changed and not one.undone and not (one.cares and one.old(now))
            ),
            None,
        )

    def sent_with(self, one: Sent) -> list[Sent]:
        """Return everything that was sent together with ``one``, itself included."""
        if not one.together:
            return [one]
        return [each for each in self.entries if each.together == one.together]

    def watch(self, snapshot: Snapshot, now: float) -> None:
        """Look for the effect of what is in force in the numbers themselves."""
        for one in self.entries:
            if one.kind not in ("applied", "partial") or one.done_at is None:
                continue
            if snapshot.taken_at > one.done_at and now - one.done_at < SHOWN_SECONDS:
                one.bad_now = bad_per_minute(snapshot, one.target)
            if one.effect:
                continue
            seen = effect_seen(one, snapshot)
            if seen is None:
                one.effect = "its effect is not measured"
            elif seen and snapshot.taken_at > one.began_at:
                one.effect = f"seen in the metrics after {age_text(now - one.began_at)}"
            elif now - one.done_at > EFFECT_SECONDS:
                one.effect = f"no effect seen in {EFFECT_SECONDS:.0f} s"

    def line(self, now: float, width: int, glyphs: Glyphs, idle: str) -> list[Run]:
        """Return the newest operation in ``width`` cells; ``idle`` when there is none."""
        if not self.entries:
            return [Run(idle, "dim")]
        one = self.entries[-1]
        members = self.sent_with(one)
        if len(members) > 1:
            return _set_line(members, now, width, glyphs)
        pieces = [
            Piece((Run(f"{clock_text(one.began_at)} ", "dim"), Run(one.title, "text")), 0),
            *_stages(one, width, glyphs),
        ]
        if one.in_flight:
            pieces.append(piece(f"{age_text(now - one.began_at)}{glyphs.ellipsis}", "s3", 1))
        else:
            pieces += _outcome(one, glyphs)
        if one.changed and not one.undone:
            left = UNDO_SECONDS - (now - (one.done_at or now))
            offer = f"u undoes, {age_text(left)}" if left > 0 else "u undoes"
            if left > 0 or not one.cares:
                pieces.append(piece(offer, "key" if left > 0 else "dim", 3))
        waiting = sum(1 for each in self.entries[:-1] if each.in_flight)
        if waiting:
            pieces.append(piece(f"{waiting} more on the way", "s3", 2))
        return join_that_fit(pieces, width, Run(f" {glyphs.dot} ", "dim"))


def _set_line(members: list[Sent], now: float, width: int, glyphs: Glyphs) -> list[Run]:
    """Return what was sent together as one line; while it is on its way, for how long."""
    began_at = members[0].began_at
    head = (Run(f"{clock_text(began_at)} ", "dim"), Run(title_of(members), "text"))
    pieces = [Piece(head, 0), *set_pieces(members, glyphs)]
    if any(one.in_flight for one in members):
        pieces.append(piece(age_text(now - began_at), "s3", 2))
    return join_that_fit(pieces, width, Run(f" {glyphs.dot} ", "dim"))


def _answered(sentence: str) -> tuple[str, ...]:
    """Return the steps that an answer stands for; only a 2xx was accepted."""
    said = visible(sentence, 200).rpartition(" answered ")[2]
    if said.startswith("2") and said[:3].isdecimal():
        return ("sent", "accepted")
    return ("sent", f"answered {said}") if said[:3].isdecimal() else ("sent", said)


def _stages(one: Sent, width: int, glyphs: Glyphs) -> list[Piece]:
    """Return the way it came; on a narrow screen only how far it is."""
    stages = one.stages if width >= WHOLE_WAY_FROM_COLUMNS else one.stages[-1:]
    runs: list[Run] = []
    for stage in stages:
        if runs:
            runs.append(Run(f" {glyphs.arrow} ", "dim"))
        runs.append(Run(stage, "ok"))
    return [Piece(tuple(runs), 1 if one.in_flight else 5)] if runs else []


def _outcome(one: Sent, glyphs: Glyphs) -> list[Piece]:
    said = visible(one.sentence, 300)
    if one.kind not in ("applied", "no_op"):
        return [piece(f"{glyphs.cross} {one.kind.upper()}: {said}", "s2", 0)]
    if one.kind == "no_op":
        return [piece(said, "ok", 0)]
    found = []
    if one.bad_before is not None and one.bad_now is not None:
        text = f"bad {one.bad_before:.0f} {glyphs.arrow} {one.bad_now:.0f}/min"
        found.append(piece(text, "title", 2))
    effect = one.effect or "watching for its effect"
    return [*found, piece(effect, "s2" if effect.startswith("no ") else "ok", 1)]


def _title(prepared: PreparedAction, arrow: str = "->") -> str:
    """Return the operation in the words of its command: short enough for one line."""
    request = prepared.request
    if request.decision:
        return visible(prepared.title, 80)
    words = f"{request.verb} {visible(request.target, 60)}"
    if request.to:
        words += f" {arrow} {visible(request.to, 40)}"
    elif request.value is not None:
        words += f" {arrow} {request.value:g}"
    return f"{request.purpose}: {words}" if request.purpose else words


def bad_per_minute(snapshot: Snapshot | None, target: str) -> float | None:
    """Return a model's bad requests a minute, None where they are not known."""
    if snapshot is None or target not in snapshot.index:
        return None
    reading = snapshot.reading("bad_rate", snapshot.index[target])
    return reading.value * 60.0 if reading.known and reading.value is not None else None


def effect_seen(one: Sent, snapshot: Snapshot) -> bool | None:
    """Tell whether the metrics show what was done; None where no metric could."""
    if one.target.startswith("dep:"):
        name = one.target.removeprefix("dep:")
        found = next((each for each in snapshot.dependencies if each.name == name), None)
        if found is None:
            return None
        breaker, target, level = found.breaker.state, "", ""
    elif one.target in snapshot.index:
        row = snapshot.index[one.target]
        breaker, route = snapshot.breaker(row).state, snapshot.route(row)
        target, level = route.target, route.level
    else:
        return None
    match one.verb:
        case "fallback":
            return target == one.to if target else None
        case "restore":
            return level == "L0" if level else None
        case "human":
            return level == "L4" if level else None
        case _ if breaker is BreakerState.UNKNOWN:
            return None
        case "trip":
            return breaker in _REFUSING
        case "half-open":
            return breaker in (BreakerState.HALF_OPEN, BreakerState.CLOSED)
        case "reset":
            return breaker is BreakerState.CLOSED
        case _:
            return None
