"""The name of a model in JSON is the name that commands take, whatever a label held."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from console.cli.main import run
from tests.faults.terminal import metrics_server

if TYPE_CHECKING:
    from pathlib import Path

HOSTILE = ("a\u2069b\u0085c", "\u202eevil", "x" * 12_000, "tab\there", "quote'd; rm", "-dash")


def test_a_name_from_json_goes_back_into_a_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    lines = "".join(f'model_requests_total{{model="{name}",status="ok"}} 5\n' for name in HOSTILE)
    with metrics_server(lines.encode()) as url:
        run(["status", "--json", "--instant", "--scrape", url])
        models = [each["model"] for each in json.loads(capsys.readouterr().out)["models"]]
        assert len(models) == len(set(models)) == len(HOSTILE)
        for name in models:
            assert run(["plot", "--scrape", url, "--", name, "requests_rate"]) in (0, 1)
            assert "there is no model" not in capsys.readouterr().err, name
