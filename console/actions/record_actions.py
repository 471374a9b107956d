"""Actions that change the record alone, on incidents and handovers: keys, commands, help."""

from __future__ import annotations

from console.actions.spec import ActionContext, ActionSpec, Place

ROW_PLACES: frozenset[Place] = frozenset({"fleet", "model"})
INCIDENT_PLACES: frozenset[Place] = frozenset({"incidents", "incident"})
_EVERYWHERE = ROW_PLACES | INCIDENT_PLACES


def no_incident(context: ActionContext) -> str | None:
    """Return why there is no incident to do something about, or which of several is meant."""
    if context.argument or context.incident:
        return None
    if context.place in INCIDENT_PLACES:
        return "no incident is listed" if context.place == "incidents" else "it is not known"
    if not context.model:
        return "there is no model to act on yet"
    if context.incident_count > 1:
        return f"{context.incident_count} incidents touch {context.model}: i lists them, choose one"
    return f"no incident touches {context.model}; I lists all"


def _possible(context: ActionContext) -> str | None:
    return context.unwritable or no_incident(context)


def _spec(
    verb: str,
    keys: tuple[str, ...],
    title: str,
    tooltip: str,
    argument: str,
    places: frozenset[Place] = _EVERYWHERE,
    footer: int | None = None,
    footer_title: str = "",
    footer_places: frozenset[Place] | None = None,
) -> ActionSpec:
    return ActionSpec(
        f"care.{verb}",
        keys,
        title,
        tooltip,
        "Incidents",
        places=places,
        danger="C0",
        command=verb,
        argument=argument,
        footer=footer,
        footer_title=footer_title,
        footer_places=footer_places,
        disabled=_possible,
    )


CARE_WRITES: tuple[ActionSpec, ...] = (
    _spec(
        "ack",
        ("a",),
        "Acknowledge",
        "Take the incident, or hold it longer; at once, with u to undo for 30 s. It is no silence.",
        "ID 2h WHY",
        footer=4,
        footer_title="ack",
    ),
    _spec("release", (), "Release", "Let go of an incident that is held.", "ID WHY"),
    _spec(
        "snooze", (), "Snooze", "Look at it later: it is held and quiet until then.", "ID 1h WHY"
    ),
    _spec(
        "note",
        ("N",),
        "Note",
        "Write something into the incident's timeline.",
        "ID TEXT",
        footer=5,
        footer_title="note",
        footer_places=INCIDENT_PLACES,
    ),
    _spec(
        "severity",
        ("S",),
        "Severity",
        "Give the incident another level; raising is free, lowering asks for a reason.",
        "ID S2 WHY",
        INCIDENT_PLACES,
        footer=7,
        footer_title="severity",
    ),
    _spec(
        "merge",
        ("M",),
        "Merge",
        "Put the incident into another one with the same cause.",
        "ID INTO",
        INCIDENT_PLACES,
        footer=11,
        footer_title="merge",
    ),
    _spec(
        "escalate",
        ("E",),
        "Escalate",
        "Call somebody for help through the declared control; without one it says that nobody was.",
        "ID NAMES",
        INCIDENT_PLACES,
        footer=8,
        footer_title="escalate",
    ),
    _spec(
        "close",
        ("X",),
        "Close",
        "Close the incident: was the page useful, noise, unclear; what was decided on retraining.",
        "ID useful|noise|unclear",
        INCIDENT_PLACES,
        footer=6,
        footer_title="close",
    ),
)

CARE_BY_VERB = {spec.command: spec for spec in CARE_WRITES}


def _which(context: ActionContext) -> str | None:
    if context.argument or context.incident_count:
        return None
    return no_incident(context)


def _with_runbook(context: ActionContext) -> str | None:
    if context.runbook:
        return None
    if context.model:
        return f"no runbook for {context.model}: set runbook in its [models] entry"
    return "there is no row with a runbook"


LOOKS: tuple[ActionSpec, ...] = (
    ActionSpec(
        "incident.open",
        ("i",),
        "Incident",
        "The incident of the row, whole; where several touch it, the list of them.",
        "Incidents",
        places=_EVERYWHERE,
        command="incident",
        argument="ID",
        footer=8,
        footer_title="incident",
        footer_places=ROW_PLACES,
        disabled=_which,
    ),
    ActionSpec(
        "incidents",
        ("I",),
        "Incidents",
        "All incidents: open, held with owner and next check, merged, resolved.",
        "Incidents",
        command="incidents",
        argument="MODEL",
    ),
    ActionSpec(
        "incident.can",
        ("c",),
        "CAN",
        "Condition, actions and needs to read out, copied to your terminal's clipboard.",
        "Incidents",
        places=frozenset({"incident"}),
        command="can",
        footer=9,
        footer_title="CAN",
    ),
    ActionSpec(
        "incident.export",
        ("x",),
        "Postmortem",
        "Save the postmortem of this incident as Markdown, in the state directory.",
        "Incidents",
        places=frozenset({"incident"}),
        command="postmortem",
        footer=12,
        footer_title="postmortem",
    ),
    ActionSpec(
        "runbook",
        ("r",),
        "Runbook",
        "The runbook of the row or incident, to read and copied to your terminal's clipboard.",
        "Incidents",
        places=_EVERYWHERE,
        command="runbook",
        disabled=_with_runbook,
    ),
)

_SCREEN: frozenset[Place] = frozenset({"handover"})


def _unwritable(context: ActionContext) -> str | None:
    return context.unwritable or None


WRITE = ActionSpec(
    "act.handover",
    ("W",),
    "Write handover",
    "Write this handover into the journal, for the next person to accept.",
    "Acting",
    places=_SCREEN,
    danger="C1",
    disabled=_unwritable,
    footer=1,
    footer_title="write it",
)
ACCEPT = ActionSpec(
    "act.accept",
    ("A",),
    "Accept handover",
    "Accept, from your own login, the newest handover that somebody else wrote.",
    "Acting",
    places=_SCREEN,
    danger="C1",
    disabled=_unwritable,
    footer=2,
    footer_title="accept",
)

OPEN = ActionSpec(
    "handover",
    ("h",),
    "Handover",
    "What this shift leaves to the next: read it, write it down, accept one.",
    "Looking closer",
    command="handover",
    argument="12h --to NAME",
)

HANDOVER: tuple[ActionSpec, ...] = (OPEN, WRITE, ACCEPT)
