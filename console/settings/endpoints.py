"""The tables that say where numbers and alerts are read, and how one proves oneself there."""

from typing import Annotated, Literal

from msgspec import Struct, field

from console.settings.marks import Key

SourceKind = Literal["prometheus", "scrape"]
AlertKind = Literal["alertmanager", "prometheus", "pagerduty"]
ChangeKind = Literal["grafana"]
AuthType = Literal["none", "basic", "bearer", "header", "mtls"]

DEFAULT_TIMEOUT_SECONDS = 8.0


class AuthSettings(Struct, frozen=True):
    """How one endpoint wants the caller to prove itself; secrets stand here as references only."""

    type: Annotated[AuthType, Key("Which proof the server asks for.")] = "none"
    secret: Annotated[
        str | None,
        Key(
            "Reference to the password, token or header value; for `mtls` the key's passphrase.",
            "secret",
        ),
    ] = None
    username: Annotated[str | None, Key("User name for `basic`.")] = None
    header: Annotated[str | None, Key("Header name for `header`, for example `X-Api-Key`.")] = None
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
    fallback: Annotated[
        str | None,
        Key("Another source to use while this one is away.", "reference", refers_to=("sources",)),
    ] = None


class AlertSettings(Reach, frozen=True):
    """A place alerts come from; an Alertmanager is told who has an incident, and no more."""

    name: Annotated[str, Key("Unique name.", "name")]
    kind: Annotated[AlertKind, Key("Which API is read.")]
    url: Annotated[str | None, Key("Base URL of the server.", "base_url")] = None
    urls: Annotated[
        tuple[str, ...],
        Key("Base URLs of the members of ONE cluster, instead of `url`.", "base_url"),
    ] = ()
    labels: Annotated[
        dict[str, str],
        Key(
            "Which alert label names the model, the dependency, the service, the severity.",
            keys=("model", "dependency", "service", "severity"),
        ),
    ] = field(default_factory=dict)
    writes: Annotated[
        bool, Key("Whether an acknowledgement is told to an Alertmanager, as a short silence.")
    ] = True
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
