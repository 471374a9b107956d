"""What a Prometheus scrapes: the addresses of its targets, with the labels it gives them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from console.domain.text import visible
from console.metrics.labels import conditions, selector

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from console.metrics.profile import Profile

    Labels = tuple[tuple[str, str], ...]

TARGETS_PATH = "/api/v1/targets"
MOST_TARGETS = 200
_MOST_CHARACTERS = 2000


class _Target(msgspec.Struct, frozen=True, rename={"scrape_url": "scrapeUrl"}):
    scrape_url: str = ""
    labels: dict[str, str] = {}


class _Targets(msgspec.Struct, frozen=True, rename={"active": "activeTargets"}):
    active: tuple[_Target, ...] | None = ()


class _Envelope(msgspec.Struct, frozen=True):
    status: str
    data: _Targets | None = None


@dataclass(frozen=True, slots=True)
class TargetList:
    """The addresses that serve models, with the labels of each; ``left_out`` are over the limit."""

    labels: Mapping[str, Labels]
    left_out: int = 0


def served_promql(present: Sequence[Profile]) -> str:
    """Return the question for the job and instance of everything that was recognised."""
    return " or ".join(
        f"group by (job, instance) ({selector(metric, conditions(profile.discovery_where))})"
        for profile in present
        for metric in profile.signature
    )


def target_list(body: bytes, served: Collection[tuple[str, str]]) -> TargetList | str:
    """Read the answer of `TARGETS_PATH`; a text says why it is none.

    ``served`` are the (job, instance) that have models; only plain addresses are taken.
    """
    try:
        told = msgspec.json.decode(body, type=_Envelope)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return "the server does not say what it scrapes"
    if told.status != "success" or told.data is None:
        return "the server does not say what it scrapes"
    found: dict[str, Labels] = {}
    for target in told.data.active or ():
        where = target.labels.get("job", ""), target.labels.get("instance", "")
        url = target.scrape_url
        plain = url.startswith(("http://", "https://")) and len(url) <= _MOST_CHARACTERS
        if where in served and plain and visible(url, _MOST_CHARACTERS) == url:
            found.setdefault(url, tuple(sorted(target.labels.items())))
    kept = dict(list(found.items())[:MOST_TARGETS])
    return TargetList(kept, len(found) - len(kept))
