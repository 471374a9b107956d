"""What is there and not read is said: kinds without a profile, and metrics without their label."""

from __future__ import annotations

import re
import time

import pytest

from console.metrics.profile import discovery_promql, profile_of_metric, profiles
from console.metrics.unread_kinds import UNREAD, unread_kinds
from console.settings.endpoint_tables import SourceSettings
from console.sources.factory import build_source
from tests.sources.expositions import service_text
from tests.support.prometheus_server import running_prometheus, wait_for_series
from tests.support.web import page

OTHERS = """\
# TYPE kong_ai_llm_requests_total counter
kong_ai_llm_requests_total{ai_model="m"} 3
# TYPE ovms_requests_success counter
ovms_requests_success{name="r"} 3
# TYPE litellm_proxy_total_requests_metric_total counter
litellm_proxy_total_requests_metric_total{model="gpt-x-mini",status_code="200"} 3
"""
SAID = (
    "OpenVINO Model Server: recognised, and no profile reads it",
    "Kong AI Gateway: recognised, and no profile reads it",
)
LABEL = "litellm_proxy_total_requests_metric_total is there, but no series of it has label"


@pytest.mark.parametrize("text", [OTHERS, OTHERS + service_text("fraud", requests=5.0)])
async def test_a_server_is_asked_in_one_round_trip_for_what_is_not_read_too(tmp_path, text) -> None:
    with page(text) as served, running_prometheus(tmp_path, targets=[served.url[7:]]) as url:
        wait_for_series(url, "kong_ai_llm_requests_total", seconds=60.0)
        source = build_source(SourceSettings(name="p", kind="prometheus", url=url))
        found = await source.discover(profiles(), time.time())
        await source.aclose()

    status = source.status()
    assert [one for one in status.unread if "no profile" in one] == list(SAID)
    assert [one for one in status.unread if LABEL in one and "requested_model" in one]
    assert [model.model for model in found.models] == (["fraud"] if "fraud" in text else [])
    assert len(found.unread) == 3
    assert status.address == url


async def test_a_scrape_says_the_same() -> None:
    with page(OTHERS) as served:
        source = build_source(SourceSettings(name="s", kind="scrape", targets=(served.url,)))
        await source.discover(profiles(), time.time())
        await source.aclose()

    told = source.status().unread
    assert told[:2] == SAID
    assert LABEL in told[2]


def test_the_table_names_nothing_that_a_profile_reads() -> None:
    for title, pattern in UNREAD.items():
        for option in pattern.split("|"):
            name = re.sub(r"\((\w+)\|.*\)|\.\*", r"\1", option).split("(")[0]
            assert profile_of_metric(name) is None, title
    assert unread_kinds(["up", "kong_ai_llm_requests_total"])[0].title == "Kong AI Gateway"
    assert discovery_promql().count("{") == 1


def test_lint_metrics_says_what_it_is_and_which_label_is_missing(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from console.cli.main import run as main

    with page(OTHERS) as served:
        code = main(["lint-metrics", served.url])
    told = capsys.readouterr().out
    assert "this is Kong AI Gateway: recognised, and no profile reads it" in told
    assert "recognised: this is LiteLLM" in told
    assert f"no row: LiteLLM proxy: {LABEL} requested_model" in told
    assert code == 1
    with page(service_text("fraud", requests=3.0)) as served:
        assert main(["lint-metrics", served.url]) == 0
    assert "no row" not in capsys.readouterr().out
    with page("# TYPE vllm_num_requests_running gauge\nmodel_requests_total 12\n") as served:
        assert main(["lint-metrics", served.url]) == 1
    assert "model_requests_total is there, but no series of it has label model" in (
        capsys.readouterr().out
    )


def test_check_and_init_name_what_is_not_read(tmp_path, capsys: pytest.CaptureFixture[str]) -> None:
    from console.cli.main import run as main

    with page(OTHERS + service_text("fraud", requests=5.0)) as served:
        written = tmp_path / "midwatch.toml"
        assert main(["--scrape", served.url, "init", "--output", str(written)]) == 0
        main(["--config", str(written), "check"])
    assert "# " in written.read_text()
    assert "seen and not read: Kong AI Gateway" in written.read_text()
    assert "not read: OpenVINO Model Server" in capsys.readouterr().out
