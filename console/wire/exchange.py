"""One request and its answer over httpx, every failure told as a ``WireError``."""

import os
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.facts.text import visible
from console.wire.endpoint import shown
from console.wire.errors import WireError

if TYPE_CHECKING:
    import httpx

ERROR_BODY_BYTES = 64 * 1024
SHOWN_BODY_CHARACTERS = 200


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
) -> Answer:
    """Send one request and read its whole answer; raise ``WireError`` for anything from 400 up."""
    import httpx

    try:
        async with client.stream(
            method, url, params=params, data=fields, headers=headers
        ) as response:
            limit = max_bytes if response.status_code < 400 else ERROR_BODY_BYTES
            body, whole = await _read(response, limit)
            if response.status_code >= 400:
                raise _refusal(response.status_code, body, url)
            if not whole:
                size = f"{max_bytes / 1048576:g} MiB" if max_bytes >= 1048576 else f"{max_bytes} B"
                raise WireError(
                    "too_large", f"the answer of {shown(url)} is larger than {size}; not read on"
                )
            found = {name.lower(): value for name, value in response.headers.items()}
            return Answer(response.status_code, body, found, elapsed(), shown(url))
    except (httpx.HTTPError, OSError) as error:
        # A TLS alert that arrives after the handshake passes through httpx as a bare SSLError.
        raise _failure(error, url) from error
    except (httpx.InvalidURL, httpx.StreamError, ValueError) as error:
        raise WireError("protocol", f"{shown(url)} cannot be asked: {_reason(error)}") from error


async def _read(response: "httpx.Response", limit: int) -> tuple[bytes, bool]:
    """Return at most ``limit`` bytes of the decoded body and whether that is all of it."""
    pieces: list[bytes] = []
    size = 0
    async for piece in response.aiter_bytes():
        size += len(piece)
        if size > limit:
            pieces.append(piece[: len(piece) - (size - limit)])
            return b"".join(pieces), False
        pieces.append(piece)
    return b"".join(pieces), True


def _refusal(status: int, body: bytes, url: str) -> WireError:
    text = visible(body[: 4 * SHOWN_BODY_CHARACTERS].decode("utf-8", "replace").strip())
    said = f": {text[:SHOWN_BODY_CHARACTERS]}" if text else " without a word"
    advice = {
        401: "; the secret is missing, wrong or expired (midwatch secret test)",
        403: "; this identity may not read here",
        404: "; the path is not there, so the URL may be wrong",
        429: "; it asks for fewer requests",
    }.get(status, "")
    return WireError(
        "http", f"{shown(url)} answered {status}{said}{advice}", status=status, body=body
    )


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
            return f"its certificate is not trusted ({visible(seen.verify_message, 120)})"
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
