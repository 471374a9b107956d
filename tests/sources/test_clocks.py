"""Whether a server's clock and its newest samples are from now."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from console.metrics.profile import profiles
from console.sources.prom_api import late_note, newest_promql, skew_note
from tests.sources.test_prometheus import a_query, source_for
from tests.support.prometheus_server import instant, running_prometheus

if TYPE_CHECKING:
    from pathlib import Path

NOON = 1_790_000_000.0


@pytest.mark.parametrize(
    ("server_date", "said"),
    [
        ("Mon, 21 Sep 2026 14:13:20 GMT", ()),
        ("Mon, 21 Sep 2026 14:12:55 GMT", ()),
        ("Mon, 21 Sep 2026 14:12:00 GMT", ("this machine's clock is 80 s ahead of the server's",)),
        ("Mon, 21 Sep 2026 14:14:00 GMT", ("this machine's clock is 40 s behind the server's",)),
        ("yesterday", ()),
        ("", ()),
    ],
)
def test_clocks_are_compared(server_date: str, said: tuple[str, ...]) -> None:
    assert skew_note(server_date, NOON, 8.0) == said


def test_only_old_samples_are_told() -> None:
    assert late_note(NOON - 90.0, NOON) == ()
    (note,) = late_note(NOON - 250.0, NOON)
    assert note.startswith("the newest sample of any model is 4m old")
    assert late_note(NOON + 60.0, NOON) == (), "a server ahead of us is told by its clock"


async def test_a_server_that_is_fed_late_answers_and_says_so(tmp_path: Path) -> None:
    now = time.time()
    ended = int(now) - 200
    blocks = "\n".join(
        f'{metric}{{{where},instance="a:1"}} {7 + at - ended} {at}'
        for metric, where in (
            ("model_requests_total", 'model="fraud",version="v1",outcome="ok"'),
            ("vllm:num_requests_running", 'model_name="chat",engine="0"'),
        )
        for at in range(ended - 600, ended + (60 if "vllm" in metric else 0), 15)
    )
    with running_prometheus(tmp_path, blocks=blocks) as url:
        both = [profiles()["midwatch"], profiles()["vllm"]]
        ((_, newest),) = instant(url, newest_promql(both), now)
        assert ended < newest < ended + 60, "the newest of all profiles counts"
        source = source_for(url)
        found = await source.discover(profiles(), now)
        assert {seen.model for seen in found.models} == {"fraud", "chat"}
        await source.ask([a_query("requests_rate", now)], now)
        (warning,) = source.status().warnings
        await source.aclose()
    assert "the newest sample of any model is 2m old" in warning
