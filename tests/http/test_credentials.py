"""Proof of identity: sent where it must be, nowhere else, and in no error text."""

import ssl
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from console.http import Endpoint, Wire, WireError
from console.settings.endpoint_tables import AuthSettings
from tests.conftest import free_port, require_binary
from tests.http.serving import Asked, Handler, Secrets, ok, redirect, serving, status

BEARER = AuthSettings(type="bearer", secret="env:T")


async def failure(wire: Wire) -> WireError:
    with pytest.raises(WireError) as caught:
        await wire.get("/x")
    await wire.aclose()
    return caught.value


@pytest.mark.parametrize(
    ("auth", "name", "value"),
    [
        (BEARER, "authorization", "Bearer s3cret"),
        (
            AuthSettings(type="basic", username="ana", secret="env:T"),
            "authorization",
            "Basic YW5hOnMzY3JldA==",
        ),
        (AuthSettings(type="header", header="X-Api-Key", secret="env:T"), "x-api-key", "s3cret"),
        (
            AuthSettings(
                type="header", header="Authorization", prefix="Token token=", secret="env:T"
            ),
            "authorization",
            "Token token=s3cret",
        ),
    ],
)
async def test_each_type_sends_its_header(auth: AuthSettings, name: str, value: str) -> None:
    with serving(ok) as server:
        endpoint = Endpoint(urls=(server.url,), auth=auth, tenant="ml", headers={"X-Team": "a"})
        wire = Wire(endpoint, Secrets({"env:T": "s3cret"}))
        await wire.get("/x")
        await wire.post_form("/x", {"a": "b"})
        await wire.aclose()
    for asked in server.asked:
        assert asked.headers[name] == value
        assert asked.headers["x-scope-orgid"] == "ml"
        assert asked.headers["x-team"] == "a"


async def test_without_the_secret_nothing_is_sent() -> None:
    with serving(ok) as server:
        endpoint = Endpoint(urls=(server.url,), auth=BEARER)
        error = await failure(Wire(endpoint, Secrets({})))
        assert (error.kind, error.sentence) == ("secret", "env:T: not there; export it")
        assert (await failure(Wire(endpoint, None))).kind == "secret"
        wire = Wire(endpoint, Secrets({"env:T": "two\nlines"}))
        assert "no HTTP header can carry" in (await failure(wire)).sentence
        assert wire.breaker.failures == 0
    assert server.asked == []


async def test_a_rotated_secret_is_looked_up_once_more_on_401() -> None:
    def check(handler: Handler, asked: Asked) -> None:
        handler.answer(200 if asked.headers["authorization"] == "Bearer new" else 401)

    with serving(check) as server:
        wire = Wire(
            Endpoint(urls=(server.url,), auth=BEARER), Secrets({"env:T": "old"}, {"env:T": "new"})
        )
        assert (await wire.get("/x")).status == 200
        await wire.aclose()
        stubborn = Wire(Endpoint(urls=(server.url,), auth=BEARER), Secrets({"env:T": "old"}))
        error = await failure(stubborn)
    assert error.status == 401
    assert "midwatch secret test" in error.sentence
    assert stubborn.requests_sent == 2


async def test_an_error_that_repeats_the_secret_is_blanked() -> None:
    with serving(status(400, b'token "s3cret" is bad, czNjcmV0')) as server:
        wire = Wire(Endpoint(urls=(server.url,), auth=BEARER), Secrets({"env:T": "s3cret"}))
        error = await failure(wire)
    assert "s3cret" not in error.sentence + repr(error) + str(error.__cause__)
    assert b"s3cret" not in error.body
    assert "czNjcmV0" not in error.sentence
    assert "[secret]" in error.sentence


@pytest.mark.parametrize(
    "endpoint",
    [
        {"auth": BEARER},
        {"tenant": "ml"},
        {"headers": {"X-Key": "k"}},
    ],
)
async def test_no_redirect_with_credentials(endpoint: dict[str, object]) -> None:
    with serving(ok) as other, serving(redirect(other.url + "/there?token=1")) as server:
        wire = Wire(
            Endpoint(urls=(server.url,), **endpoint),  # type: ignore[arg-type]
            Secrets({"env:T": "s3cret"}),
        )
        error = await failure(wire)
    assert error.kind == "redirect"
    assert f"{other.url}/there;" in error.sentence
    assert "token" not in error.sentence
    assert other.asked == []
    assert wire.breaker.failures == 0


async def test_a_get_without_credentials_follows_a_few() -> None:
    with serving(ok) as other, serving(redirect(other.url + "/there?b=2")) as server:
        wire = Wire(Endpoint(urls=(server.url,)))
        assert (await wire.get("/x", {"a": "1"})).url_shown == other.url + "/there"
        with pytest.raises(WireError, match="POST is not sent on"):
            await wire.post_form("/x", {"a": "1"})
        await wire.aclose()
        assert [asked.path for asked in other.asked] == ["/there?b=2"]
    with serving(redirect("/again")) as loop:
        assert "more than 3 times" in (await failure(Wire(Endpoint(urls=(loop.url,))))).sentence
        assert len(loop.asked) == 4
    with serving(redirect("file:///etc/passwd")) as elsewhere:
        assert "not followed" in (await failure(Wire(Endpoint(urls=(elsewhere.url,))))).sentence


