"""Every model server of the catalogue: its text, the names it should get, and what it offers.

The texts are true ones (vllm, triton, mlserver, kserve, bentoml, ray, litellm) or true to name;
counters grow by their own value a minute, so that rates are known.
"""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.metrics.fleet import NOW
from tests.metrics.stored import ListStore

HERE = Path(__file__).parent
_SAMPLE = re.compile(r"([^ {]+)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


@dataclass(frozen=True)
class System:
    """One system: its texts by job, its profile's name, and the models it should be found with.

    ``host`` is the text of a server that runs in the same pods, for what binds by pod.
    """

    id: str
    profile: str
    texts: tuple[str, ...]
    models: tuple[str, ...]
    host: str = ""
    beside: str = ""


def _one(id_: str, models: str, profile: str = "", texts: str = "", **more: str) -> System:
    return System(id_, profile or id_, tuple((texts or id_).split()), tuple(models.split()), **more)


SYSTEMS = (
    _one("vllm", "old-llama ray-llama tiny-llama", texts="vllm vllm_old ray_vllm"),
    _one("triton", "fraud llm tokens"),
    _one("mlserver", "fraud iris"),
    _one("mlserver_drift", "fraud"),
    _one("seldon_core_v1", "fraud", beside="seldon_drift"),
    _one("seldon_core_2", "fraud"),
    _one("kserve", "fraud ranker"),
    _one("knative", "sklearn-iris"),
    _one("bentoml", "scorer/scorer"),
    _one("ray_serve", "fraud/FraudScorer ranker/Embedder ranker/Ranker", texts="ray"),
    _one("litellm", "chat-dead chat-flaky chat-main chat-mock"),
    _one("torchserve", "fraud_ts"),
    _one("tf_serving", "fraud"),
    _one("tgi", "tgi"),
    _one("tei", "tei"),
    _one("sglang", "qwen3-8b"),
    _one("sglang_router", "qwen-r"),
    _one("otel_genai", "gpt-otel"),
    _one("envoy_ai_gateway", "gpt-4o"),
    _one("gie_epp", "llama3"),
    _one("dynamo", "qwen3-0.6b"),
    _one("trtllm", "llama3"),
    _one("llamacpp", "llamacpp"),
    _one("lmdeploy", "internlm3"),
    _one("evidently", "fraud"),
    _one("envoy", "fraud"),
    _one("istio", "fraud"),
    _one("resilience4j", "fraud"),
    _one("opencost", "ml/vllm-0", host="vllm"),
    _one("dcgm", "ml/vllm-0", host="vllm"),
    _one("mlflow", "mlflow"),
)
"""The catalogue's 32 systems but the one that exports nothing (NannyML, whylogs and the like)."""

HOSTED_MODEL = "gpu-llama"


@dataclass(frozen=True)
class Offer:
    """One number that a system offers, as its users ask for it in PromQL."""

    system: str
    purpose: str
    column: str = ""
    promql: str = ""
    why_not: str = ""


def offers() -> tuple[Offer, ...]:
    """Return what all systems offer, after the catalogue."""
    found = tomllib.loads((HERE / "offers.toml").read_text(encoding="utf-8"))
    return tuple(Offer(**each) for each in found["offers"])


def samples() -> ListStore:
    """Return fifteen minutes of every text's series, one job a text."""
    store = ListStore()
    for system in SYSTEMS:
        for text in system.texts:
            _add(store, text, {"job": text, "instance": f"{text}:80"})
    where = {"job": "hosted", "instance": "hosted:80", "namespace": "ml", "pod": "vllm-0"}
    _add(store, "vllm", where, {"model_name": HOSTED_MODEL})
    return store


def _add(
    store: ListStore, text: str, target: dict[str, str], renamed: dict[str, str] | None = None
) -> None:
    times = np.arange(NOW - 900.0, NOW, 15.0) + 2.125
    counters: set[str] = set()
    for line in (HERE / "texts" / f"{text}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            _, _, name, kind = line.split()
            counters |= {name} if kind == "counter" else set()
            continue
        sample = _SAMPLE.fullmatch(line)
        assert sample is not None, line
        name, labels, value = sample.groups()
        grows = name in counters or name.endswith(("_total", "_bucket", "_count", "_sum"))
        factor = 1 + (times - times[0]) / 60.0 if grows else np.ones(len(times))
        own = dict(_LABEL.findall(labels or ""))
        # A server scrapes labels of its targets beside what the text says; the text's own win.
        kept = {**target, **own, **(renamed if renamed and "model_name" in own else {})}
        kept["instance"] = target["instance"]
        store.add(name, kept, times.tolist(), (float(value) * factor).tolist())
