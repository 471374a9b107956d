"""One server as the client sees it, with credentials made from secret references."""

import asyncio
import json
import ssl
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

from console.domain.text import visible
from console.http.resilience import WireError
from console.settings.endpoint_tables import (
    DEFAULT_TIMEOUT_SECONDS,
    AuthSettings,
    Served,
    SourceSettings,
)
from console.settings.problems import readable_by_others
from console.settings.secret_references import SecretValue


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


class SecretLookup(Protocol):
    """What the wire needs of a resolver; ``SecretResolver`` is one.

    ``get`` raises an error whose text is a sentence for people when there is no value.
    """

    def get(self, reference: str, timeout_seconds: float = ...) -> SecretValue:
        """Return the value behind ``reference``, waiting at most ``timeout_seconds``."""

    def refresh(self, reference: str) -> None:
        """Resolve ``reference`` again, because a server refused the value."""


class Credentials:
    """The secrets of one endpoint, looked up when first needed and kept for redaction."""

    def __init__(self, endpoint: Endpoint, resolver: SecretLookup | None) -> None:
        self._endpoint = endpoint
        self._resolver = resolver
        self._value: SecretValue | None = None
        self.known: list[SecretValue] = []

    @property
    def reference(self) -> str | None:
        """The reference behind the endpoint's proof, if it has one."""
        return self._endpoint.auth.secret if self._endpoint.auth is not None else None

    def refresh(self) -> bool:
        """Ask for the secret again; return whether there is one that could have changed."""
        if self._resolver is None or self.reference is None:
            return False
        self._resolver.refresh(self.reference)
        self._value = None
        return True

    async def secret(self) -> SecretValue | None:
        """Return the secret, None if none is declared; raise ``WireError`` if it is missing."""
        if self.reference is None or self._value is not None:
            return self._value
        if self._resolver is None:
            raise WireError(
                "secret", f"{self.reference} cannot be resolved here; no request was sent"
            )
        from console.settings.secrets import SecretError

        try:
            value = await asyncio.to_thread(self._resolver.get, self.reference)
        except SecretError as error:
            raise WireError("secret", visible(str(error))) from error
        if value not in self.known:
            self.known += [value, *self._travelling(value)]
        self._value = value
        return value

    def _travelling(self, value: SecretValue) -> list[SecretValue]:
        """Return the secret in the other form in which it travels, if it has one."""
        auth = self._endpoint.auth
        if auth is not None and auth.type == "path":
            path = urlsplit(value.reveal().strip()).path
            return [SecretValue(path)] if path else []
        if auth is None or auth.type != "basic":
            return []
        return [SecretValue(_pair(auth, value.reveal()))]

    async def headers(self) -> dict[str, str]:
        """Return the headers that identify and prove; raise ``WireError`` of kind ``secret``."""
        made = dict(self._endpoint.headers)
        if self._endpoint.tenant is not None:
            made["X-Scope-OrgID"] = self._endpoint.tenant
        auth = self._endpoint.auth
        if auth is None or auth.type in ("none", "mtls", *PLACED):
            return made
        value = await self.secret()
        if value is None:
            raise WireError("secret", f'auth type "{auth.type}" has no secret; no request was sent')
        made.update(_proof(auth, value.reveal()))
        return made

    async def placed(self, base: str, path: str, body: bytes) -> tuple[str, bytes]:
        """Return path and body with a secret that travels in them; raise ``WireError``.

        Webhooks have a secret address, given as a path or whole (then it must be at ``base``);
        others want a key as a field of the JSON body.
        """
        auth = self._endpoint.auth
        if auth is None or auth.type not in PLACED:
            return path, body
        value = await self.secret()
        if value is None:
            raise WireError("secret", f'auth type "{auth.type}" has no secret; no request was sent')
        if auth.type == "body":
            return path, _with_field(body, auth.header or "", value.reveal())
        return _secret_path(base, value.reveal().strip()), body


PLACED = ("path", "body")
"""Proofs that travel in the request itself; only controls have them."""


def _with_field(body: bytes, name: str, value: str) -> bytes:
    document = json.loads(body or b"{}")
    if not isinstance(document, dict):
        raise WireError("secret", f"the body is no JSON object that could hold {visible(name)}")
    return json.dumps({**document, name: value}).encode()


def _secret_path(base: str, value: str) -> str:
    if "://" in value:
        try:
            away = origin(value) != origin(base)
        except ValueError:
            away = True
        if away:
            raise WireError("secret", f"the secret address is not at {shown(base)}; nothing sent")
        value = urlsplit(value).path
    fits = value and all(0x21 <= ord(each) < 0x7F for each in value) and ".." not in value
    if not fits:
        raise WireError("secret", "the secret is no path of an address; no request was sent")
    return value if value.startswith("/") else f"/{value}"


def _proof(auth: AuthSettings, value: str) -> Mapping[str, str]:
    fits = value == value.strip() and all(0x20 <= ord(character) < 0x7F for character in value)
    if not fits and auth.type != "basic":
        raise WireError(
            "secret",
            "the secret holds what no HTTP header can carry (spaces at its ends, line breaks or "
            "non-ASCII); no request was sent",
        )
    if auth.type == "bearer":
        return {"Authorization": f"Bearer {value}"}
    if auth.type == "basic":
        pair = b64encode(_pair(auth, value).encode()).decode()
        return {"Authorization": f"Basic {pair}"}
    return {auth.header or "Authorization": f"{auth.prefix}{value}"}


def _pair(auth: AuthSettings, value: str) -> str:
    return f"{auth.username or ''}:{value}"


async def tls_context(endpoint: Endpoint, credentials: Credentials) -> ssl.SSLContext:
    """Return the TLS context for ``endpoint``; certificates are always verified."""
    auth = endpoint.auth
    if auth is None or auth.type != "mtls":
        return await asyncio.to_thread(_shared_context, endpoint.ca_file)
    passphrase = await credentials.secret()
    return await asyncio.to_thread(_client_context, endpoint.ca_file, auth, passphrase)


@cache
def _shared_context(ca_file: str | None) -> ssl.SSLContext:
    # One context costs tens of milliseconds, so servers of the same authority share it.
    return _context(ca_file)


def _context(ca_file: str | None) -> ssl.SSLContext:
    system = ssl.get_default_verify_paths()
    if ca_file is None and not (system.cafile or system.capath):
        import certifi  # a host without a store of its own, such as a bare container

        ca_file = certifi.where()
    try:
        return ssl.create_default_context(cafile=ca_file)
    except (OSError, ssl.SSLError) as error:
        reason = visible(error.strerror or str(error), 120)
        raise WireError(
            "tls", f"ca_file {visible(ca_file or '')} cannot be used: {reason}"
        ) from error


def _client_context(
    ca_file: str | None, auth: AuthSettings, passphrase: SecretValue | None
) -> ssl.SSLContext:
    context = _context(ca_file)
    cert_file, key_file = auth.cert_file or "", auth.key_file or ""
    try:
        complaint = readable_by_others(Path(key_file))
        if complaint is not None:
            raise WireError("secret", f"key_file is refused: {complaint}")
        # Without a callback OpenSSL would ask for the passphrase on the terminal and wait for ever.
        context.load_cert_chain(
            cert_file, key_file, password=lambda: passphrase.reveal() if passphrase else ""
        )
    except (OSError, ssl.SSLError, ValueError) as error:
        reason = visible(getattr(error, "strerror", None) or str(error), 120)
        raise WireError(
            "secret",
            f"client certificate {visible(cert_file)} with key {visible(key_file)} "
            f"cannot be loaded: {reason}",
        ) from error
    return context
