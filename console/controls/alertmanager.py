"""The ``alertmanager`` driver: one alert source, told who has which of its alerts.

Alertmanager has no acknowledgement. By karma's convention a short silence whose comment starts with
``ACK!`` is one. Creating a silence twice makes two, so an operation's own is looked for first.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from types import MappingProxyType
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import msgspec

from console.controls.alert_api import (
    UNACKNOWLEDGED,
    AlertApi,
    Labels,
    Mark,
    Silenced,
    comment_of,
    moment_text,
    silenced,
    target_of,
    unread,
    until_text,
)
from console.controls.http_call import CallFailed, Reply, Request
from console.controls.protocol import ControlError
from console.domain.control import (
    ControlState,
    Lookup,
    Offer,
    PreparedCall,
    PreparedChange,
    Proof,
    SendResult,
    TargetResult,
    Verdict,
    VerifyPlan,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from console.domain.control import JsonValue
    from console.http.endpoint import SecretLookup
    from console.settings.endpoint_tables import AlertSettings

ACCEPTED: Final = (200, 201, 202)
"""Alertmanager says 200, Grafana 202, an Alertmanager behind Grafana 201."""

REJECTED: Final = (400, 401, 403, 404, 405, 413, 422)
ACKNOWLEDGE, LET_GO = "ack", "unack"
VERIFY: Final = VerifyPlan(every_seconds=0.4, within_seconds=6.0, stable_for=2)


class _Alert(msgspec.Struct):
    labels: dict[str, str]


class _Created(msgspec.Struct):
    silence_id: str = msgspec.field(name="silenceID", default="")


_ALERTS = msgspec.json.Decoder(list[_Alert])
_CREATED = msgspec.json.Decoder(_Created)


@dataclass(frozen=True, slots=True)
class _Acknowledgement:
    """One silence to be made or made longer; ``silence`` None: it is not known to be there."""

    labels: Labels
    op_id: str
    incident: str
    by: str
    comment: str
    until: str
    silence: Mark | None = None


class AlertmanagerControl:
    """One alert source: its targets are alerts, their state is until when somebody has them.

    Cluster members are asked in turn; what one took is read back from the same one.
    """

    kind = "ack"
    driver = "alertmanager"
    problem = ""
    note = "A silenced alert sends no notice of its end either: a pager may show it as open."

    def __init__(self, name: str, declared: AlertSettings, resolver: SecretLookup | None) -> None:
        self.name = name
        self._api = AlertApi(declared, resolver)

    @property
    def proof(self) -> Proof:
        """On what its behaviour rests; Grafana's own was never run here."""
        return self._api.proof

    serves: tuple[str, ...] = ()

    @property
    def offers(self) -> Mapping[str, Offer]:
        """The changes it can make."""
        return MappingProxyType(
            {
                ACKNOWLEDGE: self._offer(ACKNOWLEDGE, "Acknowledge", ("alerts", "until")),
                LET_GO: self._offer(LET_GO, "Take the acknowledgement back", ()),
            }
        )

    def _offer(self, action: str, label: str, needs: tuple[str, ...]) -> Offer:
        return Offer(
            action=action,
            label=label,
            danger="safe",
            retry_class="C",
            needs=needs,
            from_states=(),
            desired=(UNACKNOWLEDGED,) if action == LET_GO else (),
            ends_itself=action == ACKNOWLEDGE,
            has_dry_run=False,
            has_lookup=action == ACKNOWLEDGE,
            proof=self.proof,
            note=self.note if action == ACKNOWLEDGE else "",
        )

    async def read(self, now: float) -> Silenced:
        """Read every silence of ours; what cannot be read says why in its ``error``."""
        try:
            reply = await self._api.get("/silences")
            return silenced(self.name, reply.body, now)
        except CallFailed as failure:
            return unread(self.name, failure.sentence.replace("; it may have acted", ""), now)
        except msgspec.MsgspecError:
            return unread(self.name, f"{self._api.server} answered, but not with silences", now)

    async def alerts_there(self) -> frozenset[str]:
        """Return the alerts that are not over, as targets; raises ``ControlError``."""
        try:
            reply = await self._api.get("/alerts")
            found = _ALERTS.decode(reply.body)
        except CallFailed as failure:
            raise ControlError(failure.sentence) from failure
        except msgspec.MsgspecError as fault:
            raise ControlError(f"{self._api.server} answered, but not with alerts") from fault
        return frozenset(target_of(tuple(sorted(each.labels.items()))) for each in found)

    def prepare(
        self,
        action: str,
        variables: Mapping[str, JsonValue],
        seen: ControlState,
        *,
        targets: Collection[str] | None = None,
    ) -> PreparedChange:
        """Render one change from the state ``seen``; raises ``ControlError``.

        ``ack`` needs ``alerts``, the labels of each as a mapping, and ``until``; ``unack`` lets go
        of what the operation ``op_id`` took and what is marked as the incident's.
        """
        if seen.control != self.name or not isinstance(seen, Silenced):
            raise ControlError(f"the state of {seen.control} is no ground to change {self.name}")
        for needed in ("op_id", "by", "reason", "incident"):
            if not variables.get(needed):
                raise ControlError(f"{needed} must be given with every change")
        calls: tuple[PreparedCall, ...]
        if action == ACKNOWLEDGE:
            until = str(variables.get("until") or "")
            calls, desired = self._acknowledging(variables, seen, until), (until_text(until),)
        elif action == LET_GO:
            calls, desired = self._letting_go(variables, seen), (UNACKNOWLEDGED,)
        else:
            raise ControlError(f"{self.name} cannot {action}; it can {ACKNOWLEDGE} and {LET_GO}")
        if targets is not None:
            calls = tuple(call for call in calls if call.target in targets)
        offer = self.offers[action]
        return PreparedChange(
            control=self.name,
            action=action,
            label=offer.label,
            op_id=str(variables["op_id"]),
            danger=offer.danger,
            retry_class=offer.retry_class,
            desired=desired,
            verify=VERIFY,
            proof=offer.proof,
            ends_itself=offer.ends_itself,
            calls=calls,
            note=offer.note,
            has_lookup=offer.has_lookup,
        )

    def _acknowledging(
        self, variables: Mapping[str, JsonValue], seen: Silenced, until: str
    ) -> tuple[PreparedCall, ...]:
        listed = variables.get("alerts")
        if not until or not isinstance(listed, list) or not listed:
            raise ControlError(f"{ACKNOWLEDGE} on {self.name} needs alerts and until")
        op_id, incident = str(variables["op_id"]), str(variables["incident"])
        comment = comment_of(str(variables["reason"]), op_id, incident)
        made: dict[str, PreparedCall] = {}
        for each in listed:
            if not isinstance(each, dict) or not each:
                raise ControlError("an alert without labels cannot be acknowledged")
            labels = tuple(sorted((name, str(value)) for name, value in each.items() if value))
            target = target_of(labels)
            payload = _Acknowledgement(
                labels,
                op_id,
                incident,
                str(variables["by"]),
                comment,
                until,
                seen.marks.get(target),
            )
            made[target] = self._call(target, payload, seen, until_text(until))
        return tuple(made.values())

    def _letting_go(
        self, variables: Mapping[str, JsonValue], seen: Silenced
    ) -> tuple[PreparedCall, ...]:
        return tuple(
            self._call(target, mark, seen, UNACKNOWLEDGED)
            for target, mark in seen.marks.items()
            if variables["op_id"] == mark.op_id or variables["incident"] == mark.incident
        )

    def _call(
        self, target: str, payload: _Acknowledgement | Mark, seen: Silenced, wanted: str
    ) -> PreparedCall:
        state = seen.of(target)
        if state is None or state.error:
            raise ControlError(f"{self.name} has not been read; read it before changing it")
        return PreparedCall(
            target=target,
            shown=self._api.shown_request(self._request(payload, None)),
            seen=state,
            already=state.text == wanted,
            inverse_problem="it is let go by releasing the incident",
            payload=payload,
        )

    def _request(self, payload: _Acknowledgement | Mark, now: float | None) -> Request:
        base = self._api.base
        if isinstance(payload, Mark):
            return Request("DELETE", f"{base}/silence/{quote(payload.id, safe='')}")
        kept = payload.silence
        starts = "now" if now is None else moment_text(datetime.fromtimestamp(now, UTC))
        body: dict[str, object] = {
            "matchers": [
                {"name": name, "value": value, "isRegex": False, "isEqual": True}
                for name, value in payload.labels
            ],
            # A silence keeps its id only with the begin that the server itself tells.
            "startsAt": starts if kept is None else kept.starts_at.isoformat(),
            "endsAt": payload.until,
            "createdBy": payload.by,
            "comment": payload.comment,
        }
        if kept is not None:
            body["id"] = kept.id
        content = json.dumps(body).encode()
        return Request("POST", f"{base}/silences", {"Content-Type": "application/json"}, content)

    async def send(self, change: PreparedChange, now: float) -> SendResult:
        """Send each call once; what is already so is left out. Never raises.

        Before any silence is made, those there are are looked at once more: an answer that was
        lost may have left one.
        """
        going = [call for call in change.calls if not call.already]
        fresh = [call for call in going if isinstance(call.payload, _Acknowledgement)]
        there: Silenced | None = None
        if any(call.payload.silence is None for call in fresh):  # type: ignore[attr-defined]
            there = await self.read(now)
        return SendResult(tuple([await self._send(call, there, now) for call in going]))

    async def _send(self, call: PreparedCall, there: Silenced | None, now: float) -> TargetResult:
        payload = call.payload
        if not isinstance(payload, _Acknowledgement | Mark):
            sentence = f"{call.target}: the request is not at hand; prepare the change again"
            return TargetResult(call.target, "rejected", sentence, False, now)
        if there is not None and isinstance(payload, _Acknowledgement):
            if there.error:
                sentence = f"nothing was sent: {there.error}"
                return TargetResult(call.target, "rejected", sentence, False, now)
            mark = there.marks.get(call.target)
            payload = payload if mark is None else replace(payload, silence=mark)
        try:
            reply = await self._api.change(self._request(payload, now))
        except CallFailed as failure:
            verdict: Verdict = "indeterminate" if failure.sent else "rejected"
            return TargetResult(call.target, verdict, failure.sentence, failure.sent, now)
        return self._result(call.target, payload, reply, now)

    def _result(
        self, target: str, payload: _Acknowledgement | Mark, reply: Reply, now: float
    ) -> TargetResult:
        excerpt = self._api.excerpt(reply)
        said = "" if reply.status in ACCEPTED else f": {excerpt or 'without a word'}"
        sentence = f"{self._api.server} answered {reply.status}{said}"
        verdict: Verdict = "indeterminate"
        if reply.status in ACCEPTED:
            verdict = "accepted"
            sentence += _moved(payload, reply)
        elif reply.status in REJECTED:
            verdict = "rejected"
        return TargetResult(target, verdict, sentence, True, now, reply.status, excerpt)

    async def dry_run(self, change: PreparedChange, now: float) -> SendResult:
        """Refuse: no alert source offers one."""
        raise ControlError(f"{change.action} on {self.name} offers no dry run")

    async def lookup(self, change: PreparedChange, now: float) -> tuple[Lookup, ...]:
        """Look for the operation's own silences."""
        there = await self.read(now)
        return tuple(_lookup(call.target, change.op_id, there) for call in change.calls)

    async def aclose(self) -> None:
        """Hold nothing between calls."""


def _moved(payload: _Acknowledgement | Mark, reply: Reply) -> str:
    """Say that a silence changed its id, which tells that it was made anew."""
    if isinstance(payload, Mark) or payload.silence is None:
        return ""
    try:
        made = _CREATED.decode(reply.body).silence_id
    except msgspec.MsgspecError:
        return ""
    return "" if made == payload.silence.id else f"; its silence was made anew as {made}"


def _lookup(target: str, op_id: str, there: Silenced) -> Lookup:
    if there.error:
        return Lookup(target, None, there.error)
    mark = there.marks.get(target)
    found = mark is not None and mark.op_id == op_id
    words = "holds" if found else "does not hold"
    return Lookup(target, found, f"{target} {words} this operation's mark")
