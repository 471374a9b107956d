"""Every command by name: its module, its sentence, its examples and its exit codes.

``--help``, the manual pages, the shell completion and docs/cli.md all read this one table.
"""

from __future__ import annotations

from msgspec import Struct

EXITS = {
    0: "all well, or done",
    1: "it could not be done, or something checked is not well; status: an S2 is the worst",
    2: "status, incidents: at least one S1",
    3: "status, incidents, cost: something is unknown, or a source does not answer; no S1 or S2",
    4: "an action may have been carried out: it could not be read back",
    5: "an action was carried out in part",
    6: "superseded: somebody changed it first, nothing was changed here",
    7: "refused by a guard, or not confirmed as its class asks",
    8: 'writes = "never"',
    64: "the command line cannot be understood",
    70: "a fault of midwatch itself; --log FILE keeps the details",
    74: "the output cannot be written",
    78: "the configuration is faulty, or names nothing to read",
    130: "interrupted; 129 the terminal went away, 143 SIGTERM",
    141: "whoever read the output left",
}
"""Exit codes of all commands together, a promise to scripts."""

Exits = tuple[tuple[int, str], ...]

_USAGE = ((64, "bad usage"),)
_CONFIG = (*_USAGE, (78, "bad configuration, or nothing to read"))
_READS: Exits = ((0, "printed"), (1, "there is nothing to print, or it cannot be read"), *_CONFIG)
_WRITES_FILE: Exits = ((0, "written or printed"), (1, "not written"), *_CONFIG)
_ACTS: Exits = (
    (0, "applied, or already so"),
    (1, "rejected or failed: nothing changed"),
    (4, "unverified: it may have changed, or could not be written down: look"),
    (5, "partial, or another state than was asked for"),
    (6, "superseded: nothing was changed here"),
    (7, "refused by a guard, or not confirmed"),
    (8, 'writes = "never"'),
    *_CONFIG,
)


class Command(Struct, frozen=True):
    """One command; its module under ``console.cli`` has ``parser(*words)`` and ``run(…)``.

    ``words`` go before the arguments, where one module does several commands. ``examples`` are
    whole command lines with what each is for; ``exits`` are the codes this command can return.
    """

    name: str
    module: str
    summary: str
    exits: Exits
    examples: tuple[tuple[str, str], ...]
    words: tuple[str, ...] = ()


def _group(module: str, exits: Exits, *rows: tuple[str, str, str, str]) -> tuple[Command, ...]:
    """Return the commands of a module that does several: name, summary, example, its purpose."""
    return tuple(
        Command(
            name, module, summary, exits, ((f"midwatch {name} {line}".strip(), purpose),), (name,)
        )
        for name, summary, line, purpose in rows
    )


