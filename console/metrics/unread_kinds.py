"""Model servers and gateways that are recognised by a metric of theirs and not read.

What is there and not read is said, so that nobody takes a table for the whole fleet. The names come
from each project's own documentation; a row of its own needs `[models.NAME]` with `match`, `source`
and own PromQL, or a profile.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from console.metrics.labels import conditions, matchers_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from console.metrics.profile import Profile

UNREAD: Mapping[str, str] = {
    "NVIDIA NIM": "num_request_max",
    "OpenVINO Model Server": "ovms_requests_success|ovms_current_requests",
    "Xinference": "xinference:generate_tokens_per_s",
    "Aphrodite Engine": "aphrodite:num_requests_running",
    "LightLLM": "lightllm_request_count",
    "MAX (Modular)": "maxserve_num_requests_running",
    "LoRAX": "lorax_request_count",
    "Friendli Engine": "friendli_requests_total",
    "Mosec": "mosec_service_remaining_task",
    "KubeAI": "kubeai_inference_requests_active",
    "Jina": "jina_successful_requests_total",
    "Kong AI Gateway": "kong_ai_llm_requests_total",
    "Apache APISIX AI": "apisix_llm_prompt_tokens|apisix_llm_active_connections",
    "Amazon SageMaker": "aws_sagemaker_invocations_(sum|average)",
    "Amazon Bedrock": "aws_bedrock_invocations_(sum|average)",
    "Vertex AI": "stackdriver_aiplatform_.*_prediction_count",
}
"""The RE2 pattern of the metrics by which each kind is known."""


@dataclass(frozen=True, slots=True)
class Unread:
    """A kind of server that is there without a row: its title, and what keeps it unread."""

    title: str
    reason: str

    @property
    def sentence(self) -> str:
        """Say both."""
        return f"{self.title}: {self.reason}"


NO_PROFILE = "recognised, and no profile reads it"


def unread_pattern() -> str:
    """Return the RE2 pattern of all metrics in the table."""
    return "|".join(UNREAD.values())


def unread_kind(metric: str) -> Unread | None:
    """Return the kind that a metric tells, None where it is none of the table's."""
    for title, pattern in UNREAD.items():
        if re.fullmatch(pattern, metric):
            return Unread(title, NO_PROFILE)
    return None


def unread_kinds(metrics: Iterable[str]) -> tuple[Unread, ...]:
    """Return the kinds that these metrics tell, each once, in the table's order."""
    found = {each.title for metric in metrics if (each := unread_kind(metric)) is not None}
    return tuple(Unread(title, NO_PROFILE) for title in UNREAD if title in found)


def without_label(profile: Profile, metrics: Iterable[str]) -> Unread:
    """Return what keeps a profile unread whose metric is there and whose label is not."""
    where = matchers_text(conditions(profile.discovery_where)) or profile.model_label
    named = next(iter(metrics), profile.signature[0])
    labels = " and ".join(sorted(profile.discovery_where)) or profile.model_label
    told = f"{named} is there, but no series of it has label {labels}"
    plain = all(value == "!=" for value in profile.discovery_where.values())
    return Unread(profile.title, told if plain else f"{told} with {{{where}}}")
