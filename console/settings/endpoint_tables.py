"""Configuration tables of sources, alert servers, credentials and controls."""

from typing import Annotated, Literal

from msgspec import Struct, field

from console.settings.field_meta import Key

SourceKind = Literal["prometheus", "scrape"]
AlertKind = Literal["alertmanager", "prometheus", "pagerduty"]
ChangeKind = Literal["grafana"]
AuthType = Literal["none", "basic", "bearer", "header", "mtls", "path", "body"]

DEFAULT_TIMEOUT_SECONDS = 8.0
PAGERDUTY_URL = "https://api.pagerduty.com"


class AuthSettings(Struct, frozen=True):
    """How one endpoint wants the caller to prove itself; secrets stand here as references only."""

    type: Annotated[AuthType, Key("Which proof the server asks for.")] = "none"
    secret: Annotated[
        str | None,
        Key(
            "Reference to the password, token or header value; for `mtls` the key's passphrase, "
            "for `path` the secret path (or whole address) of a webhook, for `body` a field of "
            "the JSON body.",
            "secret",
        ),
    ] = None
    username: Annotated[str | None, Key("User name for `basic`.")] = None
    header: Annotated[
        str | None,
        Key("Header name for `header`, for example `X-Api-Key`; for `body` the field's name."),
    ] = None
    prefix: Annotated[
        str, Key("Text before the secret in the header's value, for example `Token token=`.")
    ] = ""
    cert_file: Annotated[str | None, Key("Client certificate for `mtls`, a PEM file.", "path")] = (
        None
    )
    key_file: Annotated[
        str | None,
        Key("Private key for `mtls`, a PEM file that only its owner can read.", "path"),
    ] = None


class Reach(Struct, frozen=True, kw_only=True):
    """How a server is reached, whatever is read there."""

    auth: Annotated[AuthSettings | None, Key("Authentication.")] = None
    tenant: Annotated[str | None, Key("Sent as the X-Scope-OrgID header.")] = None
    timeout_seconds: Annotated[
        float, Key("Total time one request may take.", "duration", low=0.1, high=300)
    ] = field(name="timeout", default=DEFAULT_TIMEOUT_SECONDS)
    proxy: Annotated[str | None, Key("HTTP proxy for this server.", "proxy_url")] = None
    ca_file: Annotated[
        str | None, Key("PEM file with the authority that signs the server.", "path")
    ] = None
    headers: Annotated[dict[str, str], Key("More request headers; no secrets here.")] = field(
        default_factory=dict
    )


class SourceSettings(Reach, frozen=True):
    """A place numbers come from: a server with the Prometheus API, or `/metrics` endpoints."""

    name: Annotated[str, Key("Unique name, shown in the header.", "name")]
    kind: Annotated[
        SourceKind,
        Key("`prometheus` (also Thanos, Mimir, VictoriaMetrics), or `scrape` of /metrics."),
    ]
    url: Annotated[str | None, Key("Base URL of the server.", "base_url")] = None
    urls: Annotated[
        tuple[str, ...],
        Key("Base URLs of high-availability replicas of ONE server, instead of `url`.", "base_url"),
    ] = ()
    targets: Annotated[
        tuple[str, ...], Key("The /metrics URLs of a `scrape` source.", "target_url")
    ] = ()
    drop_labels: Annotated[
        tuple[str, ...],
        Key("Labels that only tell copies of a high-availability pair apart; one copy counts."),
    ] = ()
    ha: Annotated[
        bool, Key("Whether it is a copy of the others with `ha`: one is asked, the next stands by.")
    ] = False
    fallback: Annotated[
        str | None,
        Key(
            "Another source to use while this one is away, or `direct`: its last targets are read.",
            "reference",
            refers_to=("sources",),
            words=("direct",),
        ),
    ] = None


