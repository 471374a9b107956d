"""True texts of model servers, turned into ten minutes of samples whose counters grow."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from tests.metrics.fleet import NOW
from tests.metrics.stored import ListStore

DATA = Path(__file__).parent / "data"
SERVERS = ("vllm", "vllm_before_renames", "triton", "mlserver", "litellm")
_GROWING = ("_total", "_bucket", "_count", "_sum")


_SAMPLE = re.compile(r"([^ {]+)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def servers_store() -> ListStore:
    """Return every text's series: counters grow by their own value a minute, gauges stand still.

    Read by hand, because the client library's parser adds ``_total`` to counters without it.
    """
    store = ListStore()
    times = np.arange(NOW - 900.0, NOW, 15.0) + 2.125
    for server in SERVERS:
        counters: set[str] = set()
        for line in (DATA / f"{server}.txt").read_text(encoding="utf-8").splitlines():
            if line.startswith("#"):
                _, _, name, kind = line.split()
                counters |= {name} if kind == "counter" else set()
                continue
            found = _SAMPLE.fullmatch(line)
            assert found is not None, line
            name, labels, value = found.groups()
            grows = name in counters or name.endswith(_GROWING)
            factor = 1 + (times - times[0]) / 60.0 if grows else np.ones(len(times))
            own = dict(_LABEL.findall(labels or ""))
            where = {**own, "job": server, "instance": f"{server}:80"}
            store.add(name, where, times.tolist(), (float(value) * factor).tolist())
    return store
