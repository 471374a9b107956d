"""Prepares silences at alert sources for a person who takes an incident."""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from console.actions.acknowledge import MOST_ALERTS, firing_alerts
from console.actions.action_record import care_json, digest_of
from console.controls.protocol import ControlError
from console.controls.registry import ALERTS_PREFIX, PAGER_PREFIX, bound_name
from console.domain.action import ActionRequest, Blast, PreparedAction, Step
from console.domain.text import visible
from console.incidents.pagerduty_feed import PAGERDUTY_ID

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from console.actions.acknowledge import Ground, Intended
    from console.actions.prepare import ActionEnvironment
    from console.domain.control import ControlState, JsonValue, PreparedChange
    from console.domain.entry import EntryDraft
    from console.settings.endpoint_tables import AlertSettings


@dataclass(frozen=True, slots=True)
class Places:
    """What would be sent to alert sources, and why some are not told."""

    action: PreparedAction | None = None
    problems: tuple[str, ...] = ()


async def places_of(bench: ActionEnvironment, plan: Intended, ground: Ground) -> Places:
    """Return what an intended hold, or its end, comes to at the alert sources."""
    if plan.lets_go:
        hold = ground.care.hold
        names = () if hold is None else tuple(hold.place.split(", ")) if hold.place else ()
        found = [await _letting_go(bench, plan, ground, name) for name in names]
    else:
        alerts = firing_alerts(ground)
        if not alerts:
            return Places(problems=(_why_none(ground),))
        found = []
        for name, each in alerts.items():
            if pager_place(bench, name) is not None:
                found += [await _paging(bench, plan, name, labels) for labels in each]
            else:
                found.append(await _holding(bench, plan, ground, name, each))
    changes = tuple(each for each in found if not isinstance(each, str))
    problems = tuple(each for each in found if isinstance(each, str))
    if not changes:
        return Places(problems=problems)
    return Places(
        prepared_of(bench, plan.op_id, plan.title, plan.reason, ground, changes, plan.drafts),
        problems,
    )


def _why_none(ground: Ground) -> str:
    alerts = () if ground.incident is None else ground.incident.alerts
    count = sum(alert.state == "firing" for alert in alerts)
    if count > MOST_ALERTS:
        return f"its {count} alerts are more than are told one by one ({MOST_ALERTS})"
    return "no alert source tells of it"


def declared_place(bench: ActionEnvironment, name: str) -> AlertSettings | None:
    """Return the settings of an alert source that can be told, None where it cannot."""
    return next(
        (
            each
            for each in bench.settings.alerts
            if each.name == name and each.kind == "alertmanager" and each.writes
        ),
        None,
    )


def silence_end(declared: AlertSettings, hold_until: float, now: float) -> str:
    """Return until when a silence stands: short, because it is renewed while somebody holds it."""
    at = math.ceil(min(now + declared.ack_silence_seconds, hold_until))
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


async def _holding(
    bench: ActionEnvironment,
    plan: Intended,
    ground: Ground,
    name: str,
    alerts: Sequence[dict[str, str]],
) -> PreparedChange | str:
    declared = declared_place(bench, name)
    shown = visible(name, 60)
    if declared is None:
        same = next((each for each in bench.settings.alerts if each.name == name), None)
        off = same is not None and same.kind == "alertmanager"
        return (
            f"{shown} is told nothing: writes = false" if off else "it stands in the journal alone"
        )
    until = plan.hold_until or ground.now
    variables: dict[str, JsonValue] = {
        "op_id": plan.hold_op,
        "by": bench.who.name,
        "reason": plan.reason,
        "incident": ground.id,
        "until": silence_end(declared, until, ground.now),
        "alerts": [dict(labels) for labels in alerts],
    }
    return await _prepared(bench, name, "ack", variables)


def pager_place(bench: ActionEnvironment, name: str) -> AlertSettings | None:
    """Return the settings of a pager that can be told, None where it is none."""
    listed = (each for each in bench.settings.alerts if each.name == name and each.writes)
    return next((each for each in listed if each.kind == "pagerduty"), None)


