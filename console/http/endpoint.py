"""One server as the client sees it: addresses, proof of identity, deadlines."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit, urlunsplit

from console.domain.text import visible
from console.settings.endpoint_tables import (
    DEFAULT_TIMEOUT_SECONDS,
    AuthSettings,
    Served,
    SourceSettings,
)


@dataclass(frozen=True)
class Endpoint:
    """A server and its replicas; ``urls`` are base URLs that answer for the same data."""

    urls: tuple[str, ...]
    auth: AuthSettings | None = None
    tenant: str | None = None
    proxy: str | None = None
    ca_file: str | None = None
    timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def has_credentials(self) -> bool:
        """Whether requests carry anything a stranger must not get; own headers count as such."""
        proof = self.auth is not None and self.auth.type != "none"
        return proof or self.tenant is not None or bool(self.headers)


def endpoint_of(declared: Served) -> Endpoint:
    """Return the endpoint of a server declared in the configuration (``url`` or ``urls``)."""
    return Endpoint(
        urls=declared.urls or ((declared.url,) if declared.url else ()),
        auth=declared.auth,
        tenant=declared.tenant,
        proxy=declared.proxy,
        ca_file=declared.ca_file,
        timeout_seconds=declared.timeout_seconds,
        headers=declared.headers,
    )


def endpoint_of_target(declared: SourceSettings, target: str) -> Endpoint:
    """Return the endpoint of one ``/metrics`` URL of a scrape source; ask it with ``get("")``."""
    return Endpoint(
        urls=(target,),
        auth=declared.auth,
        tenant=declared.tenant,
        proxy=declared.proxy,
        ca_file=declared.ca_file,
        timeout_seconds=declared.timeout_seconds,
        headers=declared.headers,
    )


def shown(url: str) -> str:
    """Return ``url`` without user, password, query and fragment, safe to print."""
    try:
        split = urlsplit(url)
        host = split.netloc.rpartition("@")[2]
    except ValueError:
        return "an address that cannot be read"
    return visible(urlunsplit((split.scheme, host, split.path, "", "")), 200)


def origin(url: str) -> tuple[str, str, int]:
    """Return scheme, host and port of ``url``; raise ``ValueError`` if it has none."""
    split = urlsplit(url)
    if split.scheme not in ("http", "https") or not split.hostname:
        raise ValueError(shown(url))
    return split.scheme, split.hostname, split.port or (443 if split.scheme == "https" else 80)
