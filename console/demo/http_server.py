"""A very small HTTP/1.1 server: loopback only, bounded, one event loop for all services."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from urllib.parse import parse_qsl, urlsplit

LOOPBACK = "127.0.0.1"
HEAD_LIMIT_BYTES = 16 * 1024
BODY_LIMIT_BYTES = 16 * 1024
IDLE_SECONDS = 75.0


@dataclass(frozen=True, slots=True)
class Request:
    """One request; header names are lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Response:
    """One answer."""

    status: int
    body: bytes
    content_type: str = "text/plain; charset=utf-8"
    headers: Mapping[str, str] = field(default_factory=dict)


Handler = Callable[[Request], Response]


class BadRequestError(Exception):
    """The bytes that came are no request this server understands; ``status`` says how."""

    def __init__(self, status: int, sentence: str) -> None:
        super().__init__(sentence)
        self.status = status


async def open_listener(handler: Handler, port: int) -> asyncio.Server:
    """Listen on loopback; raises ``OSError`` when the port is taken."""

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await _talk(handler, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, TimeoutError):
            pass  # The other side left or fell silent; there is nobody to tell.
        except asyncio.CancelledError:
            # The fleet stops. Python 3.11 prints a traceback for a handler that ends cancelled.
            pass
        finally:
            writer.close()

    return await asyncio.start_server(talk, LOOPBACK, port, limit=HEAD_LIMIT_BYTES)


async def _talk(
    handler: Handler, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    keep = True
    while keep:
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                request = await _read(reader)
        except BadRequestError as error:
            writer.write(_encode(Response(error.status, f"{error}\n".encode()), keep=False))
            await writer.drain()
            return
        if request is None:
            return
        keep = request.headers.get("connection", "keep-alive").lower() != "close"
        response = handler(request)
        writer.write(_encode(response, keep=keep, head_only=request.method == "HEAD"))
        await writer.drain()


async def _read(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError as error:
        if not error.partial:
            return None
        raise
    except asyncio.LimitOverrunError:
        raise BadRequestError(431, "the request's head is larger than 16 KiB") from None
    lines = head.decode("latin-1").split("\r\n")
    words = lines[0].split(" ")
    if len(words) != 3 or not words[2].startswith("HTTP/1."):
        raise BadRequestError(400, "this is not an HTTP/1.1 request")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if colon:
            headers[name.strip().lower()] = value.strip()
    if words[2] == "HTTP/1.0":
        headers.setdefault("connection", "close")
    target = urlsplit(words[1])
    body = await _read_body(reader, headers)
    query = dict(parse_qsl(target.query, keep_blank_values=True))
    return Request(words[0], target.path, query, headers, body)


async def _read_body(reader: asyncio.StreamReader, headers: Mapping[str, str]) -> bytes:
    if "transfer-encoding" in headers:
        raise BadRequestError(501, "send the body with Content-Length; chunks are not understood")
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise BadRequestError(400, "Content-Length must be a whole number of bytes")
    if int(length) > BODY_LIMIT_BYTES:
        raise BadRequestError(413, "the body is larger than 16 KiB")
    return await reader.readexactly(int(length))


def _encode(response: Response, *, keep: bool, head_only: bool = False) -> bytes:
    reason = HTTPStatus(response.status).phrase
    lines = [
        f"HTTP/1.1 {response.status} {reason}",
        f"Content-Type: {response.content_type}",
        f"Content-Length: {len(response.body)}",
        f"Connection: {'keep-alive' if keep else 'close'}",
        *(f"{name}: {value}" for name, value in response.headers.items()),
        "",
        "",
    ]
    head = "\r\n".join(lines).encode("latin-1")
    return head if head_only else head + response.body
