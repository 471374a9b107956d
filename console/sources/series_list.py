"""Lists series as a source has them, with all labels: to look a server over, off the live path."""

from __future__ import annotations

from typing import TYPE_CHECKING

from console.domain.text import visible
from console.metrics.fit import NAME
from console.metrics.labels import pattern_of, quoted
from console.sources.base import SourceDown
from console.sources.exposition import ExpositionError, ExpositionReader
from console.sources.factory import PROMETHEUS_MAX_BYTES, SCRAPE_MAX_BYTES
from console.sources.prom_api import ApiError, instant_vector, open_body

if TYPE_CHECKING:
    from collections.abc import Collection

    from console.http.endpoint import SecretLookup
    from console.settings.endpoint_tables import SourceSettings

MOST_SERIES = 200_000
SAMPLES_OF_EACH = 5
"""So many series of a metric tell which labels its series bear."""


async def exposed(url: str, resolver: SecretLookup | None = None) -> list[dict[str, str]]:
    """Return the labels of every series at a ``/metrics`` address; raises `SourceDown`."""
    from console.http.client import Wire
    from console.http.endpoint import endpoint_of_target
    from console.http.resilience import WireError
    from console.settings.schema import SourceSettings

    declared = SourceSettings(name="looked over", kind="scrape", targets=(url,))
    wire = Wire(endpoint_of_target(declared, url), resolver, max_bytes=SCRAPE_MAX_BYTES)
    try:
        answer = await wire.get("")
        if answer.status != 200:
            raise SourceDown(f"{visible(url)} answered {answer.status}; is it the metrics path?")
        return series_of(answer.body)
    except WireError as fault:
        raise SourceDown(fault.sentence) from fault
    except ExpositionError as fault:
        raise SourceDown(f"{visible(url)}: {fault.sentence}") from fault
    finally:
        await wire.aclose()


def series_of(body: bytes) -> list[dict[str, str]]:
    """Return the labels of every series in a text; raises `ExpositionError`."""
    reader = ExpositionReader(lambda name: True, max_series=MOST_SERIES)
    reader.read(body)
    return [{NAME: name, **dict(labels)} for name, labels in reader.series]


async def listed(
    source: SourceSettings, metrics: Collection[str], resolver: SecretLookup | None = None
) -> list[dict[str, str]]:
    """Return the labels of some series of every metric named, where the source has it.

    A scrape source gives all of its series. Raises `SourceDown`.
    """
    if source.kind == "scrape":
        return [each for target in source.targets for each in await exposed(target, resolver)]
    from console.http.client import Wire
    from console.http.endpoint import endpoint_of
    from console.http.resilience import WireError

    names = "|".join(pattern_of(metric) for metric in sorted(metrics))
    promql = f"topk by ({NAME}) ({SAMPLES_OF_EACH}, {{{NAME}=~{quoted(names)}}})"
    wire = Wire(endpoint_of(source), resolver, max_bytes=PROMETHEUS_MAX_BYTES)
    try:
        answer = await wire.post_form("/api/v1/query", {"query": promql})
        return (await instant_vector(open_body(answer.body))).labels
    except (WireError, ApiError) as fault:
        raise SourceDown(fault.sentence) from fault
    finally:
        await wire.aclose()
