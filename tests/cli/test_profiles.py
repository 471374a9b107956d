"""``midwatch profiles``, and a server that only a file of the operator's knows."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.support.web import Reply, web_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import Run
    from tests.support.web import Request

PAGE = """# TYPE acme_predictions_total counter
acme_predictions_total{{net="resnet",status="ok"}} {n}
acme_predictions_total{{net="resnet",status="error"}} {bad}
acme_predict_seconds_bucket{{net="resnet",le="0.1"}} {n}
acme_predict_seconds_bucket{{net="resnet",le="0.5"}} {n}
acme_predict_seconds_bucket{{net="resnet",le="+Inf"}} {n}
acme_predict_seconds_count{{net="resnet"}} {n}
acme_pending{{pool="a"}} 3
"""
PROFILE = """name = "acme"
title = "Acme"
signature = ["acme_predictions_total"]
model_label = "net"
[signals]
requests_rate = {{ expression = {{ kind = "rate", metric = "acme_predictions_total" }} }}
[signals.error_ratio.expression]
kind = "ratio"
of = {{ kind = "rate", metric = "acme_predictions_total", where = {{ {label} = "error" }} }}
to = {{ kind = "rate", metric = "acme_predictions_total" }}
"""
PENDING = """[signals.queue_depth.expression]
kind = "gauge"
metric = "acme_pending"
aggregation = "sum"
"""


@pytest.fixture(scope="module")
def acme() -> Iterator[str]:
    """Serve a page whose counters grow; one request of five fails."""
    began_at = time.monotonic()

    def page(request: Request) -> Reply:
        n = int((time.monotonic() - began_at) * 40)
        return Reply(PAGE.format(n=n, bad=n // 4).encode())

    with web_server(page) as server:
        yield f"{server.url}/metrics"


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    path = tmp_path / ".config" / "midwatch" / "profiles" / "acme.toml"
    path.parent.mkdir(parents=True)
    path.write_text(PROFILE.format(label="status"))
    path.chmod(0o600)
    return path


def test_a_profile_in_the_folder_puts_its_server_on_the_screen(
    run: Run, acme: str, profile: Path
) -> None:
    done = run("--scrape", acme, "status", "--json")
    assert '"model": "resnet"' in done.out, done.err
    assert '"profile": "acme"' in done.out
    assert "acme               server" in run("profiles", "list").out


def test_a_test_prints_values_and_passes(run: Run, acme: str, profile: Path) -> None:
    done = run("profiles", "test", str(profile), "--scrape", acme)
    assert done.code == 0, done.out
    assert "recognised, models: 1 (resnet)" in done.out
    assert "ok       error_ratio: error ratio\n         resnet 20%" in done.out
    assert "signals with a value: 2 of 2" in done.out


def test_a_test_names_the_label_that_is_missing_where_a_value_would_be_a_false_zero(
    run: Run, acme: str, profile: Path
) -> None:
    profile.write_text(PROFILE.format(label="code") + PENDING)
    done = run("profiles", "test", str(profile), "--scrape", acme)
    assert done.code == 1
    assert "acme_predictions_total is there but has no label code (it has net, status)" in done.out
    assert "acme_pending is there but has no label net (it has pool)" in done.out
    assert "signals with a value: 1 of 3" in done.out


def test_a_server_that_is_not_recognised_is_told_from_its_like(
    run: Run, acme: str, profile: Path
) -> None:
    profile.write_text(PROFILE.format(label="status").replace("acme_predictions", "acme_predicts"))
    done = run("profiles", "test", str(profile), "--scrape", acme)
    assert done.code == 1
    assert "not recognised: it exports none of acme_predicts_total" in done.out
    assert "it has acme_predictions_total" in done.out


def test_a_misspelt_signal_and_an_unsafe_file_are_refused(run: Run, profile: Path) -> None:
    profile.write_text(PROFILE.format(label="status").replace("requests_rate", "request_rate"))
    done = run("profiles", "test", str(profile))
    assert done.code == 1
    assert "did you mean requests_rate?" in done.err
    assert run("check", "--offline").code == 78
    profile.write_text(PROFILE.format(label="status"))
    profile.chmod(0o666)
    done = run("check", "--offline")
    assert done.code == 78
    assert "can be written by others" in done.err


def test_a_model_that_names_an_unknown_profile_is_refused_with_the_nearest(
    run: Run, tmp_path: Path
) -> None:
    path = tmp_path / "c.toml"
    path.write_text('[models.x]\nprofile = "vlm"\n')
    path.chmod(0o600)
    done = run("--config", str(path), "check", "--offline")
    assert done.code == 78
    assert 'did you mean "vllm"?' in done.err


def test_an_own_file_replaces_a_profile_and_a_preset_of_the_program(
    run: Run, profile: Path, tmp_path: Path
) -> None:
    own = profile.with_name("vllm.toml")
    own.write_text(PROFILE.format(label="status").replace('"acme"', '"vllm"'))
    own.chmod(0o600)
    preset = profile.parent.parent / "presets" / "triton.toml"
    preset.parent.mkdir()
    preset.write_text("not = 1 toml")
    preset.chmod(0o600)
    path = tmp_path / "c.toml"
    path.write_text(
        f'profiles = ["file:{profile}"]\n[controls.t]\ndriver = "http"\npreset = "triton"\n'
        'targets = ["http://127.0.0.1:1"]\n'
    )
    path.chmod(0o600)
    done = run("--config", str(path), "check")
    assert "it replaces the built-in of that name" in done.out
    assert str(preset) in done.out
    assert "acme_predictions_total" in run("profiles", "show", "vllm", "--toml").out
