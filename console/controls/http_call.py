"""Sends one HTTP request to one target: no redirects, fixed host, size limit."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from console.controls.target_discovery import Place
from console.domain.text import visible
from console.http import Endpoint, WireError
from console.http.endpoint import Credentials, SecretLookup, origin, shown, tls_context
from console.settings.endpoint_tables import ControlSettings, ControlTimeouts
from console.settings.secret_references import redact

if TYPE_CHECKING:
    import ssl

    import httpx

MAX_ANSWER_BYTES = 1024 * 1024
EXCERPT_CHARACTERS = 300
USER_AGENT = "midwatch"


@dataclass(frozen=True, slots=True)
class Request:
    """One request before it meets a target; ``path`` holds the query too."""

    method: str
    path: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; ``whole`` is False when the body passed the size limit and was cut."""

    status: int
    body: bytes
    etag: str
    whole: bool
    location: str = ""


class CallFailed(Exception):
    """No reply; ``sent`` is False when it is certain that no byte of the request left."""

    def __init__(self, sentence: str, *, sent: bool, retriable: bool = False) -> None:
        super().__init__(sentence)
        self.sentence = sentence
        self.sent = sent
        self.retriable = retriable


class Caller:
    """Requests to the targets of one control, each over a connection of its own.

    A kept connection that the server has meanwhile closed would leave open whether a change
    arrived, and a connection belongs to one event loop, which this does not.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        timeouts: ControlTimeouts,
        resolver: SecretLookup | None,
        *,
        most_bytes: int = MAX_ANSWER_BYTES,
    ) -> None:
        self.timeouts = timeouts
        self._endpoint = endpoint
        self._most_bytes = most_bytes
        self._credentials = Credentials(endpoint, resolver)
        self._tls: ssl.SSLContext | None = None

    @classmethod
    def of(cls, settings: ControlSettings, resolver: SecretLookup | None) -> "Caller":
        """Return the caller of a declared control."""
        endpoint = Endpoint(urls=settings.targets, auth=settings.auth, tenant=settings.tenant)
        return cls(endpoint, settings.timeouts or ControlTimeouts(), resolver)

    def shown_headers(self) -> dict[str, str]:
        """Return the identity headers as a preview shows them, the secret left out."""
        made: dict[str, str] = {}
        if self._endpoint.tenant is not None:
            made["X-Scope-OrgID"] = self._endpoint.tenant
        auth = self._endpoint.auth
        match auth.type if auth else "none":
            case "bearer":
                made["Authorization"] = "Bearer [secret]"
            case "basic":
                made["Authorization"] = "Basic [secret]"
            case "header":
                assert auth is not None
                made[auth.header or "Authorization"] = f"{auth.prefix}[secret]"
        return made

    @property
    def hides_path(self) -> bool:
        """Tell whether the secret is the path itself."""
        return self._endpoint.auth is not None and self._endpoint.auth.type == "path"

    def clean(self, text: str, limit: int = EXCERPT_CHARACTERS) -> str:
        """Return outside text without any known secret, control characters made visible."""
        return visible(redact(text, self._credentials.known), limit)

    async def call(self, place: Place, request: Request) -> Reply:
        """Send once within the total deadline; raises ``CallFailed``.

        A refused connection is tried once more, and a 401 once with the secret looked up again:
        both prove that nothing was carried out.
        """
        sent, base = _Sent(), place.url
        try:
            async with asyncio.timeout(self.timeouts.total_seconds):
                return await self._persistent(place, request, sent)
        except TimeoutError as error:
            waited = f"{self.timeouts.total_seconds:g} s"
            if sent.began:
                sentence = f"{shown(base)} gave no whole answer within {waited}; it may have acted"
            else:
                sentence = f"{shown(base)} could not be asked within {waited}; nothing was sent"
            raise CallFailed(sentence, sent=sent.began) from error

    async def _persistent(self, place: Place, request: Request, sent: "_Sent") -> Reply:
        try:
            reply = await self._once(place, request, sent)
        except CallFailed as failure:
            if failure.sent or not failure.retriable:
                raise
            await asyncio.sleep(0.2)
            reply = await self._once(place, request, sent)
        if reply.status == 401 and self._credentials.refresh():
            sent.began = False
            reply = await self._once(place, request, sent)
        return reply

    async def _once(self, place: Place, request: Request, sent: "_Sent") -> Reply:
        import httpx

        base = place.url
        named: dict[str, str] = {"Host": place.host} if place.host else {}
        extensions: dict[str, object] = {"trace": sent.note}
        if place.host:
            extensions["sni_hostname"] = urlsplit(f"//{place.host}").hostname
        try:
            headers = {**request.headers, **await self._credentials.headers()}
            path, body = await self._credentials.placed(base, request.path, request.body)
            url = base.rstrip("/") + path
            verify = await self._verify(url)
        except WireError as error:
            raise CallFailed(f"{error.sentence}; nothing was sent", sent=False) from error
        seconds = self.timeouts
        limits = httpx.Timeout(
            seconds.read_seconds, connect=seconds.connect_seconds, pool=seconds.connect_seconds
        )
        try:
            async with httpx.AsyncClient(
                verify=verify,
                trust_env=False,
                follow_redirects=False,
                timeout=limits,
                proxy=self._endpoint.proxy,
            ) as client:
                made = client.build_request(
                    request.method,
                    url,
                    headers={"User-Agent": USER_AGENT, "Connection": "close", **headers, **named},
                    content=body or None,
                    extensions=extensions,
                )
                _check_host(base, made)
                return await _stream(client, made, self._most_bytes)
        except (httpx.HTTPError, OSError) as error:
            raise self._failure(error, base, sent.began) from error
        except (httpx.InvalidURL, ValueError) as error:
            said = self.clean(str(error))
            raise CallFailed(
                f"{shown(base)} cannot be asked: {said}; nothing was sent", sent=sent.began
            ) from error

    async def _verify(self, url: str) -> "ssl.SSLContext | bool":
        if not url.startswith("https:"):
            return False  # plain addresses never speak TLS, and a context takes its time
        if self._tls is None:
            self._tls = await tls_context(self._endpoint, self._credentials)
        return self._tls

    def _failure(self, error: Exception, base: str, began: bool) -> CallFailed:
        import httpx

        said = self.clean(_reason(error), 200)
        server = shown(base)
        if not began:
            slow = isinstance(error, httpx.TimeoutException)
            words = "did not accept a connection in time" if slow else f"cannot be reached: {said}"
            return CallFailed(f"{server} {words}; nothing was sent", sent=False, retriable=not slow)
        if isinstance(error, httpx.TimeoutException):
            return CallFailed(
                f"{server} took the request but did not answer in time; it may have acted",
                sent=True,
            )
        return CallFailed(
            f"{server} broke off before its answer ({said}); it may have acted", sent=True
        )


class _Sent:
    """Watches one exchange: whether the first byte of a request may have left."""

    def __init__(self) -> None:
        self.began = False

    async def note(self, event: str, _info: Mapping[str, object]) -> None:
        if event.endswith("send_request_headers.started"):
            self.began = True


async def _stream(client: "httpx.AsyncClient", made: "httpx.Request", most_bytes: int) -> Reply:
    response = await client.send(made, stream=True)
    try:
        pieces: list[bytes] = []
        size = 0
        async for piece in response.aiter_bytes():
            pieces.append(piece)
            size += len(piece)
            if size > most_bytes:
                break
    finally:
        await response.aclose()
    return Reply(
        status=response.status_code,
        body=b"".join(pieces)[:most_bytes],
        etag=response.headers.get("etag", ""),
        whole=size <= most_bytes,
        location=response.headers.get("location", ""),
    )


def _check_host(base: str, made: "httpx.Request") -> None:
    """Refuse a request that would not go to the declared server, however it came to be."""
    if origin(base) != origin(str(made.url)):
        raise ValueError("the request would go to another server than the declared target")


def _reason(error: BaseException) -> str:
    deepest: BaseException | None = error
    said = str(error)
    while deepest is not None:
        if isinstance(deepest, OSError) and deepest.strerror:
            said = deepest.strerror
        deepest = deepest.__cause__ or deepest.__context__
    return said or type(error).__name__


def plaintext_problem(targets: tuple[str, ...], allowed: bool) -> str:
    """Return why plain HTTP is refused for one of ``targets``; empty when all are well."""
    for target in targets:
        split = urlsplit(target)
        host = split.hostname or ""
        local = host in ("localhost", "::1") or host.startswith("127.")
        if split.scheme == "http" and not local and not allowed:
            return (
                f"{shown(target)} is plain http beyond this host; use https, or say "
                "allow_plaintext = true"
            )
    return ""