async def test_a_proxy_is_asked_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    with serving(ok) as proxy:
        wire = Wire(Endpoint(urls=("http://prometheus.example.net",), proxy=proxy.url))
        await wire.get("/x")
        await wire.aclose()
        # The environment's proxy variables are not ours to follow.
        direct = Wire(Endpoint(urls=(proxy.url,)))
        await direct.get("/y")
        await direct.aclose()
    assert [asked.path for asked in proxy.asked] == ["http://prometheus.example.net/x", "/y"]


# --- TLS ----------------------------------------------------------------------------------------


@dataclass
class Papers:
    ca: Path
    server: Path
    client: Path
    client_key: Path
    locked_key: Path


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> Papers:
    openssl = require_binary("openssl")
    room = tmp_path_factory.mktemp("papers")

    def run(*words: str) -> None:
        subprocess.run([openssl, *words], cwd=room, check=True, capture_output=True)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
    run(
        "req",
        "-x509",
        *curve,
        "-keyout",
        "ca.key",
        "-out",
        "ca.pem",
        "-subj",
        "/CN=own",
        "-days",
        "2",
    )
    for name in ("server", "client"):
        (room / f"{name}.ext").write_text("subjectAltName=IP:127.0.0.1\n")
        run("req", *curve, "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}")
        sign = ("-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "2")
        run(
            "x509",
            "-req",
            "-in",
            f"{name}.csr",
            *sign,
            "-out",
            f"{name}.pem",
            "-extfile",
            f"{name}.ext",
        )
    run("ec", "-in", "client.key", "-aes256", "-passout", "pass:opensesame", "-out", "locked.key")
    for key in room.glob("*.key"):
        key.chmod(0o600)
    both = room / "server-both.pem"
    both.write_text((room / "server.pem").read_text() + (room / "server.key").read_text())
    return Papers(
        room / "ca.pem", both, room / "client.pem", room / "client.key", room / "locked.key"
    )


def server_side(papers: Papers, *, demand_client: bool = False) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(papers.server)
    if demand_client:
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(papers.ca)
    return context


async def test_own_authority_is_trusted_only_when_named(papers: Papers) -> None:
    with serving(ok, tls=server_side(papers)) as server:
        wire = Wire(Endpoint(urls=(server.url,), ca_file=str(papers.ca)))
        assert (await wire.get("/x")).status == 200
        await wire.aclose()
        error = await failure(Wire(Endpoint(urls=(server.url,))))
    assert error.kind == "tls"
    assert "not trusted" in error.sentence


async def test_the_wrong_host_name_is_refused(papers: Papers) -> None:
    with serving(ok, tls=server_side(papers)) as server:
        url = server.url.replace("127.0.0.1", "localhost")
        error = await failure(Wire(Endpoint(urls=(url,), ca_file=str(papers.ca))))
    assert error.kind == "tls"


async def test_a_ca_file_that_is_none_is_told(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nothing")
    for name in ("ca.pem", "missing.pem"):
        endpoint = Endpoint(urls=("https://127.0.0.1:1",), ca_file=str(tmp_path / name))
        error = await failure(Wire(endpoint))
        assert error.kind == "tls"
        assert "ca_file" in error.sentence


def mtls(papers: Papers, key: Path, secret: str | None = None) -> AuthSettings:
    return AuthSettings(type="mtls", cert_file=str(papers.client), key_file=str(key), secret=secret)


async def test_mtls_with_and_without_passphrase(papers: Papers) -> None:
    with serving(ok, tls=server_side(papers, demand_client=True)) as server:
        for auth in (mtls(papers, papers.client_key), mtls(papers, papers.locked_key, "env:P")):
            endpoint = Endpoint(urls=(server.url,), ca_file=str(papers.ca), auth=auth)
            wire = Wire(endpoint, Secrets({"env:P": "opensesame"}))
            assert (await wire.get("/x")).status == 200
            await wire.aclose()
        bare = Wire(Endpoint(urls=(server.url,), ca_file=str(papers.ca)))
        error = await failure(bare)
    # The server's alert races with its hanging up; either way the sentence names the certificate.
    assert error.kind in ("tls", "truncated")
    assert "certificate" in error.sentence.casefold()
    assert len(server.asked) == 2


async def test_a_locked_key_without_passphrase_does_not_ask_the_terminal(papers: Papers) -> None:
    endpoint = Endpoint(urls=("https://127.0.0.1:1",), auth=mtls(papers, papers.locked_key))
    error = await failure(Wire(endpoint))
    assert error.kind == "secret"
    assert "cannot be loaded" in error.sentence


async def test_a_key_others_can_read_is_refused(papers: Papers, tmp_path: Path) -> None:
    key = tmp_path / "client.key"
    key.write_bytes(papers.client_key.read_bytes())
    key.chmod(0o644)
    error = await failure(Wire(Endpoint(urls=("https://127.0.0.1:1",), auth=mtls(papers, key))))
    assert error.kind == "secret"
    assert "chmod 600" in error.sentence


async def test_plain_http_on_a_tls_port_is_told(papers: Papers) -> None:
    with serving(ok, tls=server_side(papers)) as server:
        url = server.url.replace("https", "http")
        error = await failure(Wire(Endpoint(urls=(url,), timeout_seconds=2)))
    assert error.kind in ("connect", "protocol", "truncated")


async def test_tls_on_a_plain_port_is_told() -> None:
    with serving(ok) as server:
        url = server.url.replace("http", "https")
        assert (await failure(Wire(Endpoint(urls=(url,), timeout_seconds=2)))).kind == "tls"
