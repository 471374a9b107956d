"""The one HTTP client: deadlines, retries, failover, breaker, size limit, credentials."""

import asyncio
import os
import random as random_module
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from console.domain.text import visible
from console.http.endpoint import Credentials, Endpoint, SecretLookup, origin, shown, tls_context
from console.http.refusals import refusal
from console.http.resilience import (
    Breaker,
    ByteBudget,
    Kind,
    WireError,
    blames_the_server,
    retry_pause_seconds,
)
from console.settings.endpoint_tables import AuthSettings
from console.settings.secret_references import redact, redact_bytes

if TYPE_CHECKING:
    import httpx

ERROR_BODY_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer: ``headers`` by lower-case name, ``url_shown`` free of credentials."""

    status: int
    body: bytes
    headers: Mapping[str, str]
    elapsed_seconds: float
    url_shown: str


async def exchange(
    client: "httpx.AsyncClient",
    method: str,
    url: str,
    *,
    params: Mapping[str, str] | None,
    fields: Mapping[str, str] | None,
    headers: Mapping[str, str],
    max_bytes: int,
    elapsed: Callable[[], float],
    auth: AuthSettings | None = None,
    budget: ByteBudget | None = None,
) -> Answer:
    """Send one request and read its whole answer; raise ``WireError`` for anything from 400 up."""
    import httpx

    try:
        async with client.stream(
            method, url, params=params, data=fields, headers=headers
        ) as response:
            if response.status_code >= 400:
                body, _ = await _read(response, ERROR_BODY_BYTES, None)
                raise refusal(response.status_code, body, url, auth)
            limit = max_bytes if budget is None else min(max_bytes, budget.each)
            body, whole = await _read(response, limit, budget)
            if not whole:
                raise _too_large(url, limit, budget)
            found = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status_code, body, found, elapsed(), shown(url))
    except (httpx.HTTPError, OSError) as error:
        # A TLS alert that arrives after the handshake passes through httpx as a bare SSLError.
        raise _failure(error, url) from error
    except (httpx.InvalidURL, httpx.StreamError, ValueError) as error:
        raise WireError("protocol", f"{shown(url)} cannot be asked: {_reason(error)}") from error


def _too_large(url: str, limit: int, budget: ByteBudget | None) -> WireError:
    if budget is not None and budget.is_spent:
        size = _size(budget.together)
        told = f"the answers of {shown(url)} in one round are larger than {size} together"
    else:
        told = f"the answer of {shown(url)} is larger than {_size(limit)}"
    return WireError("too_large", f"{told}; not read on")


def _size(count: int) -> str:
    return f"{count / 1048576:.4g} MiB" if count >= 1048576 else f"{count} B"


async def _read(
    response: "httpx.Response", limit: int, budget: ByteBudget | None
) -> tuple[bytes, bool]:
    """Return at most ``limit`` bytes of the decoded body and whether that is all of it."""
    pieces: list[bytes] = []
    size = 0
    async for piece in response.aiter_bytes():
        size += len(piece)
        within = budget is None or budget.take(len(piece))
        if size > limit or not within:
            pieces.append(piece[: max(0, len(piece) - max(0, size - limit))])
            return b"".join(pieces), False
        pieces.append(piece)
    return b"".join(pieces), True


def _failure(error: "httpx.HTTPError | OSError", url: str) -> WireError:
    """Return the failure as a kind and a sentence."""
    import httpx

    server = shown(url)
    tls = _tls_cause(error)
    if tls is not None:
        return WireError("tls", f"{server} TLS failed: {tls}")
    match error:
        case httpx.ConnectTimeout():
            return WireError("connect_timeout", f"{server} did not accept a connection in time")
        case httpx.PoolTimeout():
            return WireError("read_timeout", f"{server} is so slow that no connection came free")
        case httpx.TimeoutException():
            return WireError(
                "read_timeout", f"{server} accepted the request but did not answer in time"
            )
        case httpx.ConnectError():
            return WireError("connect", f"{server} cannot be reached: {_reason(error)}")
        case httpx.ProxyError():
            return WireError("connect", f"the proxy before {server} failed: {_reason(error)}")
        case httpx.RemoteProtocolError() if "without sending a response" in str(error):
            # A kept connection that the server has meanwhile closed looks like this.
            return WireError("connect", f"{server} closed the connection before it answered")
        case httpx.RemoteProtocolError() if "incomplete" in str(error) or "closed" in str(error):
            return WireError("truncated", f"{server} broke off its answer: {_reason(error)}")
        case httpx.NetworkError() | OSError():
            # TLS 1.3 refuses a client without certificate after the handshake, by hanging up.
            hint = "; it may demand a client certificate" if url.startswith("https:") else ""
            return WireError("truncated", f"{server} broke the connection: {_reason(error)}{hint}")
        case _:
            return WireError("protocol", f"{server} does not speak proper HTTP: {_reason(error)}")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yield ``error`` and all that is behind it, the deepest last."""
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        if isinstance(seen, BaseExceptionGroup):
            for inner in seen.exceptions:
                yield from _chain(inner)
        seen = seen.__cause__ or seen.__context__


