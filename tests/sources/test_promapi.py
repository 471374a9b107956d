"""The answers of the Prometheus API, whole and broken."""

from __future__ import annotations

import asyncio
import json
import math
import time

import numpy as np
import pytest

from console.sources.prom_api import ApiError, instant_vector, open_body, range_matrix

RECORDED_3X = b"""{"status":"success","data":{"resultType":"vector","result":[
{"metric":{"model":"fraud-scorer"},"value":[1763869633.781,"0.25"]}]},
"infos":["PromQL info: metric might not be a counter, name does not end in \
_total/_sum/_count/_bucket: \\"model_review_queue_depth\\" (1:6)"],
"warnings":["results may be incomplete: 1 of 2 stores did not answer"]}"""


def vector(*values: str) -> bytes:
    result = [{"metric": {"model": f"m{i}"}, "value": [1.5, v]} for i, v in enumerate(values)]
    data = {"resultType": "vector", "result": result}
    return json.dumps({"status": "success", "data": data}).encode()


async def test_infos_and_warnings_of_a_newer_server_are_kept() -> None:
    body = open_body(RECORDED_3X)

    assert body.infos[0].startswith("PromQL info: metric might not be a counter")
    assert body.warnings == ("results may be incomplete: 1 of 2 stores did not answer",)
    assert (await instant_vector(body)).labels == [{"model": "fraud-scorer"}]


async def test_numbers_that_json_cannot_write_come_as_text() -> None:
    found = await instant_vector(open_body(vector("NaN", "+Inf", "-Inf", "0", "1e-3")))

    assert math.isnan(found.values[0])
    assert found.values[1:].tolist() == [math.inf, -math.inf, 0.0, 0.001]


async def test_a_scalar_is_one_series_without_labels() -> None:
    body = b'{"status":"success","data":{"resultType":"scalar","result":[1.5,"42"]}}'

    found = await instant_vector(open_body(body))

    assert found.labels == [{}]
    assert found.values.tolist() == [42.0]


async def test_native_histograms_are_counted_and_left_out() -> None:
    body = (
        b'{"status":"success","data":{"resultType":"vector","result":['
        b'{"metric":{"model":"a"},"histogram":[1,{"count":"3","sum":"1"}]},'
        b'{"metric":{"model":"b"},"value":[1,"2"]}]}}'
    )

    found = await instant_vector(open_body(body))

    assert found.skipped == 1
    assert found.labels == [{"model": "b"}]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "it is empty"),
        (b"<html>login</html>", "it says: an HTML page"),
        (RECORDED_3X[:120], "truncated"),
        (b'{"hello": 1}', "has another shape"),
        (b'{"status":"success"}', "has no data"),
        (b'{"status":"success","data":{"resultType":"vector","result":7}}', "another shape"),
    ],
)
def test_what_is_no_answer_of_the_api_is_said(body: bytes, said: str) -> None:
    with pytest.raises(ApiError, match=said):
        open_body(body)


def test_an_error_says_kind_reason_and_is_harmless_to_show() -> None:
    said = "\\u001b[2J [/foo] query \\u202eprocessing"
    body = f'{{"status":"error","errorType":"timeout","error":"{said}"}}'.encode()

    with pytest.raises(ApiError) as caught:
        open_body(body)

    assert caught.value.refused
    assert "(timeout)" in caught.value.sentence
    assert "longer than the source's timeout" in caught.value.sentence
    assert "\x1b" not in caught.value.sentence
    assert "\u202e" not in caught.value.sentence


async def test_a_series_of_another_shape_is_an_error_of_this_answer() -> None:
    body = b'{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":3}]}}'

    with pytest.raises(ApiError, match="not the Prometheus API's"):
        await instant_vector(open_body(body))


async def test_a_matrix_where_a_vector_is_due_is_refused() -> None:
    body = open_body(b'{"status":"success","data":{"resultType":"matrix","result":[]}}')

    with pytest.raises(ApiError, match="answers a matrix"):
        await instant_vector(body)


async def test_a_range_becomes_times_and_values() -> None:
    body = (
        b'{"status":"success","data":{"resultType":"matrix","result":'
        b'[{"metric":{"model":"a"},"values":[[10,"1"],[20,"NaN"],[40,"3"]]}]}}'
    )

    (series,) = await range_matrix(open_body(body))

    assert series.labels == {"model": "a"}
    assert series.times.tolist() == [10.0, 20.0, 40.0]
    np.testing.assert_array_equal(series.values, [1.0, math.nan, 3.0])


async def test_a_large_answer_is_decoded_in_pieces_between_which_the_loop_runs() -> None:
    # 40,000 series with labels as long as those of a real fleet are some 12 MB.
    labels = ",".join(f'"label_{i}":"{"v" * 30}"' for i in range(5))
    series = ",".join(
        f'{{"metric":{{"model":"model-{i}",{labels}}},"value":[1763869633.781,"0.{i}"]}}'
        for i in range(40_000)
    )
    text = f'{{"status":"success","data":{{"resultType":"vector","result":[{series}]}}}}'
    body = text.encode()
    assert len(body) > 10_000_000
    turns: list[float] = []

    async def other_work() -> None:
        while True:
            turns.append(time.thread_time())
            await asyncio.sleep(0)

    other = asyncio.create_task(other_work())
    await asyncio.sleep(0)
    opened = open_body(body)
    turns.clear()
    found = await instant_vector(opened)
    other.cancel()

    assert len(found.labels) == 40_000
    assert len(turns) >= 40_000 / 300
    # CPU time of this thread, so that a busy machine does not matter; garbage collection may fall
    # into one or two pieces.
    pieces = sorted(np.diff(turns))
    assert pieces[int(len(pieces) * 0.95)] < 0.02
