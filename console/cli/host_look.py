"""Finds what this host runs on the usual ports, where nothing is configured to be read."""

from __future__ import annotations

import re
import socket
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from msgspec import Struct

from console.domain.text import visible
from console.http.loopback import HOST, Place, look
from console.settings.own_files import signatures

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from console.settings.own_files import OwnFile

LIMIT_SECONDS = 0.3
PROMETHEUS = Place(9090, "/api/v1/targets?state=active")
ALERTMANAGER = Place(9093, "/api/v2/status")
METRICS_PORTS = (*range(8000, 8016), 8080, 8082, 3000, 4000, 30000, 9400)
"""vLLM and its like, Triton 8002, TGI and llama.cpp 8080, MLServer 8082, BentoML, LiteLLM, SGLang;
DCGM 9400."""

_NAME = re.compile(rb"^([a-zA-Z_:][a-zA-Z0-9_:]*)[{ ]", re.MULTILINE)
_TARGET = re.compile(rb'"scrapeUrl":"(https?://[^"]+)"')
_PROMETHEUS_SAYS = b'"activeTargets"'


class HostFound(Struct, frozen=True):
    """What there is to read: base URLs, ``/metrics`` addresses, and a sentence for the operator."""

    prometheus: tuple[str, ...] = ()
    alertmanager: tuple[str, ...] = ()
    scrape: tuple[str, ...] = ()
    sentence: str = ""


NOTHING_HERE = (
    "On this host nothing of it answers on the usual ports either (Prometheus 9090, /metrics on "
    "8000 to 8015, 8080, 8082, 3000, 4000, 30000)."
)


def look_around(
    environ: Mapping[str, str],
    limit_seconds: float = LIMIT_SECONDS,
    own: Sequence[OwnFile] = (),
) -> HostFound:
    """Return what answers on loopback within the limit; ``PROMETHEUS_URL`` is believed unasked.

    A model server that the Prometheus here scrapes already is read through it: it has the past.
    """
    began_at = time.monotonic()
    places = [PROMETHEUS, ALERTMANAGER, *(Place(port, "/metrics") for port in METRICS_PORTS)]
    answers = look(places, limit_seconds)
    known = signatures(own)
    servers = {
        place.port: title
        for place, body in answers.items()
        if place.path == "/metrics" and (title := _recognised(body, known))
    }
    named = environ.get("PROMETHEUS_URL", "").strip()
    here = _PROMETHEUS_SAYS in answers.get(PROMETHEUS, b"")
    prometheus = (named,) if named else ((f"http://{HOST}:{PROMETHEUS.port}",) if here else ())
    scraped = _scraped_ports(answers.get(PROMETHEUS, b"")) if here and not named else frozenset()
    direct = [port for port in servers if port not in scraped]
    alerts = b'"versionInfo"' in answers.get(ALERTMANAGER, b"")
    return HostFound(
        prometheus=prometheus,
        alertmanager=(f"http://{HOST}:{ALERTMANAGER.port}",) if alerts else (),
        scrape=tuple(f"http://{HOST}:{port}/metrics" for port in direct),
        sentence=_told(named, here, alerts, servers, scraped, time.monotonic() - began_at),
    )


def _recognised(body: bytes, known: Mapping[str, str]) -> str:
    """Return the title of the profile that a page's metrics belong to, empty for none."""
    names = [name.decode("ascii") for name in dict.fromkeys(_NAME.findall(body))]
    title = next((known[name] for name in names if name in known), "")
    if title:
        return title
    # Most servers write their names plainly; something before them is looked for where none did.
    ends = tuple(f"_{metric.replace(':', '_')}" for metric in known)
    spelled = next((name for name in names if f"_{name}".endswith(ends)), "")
    return next(
        (
            known[m]
            for m, end in zip(known, ends, strict=True)
            if spelled and f"_{spelled}".endswith(end)
        ),
        "",
    )


def _scraped_ports(body: bytes) -> frozenset[int]:
    """Return the ports of this host that its Prometheus reads."""
    own = {"localhost", HOST, "::1", socket.gethostname()}
    found = set()
    for text in _TARGET.findall(body):
        url = urlsplit(text.decode("utf-8", "replace"))
        try:
            if url.hostname in own and url.port is not None:
                found.add(url.port)
        except ValueError:  # a port that is no number
            continue
    return frozenset(found)


def _told(
    named: str,
    here: bool,
    alerts: bool,
    servers: Mapping[int, str],
    scraped: Iterable[int],
    took_seconds: float,
) -> str:
    parts = [f"Prometheus at {visible(named, 200)} (PROMETHEUS_URL)"] if named else []
    parts += ["Prometheus on 9090"] if here and not named else []
    parts += ["Alertmanager on 9093"] if alerts else []
    parts += [
        f"{title} on {port}" + (" (read through Prometheus)" if port in scraped else "")
        for port, title in servers.items()
    ]
    if not parts:
        return ""
    return (
        f"nothing is configured; found on this host in {1000 * took_seconds:.0f} ms: "
        f"{', '.join(parts)}. "
        "`midwatch init` writes it down, --no-discovery looks for nothing"
    )
