"""The typed shape of the configuration file: one Struct a table, one annotated field a key.

A field's name carries its unit (``refresh_seconds``); where the key in the file is shorter,
``field(name=…)`` says so. ``Key`` marks hold what a type cannot: kind, bounds, and the
sentence that becomes the docs.
"""

from datetime import tzinfo
from typing import Annotated, Literal

from msgspec import Struct, field

from console.domain.distribution import DriftReference
from console.domain.shift import DEFAULT_SHIFT_ENDS, next_shift_end, zone_named
from console.settings.endpoint_tables import (
    AlertSettings,
    AuthSettings,
    ChangeSettings,
    ControlSettings,
    RegistrySettings,
    SourceSettings,
)
from console.settings.field_meta import Key

WritesMode = Literal["never", "armed", "open"]
ThemeName = Literal["dark", "light", "high-contrast", "colour-blind", "ansi", "mono"]
PaneName = Literal["latency", "confidence", "drift", "cost"]
Level = Literal["L1", "L2", "L3", "L4", "L5"]

MODEL_CONTROL_ROLES = ("breaker", "route", "threshold", "human", "escalate")
DEPENDENCY_CONTROL_ROLES = ("breaker", "escalate")
DECISION_SINKS = ("tags", "alias", "annotate", "retrain")
LINEAGE_LINKS = ("version", "data_snapshot", "code", "trained_at", "approver")

DEFAULT_REFRESH_SECONDS = 5.0
DEFAULT_JOURNAL_KEEP_SECONDS = 183 * 86400.0
SHIFT_END = "shift-end"
"""What is said instead of a duration for an end with the shift."""
DEFAULT_JOURNAL_URL = "sqlite:///~/.local/state/midwatch/journal.db"

__all__ = [
    "AlertSettings",
    "AnchorSettings",
    "AuthSettings",
    "ChangeSettings",
    "ConfidenceSettings",
    "ControlSettings",
    "CostSettings",
    "DependencySettings",
    "DriftSettings",
    "FallbackSettings",
    "InterventionSettings",
    "JournalSettings",
    "LatencySloSettings",
    "ModelSettings",
    "OncallSettings",
    "OperatorSettings",
    "ReadinessSettings",
    "RegistrySettings",
    "ReviewSettings",
    "Settings",
    "ShiftSettings",
    "SloSettings",
    "SourceSettings",
]


class AnchorSettings(Struct, frozen=True):
    """A witness that whoever can write the journal cannot write; a file, or a URL."""

    file: Annotated[str | None, Key("File that only grows, best on another host.", "path")] = None
    url: Annotated[
        str | None, Key("URL that takes heads by POST and gives them back by GET.", "target_url")
    ] = None
    secret: Annotated[str | None, Key("Reference to the URL's bearer token.", "secret")] = None
    every_seconds: Annotated[
        float, Key("How often `midwatch keep` anchors.", "duration", low=1, high=86400)
    ] = field(name="every", default=300.0)


class JournalSettings(Struct, frozen=True):
    """Where the record is kept."""

    url: Annotated[
        str,
        Key("`sqlite:///PATH` for one host, `postgresql://…` for a team.", "journal_url"),
    ] = DEFAULT_JOURNAL_URL
    secret: Annotated[str | None, Key("Reference to the database password.", "secret")] = None
    keep_seconds: Annotated[float, Key("How long entries are kept.", "duration", low=86400)] = (
        field(name="keep", default=DEFAULT_JOURNAL_KEEP_SECONDS)
    )
    anchor: Annotated[
        AnchorSettings | None, Key("Where the head's hash is kept, to prove the end.")
    ] = None


class OperatorSettings(Struct, frozen=True):
    """Who sits at the console."""

    name: Annotated[
        str, Key("Name written into the record: plain text, or `env:NAME`.", "operator")
    ] = "env:USER"


class ShiftSettings(Struct, frozen=True):
    """When people hand over; "shift end" means these times wherever an end is chosen."""

    ends: Annotated[
        tuple[str, ...], Key("Times of the wall clock at which a shift ends.", "clock_time")
    ] = DEFAULT_SHIFT_ENDS
    zone: Annotated[
        str | None, Key("Zone of these times; left out, the machine's own.", "time_zone")
    ] = None

    def next_end(self, now: float, own_zone: tzinfo | None = None) -> float:
        """Return when the next shift ends, in Unix seconds; ``own_zone`` None is the machine's."""
        return next_shift_end(now, self.ends, zone_named(self.zone) or own_zone)


class ReadinessSettings(Struct, frozen=True):
    """What readiness asks of every model, and when drills may begin."""

    model_age_seconds: Annotated[
        float, Key("Oldest the training of a version that serves may be.", "duration", low=86400)
    ] = field(name="model_age", default=180 * 86400.0)
    drill_hours: Annotated[
        tuple[str, ...],
        Key(
            "From when to when drills may begin, in the shift's zone; empty: any time.",
            "clock_time",
        ),
    ] = ()
    drill_budget: Annotated[
        float, Key("Share of the error budget that must be left for a drill.", "ratio")
    ] = 0.1