class AlertSettings(Reach, frozen=True):
    """A place alerts come from; an Alertmanager or PagerDuty is told who has an incident."""

    name: Annotated[str, Key("Unique name.", "name")]
    kind: Annotated[AlertKind, Key("Which API is read.")]
    url: Annotated[str | None, Key("Base URL of the server.", "base_url")] = None
    urls: Annotated[
        tuple[str, ...],
        Key("Base URLs of the members of ONE cluster, instead of `url`.", "base_url"),
    ] = ()
    labels: Annotated[
        dict[str, str | tuple[str, ...]],
        Key(
            "Which alert label, or the first of which, names the model, the dependency, the "
            "service, the severity.",
            keys=("model", "dependency", "service", "severity"),
        ),
    ] = field(default_factory=dict)
    severity: Annotated[
        dict[str, str], Key("Your words for how bad an alert is: word = S1, S2, S3 or S4.")
    ] = field(default_factory=dict)
    writes: Annotated[
        bool,
        Key("Whether an acknowledgement is told: to an Alertmanager as a short silence."),
    ] = True
    user: Annotated[
        str | None, Key("The e-mail address of the PagerDuty user in whose name it is told.")
    ] = None
    ack_silence_seconds: Annotated[
        float,
        Key(
            "How long such a silence is; it is renewed while somebody holds the incident.",
            "duration",
            low=5,
            high=3600,
        ),
    ] = field(name="ack_silence", default=600.0)


class ChangeSettings(Reach, frozen=True):
    """A place that tells of deploys and configuration changes; it is only ever read."""

    name: Annotated[str, Key("Unique name.", "name")]
    kind: Annotated[ChangeKind, Key("Which API is read: Grafana's annotations.")]
    url: Annotated[str | None, Key("Base URL of the server.", "base_url")] = None
    urls: Annotated[
        tuple[str, ...],
        Key("Base URLs of replicas of ONE server, instead of `url`.", "base_url"),
    ] = ()
    tags: Annotated[
        tuple[str, ...], Key("Only annotations that carry all of these tags; empty: every one.")
    ] = ()


Served = SourceSettings | AlertSettings | ChangeSettings
"""Everything that is asked of a server at a base URL."""


class RegistrySettings(Struct, frozen=True):
    """Where the versions of a model are registered: an MLflow registry, only ever read."""

    url: Annotated[str, Key("Base URL of the MLflow server.", "base_url")]
    name: Annotated[str | None, Key("The registered model; default: the model's name.")] = None
    alias: Annotated[
        str | None, Key("The alias that servers load by; default: the version that serves.")
    ] = None
    auth: Annotated[AuthSettings | None, Key("Authentication.")] = None
    timeout_seconds: Annotated[
        float, Key("Total time one request may take.", "duration", low=0.1, high=300)
    ] = field(name="timeout", default=DEFAULT_TIMEOUT_SECONDS)
    ca_file: Annotated[
        str | None, Key("PEM file with the authority that signs the server.", "path")
    ] = None


Driver = Literal["http", "alertmanager", "exec", "local"]
ControlKind = Literal[
    "breaker", "route", "fallback", "threshold", "human", "ack", "annotate", "escalate"
]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
Danger = Literal["outage", "degrade", "safe"]
RetryClass = Literal["A", "B", "C"]


class ControlTimeouts(Struct, frozen=True):
    """Deadlines of one request, in seconds as plain numbers or durations."""

    connect_seconds: Annotated[
        float, Key("To open the connection.", "seconds", low=0.05, high=60)
    ] = field(name="connect", default=2.0)
    read_seconds: Annotated[
        float, Key("Between two pieces of the answer.", "seconds", low=0.05, high=300)
    ] = field(name="read", default=5.0)
    total_seconds: Annotated[
        float, Key("For the whole request.", "seconds", low=0.05, high=600)
    ] = field(name="total", default=8.0)


class ControlMissing(Struct, frozen=True):
    """Which answers mean that the thing is not there, rather than that reading failed."""

    status: Annotated[tuple[int, ...], Key("HTTP statuses.", "number", low=100, high=599)] = ()
    means: Annotated[str, Key("The state to show then.")] = "absent"


class ControlRead(Struct, frozen=True):
    """How the present state is read; used before, between and after every change."""

    method: Annotated[Method, Key("HTTP method.")] = "GET"
    path: Annotated[
        str | None, Key("Path under the target; `{name}` takes a variable.", "path_template")
    ] = None
    argv: Annotated[
        tuple[str, ...], Key("Program and arguments of an `exec` control.", "argv")
    ] = ()
    headers: Annotated[dict[str, str], Key("More request headers.")] = field(default_factory=dict)
    exists: Annotated[
        str | None, Key("JMESPath that must be true, so that a misspelt name is seen.")
    ] = None
    value: Annotated[str | None, Key("JMESPath of the state in the answer.")] = None
    missing: Annotated[ControlMissing | None, Key("Answers that mean absence.")] = None
    ok: Annotated[
        tuple[int, ...], Key("HTTP statuses that are an answer.", "number", low=100, high=599)
    ] = (200,)


