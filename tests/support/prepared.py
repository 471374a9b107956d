"""Prepared actions made by hand, for tests of what shows and confirms them."""

from dataclasses import replace

from console.domain.action import ActionRequest, Blast, Guard, Measure, PreparedAction, Step
from console.domain.control import PreparedCall, PreparedChange, Proof, TargetState, VerifyPlan
from console.domain.entry import ConfirmClass
from tests.support.snapshots import SAMPLE_NOW

URL = "http://fraud-0.example.net:8080"


def prepared_action(
    request: ActionRequest,
    *,
    confirm_class: ConfirmClass = "C1",
    guards: tuple[Guard, ...] = (),
    before: str = "primary",
    now: float = SAMPLE_NOW,
    number: int = 1,
    enforced_by: str = "service",
) -> PreparedAction:
    """Return ``request`` as the pipeline would hand it over, one target, an hour of end."""
    wanted = request.to or "FORCED_OPEN"
    call = PreparedCall(
        URL,
        f'PUT {URL}/control/route\nAuthorization: <redacted>\n{{"target": "{wanted}"}}',
        TargetState(URL, now, before),
    )
    change = PreparedChange(
        control="fraud-route",
        action=request.verb,
        label="Send traffic to another rung",
        op_id=f"01OP{number:022d}",
        danger="degrade",
        retry_class="A",
        desired=(wanted,),
        verify=VerifyPlan(),
        proof=Proof("ci", "demo"),
        ends_itself=True,
        calls=(call,),
    )
    to = f" to {request.to}" if request.to else ""
    made = PreparedAction(
        op_id=f"01OP{number:022d}",
        request=request,
        title=f"Switch {request.target}{to}",
        prepared_at=now,
        seen_seq=1,
        changes=(change,),
        before=before,
        wanted=wanted,
        confirm_class=confirm_class,
        guards=guards,
        blast=Blast(
            models=(request.target,),
            moved_per_minute=Measure(414.0, "req/min", 2.0, 2070.0),
            fleet_share=Measure(0.025),
            tier=1,
            tier_share=Measure(0.84),
            effect=f"{wanted} answers 414 requests a minute",
            cost_per_hour=Measure(unknown="the price is not measured"),
        ),
        others=(),
        ttl_seconds=request.ttl_seconds or 3600.0,
        enforced_by="nobody" if enforced_by == "nobody" else "service",
        end=(Step("fraud-route", "restore"),),
        undo=(Step("fraud-route", "restore", shown=f"PUT {URL}/control/route"),),
        undo_problem="",
        command_line=f"midwatch {request.verb} {request.target} --reason '{request.reason}'",
        digest="d" * 64,
    )
    return replace(made, ttl_seconds=None) if request.verb in ("restore", "half-open") else made
