"""Prepares what calls somebody for an incident: one control, told once, with one key an incident.

Nothing in here sends. Whom a control was told to call before is not called again, but where the
answer was lost and the receiver takes a repeated key for the same call.
"""

from __future__ import annotations

import shlex
from dataclasses import replace
from typing import TYPE_CHECKING, Final

import msgspec

from console.actions.action_record import care_json, digest_of
from console.controls.protocol import ControlError
from console.domain.action import ActionRefused, ActionRequest, Blast, PreparedAction, Step
from console.domain.severity import Severity
from console.domain.text import visible
from console.metrics.units import format_clock

if TYPE_CHECKING:
    from collections.abc import Sequence

    from console.actions.acknowledge import Ground, Intended
    from console.actions.prepare import ActionEnvironment
    from console.domain.control import JsonValue, PreparedChange
    from console.domain.incident import Escalation
    from console.settings.schema import Settings

ESCALATE: Final = "escalate"
SEVERITIES: Final = {Severity.S1: "critical", Severity.S2: "error", Severity.S3: "warning"}
"""A level in the words of pagers; anything else that somebody is called for is an error."""

_SUMMARY_CHARACTERS: Final = 500
_BRIEF_CHARACTERS: Final = 130


def control_for(settings: Settings, ground: Ground) -> str:
    """Return the control that calls somebody for an incident, "" where none is declared.

    That of what the incident is about, else the one for everything, else that of a model it
    touches.
    """
    incident = ground.incident
    models = () if incident is None else (incident.model, *incident.models)
    own: list[str] = []
    if incident is not None and incident.dependency in settings.dependencies:
        own.append(settings.dependencies[incident.dependency].controls.get(ESCALATE, ""))
    declared = [
        settings.models[name].controls.get(ESCALATE, "") if name in settings.models else ""
        for name in models
    ]
    own += declared[:1]
    return next((name for name in (*own, settings.escalate or "", *declared) if name), "")


async def called(
    bench: ActionEnvironment, plan: Intended, ground: Ground
) -> tuple[Intended, PreparedAction | None]:
    """Return an escalation with what would be sent of it; None: nobody would be called.

    Raises `ActionRefused` where everybody was called before.
    """
    names = _names(plan)
    name = control_for(bench.settings, ground)
    if not name:
        return _uncalled(plan, names, "no control is declared for it (escalate = NAME)"), None
    control = bench.controls[name]
    if control.problem or ESCALATE not in control.offers:
        why = control.problem or f"it cannot {ESCALATE}"
        return _uncalled(plan, names, f"the control {name} is of no use: {why}"), None
    repeatable = control.offers[ESCALATE].retry_class != "C"
    names = _not_called_yet(ground, names, name, repeatable=repeatable)
    plan = _with_names(plan, names)
    state = await control.read(bench.clock())
    try:
        change = control.prepare(ESCALATE, _variables(bench, plan, ground, names), state)
    except ControlError as fault:
        return _uncalled(plan, names, f"{name}: {fault.sentence}"), None
    return plan, _action(bench, plan, ground, change, names)


def _names(plan: Intended) -> tuple[str, ...]:
    told = plan.drafts[0].details.get("to")
    return tuple(map(str, told)) if isinstance(told, list) else ()


def _with_names(plan: Intended, names: Sequence[str]) -> Intended:
    draft = plan.drafts[0]
    details = {**draft.details, "to": list(names)}
    return replace(plan, drafts=(msgspec.structs.replace(draft, details=details),))


def _uncalled(plan: Intended, names: Sequence[str], why: str) -> Intended:
    them = visible(", ".join(names), 200)
    sentence = f"{plan.sentence} in the record alone: nobody was called, {why}; call them yourself"
    return replace(plan, title=f"{plan.title} (nobody calls {them})", sentence=sentence)


def _not_called_yet(
    ground: Ground, names: tuple[str, ...], control: str, *, repeatable: bool
) -> tuple[str, ...]:
    before: dict[str, Escalation] = {}
    for each in ground.care.escalations:
        done = each.became == "taken" or (each.became == "unclear" and not repeatable)
        if done and each.through == control:
            before |= dict.fromkeys(each.to, each)
    left = tuple(name for name in names if name not in before)
    if left:
        return left
    last = before[names[0]]
    how = "it was taken" if last.became == "taken" else "whether it arrived is not known"
    raise ActionRefused.forbidden(
        "called_already",
        f"{visible(', '.join(names), 200)} was called at {format_clock(last.at)} by "
        f"{visible(last.by, 60)} through {control} ({how}); nothing was sent again: "
        "call by telephone, or name somebody else with --to",
    )


def _variables(
    bench: ActionEnvironment, plan: Intended, ground: Ground, names: Sequence[str]
) -> dict[str, JsonValue]:
    """Return what a message may hold; every text is one line and harmless to show."""
    incident = ground.incident
    level = Severity.UNKNOWN if incident is None else incident.severity
    models = () if incident is None else incident.models
    to, reason = visible(", ".join(names), 200), visible(plan.reason, 400)
    environment = bench.settings.environment
    label = "?" if level is Severity.UNKNOWN else level.label
    summary = visible(f"{label} {ground.title}: {reason}", _SUMMARY_CHARACTERS)
    text = (
        f"{to}: {bench.who.name} calls you to {ground.title} ({label}, {environment}): {reason} "
        f"(incident {ground.id}, midwatch operation {plan.op_id})"
    )
    text = visible(text, 1500)
    return {
        "op_id": plan.op_id,
        "by": bench.who.name,
        "reason": reason,
        "incident": ground.id,
        "to": to,
        "title": visible(ground.title, 200),
        "summary": summary,
        "brief": summary[:_BRIEF_CHARACTERS],
        "text": text,
        "mrkdwn": text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"),
        "level": label,
        "severity": SEVERITIES.get(level, "error"),
        "models": visible(", ".join(models[:12]), 400) or "none known",
        "component": visible(models[0], 120) if models else visible(ground.title, 120),
        "source": f"midwatch {environment}",
        "dedup_key": f"midwatch:{environment}:{ground.id}",
    }


def _action(
    bench: ActionEnvironment,
    plan: Intended,
    ground: Ground,
    change: PreparedChange,
    names: Sequence[str],
) -> PreparedAction:
    request = ActionRequest(
        verb=ESCALATE, target=ground.target, reason=plan.reason, incident=ground.id
    )
    who = visible(", ".join(names), 200)
    return PreparedAction(
        op_id=plan.op_id,
        request=request,
        title=plan.title,
        prepared_at=bench.clock(),
        seen_seq=ground.seq,
        changes=(change,),
        before="not called",
        wanted=f"{who} called",
        confirm_class="C0",
        guards=(),
        blast=Blast(
            models=() if ground.incident is None else ground.incident.models,
            effect=f"{who} is called through {change.control}, once",
        ),
        others=(),
        ttl_seconds=None,
        enforced_by="",
        end=(),
        undo=(),
        undo_problem="a call cannot be taken back",
        command_line=shlex.join(["midwatch", ESCALATE, ground.id, "--reason", plan.reason]),
        digest=digest_of(request, (Step(change.control, ESCALATE),)),
        care=care_json(plan.drafts, change.control),
    )