def _tls_cause(error: BaseException) -> str | None:
    """Return what TLS said, if a TLS failure is behind ``error``."""
    for seen in _chain(error):
        if isinstance(seen, ssl.SSLCertVerificationError):
            why = visible(seen.verify_message, 120)
            hint = "; give the PEM file of who signed it as ca_file" if "self" in why else ""
            return f"its certificate is not trusted ({why}){hint}"
        if isinstance(seen, ssl.SSLError):
            return visible(seen.reason or str(seen), 120)
    return None


def _reason(error: BaseException) -> str:
    """Return the operating system's own word (refused, unknown host) where there is one."""
    for seen in _chain(error):
        if isinstance(seen, OSError) and seen.errno is not None and seen.strerror:
            # asyncio's strerror repeats host and port, which the sentence already names.
            words = os.strerror(seen.errno) if seen.errno > 0 else seen.strerror
            return visible(words.lower(), 200)
    return visible(str(error) or type(error).__name__, 200)


MAX_BYTES = 64 * 1024 * 1024
MAX_CONCURRENCY = 8
MAX_REDIRECTS = 3
CONNECT_SECONDS = 3.0
KEEPALIVE_SECONDS = 60.0  # longer than the usual refresh, so that a tick finds its connections open

TELLTALE_CHARACTERS = 12
"""What of our secrets is at least so long cannot be in an answer by chance."""
RETRIED_STATUSES = frozenset({502, 503, 504})
RETRIED_KINDS: frozenset[Kind] = frozenset({"connect", "connect_timeout"})


@dataclass(frozen=True, slots=True)
class _Ask:
    """One request before it meets an address."""

    method: str
    path: str
    params: Mapping[str, str] | None = None
    fields: Mapping[str, str] | None = None
    headers: Mapping[str, str] | None = None
    budget: ByteBudget | None = None


