"""TLS of controls: strangers get nothing, and a name stays a name behind its addresses."""

import ssl
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from console.controls.registry import build_control
from console.http import endpoint as credentials
from console.settings.endpoint_tables import ControlSettings
from tests.conftest import require_binary
from tests.controls.acting import WHO
from tests.controls.service import own, trip
from tests.http.serving import Asked, Handler, serving


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return one PEM with key and certificate of ``localhost``, which signed itself."""
    openssl = require_binary("openssl")
    room = tmp_path_factory.mktemp("papers")
    command = [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
    command += ["-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "2"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost"]
    subprocess.run(command, cwd=room, check=True, capture_output=True)
    both = room / "both.pem"
    both.write_text((room / "cert.pem").read_text() + (room / "key.pem").read_text())
    return both


@pytest.fixture
def trusted(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let this process trust the certificate, as a host with its own authority does."""
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.with_name("cert.pem")))
    credentials._shared_context.cache_clear()
    yield
    credentials._shared_context.cache_clear()


def server_side(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def closed(handler: Handler, _asked: Asked) -> None:
    handler.answer(body=b'{"state": "CLOSED"}')


def by_name(url: str) -> ControlSettings:
    declared = own("http://127.0.0.1:1", trip=trip())
    return replace(declared, targets=(), targets_from={"dns": url})


async def test_a_name_looked_up_is_still_the_name_that_is_proven(
    certificate: Path, trusted: None
) -> None:
    with serving(closed, tls=server_side(certificate)) as server:
        control = build_control("c", by_name(f"https://localhost:{server.server_port}"), None)
        state = await control.read(time.time())
        there = state.of(f"https://127.0.0.1:{server.server_port}")
        assert there is not None
        assert there.value == "CLOSED"
        assert server.asked[0].headers["host"] == f"localhost:{server.server_port}"


async def test_another_name_is_refused_before_anything_is_sent(
    certificate: Path, trusted: None
) -> None:
    with serving(closed, tls=server_side(certificate)) as server:
        control = build_control("c", own(server.url, trip=trip()), None)
        state = await control.read(time.time())
        assert "nothing was sent" in state.error
        change = control.prepare("trip", WHO, state)
        result = await control.send(change, time.time())
        assert (result.verdict, result.results[0].sent) == ("rejected", False)
        assert server.asked == []


async def test_a_stranger_is_refused_before_anything_is_sent(certificate: Path) -> None:
    with serving(closed, tls=server_side(certificate)) as server:
        control = build_control("c", own(f"https://localhost:{server.server_port}"), None)
        assert "nothing was sent" in (await control.read(time.time())).error
        assert server.asked == []