class OncallSettings(Struct, frozen=True):
    """Who is called, in order."""

    primary: Annotated[str | None, Key("First person called.")] = None
    secondary: Annotated[str | None, Key("Second person called.")] = None
    escalation: Annotated[tuple[str, ...], Key("Whom to tell after them, in order.")] = ()


class LatencySloSettings(Struct, frozen=True):
    """A latency promise: this share of requests is answered under this time."""

    under_seconds: Annotated[
        float, Key("Threshold, best on a histogram bucket's edge.", "duration", low=0.000_001)
    ] = field(name="under")
    share: Annotated[float, Key("Share of requests that must be faster.", "ratio")] = 0.99


class SloSettings(Struct, frozen=True):
    """What the model promises; without it 99% and the model's own median are used, marked `~`."""

    availability: Annotated[float | None, Key("Share of requests that must succeed.", "ratio")] = (
        None
    )
    latency: Annotated[LatencySloSettings | None, Key("Latency promise.")] = None


class ConfidenceSettings(Struct, frozen=True):
    """When an answer is too unsure."""

    threshold: Annotated[float | None, Key("Answers below it go to human review.", "ratio")] = None
    base: Annotated[
        float | None, Key("Share of answers below the threshold in normal times.", "ratio")
    ] = None


class ReviewSettings(Struct, frozen=True):
    """What the human review queue can take."""

    capacity_per_second: Annotated[
        float | None, Key("Answers the reviewers clear.", "number", unit="1/s", low=0)
    ] = None
    sla_seconds: Annotated[
        float | None, Key("Oldest an unreviewed answer may get.", "duration", low=1)
    ] = field(name="sla", default=None)


class DriftSettings(Struct, frozen=True):
    """What drift is measured against."""

    reference: Annotated[
        DriftReference | None,
        Key("File with the frozen reference distribution.", "drift_reference"),
    ] = None


class CostSettings(Struct, frozen=True):
    """Money."""

    budget_month_usd: Annotated[
        float | None, Key("Budget of a calendar month.", "number", unit="USD", low=0)
    ] = field(name="budget_month", default=None)
    per_1k_requests_usd: Annotated[
        float | None,
        Key("Price of 1000 requests where no cost metric exists.", "number", unit="USD", low=0),
    ] = field(name="per_1k_requests", default=None)


class InterventionSettings(Struct, frozen=True):
    """A written criterion for acting: shown with live values, never run by itself."""

    when: Annotated[
        str, Key("`SIGNAL OPERATOR VALUE [for DURATION]`, operators > >= < <=.", "criterion")
    ]
    do: Annotated[str, Key("The action to consider, as on the command line.", "verb")]


class FallbackSettings(Struct, frozen=True):
    """One rung of the degradation ladder."""

    name: Annotated[str, Key("Unique within the model.", "name")]
    level: Annotated[Level, Key("Rung of the ladder.")] = "L2"
    region: Annotated[str | None, Key("Where it serves; checked against allowed_regions.")] = None
    capacity_per_second: Annotated[
        float | None, Key("What it can take.", "number", unit="requests/s", low=0)
    ] = field(name="capacity", default=None)


class ModelSettings(Struct, frozen=True):
    """What the operator knows about one model; every key is optional."""

    match: Annotated[
        dict[str, str] | tuple[dict[str, str], ...] | None,
        Key(
            "Labels that select the model's series; default `{ model = NAME }`. A list joins what "
            "any of its tables selects into one row."
        ),
    ] = None
    profile: Annotated[str | None, Key("Metrics profile; found by itself when left out.")] = None
    tier: Annotated[
        int, Key("1 is the most important, 3 lowers S1 to S2.", "number", low=1, high=3)
    ] = 2
    region: Annotated[str | None, Key("Where the model serves.")] = None
    allowed_regions: Annotated[tuple[str, ...], Key("Where its data may go; empty: anywhere.")] = ()
    consent: Annotated[str | None, Key("Basis on which the data is used.")] = None
    fails_closed: Annotated[bool, Key("Whether no answer means a safe refusal.")] = False
    source: Annotated[
        str | None,
        Key("Which source, where several offer the model.", "reference", refers_to=("sources",)),
    ] = None
    owner: Annotated[str | None, Key("Owning team.")] = None
    oncall: Annotated[OncallSettings | None, Key("Who is called.")] = None
    runbook: Annotated[str | None, Key("URL of the runbook.", "target_url")] = None
    dependencies: Annotated[
        tuple[str, ...],
        Key(
            "What the model needs: names of [dependencies] or of other models.",
            "reference",
            refers_to=("dependencies", "models"),
        ),
    ] = ()
    slo: Annotated[SloSettings | None, Key("Promises.")] = None
    confidence: Annotated[ConfidenceSettings | None, Key("When an answer is too unsure.")] = None
    review: Annotated[ReviewSettings | None, Key("Human review queue.")] = None
    drift: Annotated[DriftSettings | None, Key("Drift reference.")] = None
    cost: Annotated[CostSettings | None, Key("Money.")] = None
    signals: Annotated[
        dict[str, str],
        Key(
            "Own PromQL a signal; placeholders $window, $match, and $$ for a dollar.",
            "promql",
            signal_keys=True,
        ),
    ] = field(default_factory=dict)
    intervene: Annotated[tuple[InterventionSettings, ...], Key("Written criteria for acting.")] = ()
    controls: Annotated[
        dict[str, str],
        Key(
            "Which control does what.",
            "reference",
            refers_to=("controls",),
            keys=MODEL_CONTROL_ROLES,
        ),
    ] = field(default_factory=dict)
    decisions: Annotated[
        dict[str, str],
        Key(
            "Which control a decision is sent on to: registry tags and alias, an annotation, the "
            "start of the retraining.",
            "reference",
            refers_to=("controls",),
            keys=DECISION_SINKS,
        ),
    ] = field(default_factory=dict)
    registry: Annotated[
        RegistrySettings | None, Key("Where its versions are registered; only read.")
    ] = None
    lineage: Annotated[
        dict[str, str],
        Key("Links of the lineage known by hand, for what nothing else says.", keys=LINEAGE_LINKS),
    ] = field(default_factory=dict)
    fallbacks: Annotated[tuple[FallbackSettings, ...], Key("The ladder, best first.")] = ()

    @property
    def matches(self) -> tuple[dict[str, str], ...]:
        """Return the tables of labels that ``match`` gives, none where it is left out."""
        if self.match is None:
            return ()
        return (self.match,) if isinstance(self.match, dict) else self.match

    @property
    def labels(self) -> dict[str, str]:
        """Return the labels that select the row's series: those of the first table."""
        return next(iter(self.matches), {})