class Wire:
    """Requests to one server and its replicas; never asks a server that its breaker shuts out."""

    def __init__(
        self,
        endpoint: Endpoint,
        resolver: SecretLookup | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        random: Callable[[], float] = random_module.random,
        max_bytes: int = MAX_BYTES,
        max_concurrency: int = MAX_CONCURRENCY,
    ) -> None:
        if not endpoint.urls:
            message = "an endpoint needs at least one URL"
            raise ValueError(message)
        self.endpoint = endpoint
        self.breaker = Breaker(random)
        self.requests_sent = 0
        self.last_failure = ""
        """Why the server last failed, in a sentence; empty while it answers."""
        self._credentials = Credentials(endpoint, resolver)
        self._clock = clock
        self._random = random
        self._max_bytes = max_bytes
        self._slots = asyncio.Semaphore(max_concurrency)
        self._max_concurrency = max_concurrency
        self._clients: dict[bool, httpx.AsyncClient] = {}
        self._building = asyncio.Lock()
        self._preferred = 0

    async def post_form(
        self,
        path: str,
        fields: Mapping[str, str],
        *,
        deadline_seconds: float | None = None,
        budget: ByteBudget | None = None,
    ) -> Answer:
        """Ask with fields in the body; a read, so it may be sent again. Raises ``WireError``."""
        return await self._ask(_Ask("POST", path, fields=fields, budget=budget), deadline_seconds)

    async def get(
        self,
        path_or_url: str,
        params: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        *,
        deadline_seconds: float | None = None,
        budget: ByteBudget | None = None,
    ) -> Answer:
        """Ask for a path under the server, or a whole URL on it; ``""`` is the base URL itself.

        Raises ``WireError``; also when a whole URL points to another server than the endpoint's.
        """
        ask = _Ask("GET", path_or_url, params=params, headers=headers, budget=budget)
        return await self._ask(ask, deadline_seconds)

    async def aclose(self) -> None:
        """Close every connection; the Wire can be used again and opens new ones."""
        clients, self._clients = self._clients, {}
        for client in clients.values():
            await client.aclose()

    async def _ask(self, ask: _Ask, deadline_seconds: float | None) -> Answer:
        seconds = deadline_seconds or self.endpoint.timeout_seconds
        try:
            async with asyncio.timeout(seconds) as limit, self._slots:
                return await self._guarded(ask, limit)
        except TimeoutError as error:
            raise WireError(
                "read_timeout", f"{self._server()} gave no whole answer within {seconds:g} s"
            ) from error

    async def _guarded(self, ask: _Ask, limit: asyncio.Timeout) -> Answer:
        """Send past the breaker, and tell it how that went."""
        now = self._clock()
        if not self.breaker.admit(now):
            raise self._shut_out(now)
        try:
            answer = await self._persistent(ask)
        except WireError as error:
            if blames_the_server(error):
                self._note_failure(error.sentence)
            elif error.kind == "secret":
                self.breaker.abandoned(self._clock())
            else:
                self._note_answer()
            raise
        except asyncio.CancelledError:
            # The deadline ends a request by cancelling it, and so does whoever no longer wants the
            # answer; only the first says anything about the server.
            if limit.expired():
                self._note_failure(f"{self._server()} gave no whole answer in time")
            else:
                self.breaker.abandoned(self._clock())
            raise
        self._note_answer()
        return answer

    def _note_answer(self) -> None:
        self.breaker.succeeded()
        self.last_failure = ""

    def _note_failure(self, sentence: str) -> None:
        self.last_failure = sentence
        self.breaker.failed(self._clock())
        # The next request starts at another replica: this one hangs, or answers nonsense.
        self._preferred = (self._preferred + 1) % len(self.endpoint.urls)

    def _shut_out(self, now: float) -> WireError:
        due = self.breaker.next_try_at
        wait = "after the probe under way" if due is None else f"in {max(0.0, due - now):.0f} s"
        told = f"{self._server()} failed {self.breaker.failures} times in a row; next try {wait}"
        last = f"; last: {self.last_failure}" if self.last_failure else ""
        return WireError("breaker_open", told + last)

    async def _persistent(self, ask: _Ask) -> Answer:
        """Try the replicas in turn, once more after a pause, and again after a renewed secret."""
        refreshed = False
        attempt = 0
        while True:
            try:
                return await self._any_replica(ask)
            except WireError as error:
                if error.status == 401 and not refreshed and self._credentials.refresh():
                    refreshed = True
                    continue
                again = error.kind in RETRIED_KINDS or error.status in RETRIED_STATUSES
                if not again or attempt >= 1:
                    raise
                if error.status in RETRIED_STATUSES:
                    self._preferred = (self._preferred + 1) % len(self.endpoint.urls)
            await asyncio.sleep(retry_pause_seconds(attempt, self._random))
            attempt += 1

    async def _any_replica(self, ask: _Ask) -> Answer:
        """Send to the preferred replica; go on to the next only where no connection came about."""
        bases = self._bases(ask.path)
        last: WireError | None = None
        for base, url in bases:
            try:
                answer = await self._followed(ask, url)
            except WireError as error:
                if error.kind not in RETRIED_KINDS:
                    raise
                last = error
                continue
            self._preferred = base
            return answer
        if last is None:
            raise WireError("protocol", f"{self._server()} has no address to ask")
        if len(bases) > 1:
            raise WireError(
                last.kind, f"none of {len(bases)} replicas can be reached; last: {last}"
            )
        raise last

    def _bases(self, path: str) -> list[tuple[int, str]]:
        """Return (replica, URL) in the order to try; raise ``WireError`` for a path that strays."""
        if path.startswith(("http://", "https://")):
            for index, base in enumerate(self.endpoint.urls):
                if _origin(base) == _origin(path):
                    return [(index, path)]
            raise WireError(
                "protocol", f"{shown(path)} is not on {self._server()}; no request was sent"
            )
        if path and (not path.startswith("/") or ".." in path.split("/") or not path.isprintable()):
            raise WireError(
                "protocol", f"the path {visible(path, 80)} is refused; no request was sent"
            )
        count = len(self.endpoint.urls)
        order = [(self._preferred + step) % count for step in range(count)]
        return [(index, self._join(self.endpoint.urls[index], path)) for index in order]

    @staticmethod
    def _join(base: str, path: str) -> str:
        return base if not path else base.rstrip("/") + path

    async def _followed(self, ask: _Ask, url: str) -> Answer:
        """Send once; follow redirects only for a GET that carries no credentials."""
        for _hop in range(MAX_REDIRECTS + 1):
            answer = await self._once(ask, url)
            if not 300 <= answer.status < 400:
                return answer
            pointed = answer.headers.get("location", "")
            target = shown(pointed) if pointed else "nowhere"
            told = f"{shown(url)} redirects to {target}"
            if self.endpoint.has_credentials:
                raise WireError(
                    "redirect",
                    f"{told}; not followed, because the request carries credentials. "
                    "If that is the right address, write it into the configuration",
                    status=answer.status,
                )
            if ask.method != "GET" or not pointed:
                raise WireError(
                    "redirect",
                    f"{told}; a {ask.method} is not sent on. Write the right address into the "
                    "configuration",
                    status=answer.status,
                )
            # The new address brings its own query; adding ours again would double it.
            ask, url = replace(ask, params=None), self._redirected(url, pointed)
        raise WireError("redirect", f"{shown(url)} redirects more than {MAX_REDIRECTS} times")

    @staticmethod
    def _redirected(url: str, pointed: str) -> str:
        from urllib.parse import urljoin

        target = urljoin(url, pointed)
        if not target.startswith(("http://", "https://")) or (
            url.startswith("https:") and not target.startswith("https:")
        ):
            raise WireError("redirect", f"{shown(url)} redirects to {shown(target)}; not followed")
        return target

    async def _once(self, ask: _Ask, url: str) -> Answer:
        headers = {**await self._credentials.headers(), **(ask.headers or {})}
        client = await self._client_for(url)
        self.requests_sent += 1
        started = self._clock()
        try:
            answer = await exchange(
                client,
                ask.method,
                url,
                params=ask.params,
                fields=ask.fields,
                headers=headers,
                max_bytes=self._max_bytes,
                elapsed=lambda: self._clock() - started,
                auth=self.endpoint.auth,
                budget=ask.budget,
            )
        except WireError as error:
            raise self._cleaned(error) from self._harmless(error.__cause__)
        # A server or proxy may repeat in its answer what it was sent; it would be shown from there.
        body = redact_bytes(
            answer.body, self._credentials.known, least_characters=TELLTALE_CHARACTERS
        )
        return answer if body is answer.body else replace(answer, body=body)

    def _cleaned(self, error: WireError) -> WireError:
        """Return the error with every known secret taken out of its sentence."""
        known = self._credentials.known
        return WireError(
            error.kind,
            redact(error.sentence, known),
            status=error.status,
            body=redact_bytes(error.body, known),
        )

    def _harmless(self, cause: BaseException | None) -> BaseException | None:
        """Return the cause for the log, unless its own text holds a secret."""
        known = self._credentials.known
        return cause if cause is None or redact(str(cause), known) == str(cause) else None

    async def _client_for(self, url: str) -> "httpx.AsyncClient":
        """Return the client for plain or TLS addresses, each made once when first needed."""
        over_tls = url.startswith("https:") or (self.endpoint.proxy or "").startswith("https:")
        async with self._building:
            client = self._clients.get(over_tls)
            if client is None:
                client = self._clients[over_tls] = await self._build(over_tls)
            return client

    async def _build(self, over_tls: bool) -> "httpx.AsyncClient":
        import httpx

        endpoint = self.endpoint
        seconds = endpoint.timeout_seconds
        return httpx.AsyncClient(
            # Plain addresses never speak TLS, and a context takes tens of milliseconds.
            verify=await tls_context(endpoint, self._credentials) if over_tls else False,
            proxy=endpoint.proxy,
            trust_env=False,
            follow_redirects=False,
            timeout=httpx.Timeout(seconds, connect=min(CONNECT_SECONDS, seconds / 2), pool=seconds),
            limits=httpx.Limits(
                max_connections=self._max_concurrency,
                max_keepalive_connections=self._max_concurrency,
                keepalive_expiry=KEEPALIVE_SECONDS,
            ),
            headers={"User-Agent": "midwatch"},
        )

    def _server(self) -> str:
        return shown(self.endpoint.urls[self._preferred % len(self.endpoint.urls)])


def _origin(url: str) -> tuple[str, str, int] | None:
    try:
        return origin(url)
    except ValueError:
        return None