class ControlVerify(Struct, frozen=True):
    """How the world is read back after a change."""

    every_seconds: Annotated[float, Key("Pause between reads.", "seconds", low=0.1, high=60)] = (
        field(name="every", default=1.0)
    )
    within_seconds: Annotated[float, Key("When to give up.", "seconds", low=0.1, high=3600)] = (
        field(name="within", default=30.0)
    )
    stable_for: Annotated[
        int, Key("Reads in a row that must agree.", "number", low=1, high=100)
    ] = 2


class ControlAction(Struct, frozen=True):
    """One change the control can make."""

    desired: Annotated[tuple[str, ...], Key("States that prove success.")] = ()
    label: Annotated[str | None, Key("What the dialog calls it.")] = None
    danger: Annotated[Danger, Key("What it may cost.")] = "outage"
    retry_class: Annotated[
        RetryClass, Key("A sets a state, B creates with a key, C creates without one.")
    ] = field(name="class", default="C")
    from_states: Annotated[tuple[str, ...], Key("States it may start from; empty: any.")] = field(
        name="from", default=()
    )
    method: Annotated[Method, Key("HTTP method.")] = "POST"
    path: Annotated[
        str | None, Key("Path under the target; `{name}` takes a variable.", "path_template")
    ] = None
    argv: Annotated[
        tuple[str, ...], Key("Program and arguments of an `exec` control.", "argv")
    ] = ()
    query: Annotated[dict[str, str], Key("Query parameters; `${name}` takes a variable.")] = field(
        default_factory=dict
    )
    json: Annotated[
        object, Key("JSON body; `${name}` takes a variable, its type kept.", "free")
    ] = None
    form: Annotated[dict[str, str], Key("Form body.")] = field(default_factory=dict)
    content_type: Annotated[str | None, Key("Content-Type, where the server wants its own.")] = None
    headers: Annotated[dict[str, str], Key("More request headers; `${name}` takes a variable.")] = (
        field(default_factory=dict)
    )
    idempotency_header: Annotated[str | None, Key("Header that carries the operation's id.")] = None
    if_match: Annotated[str, Key("`none`, `etag`, or `jmespath:EXPRESSION`.")] = "none"
    ok: Annotated[
        tuple[int, ...], Key("HTTP statuses of success.", "number", low=100, high=599)
    ] = (200,)
    rejected: Annotated[
        tuple[int, ...],
        Key("HTTP statuses that prove nothing changed.", "number", low=100, high=599),
    ] = (400, 401, 403, 404, 409, 412, 422)
    accept: Annotated[str | None, Key("JMESPath on the answer, a hint and never the verdict.")] = (
        None
    )
    verify: Annotated[ControlVerify | None, Key("Reading back.")] = None


class ControlSettings(Struct, frozen=True):
    """One thing that can be read and changed; models name it, never the other way."""

    driver: Annotated[Driver, Key("Who carries it out.")]
    kind: Annotated[ControlKind | None, Key("What it controls.")] = None
    preset: Annotated[str | None, Key("A shipped declaration to start from.")] = None
    targets: Annotated[
        tuple[str, ...], Key("Base URLs; every change goes to each.", "base_url")
    ] = ()
    targets_from: Annotated[
        dict[str, str], Key("Where to find the targets instead.", keys=("promql", "dns"))
    ] = field(default_factory=dict)
    auth: Annotated[AuthSettings | None, Key("Authentication.")] = None
    tenant: Annotated[str | None, Key("Sent as the X-Scope-OrgID header.")] = None
    timeouts: Annotated[ControlTimeouts | None, Key("Deadlines.")] = None
    allow_plaintext: Annotated[bool, Key("Allow http:// beyond this host.")] = False
    vars: Annotated[dict[str, object], Key("Variables of the declaration.", "free")] = field(
        default_factory=dict
    )
    read: Annotated[ControlRead | None, Key("Reading the state.")] = None
    actions: Annotated[dict[str, ControlAction], Key("The changes it can make.")] = field(
        default_factory=dict
    )
