"""``midwatch lint-metrics``: what is useful first, which label is missing, edges and bounds."""

from __future__ import annotations

from pathlib import Path

import pytest

from console.cli.main import run as main
from tests.support.web import Reply, web_server

TEXTS = Path(__file__).parent.parent / "reach" / "texts"


def linted(
    capsys: pytest.CaptureFixture[str], text: str, *arguments: str
) -> tuple[int | object, str]:
    with web_server(lambda request: Reply(text.encode())) as server:
        code = main(["lint-metrics", f"{server.url}/metrics", *arguments])
    return code, capsys.readouterr().out


def test_a_system_is_named_under_any_prefix(capsys: pytest.CaptureFixture[str]) -> None:
    code, told = linted(capsys, (TEXTS / "ray_vllm.txt").read_text())
    assert code == 0
    assert "recognised: this is vLLM" in told
    assert "model_requests_total" not in told


def test_spend_without_the_label_of_its_model_is_told_with_that_label(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = (
        'litellm_proxy_total_requests_metric_total{requested_model="gpt",status_code="200"} 5\n'
        'litellm_spend_metric_total{model="gpt-4"} 1.5\n'
    )
    code, told = linted(capsys, text)
    assert code == 0
    assert (
        "litellm_spend_metric_total is there but has no label requested_model (it has model)"
        in (told)
    )
    assert told.index("first   latency_p95") < told.index("ok      requests_rate")
    assert linted(capsys, text, "--strict")[0] == 1


def test_edges_that_cannot_answer_are_named_with_the_nearest(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = (TEXTS / "vllm.txt").read_text()
    _, told = linted(capsys, text, "--objective", "400ms")
    assert "has no bucket edge at 0.4, so that slow_ratio cannot be answered" in told
    assert "the nearest are 0.3 and 0.5" in told
    assert "no bucket edge" not in linted(capsys, text, "--objective", "500ms")[1]


def test_a_label_without_bound_and_a_broken_line_are_to_be_mended(
    capsys: pytest.CaptureFixture[str],
) -> None:
    many = "\n".join(
        f'model_requests_total{{model="m",outcome="ok",user="u{n}"}} 1' for n in range(600)
    )
    code, told = linted(capsys, many + "\n")
    assert code == 0
    assert "model_requests_total has 600 series; label user has 600 values" in told
    code, told = linted(capsys, 'model_requests_total{model="m",outcome="ok"} one\n', "--strict")
    assert code == 1
    assert "mend: line 1 has no number" in told
    assert "has no label model" not in told
