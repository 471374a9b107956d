"""Turns readiness into lines for a terminal, blocks for an auditor, and a JSON document."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from msgspec import Struct

from console.domain.blocks import Heading, Item, Items, Paragraph, Table
from console.domain.proof import CHECK_GROUPS
from console.domain.text import visible
from console.domain.timestamps import stamped, timestamp
from console.settings.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from console.domain.blocks import Block
    from console.domain.entry import JournalHead
    from console.domain.proof import CheckResult, ModelReadiness, SignOff

SCHEMA: Final = "midwatch.readiness/1"

_DAY_SECONDS = 86400.0


class CheckReport(Struct, frozen=True, kw_only=True):
    """One check; times are RFC 3339 in UTC, null where there is none."""

    check: str
    number: int
    group: str
    gate: bool
    title: str
    state: str
    text: str
    by: str | None
    at: str | None
    until: str | None
    evidence: str | None
    sha256: str | None
    entry: int | None
    entry_hash: str | None


class SignOffReport(Struct, frozen=True, kw_only=True):
    """A sign-off of the record: who signed, who approved, what was frozen (by its digest)."""

    id: str
    by: str
    account: str
    at: str
    reason: str
    headline: str
    version: str
    digest: str
    approver: str | None
    approved_by: str | None
    approved_at: str | None
    entry: int
    entry_hash: str


class ModelReport(Struct, frozen=True, kw_only=True):
    """One model: the headline is its lowest group; ``groups`` holds points and how many apply."""

    model: str
    tier: int
    version: str | None
    headline: str
    groups: dict[str, tuple[float, int]]
    gates_closed: tuple[str, ...]
    gaps: tuple[str, ...]
    checks: tuple[CheckReport, ...]
    signed: SignOffReport | None
    waiting: SignOffReport | None
    changed: tuple[str, ...]


class ReadinessDocument(Struct, frozen=True, kw_only=True):
    """What ``midwatch readiness --json`` prints; ``journal`` is the last entry it rests on."""

    schema: str
    environment: str
    taken_at: str
    journal: dict[str, str | int] | None
    models: tuple[ModelReport, ...]


def readiness_document(
    found: Sequence[ModelReadiness], environment: str, now: float, head: JournalHead | None
) -> ReadinessDocument:
    """Return the document for scripts, as of ``now`` (Unix seconds)."""
    return ReadinessDocument(
        schema=SCHEMA,
        environment=environment,
        taken_at=timestamp(now),
        journal=None
        if head is None
        else {"chain": head.chain, "entry": head.seq, "hash": head.hash},
        models=tuple(_model(each) for each in found),
    )


def _model(each: ModelReadiness) -> ModelReport:
    return ModelReport(
        model=each.model,
        tier=each.tier,
        version=each.version or None,
        headline=each.headline,
        groups={score.group: (score.points, score.most) for score in each.scores},
        gates_closed=tuple(one.check for one in each.closed_gates),
        gaps=tuple(one.check for one in each.gaps),
        checks=tuple(_check(one) for one in each.checks),
        signed=None if each.signed is None else _sign_off(each.signed),
        waiting=None if each.waiting is None else _sign_off(each.waiting),
        changed=each.changed,
    )


def _check(one: CheckResult) -> CheckReport:
    return CheckReport(
        check=one.check,
        number=one.number,
        group=one.group,
        gate=one.gate,
        title=one.title,
        state=one.state,
        text=one.text,
        by=one.by or None,
        at=stamped(one.at),
        until=stamped(one.until),
        evidence=one.evidence or None,
        sha256=one.sha256 or None,
        entry=one.entry,
        entry_hash=one.entry_hash or None,
    )


def _sign_off(one: SignOff) -> SignOffReport:
    return SignOffReport(
        id=one.id,
        by=one.by,
        account=one.account,
        at=timestamp(one.at),
        reason=one.reason,
        headline=one.headline,
        version=one.version,
        digest=one.digest,
        approver=one.approver or None,
        approved_by=one.approved_by or None,
        approved_at=stamped(one.approved_at),
        entry=one.entry,
        entry_hash=one.entry_hash,
    )


# Lines for a terminal


def fleet_lines(found: Sequence[ModelReadiness]) -> Iterator[str]:
    """Yield one line a model, the lowest share first within closed gates first."""
    for each in sorted(found, key=_worst_first):
        gates = each.gates
        gate = f"gates {len(gates) - len(each.closed_gates)}/{len(gates)}" if gates else "no gates"
        yield (
            f"{visible(each.model, 30):<30} tier {each.tier}  {each.headline:<18} {gate:<10} "
            f"{len(each.gaps):>2} gaps  {next_end(each)}  {signed_words(each)}"
        )


def _worst_first(each: ModelReadiness) -> tuple[bool, float, int, str]:
    return (not each.closed_gates, each.lowest.share, each.tier, each.model)


def next_end(each: ModelReadiness) -> str:
    """Return which proof ends next and in how many days."""
    ends = [one for one in each.checks if one.good and one.until is not None]
    soonest = min(ends, key=lambda one: one.until or 0.0, default=None)
    if soonest is None or soonest.until is None:
        return "no proof ends"
    return f"{soonest.check} ends {away(soonest.until - each.at)}"


def away(seconds: float) -> str:
    """Return how far away an end is: "in 12d", "in 3h", "4d ago"."""
    size = abs(seconds)
    unit = _DAY_SECONDS if size >= _DAY_SECONDS else 3600.0
    text = format_duration(size // unit * unit) if size >= 3600.0 else "under 1h"
    return f"in {text}" if seconds >= 0 else f"{text} ago"


def signed_words(each: ModelReadiness) -> str:
    """Return whether it is signed off, since when, and how much changed since."""
    if each.waiting is not None:
        return f"sign-off {each.waiting.id} waits for {visible(each.waiting.approver, 40)}"
    if each.signed is None:
        return "never signed off"
    changed = f", {len(each.changed)} changed since" if each.changed else ", nothing changed since"
    return f"signed off {timestamp(each.signed.at)[:10]}{changed}"


def model_lines(each: ModelReadiness) -> Iterator[str]:
    """Yield one model's readiness: headline, gaps first, then what is proven, then the sign-off."""
    version = f" version {visible(each.version, 40)}" if each.version else ""
    yield f"{visible(each.model, 80)}  tier {each.tier}{version}  headline: {each.headline}"
    yield "  " + "   ".join(f"{one.group} {one.points:g}/{one.most}" for one in each.scores)
    yield f"  {gate_words(each)}; {signed_words(each)}"
    gaps = each.gaps
    if gaps:
        yield f"GAPS ({len(gaps)})"
        yield from (check_line(one, each) for one in gaps)
    for group in CHECK_GROUPS:
        good = [one for one in each.checks if one.group == group and one.good]
        if good:
            yield group.upper()
            yield from (check_line(one, each) for one in good)
    if each.changed:
        yield "CHANGED SINCE THE SIGN-OFF"
        yield from (f"  {visible(line, 300)}" for line in each.changed)