async def _paging(
    bench: ActionEnvironment, plan: Intended, name: str, labels: Mapping[str, str]
) -> PreparedChange | str:
    """Return the acknowledgement of one incident there; a resolved one is never opened again."""
    incident = labels.get(PAGERDUTY_ID, "")
    control = bench.controls[bound_name(f"{PAGER_PREFIX}{name}", {"incident_id": incident})]
    if control.problem:
        said = visible(name, 60)
        return f"{said} is told nothing: alerts.{said}.user names no PagerDuty user"
    variables: dict[str, JsonValue] = {
        "op_id": plan.hold_op,
        "by": bench.who.name,
        "reason": plan.reason,
    }
    state = await control.read(bench.clock())
    if state.error:
        return f"{visible(name, 60)} could not be read ({state.error})"
    if state.text == "resolved":
        return f"{visible(incident, 60)} is resolved at {visible(name, 60)}: it is not opened again"
    try:
        return control.prepare("ack", variables, state)
    except ControlError as fault:
        return f"{visible(name, 60)}: {fault.sentence}"


async def _letting_go(
    bench: ActionEnvironment, plan: Intended, ground: Ground, name: str
) -> PreparedChange | str:
    if pager_place(bench, name) is not None:
        return f"{visible(name, 60)} lets its acknowledgement run out by itself"
    if declared_place(bench, name) is None:
        return f"{visible(name, 60)} cannot be told; its silence ends by itself"
    variables: dict[str, JsonValue] = {
        "op_id": plan.hold_op,
        "by": bench.who.name,
        "reason": plan.reason,
        "incident": ground.id,
    }
    return await _prepared(bench, name, "unack", variables)


async def _prepared(
    bench: ActionEnvironment, name: str, action: str, variables: Mapping[str, JsonValue]
) -> PreparedChange | str:
    control = bench.controls[f"{ALERTS_PREFIX}{name}"]
    state: ControlState = await control.read(bench.clock())
    if state.error:
        return f"{visible(name, 60)} could not be read ({state.error})"
    try:
        change = control.prepare(action, variables, state)
    except ControlError as fault:
        return f"{visible(name, 60)}: {fault.sentence}"
    return change if change.calls else f"nothing of it stands at {visible(name, 60)}"


def prepared_of(
    bench: ActionEnvironment,
    op_id: str,
    title: str,
    reason: str,
    ground: Ground,
    changes: tuple[PreparedChange, ...],
    drafts: Sequence[EntryDraft],
) -> PreparedAction:
    """Return the changes as one operation of the pipeline, class C0."""
    action = changes[0].action
    verb = drafts[0].kind if drafts else action
    request = ActionRequest(verb=verb, target=ground.target, reason=reason, incident=ground.id)
    steps = tuple(Step(each.control, each.action) for each in changes)
    place = ", ".join(dict.fromkeys(_place_name(each.control) for each in changes))
    calls = [call for each in changes for call in each.calls]
    count = len(calls)
    effect = f"{count} alert{'s' if count != 1 else ''} at {place} {_EFFECTS[action]}"
    models = () if ground.incident is None else ground.incident.models
    return PreparedAction(
        op_id=op_id,
        request=request,
        title=title,
        prepared_at=bench.clock(),
        seen_seq=ground.seq,
        changes=changes,
        before=", ".join(dict.fromkeys(call.seen.text for call in calls)),
        wanted=", ".join(dict.fromkeys(each.desired[0] for each in changes)),
        confirm_class="C0",
        guards=(),
        blast=Blast(models=models, effect=effect),
        others=(),
        ttl_seconds=None,
        enforced_by="",
        end=(),
        undo=(),
        undo_problem="it is let go by midwatch release",
        command_line=shlex.join(["midwatch", verb, ground.id, "--reason", reason]),
        digest=digest_of(request, steps),
        care=care_json(drafts, place),
    )


def _place_name(control: str) -> str:
    return control.removeprefix(ALERTS_PREFIX).removeprefix(PAGER_PREFIX).partition("?")[0]


_EFFECTS = {"ack": "stop notifying while it is held", "unack": "notify again"}