_ALL = (
    Command(
        "status",
        "status_command",
        "how every model is, once or again and again",
        (
            (0, "no S1, no S2, every model known, every source up"),
            (1, "the worst is an S2"),
            (2, "at least one S1"),
            (3, "no S1 or S2, but a model is unknown, a source is down, or there is no model"),
            *_CONFIG,
        ),
        (
            ("midwatch status", "a table, the worst first"),
            ("midwatch status fraud-scorer --json", "one model, for scripts"),
            (
                "midwatch --prometheus http://prometheus:9090 status --watch --plain",
                "one fact a line at every refresh, without a configuration",
            ),
        ),
    ),
    Command(
        "check",
        "check_command",
        "validate the configuration, sources and secrets",
        ((0, "all well"), (1, "something that is named does not answer or fit"), *_CONFIG),
        (
            ("midwatch check", "validate, then ask every source, control and secret"),
            ("midwatch check --offline", "validate only, for a pipeline without the network"),
        ),
    ),
    Command(
        "incidents",
        "incidents_command",
        "what alerts fire, grouped by what they share",
        (
            (0, "none is firing and all is known; show, --held: printed"),
            (1, "the worst is an S2; show: nobody knows that incident"),
            (2, "at least one S1 fires"),
            (3, "a source or a place for alerts is away, or a severity is not understood"),
            *_CONFIG,
        ),
        (
            ("midwatch incidents", "a table, the most urgent first"),
            (
                "midwatch incidents show fraud-scorer",
                "one as a whole: timeline, impact, what is left",
            ),
            ("midwatch incidents --held", "what people have, the oldest first"),
        ),
    ),
    *_group(
        "incident_verbs_command",
        _ACTS,
        (
            "ack",
            "take an incident: it has an owner, an age and an end",
            'fraud-scorer --ttl 1h --reason "looking at the feature store"',
            "yours for an hour",
        ),
        (
            "release",
            "let an incident go that somebody has",
            'fraud-scorer --reason "handed to ben"',
            "nobody has it any more",
        ),
        (
            "snooze",
            "look at an incident later",
            "fraud-scorer --ttl 30m",
            "out of sight for 30 min",
        ),
        (
            "escalate",
            "call somebody for help through the declared control",
            "fraud-scorer --to ben",
            "what was sent to whom, or that nobody was called",
        ),
        (
            "merge",
            "put an incident into the one it belongs to",
            'kyc-vision --into dep:feature-store-eu --reason "same cause"',
            "one incident from two",
        ),
        (
            "severity",
            "give an incident another level",
            'churn-ranker S3 --reason "batch traffic only"',
            "its level by a person's judgement",
        ),
        (
            "note",
            "write something down about an incident, or a change of the world",
            '--change "features v7 rolled out" --about fraud-scorer --at 10m',
            "a change ten minutes ago",
        ),
        (
            "close",
            "close an incident: was its page useful, what was decided",
            "fraud-scorer --verdict useful --decision HOLD",
            "over, nothing to retrain",
        ),
    ),
    Command(
        "init",
        "init_command",
        "look what is there and write a commented configuration",
        _WRITES_FILE,
        (
            (
                "midwatch init --prometheus http://prometheus:9090 -o config.toml",
                "discover, then write; never replaces a file without --force",
            ),
        ),
    ),
    Command(
        "demo",
        "demo_command",
        "a simulated fleet and the console on it, nothing needed",
        ((0, "ended"), (1, "it could not be started"), *_USAGE),
        (
            ("midwatch demo", "the console on twelve simulated models"),
            ("midwatch demo --scenario outage", "a feature store fails after five seconds"),
            (
                "midwatch demo --serve --port 9400 > demo.toml",
                "only the services, and a configuration",
            ),
        ),
    ),
    Command(
        "plot",
        "plot_command",
        "a chart of one signal in the shell",
        _READS,
        (("midwatch plot fraud-scorer latency_p95 --range 6h", "the last six hours"),),
    ),
    Command(
        "cost",
        "cost_command",
        "what every model spent, where the month ends, what changed",
        (
            (0, "printed, and the spend of every model is known"),
            (1, "nobody's spend is known, or nothing can be read"),
            (3, "printed, but the spend of some model is not known"),
            *_CONFIG,
        ),
        (
            ("midwatch cost", "every model: today, month, forecast, budget, waste, changes"),
            ("midwatch cost --by team --month 2026-11 --csv", "a month gone by, for a bill"),
        ),
    ),
    Command(
        "reference",
        "reference_command",
        "freeze score shares to measure drift by",
        _WRITES_FILE,
        (
            (
                'midwatch reference fraud-scorer -o refs/fraud.json --range 7d --note "before v9"',
                "a week of normal traffic as the reference",
            ),
        ),
    ),
    *_group(
        "control_command",
        _ACTS,
        (
            "trip",
            "force a breaker open: every call is refused",
            'dep:feature-store-eu --reason "it times out" --ttl 15m',
            "asks, sends, reads back",
        ),
        (
            "half-open",
            "let a breaker probe",
            'fraud-scorer --reason "store is back"',
            "ten probes decide",
        ),
        (
            "reset",
            "force a breaker closed: every call passes",
            'fraud-scorer --reason "probes are blocked"',
            "asks for the name: it is class C2",
        ),
        (
            "disable",
            "let a breaker refuse nothing: unprotected",
            'fraud-scorer --reason "breaker misjudges probes" --ttl 15m',
            "asks for the name: calls are unprotected meanwhile",
        ),
        (
            "watch",
            "let a breaker count failures and refuse nothing",
            'fraud-scorer --reason "new thresholds" --ttl 4h',
            "to see what it would have done",
        ),
        (
            "fallback",
            "let another rung of the ladder answer",
            'fraud-scorer --to fraud-small --reason "store is out" --dry-run',
            "only shows what it would do",
        ),
        (
            "human",
            "let people answer every request",
            'doc-extract --reason "scores look wrong" --ttl 1h',
            "for an hour",
        ),
        (
            "restore",
            "let the model itself answer again",
            'fraud-scorer --reason "store is back"',
            "back to the first rung",
        ),
        (
            "rollback",
            "let the version before serve again",
            'fraud-scorer --reason "v9 drifts" --yes',
            "without a question, for a script",
        ),
        (
            "threshold",
            "move the confidence threshold for human review",
            'doc-extract 0.8 --reason "more to people" --ttl 4h',
            "less sure than 0.8 goes to people",
        ),
    ),
    *_group(
        "overrides_command",
        _ACTS,
        ("overrides", "what is held by hand, whose, and when it ends", "--json", "for scripts"),
        (
            "renew",
            "give an override another end",
            '7QK2M4 --ttl 1h --reason "still out"',
            "by the last letters of its operation",
        ),
        (
            "end",
            "end an override now, in its safe state",
            'fraud-scorer --reason "store is back"',
            "by its target",
        ),
        (
            "undo",
            "go back to the state seen before an action",
            '7QK2M4 --reason "wrong model"',
            "by the last letters of its operation",
        ),
        (
            "resolve",
            "say what is true of an action that could not be verified",
            '7QK2M4 --as applied --reason "seen on the pod"',
            "unlocks its target",
        ),
        (
            "approve",
            "confirm, as the second person, what waits for one",
            '7QK2M4 --reason "agreed"',
            "shows what is asked, then asks you",
        ),
    ),
    Command(
        "decide",
        "decide_command",
        "write a retraining decision, its evidence frozen",
        (
            (0, "written, and sent where it was to be sent"),
            (1, "not written"),
            (4, "written, but what was sent cannot be read back"),
            (5, "written, but waiting for its second person, or not sent on"),
            *_ACTS[4:],
        ),
        (
            (
                'midwatch decide churn-ranker RETRAIN --reason "drifts for hours" --review-by 14d',
                "on the record, with the numbers as they are now",
            ),
        ),
    ),
    Command(
        "decisions",
        "decisions_command",
        "what was decided, what is due, what came of it",
        _ACTS,
        (
            ("midwatch decisions --due", "overdue, or due in the next seven days"),
            (
                'midwatch decisions close 7QK2M4 --outcome "recall is back at 0.91"',
                "what came of it",
            ),
        ),
    ),
    Command(
        "handover",
        "handover_command",
        "what this shift leaves to the next, accepted by name",
        (
            (0, "printed, written or accepted"),
            (1, "cancelled, or the journal cannot be used"),
            *_ACTS[4:],
        ),
        (
            ("midwatch handover --since 8h --to ben --edit", "in your editor, then written"),
            ("midwatch handover --accept", "from the next person's login"),
        ),
    ),
    Command(
        "postmortem",
        "postmortem_command",
        "an incident after the fact, told without blame",
        ((0, "written"), (1, "nobody knows that incident, or not written"), *_CONFIG),
        (
            (
                "midwatch postmortem dep:feature-store-eu -o postmortem.md",
                "as Markdown, roles for names",
            ),
        ),
    ),
    Command(
        "failures",
        "failures_command",
        "every spell in which a model failed, over a span",
        _WRITES_FILE,
        (("midwatch failures fraud-scorer --since 7d", "with what came before and what was done"),),
    ),
    Command(
        "readiness",
        "readiness_command",
        "30 checks from live evidence; proofs that end; the sign-off",
        (
            (0, "printed, every gate of tier 1 is open; or written"),
            (1, "a gate of tier 1 failed or its proof expired; or nothing was written"),
            (3, "a gate of tier 1 could not be looked at"),
            (5, "signed off, but waiting for its second person"),
            (7, "refused: a closed gate, no other approver, or a check nobody can attest"),
            (8, 'writes = "never"'),
            *_CONFIG,
        ),
        (
            ("midwatch readiness fraud-scorer", "its gaps first, then what proves the rest"),
            ("midwatch readiness --markdown -o review.md", "the review, for an auditor"),
            (
                'midwatch readiness attest 20 fraud-scorer --evidence load.pdf --reason "2x peak"',
                "a proof with the file's hash and an end",
            ),
            (
                'midwatch readiness sign-off fraud-scorer --approver joel --reason "release 41"',
                "freezes all evidence; joel approves from his own login",
            ),
        ),
    ),
    Command(
        "drill",
        "drill_command",
        "an action and its way back on purpose, in the record",
        _ACTS,
        (
            (
                'midwatch drill fraud-scorer breaker --reason "monthly drill"',
                "there, held, and back",
            ),
            ("midwatch drill --due", "what was never drilled, failed, or is due again"),
        ),
    ),
    *_group(
        "record_command",
        ((0, "kept or shown"), (1, "there is nothing in it, or it cannot be read"), *_CONFIG),
        (
            "record",
            "keep every tick of the console in a file",
            "night.mwr --for 8h",
            "eight hours from now on, without names",
        ),
        (
            "replay",
            "show a recording as if it were now",
            "night.mwr --speed 30 --at 03:12",
            "30 times as fast, from 03:12 UTC on",
        ),
    ),
    Command(
        "keep",
        "keep_command",
        "end overrides when they are due; the headless keeper",
        (
            (0, "ended on a signal; --once: nothing is overdue"),
            (1, "--once: something stays overdue"),
            (8, 'writes = "never"'),
            *_CONFIG,
        ),
        (
            ("midwatch keep", "until SIGTERM; deploy/systemd has a unit"),
            ("midwatch keep --once", "one look, for a timer"),
        ),
    ),
    Command(
        "lease",
        "lease_command",
        "who acts on what now, and breaking what holds on",
        (
            (0, "shown, or broken"),
            (1, "cancelled, or the journal cannot be used"),
            (7, "refused: it is in force, or nobody has it"),
            (8, 'writes = "never"'),
            *_CONFIG,
        ),
        (
            ("midwatch lease show", "every lease, its holder and whether it counts"),
            (
                'midwatch lease break fraud-scorer --reason "host is gone"',
                "asks, then writes it down",
            ),
        ),
    ),
    Command(
        "journal",
        "journal_command",
        "list, show, verify, export or prune the record",
        (
            (0, "done, or the chain is whole"),
            (1, "the chain is broken, or it cannot be used"),
            *_CONFIG,
        ),
        (
            (
                "midwatch journal list --since 12h",
                "the newest entries, with the id of each operation",
            ),
            ("midwatch journal show 7QK2M4", "one operation as a whole"),
            ("midwatch journal verify", "proves that the record is whole"),
        ),
    ),
    Command(
        "profiles",
        "profiles_command",
        "what is known of model servers; a profile tried out",
        (
            (0, "printed; test: recognised, and every signal has a value"),
            (1, "there is none of that name; test: not recognised, or something is missing"),
            *_CONFIG,
        ),
        (
            ("midwatch profiles list", "all, your own with their files"),
            ("midwatch profiles show vllm --toml > my.toml", "a file to start from"),
            (
                "midwatch profiles test my.toml --scrape http://host:8000/metrics",
                "every signal with PromQL, value, or what is missing",
            ),
        ),
    ),
    Command(
        "lint-metrics",
        "lint_command",
        "say which signals a /metrics endpoint gives",
        ((0, "a profile is recognised"), (1, "none is, or it cannot be read"), *_USAGE),
        (
            (
                "midwatch lint-metrics http://127.0.0.1:8000/metrics",
                "given, missing, and what to add",
            ),
        ),
    ),
    Command(
        "secret",
        "secret_command",
        "set, test or list secrets; never prints a value",
        ((0, "well"), (1, "a secret cannot be read or stored"), (8, 'writes = "never"'), *_CONFIG),
        (
            (
                "midwatch secret set keyring:midwatch/prometheus",
                "asks for the value without an echo",
            ),
            ("midwatch secret test", "looks every reference up"),
        ),
    ),
    Command(
        "completion",
        "completion_command",
        "the script that completes commands in a shell",
        ((0, "printed"), *_USAGE),
        (
            ('eval "$(midwatch completion bash)"', "in ~/.bashrc"),
            ("midwatch completion fish | source", "in ~/.config/fish/config.fish"),
        ),
    ),
)

COMMANDS = {command.name: command for command in _ALL}

CONSOLE_EXAMPLES = (
    ("midwatch", "the console on what the configuration names"),
    ("midwatch --prometheus http://prometheus:9090", "the console without a configuration"),
    ("midwatch demo", "the console on a simulated fleet"),
)


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
            *(f"{line:<48}{purpose}" for line, purpose in CONSOLE_EXAMPLES),
            "",
            "midwatch COMMAND --help says more, with examples and exit codes.",
        ]
    )


def epilog(name: str) -> str:
    """Return what ``--help`` of one command ends with: its examples and its exit codes."""
    command = COMMANDS[name]
    examples = [
        text for line, purpose in command.examples for text in (f"  {line}", f"      {purpose}")
    ]
    exits = [f"  {code:<4}{text}" for code, text in command.exits]
    return "\n".join(["examples:", *examples, "", "exit codes:", *exits])