def gate_words(each: ModelReadiness) -> str:
    """Return how the gates of tier 1 stand."""
    if not each.gates:
        return f"tier {each.tier} has no gates"
    closed = each.closed_gates
    if not closed:
        return f"all {len(each.gates)} gates of tier 1 are open"
    names = ", ".join(one.check for one in closed)
    return f"{len(closed)} of {len(each.gates)} gates of tier 1 are CLOSED: {names}"


def check_line(one: CheckResult, each: ModelReadiness) -> str:
    """Return a check on one line."""
    star = "*" if one.gate and each.tier == 1 else " "
    return f"  {one.number:>2}{star} {one.check:<18} {one.state:<8} {_said(one, each.at)}"


def _said(one: CheckResult, now: float) -> str:
    by = f" · {visible(one.by, 40)}" if one.by else ""
    until = f" · ends {away(one.until - now)}" if one.until is not None and one.good else ""
    evidence = f" · {visible(one.evidence, 80)}" if one.evidence else ""
    return f"{visible(one.text, 240)}{evidence}{by}{until}"


# What an auditor reads


def readiness_blocks(
    found: Sequence[ModelReadiness], environment: str, now: float, head: JournalHead | None
) -> Iterator[Block]:
    """Yield the review: what is missing first, then the evidence with dates and hashes."""
    yield Heading(f"Production readiness, {environment}", level=1)
    yield Paragraph(f"As of {timestamp(now)}. Times are UTC.")
    rests = (
        "No journal could be read: nothing here is proven by a record."
        if head is None
        else f"Rests on the journal {head.chain} up to entry {head.seq}, hash {head.hash}."
    )
    yield Paragraph(rests)
    yield Paragraph(
        "The headline of a model is its lowest group, never the mean. A check that passes counts "
        "1, one that a person attests 0.5, anything else 0; n-a does not count. Unknown means "
        "that it could not be looked at."
    )
    for each in sorted(found, key=_worst_first):
        yield from _model_blocks(each)


