"""A secret is used and never shown: not in output, not in errors, not in the log."""

from __future__ import annotations

import json
import urllib.parse
from base64 import b64encode
from typing import TYPE_CHECKING

import pytest

from tests.support.web import Reply, Request, web_server

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Run

TOKEN = "s3cr3t/Tok+en-42=="
SPELLINGS = (TOKEN, urllib.parse.quote(TOKEN, safe=""), b64encode(TOKEN.encode()).decode())


def _echo(request: Request) -> str:
    return f"you sent {request.headers.get('Authorization')} to {request.path}"


def _refuses(request: Request) -> Reply:
    return Reply(_echo(request).encode(), status=401, content_type="text/plain")


def _fails(request: Request) -> Reply:
    body = {"status": "error", "errorType": "internal", "error": _echo(request)}
    return Reply(json.dumps(body).encode(), status=500, content_type="application/json")


def _lies(request: Request) -> Reply:
    return Reply(f'{{"status": "{_echo(request)}'.encode(), content_type="application/json")


def _warns(request: Request) -> Reply:
    body = {
        "status": "success",
        "warnings": [_echo(request)],
        "infos": [_echo(request)],
        "data": {"resultType": "vector", "result": []},
    }
    return Reply(json.dumps(body).encode(), content_type="application/json")


@pytest.mark.parametrize("answer", [_refuses, _fails, _lies, _warns])
def test_a_server_that_repeats_the_token_cannot_make_it_seen(
    run: Run, tmp_path: Path, answer: Callable[[Request], Reply]
) -> None:
    log = tmp_path / "midwatch.log"
    with web_server(answer) as server:
        config = tmp_path / "config.toml"
        config.write_text(
            'version = 1\nrefresh = "1s"\n[[sources]]\nname = "prom"\nkind = "prometheus"\n'
            f'url = "{server.url}"\nauth = {{ type = "bearer", secret = "env:PROM_TOKEN" }}\n'
        )
        config.chmod(0o600)
        shared = ("--config", str(config), "--log", str(log))
        seen = ""
        for command in (["check"], ["status"], ["status", "--json"], ["status", "--plain"]):
            done = run(*shared, *command, PROM_TOKEN=TOKEN)
            assert done.code != 0
            seen += done.out + done.err
    used = [request.headers.get("Authorization") for request in server.requests]
    assert f"Bearer {TOKEN}" in used, "the token was never sent, so nothing is proven"
    seen += log.read_text()
    for spelling in SPELLINGS:
        assert spelling not in seen


def test_the_log_leaves_out_a_secret_by_its_value(tmp_path: Path) -> None:
    import logging

    from console.cli.bootstrap import CleanFormatter
    from console.settings.secret_references import SecretValue

    formatter = CleanFormatter("%(message)s")
    record = logging.LogRecord("x", logging.INFO, "x", 1, "the proxy said %s", (TOKEN,), None)
    assert TOKEN in formatter.format(record)
    formatter.secrets = lambda: (SecretValue(TOKEN),)
    assert formatter.format(record) == "the proxy said [secret]"
