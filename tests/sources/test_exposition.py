"""Reading exposition text: what services send, and what they should not."""

from __future__ import annotations

import math
import time

import pytest
from prometheus_client.parser import text_string_to_metric_families

from console.sources.exposition import ExpositionError, ExpositionReader
from tests.sources.expositions import HOSTILE_NAMES, series_text


def everything(_: str) -> bool:
    return True


def read(text: str, reader: ExpositionReader | None = None) -> dict[tuple[str, object], float]:
    reader = reader or ExpositionReader(everything)
    scrape = reader.read(text.encode())
    return {reader.series[i]: v for i, v in zip(scrape.ids, scrape.values, strict=True)}


def test_plain_text_format() -> None:
    text = (
        "# HELP a_total Help with {braces} and \\n.\n# TYPE a_total counter\n"
        'a_total{b="c",d="e"} 1\n'
        "  bare   2 \n"
        'spaced { x = "1" , y = "2" } 3\n'
        'stamped{x="1"} 4 1763869633781\n'
        'trailing{x="1",} 5\n'
        "empty{} 6\r\n"
        'nan{x="1"} NaN\ninf{x="1"} +Inf\n'
        "\n   \n"
        'tab{x="1"}\t7\n'
    )

    found = read(text)

    assert found[("a_total", (("b", "c"), ("d", "e")))] == 1
    assert found[("bare", ())] == 2
    assert found[("spaced", (("x", "1"), ("y", "2")))] == 3
    assert found[("stamped", (("x", "1"),))] == 4
    assert found[("trailing", (("x", "1"),))] == 5
    assert found[("empty", ())] == 6
    assert math.isnan(found[("nan", (("x", "1"),))])
    assert found[("inf", (("x", "1"),))] == math.inf
    assert found[("tab", (("x", "1"),))] == 7


def test_openmetrics_with_exemplars_timestamps_and_end() -> None:
    text = (
        "# TYPE a histogram\n# UNIT a seconds\n"
        'a_bucket{le="1.0"} 3 # {trace_id="q } 9"} 0.67 1763869633.781\n'
        "a_count 4 1763869633.781\n"
        "a_created 1.7e+09\n# EOF\n"
    )

    found = read(text)

    assert found == {
        ("a_bucket", (("le", "1.0"),)): 3.0,
        ("a_count", ()): 4.0,
        ("a_created", ()): 1.7e9,
    }


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_hostile_label_values_come_through_unchanged(name: str) -> None:
    labels = (("model", name), ("other", "} 5 # {"))
    line = f"{series_text('m_total', labels)} 8\n"

    reader = ExpositionReader(everything)

    assert read(line, reader) == {("m_total", labels): 8.0}
    assert read(line.replace(" 8\n", " 9\n"), reader) == {("m_total", labels): 9.0}


def test_a_counter_keeps_the_name_that_it_was_sent_under() -> None:
    # prometheus_client's parser adds _total where a TYPE line says counter; Prometheus does not.
    text = '# TYPE nv_inference_count counter\nnv_inference_count{model="a"} 5\n'
    assert [
        sample.name for family in text_string_to_metric_families(text) for sample in family.samples
    ] == ["nv_inference_count_total"]

    assert read(text) == {("nv_inference_count", (("model", "a"),)): 5.0}


@pytest.mark.parametrize(
    "line",
    [
        "<html><body>",
        "a",
        "a b c",
        'a{x="1" 5',
        "a{x=1} 5",
        'a{x="1",x="2"} 5',
        'a{x="1"}',
        'a{"x"="1} 5',
        "a 1 zz",
        "a\x1b[2J 1 2 3",
    ],
)
def test_one_malformed_line_spoils_the_scrape_and_is_shown_harmlessly(line: str) -> None:
    with pytest.raises(ExpositionError, match="line 2") as caught:
        read(f"good 1\n{line}\nlater 3\n")

    assert "\x1b" not in caught.value.sentence


def test_bytes_that_are_no_text_are_refused() -> None:
    with pytest.raises(ExpositionError, match="not UTF-8"):
        ExpositionReader(everything).read(b"a 1\n\xff\xfe 2\n")


@pytest.mark.parametrize("bad", [b'other{a="\xff"} 1', b"other 1 2 3", b'other{a="1'])
def test_a_bad_line_of_a_metric_that_nobody_reads_is_named_and_skipped(bad: bytes) -> None:
    reader = ExpositionReader(lambda name: name.startswith("model_"))

    found = reader.read(b'model_a{m="1"} 1\n' + bad + b'\nmodel_a{m="2"} 2\n')

    assert found.values == [1.0, 2.0]
    assert reader.skipped == 1
    assert reader.skipped_line.startswith("line 2 is not")
    with pytest.raises(ExpositionError, match="line 2 is not"):
        reader.read(b"model_a 1\n" + bad.replace(b"other", b"model_b") + b"\n")
    assert reader.read(b"model_a 1\n").values == [1.0]
    assert reader.skipped == 0


def test_gzip_without_its_header_is_named() -> None:
    with pytest.raises(ExpositionError, match="looks gzip-compressed"):
        ExpositionReader(everything).read(b"\x1f\x8b\x08\x00rest")


def test_only_wanted_metrics_are_kept_and_a_scrape_says_what_is_there() -> None:
    reader = ExpositionReader(lambda name: name.startswith("model_"))

    first = reader.read(b'model_a{m="1"} 1\ngo_threads 7\nmodel_a{m="2"} 2\n')
    second = reader.read(b'go_threads 8\nmodel_a{m="2"} 3\n')

    assert reader.series == [("model_a", (("m", "1"),)), ("model_a", (("m", "2"),))]
    assert (first.ids, first.values) == ([0, 1], [1.0, 2.0])
    assert (second.ids, second.values) == ([1], [3.0])


def test_too_many_series_are_an_error_but_churn_over_time_is_not() -> None:
    reader = ExpositionReader(everything, max_series=10)
    with pytest.raises(ExpositionError, match="more than 10 series"):
        reader.read("".join(f'm{{i="{i}"}} 1\n' for i in range(11)).encode())

    for round_ in range(20):
        scrape = reader.read("".join(f'm{{r="{round_}",i="{i}"}} 1\n' for i in range(4)).encode())
        assert [reader.series[i][1][1][1] for i in scrape.ids] == [str(round_)] * 4
    assert len(reader.series) <= 10


def test_what_is_not_wanted_is_not_remembered_for_ever() -> None:
    reader = ExpositionReader(lambda _: False)
    for round_ in range(5):
        reader.read("".join(f'm{{r="{round_}",i="{i}"}} 1\n' for i in range(1000)).encode())

    assert len(reader._known) <= 3001


def test_a_known_text_reads_much_faster_than_the_parser_reads_it() -> None:
    lines = [
        f'm_bucket{{model="model-{m}",version="v1",le="{le}"}} {m * le}\n'
        for m in range(100)
        for le in range(20)
    ]
    body = "".join(lines).encode()
    reader = ExpositionReader(everything)
    reader.read(body)

    began = time.thread_time()
    reader.read(body)
    ours = time.thread_time() - began
    began = time.thread_time()
    list(text_string_to_metric_families(body.decode()))
    theirs = time.thread_time() - began

    assert ours < theirs / 5
