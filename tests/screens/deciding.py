"""What tests of the decision box share: an engine that weighs wishes like the real one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import msgspec

from console.actions.decision_record import DecisionWish, PreparedDecision, prepare_decision
from console.actions.decision_sinks import PreparedSend, with_sends
from console.actions.fleet_view import FleetView
from console.app import MidwatchApp
from console.domain.action import ActionRefused, ActionRequest, Guard, PreparedAction
from console.domain.entry import Who
from console.domain.snapshot import Snapshot
from console.domain.text import ConsoleOptions
from console.engine.client import Refused
from console.settings.schema import ModelSettings, Settings, WritesMode
from tests.screens.support import Clock, make_app
from tests.support.prepared import prepared_action
from tests.support.snapshots import sample_snapshot
from tests.support.stub_engine import StubEngine

WHO = Who(name="ana", name_source="operator.name", os_user="ana", uid=1001, host="ops-1", pid=1)
SETTINGS = Settings(
    environment="prod",
    writes="open",
    models={
        "fraud-scorer": ModelSettings(tier=1, decisions={"tags": "t", "alias": "a"}),
        "churn-ranker": ModelSettings(tier=2, decisions={"tags": "t", "alias": "a"}),
    },
)
BROKEN = Guard("input_nulls", "refuse", "22.0% of input values are missing (limit 5%)")


def deciding_app(
    clock: Clock,
    snapshot: Snapshot | None = None,
    *,
    broken: bool = False,
    writes: WritesMode = "open",
    ascii_only: bool = False,
) -> tuple[MidwatchApp, StubEngine]:
    """Return an armed console on a stub that weighs decisions as the engine does."""
    shown = snapshot or sample_snapshot()
    settings = msgspec.structs.replace(SETTINGS, writes=writes)
    app, engine = make_app(
        shown, settings=settings, clock=clock, options=ConsoleOptions(ascii=ascii_only)
    )
    engine.clock = clock

    def answer(wish: DecisionWish, sinks: Sequence[str] | None) -> PreparedDecision | Refused:
        try:
            made = prepare_decision(wish, FleetView(SETTINGS, shown, clock()), WHO)
        except ActionRefused as refused:
            return Refused(tuple(each.sentence for each in refused.guards))
        others = [each for each in made.guards if each.level != "refuse"]
        guards = (BROKEN, *others) if broken and wish.kind == "RETRAIN" else tuple(others)
        made = replace(made, guards=guards)
        return made if sinks == () else with_sends(made, sends_of(wish))

    engine.answer_decision = answer
    return app, engine


def sends_of(wish: DecisionWish) -> tuple[PreparedSend, ...]:
    """Return the tag, and the alias where a version is named."""
    tag = ActionRequest("tags", f"tags:{wish.model}", wish.reason, decision="01KB2")
    sends = [PreparedSend("tags", plain(prepared_action(tag, before="none")))]
    if wish.to_version:
        moved = replace(tag, verb="alias", target=f"alias:{wish.model}", to=wish.to_version)
        alias = prepared_action(moved, confirm_class="C2", before="40", number=2)
        sends.append(PreparedSend("alias", plain(alias)))
    return tuple(sends)


def plain(action: PreparedAction) -> PreparedAction:
    """Return an action that holds nothing, as everything that a decision sends."""
    return replace(action, ttl_seconds=None, enforced_by="", end=())
