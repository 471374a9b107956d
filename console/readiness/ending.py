"""Finds proofs that end soon or ended, and gates that closed since a sign-off, for the rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.domain.severity import Finding, Severity
from console.domain.text import visible
from console.evaluation.evidence import ProofFacts
from console.evaluation.rules.holds import ENDING_PROOF, GATE_CLOSED
from console.readiness.checks import CHECKS_BY_ID, assess
from console.readiness.subject import DAY_SECONDS, DRILL_DAYS, Subject, day
from console.settings.durations import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from console.domain.model import ModelRow
    from console.domain.proof import Proofs
    from console.domain.snapshot import Snapshot
    from console.settings.schema import Settings

NOTICE_SECONDS = 7 * DAY_SECONDS
NOTICE_SHARE = 0.2
"""A proof is called when a week, or a fifth of its life, is left: whichever is shorter."""


def proof_facts(
    latest: Snapshot | None,
    proofs: Proofs,
    settings: Settings,
    rows: Sequence[ModelRow],
    now: float,
) -> ProofFacts:
    """Return what rules may say of the proofs of ``rows`` at ``now`` (Unix seconds).

    Gates are judged by the tick before, and only of models that were signed off: nobody is called
    for what nobody ever claimed.
    """
    if proofs.empty:
        return ProofFacts()
    index = {row.model: number for number, row in enumerate(rows)}
    ending: dict[int, Finding] = {}
    for target, at, text in _ends(proofs, now):
        row = index.get(target)
        if row is not None and (row not in ending or at < ending[row].since):
            ending[row] = Finding(ENDING_PROOF, Severity.S3, text, at)
    closed: dict[int, Finding] = {}
    unknown: set[int] = set()
    for target in proofs.signed:
        row, before = index.get(target), None if latest is None else latest.index.get(target)
        signed = proofs.sign_off(target)
        if row is None or signed is None or signed.tier != 1:
            continue
        if latest is None or before is None:
            unknown.add(row)
            continue
        subject = Subject(snapshot=latest, row=before, settings=settings, proofs=proofs, now=now)
        was = {each.check for each in signed.checks if each.good}
        lost = [each for each in assess(subject).closed_gates if each.check in was]
        sure = [each for each in lost if each.state != "unknown"]
        if sure:
            first = sure[0]
            more = f", and {len(sure) - 1} more" if len(sure) > 1 else ""
            text = f"gate {first.check} was open when signed off {day(signed.at)}: {first.text}"
            closed[row] = Finding(GATE_CLOSED, Severity.S3, f"{text}{more}", signed.at)
        elif lost:
            unknown.add(row)
    return ProofFacts(ending, closed, frozenset(unknown))


def _ends(proofs: Proofs, now: float) -> Iterator[tuple[str, float, str]]:
    """Yield target, end and sentence of each proof that is over or about to be.

    What was used for real is no promise to do it again; only drills and attestations are.
    """
    for (target, name), proof in proofs.attested.items():
        if proof.withdrawn or name not in CHECKS_BY_ID:
            continue
        if _is_near(proof.at, proof.until, now):
            yield target, proof.until, _sentence(name, proof.by, proof.until, now)
    for (target, what), drill in proofs.exercised.items():
        if not drill.drill or not drill.passed or what not in DRILL_DAYS:
            continue
        until = drill.at + DRILL_DAYS[what] * DAY_SECONDS
        if _is_near(drill.at, until, now):
            yield target, until, _sentence(f"{what} drill", drill.by, until, now)


def _is_near(at: float, until: float, now: float) -> bool:
    return until - now <= min(NOTICE_SECONDS, NOTICE_SHARE * (until - at))


def _sentence(name: str, by: str, until: float, now: float) -> str:
    left = abs(until - now)
    unit = DAY_SECONDS if left >= DAY_SECONDS else 3600.0
    span = format_duration(left // unit * unit) if left >= unit else "less than 1h"
    when = f"ends in {span}" if until > now else f"ended {span} ago"
    return f"readiness: the proof {name} of {visible(by, 40)} {when}; renew it"