def _model_blocks(each: ModelReadiness) -> Iterator[Block]:
    yield Heading(each.model)
    yield Paragraph(each.headline, lead="Lowest group:")
    yield Items(
        (
            Item(f"{each.tier}", lead="Tier:"),
            Item(each.version or "not known", lead="Version that serves:"),
            Item(", ".join(f"{one.group} {one.points:g} of {one.most}" for one in each.scores),
                 lead="Points:"),
            Item(gate_words(each), lead="Gates:"),
            *_signed_items(each),
        )
    )  # fmt: skip
    gaps = each.gaps
    yield Heading(f"Gaps ({len(gaps)})", level=3)
    if gaps:
        yield Table(
            ("No.", "Check", "Group", "State", "Why", "Ended"),
            tuple(
                (f"{one.number}{'*' if one.gate else ''}", f"{one.check}: {one.title}", one.group,
                 one.state, one.text, "" if one.until is None else timestamp(one.until))
                for one in gaps
            ),
        )  # fmt: skip
    else:
        yield Paragraph("None.")
    for group in CHECK_GROUPS:
        good = [one for one in each.checks if one.group == group and one.good]
        if not good:
            continue
        yield Heading(f"{group}: proven ({len(good)})", level=3)
        yield Table(
            ("No.", "Check", "State", "Evidence", "By", "Of", "Until", "Hash"),
            tuple(
                (f"{one.number}{'*' if one.gate else ''}", f"{one.check}: {one.title}", one.state,
                 _evidence(one), one.by or "the console", timestamp(one.at or each.at),
                 "" if one.until is None else timestamp(one.until), _hash(one))
                for one in good
            ),
        )  # fmt: skip
    if each.changed:
        yield Heading(f"Changed since the sign-off ({len(each.changed)})", level=3)
        yield Items(tuple(Item(line) for line in each.changed))


def _signed_items(each: ModelReadiness) -> Iterator[Item]:
    if each.waiting is not None:
        waiting = each.waiting
        yield Item(
            f"{waiting.by} ({waiting.account}) {timestamp(waiting.at)}: {waiting.reason}; waits "
            f"for {waiting.approver}, so it does not count yet",
            lead="Sign-off asked for:",
        )
    signed = each.signed
    if signed is None:
        yield Item("never", lead="Signed off:")
        return
    yield Item(
        f"{signed.by} ({signed.account}) {timestamp(signed.at)}: {signed.reason}; "
        f"{signed.headline} then; digest {signed.digest}, entry {signed.entry}",
        lead="Signed off:",
    )
    if signed.approved_by:
        yield Item(f"{signed.approved_by} {stamped(signed.approved_at)}", lead="Approved:")


def _evidence(one: CheckResult) -> str:
    named = f" ({one.evidence})" if one.evidence else ""
    return f"{one.text}{named}"


def _hash(one: CheckResult) -> str:
    parts = [f"sha256 {one.sha256}"] if one.sha256 else []
    if one.entry is not None:
        parts.append(f"entry {one.entry} {one.entry_hash}".rstrip())
    return "; ".join(parts)