class DependencySettings(Struct, frozen=True):
    """Something models share: a gateway, a feature store, a provider."""

    owner: Annotated[str | None, Key("Owning team.")] = None
    match: Annotated[
        dict[str, str] | None,
        Key("Labels that select its series; default `{ dependency = NAME }`."),
    ] = None
    controls: Annotated[
        dict[str, str],
        Key(
            "Which control does what.",
            "reference",
            refers_to=("controls",),
            keys=DEPENDENCY_CONTROL_ROLES,
        ),
    ] = field(default_factory=dict)


class Settings(Struct, frozen=True):
    """Everything the operator declared, with flags, environment and defaults already applied."""

    version: Annotated[int, Key("Version of this file's format.", "number", low=1, high=1)] = 1
    environment: Annotated[str, Key("Name in the header; `prod…` looks different.", "name")] = (
        "default"
    )
    writes: Annotated[
        WritesMode,
        Key("`never`: nothing can raise it; `armed`: each console session must arm first; `open`."),
    ] = "armed"
    refresh_seconds: Annotated[
        float, Key("Pause between two looks at the fleet.", "duration", low=1, high=3600)
    ] = field(name="refresh", default=DEFAULT_REFRESH_SECONDS)
    theme: Annotated[ThemeName, Key("Colours.")] = "dark"
    ascii: Annotated[bool, Key("Draw with ASCII characters only.")] = False
    mouse: Annotated[
        bool, Key("Listen to the mouse; off, the terminal keeps its own selection.")
    ] = False
    panes: Annotated[
        tuple[PaneName, ...], Key("Live panes to show; their order is always the same.")
    ] = ("latency", "confidence", "drift", "cost")
    profiles: Annotated[
        tuple[str, ...],
        Key("Own profiles, `file:PATH` each, beside those in the folder `profiles`.", "own_file"),
    ] = ()
    operator: Annotated[OperatorSettings, Key("Who sits at the console.")] = OperatorSettings()
    sources: Annotated[
        tuple[SourceSettings, ...], Key("Where numbers come from; the first has precedence.")
    ] = ()
    alerts: Annotated[tuple[AlertSettings, ...], Key("Where alerts come from.")] = ()
    changes: Annotated[
        tuple[ChangeSettings, ...], Key("Where deploys and configuration changes are told.")
    ] = ()
    shift: Annotated[ShiftSettings, Key("When shifts end.")] = ShiftSettings()
    journal: Annotated[JournalSettings, Key("Where the record is kept.")] = JournalSettings()
    readiness: Annotated[ReadinessSettings, Key("What readiness asks of every model.")] = (
        ReadinessSettings()
    )
    models: Annotated[dict[str, ModelSettings], Key("What is known about each model.")] = field(
        default_factory=dict
    )
    dependencies: Annotated[dict[str, DependencySettings], Key("What models share.")] = field(
        default_factory=dict
    )
    controls: Annotated[dict[str, ControlSettings], Key("What can be read and changed.")] = field(
        default_factory=dict
    )
    escalate: Annotated[
        str | None,
        Key(
            "The control that calls somebody for an incident, where its model names no other.",
            "reference",
            refers_to=("controls",),
        ),
    ] = None
    keymap: Annotated[
        dict[str, str], Key("Own keys: action id to key names, comma-separated.", "keys")
    ] = field(default_factory=dict)
