"""The 30 checks of readiness as one table, and their judgement for one model."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

from console.domain.proof import CHECK_GROUPS, POINTS, CheckResult, GroupScore, ModelReadiness
from console.domain.text import visible
from console.readiness import automatic
from console.readiness.subject import Verdict, fails, not_known

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from console.domain.proof import Attested, CheckGroup
    from console.readiness.subject import Subject

Proof = Literal["automatic", "manual", "both", "either"]
"""Who can prove it: the console alone, a person alone, both together (a person adds what cannot
be seen), or a person where the console sees nothing."""


class Check(Struct, frozen=True):
    """One check: a number and an id that never change, and how it is proven.

    ``holds_days`` is how long a person's proof holds at most. With ``of_version`` it ends when
    another version serves. ``ask`` is what a person attests.
    """

    number: int
    id: str
    group: CheckGroup
    title: str
    proof: Proof
    judge: Callable[[Subject], Verdict] | None = None
    ask: str = ""
    holds_days: int = 180
    gate: bool = False
    of_version: bool = False


def _row(
    line: str,
    judge: Callable[[Subject], Verdict] | None = None,
    ask: str = "",
    holds_days: int = 180,
    *,
    of_version: bool = False,
) -> Check:
    """Return a check of ``NUMBER[*] id group proof title``; a star makes it a gate of tier 1."""
    number, name, group, proof, title = line.split(maxsplit=4)
    return Check(
        int(number.rstrip("*")),
        name,
        group,  # type: ignore[arg-type]
        title,
        proof,  # type: ignore[arg-type]
        judge,
        ask,
        holds_days,
        number.endswith("*"),
        of_version,
    )


CHECKS: tuple[Check, ...] = (
    _row("1 signals Observe automatic the four golden signals answer", automatic.four_signals),
    _row("2 drift-reference Observe automatic drift reference, hashed, n >= 1000, under 90 d",
         automatic.drift_reference),
    _row("3 input-quality Observe either missing, unseen and out-of-range inputs are counted",
         automatic.input_quality, "how unseen and out-of-range inputs are counted"),
    _row("4 output-validity Observe manual outputs that are no number are counted, and 0",
         None, "the count of NaN and infinite outputs, and that it is 0", 90),
    _row("5 model-age Observe automatic the version that serves is young enough",
         automatic.model_age),
    _row("6* slo Observe automatic SLO declared, four burn rules judged", automatic.objectives),
    _row("7 alert-proven Observe either an alert has fired and resolved", automatic.alert_proven,
         "when an alert about it fired, reached somebody and resolved"),
    _row("8 no-data-rule Observe automatic its silence is noticed", automatic.no_data_rule),
    _row("9* breakers Resist automatic a breaker on every dependency, none disabled",
         automatic.breakers),
    _row("10 breaker-drill Resist automatic breaker seen to open, probe and close",
         automatic.breaker_drilled),
    _row("11* fallback Resist automatic fallback declared, answered lately",
         automatic.fallback_answers),
    _row("12* fallback-allowed Resist automatic fallback's region and consent are allowed",
         automatic.fallback_allowed),
    _row("13 fallback-capacity Resist automatic fallback can take the peak",
         automatic.fallback_capacity),
    _row("14* rollback Resist automatic rollback target, drilled", automatic.rollback_drilled),
    _row("15 release-canary Resist either last release was canaried or shadowed",
         automatic.release_tried, "how the version that serves was tried first", of_version=True),
    _row("16 validation Govern manual validation report on the version that serves",
         None, "the validation report of this version", of_version=True),
    _row("17 review-queue Operate automatic review threshold, room and SLA",
         automatic.review_queue),
    _row("18 human-path Operate automatic people took over, drilled or for real",
         automatic.human_path),
    _row("19 retries Resist both retry ratio < 10%, cap and timeouts set", automatic.retries,
         "the cap on attempts, and a timeout below the caller's"),
    _row("20 load-test Resist manual load-tested to 2x peak and fault-tested",
         None, "the report of the load test to 2x peak, with faults", of_version=True),
    _row("21 budget Operate automatic budget declared, month's end within", automatic.budget),
    _row("22* on-call Operate both owner, second, escalation, confirmed", automatic.on_call,
         "that these people know, and were reached", 90),
    _row("23 runbook Operate both runbook for its alerts, tried", automatic.runbook,
         "that every alert has its page, and that it was walked through"),
    _row("24 intervention Operate automatic criteria for intervening are written",
         automatic.intervention),
    _row("25 decisions Govern automatic no decision is overdue", automatic.decisions),
    _row("26 lineage Govern automatic data, code, training and approver are known",
         automatic.lineage),
    _row("27* journal Govern automatic the record is whole, kept 183 d", automatic.journal),
    _row("28 change-feed Operate either changes of dependencies are told", automatic.change_feed,
         "how the owners of its dependencies tell of changes"),
    _row("29 actions-closed Govern both actions from the last incident are closed",
         automatic.actions_closed, "that every action of the last postmortem is done"),
    _row("30 handover Operate automatic the last handover was accepted", automatic.handed_over),
)  # fmt: skip
"""The checks in order; ids and numbers are promises, like rule ids."""

CHECKS_BY_ID: Mapping[str, Check] = MappingProxyType({each.id: each for each in CHECKS})


def check_named(text: str) -> Check | None:
    """Return the check of an id or a number, None for neither."""
    wanted = text.strip().lower()
    if wanted.isdecimal():
        return next((each for each in CHECKS if each.number == int(wanted)), None)
    return CHECKS_BY_ID.get(wanted)


def assess(subject: Subject) -> ModelReadiness:
    """Judge every check of one model; the sign-off that stands tells what changed since."""
    results = tuple(judge_check(check, subject) for check in CHECKS)
    signed = subject.proofs.sign_off(subject.target)
    newest = subject.proofs.signed.get(subject.target, ())
    waiting = newest[-1] if newest and not newest[-1].stands and newest[-1].intact else None
    return ModelReadiness(
        target=subject.target,
        model=subject.model.model,
        tier=subject.model.tier,
        version=subject.model.version,
        at=subject.now,
        checks=results,
        scores=scores_of(results),
        signed=signed,
        waiting=waiting,
        changed=() if signed is None else changes_since(signed.checks, results),
    )


def scores_of(results: tuple[CheckResult, ...]) -> tuple[GroupScore, ...]:
    """Return points and number of the checks that apply, by group."""
    return tuple(
        GroupScore(
            group,
            sum(POINTS.get(each.state, 0.0) for each in results if each.group == group),
            sum(each.group == group and each.state != "n-a" for each in results),
        )
        for group in CHECK_GROUPS
    )


def changes_since(
    before: tuple[CheckResult, ...], after: tuple[CheckResult, ...]
) -> tuple[str, ...]:
    """Return one sentence for each check that is in another state, or rests on other evidence."""
    known = {each.check: each for each in before}
    found: list[str] = []
    for now in after:
        was = known.pop(now.check, None)
        if was is None:
            found.append(f"{now.check} is new: {now.state}")
        elif was.state != now.state:
            found.append(f"{now.check}: {was.state} -> {now.state}: {now.text}")
        elif (was.evidence, was.sha256) != (now.evidence, now.sha256):
            found.append(f"{now.check}: still {now.state}, on other evidence")
    return (*found, *(f"{name} is no longer checked" for name in known))


def judge_check(check: Check, subject: Subject) -> CheckResult:
    """Judge one check of one model from what is seen and what was attested."""
    seen = None if check.judge is None else check.judge(subject)
    if check.proof == "automatic":
        assert seen is not None
        return _result(check, seen)
    attested = _attested(check, subject)
    if seen is None:
        return _result(check, attested)
    if check.proof == "either":
        ahead = seen.state in ("pass", "n-a") or attested.state == "fail"
        return _result(check, seen if ahead else attested)
    if attested.state == "n-a" or seen.state != "pass":
        return _result(check, attested if attested.state == "n-a" else seen)
    if attested.at is not None and seen.at is not None and attested.at < seen.at:
        return _result(check, fails(f"{seen.text}; attested before that"))
    joined = f"{seen.text}; {attested.text}"
    return _result(check, _with_text(attested, joined))


def _with_text(verdict: Verdict, text: str) -> Verdict:
    from msgspec.structs import replace

    return replace(verdict, text=text)


def _attested(check: Check, subject: Subject) -> Verdict:
    """Judge what a person attested: whether it is there, not over, and of what serves now."""
    if not subject.record_read:
        return not_known("the journal could not be read")
    found = subject.proofs.attested.get((subject.target, check.id))
    if found is None or found.withdrawn:
        gone = f"taken back by {visible(found.by, 40)}; " if found is not None else ""
        return fails(f"{gone}nobody attested {check.ask}")
    serves = subject.model.version
    if check.of_version and found.version and serves and found.version != serves:
        text = f"of version {visible(found.version, 40)}; {visible(serves, 40)} serves now"
        return _proof(found, "expired", text)
    if found.until <= subject.now:
        return _proof(found, "expired", visible(found.note, 200))
    if found.not_applicable:
        return _proof(found, "n-a", visible(found.note, 200))
    return _proof(found, "manual", visible(found.note, 200))


def _proof(found: Attested, state: Literal["manual", "expired", "n-a"], text: str) -> Verdict:
    return Verdict(
        state=state,
        text=text,
        by=found.by,
        at=found.at,
        until=found.until,
        evidence=found.evidence,
        sha256=found.sha256,
        entry=found.entry,
        entry_hash=found.entry_hash,
    )


def _result(check: Check, verdict: Verdict) -> CheckResult:
    return CheckResult(
        check=check.id,
        number=check.number,
        group=check.group,
        gate=check.gate,
        title=check.title,
        state=verdict.state,
        text=verdict.text,
        by=verdict.by,
        at=verdict.at,
        until=verdict.until,
        evidence=verdict.evidence,
        sha256=verdict.sha256,
        entry=verdict.entry,
        entry_hash=verdict.entry_hash,
    )
