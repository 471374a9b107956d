"""Every command by name, with the sentence of the help and the module that does it."""

from __future__ import annotations

from msgspec import Struct


class Command(Struct, frozen=True):
    """One command; its module under ``console.cli`` has ``run(shared, arguments)``.

    ``words`` go before the arguments, where one module does several commands.
    """

    name: str
    module: str
    summary: str
    words: tuple[str, ...] = ()


COMMANDS = {
    command.name: command
    for command in (
        Command("status", "status_command", "how every model is, once or again and again"),
        Command("check", "check_command", "validate the configuration, sources and secrets"),
        Command("incidents", "incidents_command", "what alerts fire, grouped by what they share"),
        *(
            Command(name, "incident_verbs_command", summary, (name,))
            for name, summary in (
                ("ack", "take an incident: it has an owner, an age and an end"),
                ("release", "let an incident go that somebody has"),
                ("snooze", "look at an incident later"),
                ("escalate", "write down who is called for help"),
                ("merge", "put an incident into the one it belongs to"),
                ("severity", "give an incident another level"),
                ("note", "write something down about an incident, or a change of the world"),
                ("close", "close an incident: was its page useful, what was decided"),
            )
        ),
        Command("init", "init_command", "look what is there and write a commented configuration"),
        Command("demo", "demo_command", "a simulated fleet and the console on it, nothing needed"),
        Command("plot", "plot_command", "a chart of one signal in the shell"),
        Command("reference", "reference_command", "freeze score shares to measure drift by"),
        *(
            Command(name, "control_command", summary, (name,))
            for name, summary in (
                ("trip", "force a breaker open: every call is refused"),
                ("half-open", "let a breaker probe"),
                ("reset", "force a breaker closed: every call passes"),
                ("disable", "let a breaker refuse nothing: unprotected"),
                ("watch", "let a breaker count failures and refuse nothing"),
                ("fallback", "let another rung of the ladder answer"),
                ("human", "let people answer every request"),
                ("restore", "let the model itself answer again"),
                ("rollback", "let the version before serve again"),
                ("threshold", "move the confidence threshold for human review"),
            )
        ),
        *(
            Command(name, "overrides_command", summary, (name,))
            for name, summary in (
                ("overrides", "what is held by hand, whose, and when it ends"),
                ("renew", "give an override another end"),
                ("end", "end an override now, in its safe state"),
                ("undo", "go back to the state seen before an action"),
                ("resolve", "say what is true of an action that could not be verified"),
            )
        ),
        Command("approve", "approve_command", "confirm, as the second person, what waits for one"),
        Command("decide", "decide_command", "write a retraining decision, its evidence frozen"),
        Command("decisions", "decisions_command", "what was decided, what is due, what came of it"),
        Command(
            "handover", "handover_command", "what this shift leaves to the next, accepted by name"
        ),
        Command(
            "postmortem", "postmortem_command", "an incident after the fact, told without blame"
        ),
        Command("failures", "failures_command", "every spell in which a model failed, over a span"),
        Command("drill", "drill_command", "an action and its way back on purpose, in the record"),
        Command("keep", "keep_command", "end overrides when they are due; the headless keeper"),
        Command("lease", "lease_command", "who acts on what now, and breaking what holds on"),
        Command("journal", "journal_command", "list, show, verify, export or prune the record"),
        Command("lint-metrics", "lint_command", "say which signals a /metrics endpoint gives"),
        Command("secret", "secret_command", "set, test or list secrets; never prints a value"),
    )
}


def overview() -> str:
    """Return the help of ``midwatch`` itself."""
    width = max(len(name) for name in COMMANDS)
    lines = [f"  {name:<{width}}  {command.summary}" for name, command in COMMANDS.items()]
    return "\n".join(
        [
            "usage: midwatch [flags]              the console",
            "       midwatch COMMAND [flags]      a headless command",
            "",
            "The on-call console for models in production.",
            "",
            "commands:",
            *lines,
            "",
            "flags of the console:",
            "  --write --read-only --theme T --ascii --plain --version",
            "flags of every command, before or after its name:",
            "  --config FILE --prometheus URL --scrape URL --log FILE",
            "",
            "midwatch COMMAND --help says more.",
        ]
    )
