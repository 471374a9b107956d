"""One careless label must not take the on-call host down."""

from __future__ import annotations

import tracemalloc

import pytest

from console.sources.exposition import (
    LONGEST_VALUE,
    ExpositionError,
    ExpositionReader,
    cut_long_values,
)


def read(text: str) -> ExpositionReader:
    reader = ExpositionReader(lambda _: True)
    reader.read(text.encode())
    return reader


def test_a_label_of_15_megabytes_is_cut_and_costs_no_memory() -> None:
    body = f'm{{a="{"x" * 15_000_000}",b="1"}} 3\n'.encode()
    reader = ExpositionReader(lambda _: True)
    tracemalloc.start()
    try:
        scrape = reader.read(body)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert scrape.values == [3.0]
    assert reader.cut_lines == 1
    labels = dict(reader.series[0][1])
    assert labels["b"] == "1"
    assert len(labels["a"]) < 300
    assert most < 8 * len(body)


def test_two_long_values_stay_two_series_and_one_stays_one() -> None:
    one, two = "x" * 20_000 + "1", "x" * 20_000 + "2"
    reader = read(f'm{{a="{one}"}} 1\nm{{a="{two}"}} 2\nm{{a="{one}"}} 1\n')
    assert len(reader.series) == 2
    assert all("…#" in dict(labels)["a"] for _, labels in reader.series)


def test_what_is_short_stays_as_it_is() -> None:
    line = 'm{a="x\\"y\\\\",b="%s"} 1' % ("z" * (LONGEST_VALUE - 1))
    assert cut_long_values(line) == line
    assert cut_long_values('m{a="never closed') == 'm{a="never closed'


def test_a_long_value_with_escapes_is_still_one_value() -> None:
    value = '\\"' * 10_000
    reader = read(f'm{{a="{value}",b="2"}} 1\n')
    assert dict(reader.series[0][1])["b"] == "2"


def test_a_line_that_stays_too_long_is_refused_in_a_sentence() -> None:
    labels = ",".join(f'l{number}="{"y" * 4000}"' for number in range(80))
    with pytest.raises(ExpositionError, match="characters, 262144 are the most"):
        read(f"m{{{labels}}} 1\n")
