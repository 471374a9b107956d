"""Words of an error answer: the reason inside JSON, text or a page, and what to do about it."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

import msgspec

from console.domain.text import visible
from console.http.endpoint import shown
from console.http.resilience import WireError

if TYPE_CHECKING:
    from console.settings.endpoint_tables import AuthSettings

SHOWN_CHARACTERS = 200

_READ_BYTES = 16 * 1024
_REASONS = ("message", "error_description", "error", "detail", "title", "msg", "reason")
"""Where gateways, API servers and frameworks put the sentence, best first."""

_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_PAGE = re.compile(r"\s*<(!doctype|html|head|body|\?xml)", re.IGNORECASE)


def said_in(body: bytes) -> str:
    """Return what an answer's body says, harmless to show and short; empty where it says nothing.

    Of JSON that is the sentence in it, of an HTML page its title.
    """
    text = body[:_READ_BYTES].decode("utf-8", "replace").strip()
    if _PAGE.match(text):
        titled = _TITLE.search(text)
        title = visible(html.unescape(titled.group(1)).strip(), 80) if titled else ""
        return f'an HTML page titled "{title}"' if title else "an HTML page"
    if text.startswith("{"):
        found = _reason_of(body)
        if found:
            return visible(found, SHOWN_CHARACTERS)
    return visible(text, 4 * SHOWN_CHARACTERS)[:SHOWN_CHARACTERS]


def _reason_of(body: bytes) -> str:
    try:
        document = msgspec.json.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return ""
    nested = document.get("error") if isinstance(document, dict) else None
    for place in (document, nested):
        if isinstance(place, dict):
            for key in _REASONS:
                if isinstance(place.get(key), str) and place[key].strip():
                    return str(place[key]).strip()
    return ""


def refusal(status: int, body: bytes, url: str, auth: AuthSettings | None) -> WireError:
    """Return the error of an answer from 400 up; ``auth`` is what the caller proves itself by."""
    text = said_in(body)
    said = f": {text}" if text else " without a word"
    sentence = f"{shown(url)} answered {status}{said}{_advice(status, auth)}"
    return WireError("http", sentence, status=status, body=body)


def _advice(status: int, auth: AuthSettings | None) -> str:
    proves = auth is not None and auth.type != "none"
    if status == 401 and not proves:
        return (
            "; it wants to know who asks and no secret is declared: give it auth = "
            '{ type = "bearer", secret = "env:NAME" } in the configuration'
        )
    return {
        401: "; the secret is missing, wrong or expired (midwatch secret test)",
        403: "; this identity may not read here",
        404: "; the path is not there, so the URL may be wrong",
        429: "; it asks for fewer requests",
    }.get(status, "")
