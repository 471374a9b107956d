"""The fleet's history in three tiers, as a source's store or a backfill takes it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from console.demo.layout import Floats, Labels
from console.demo.past import Teller
from console.demo.simulation import Simulation
from console.demo.timeline import (
    COARSE_SECONDS,
    DRAWN_SPAN_SECONDS,
    FINE_SECONDS,
    FINE_SPAN_SECONDS,
    MIDDLE_SECONDS,
    MIDDLE_SPAN_SECONDS,
    Axis,
)


@dataclass(frozen=True)
class HistoryBlock:
    """Samples of many series at the same times.

    ``times`` (T) are Unix seconds, ``series`` entries are (target URL, name, sorted labels without
    instance and job), ``values`` is (len(series), T).
    """

    step_seconds: float
    times: Floats
    series: list[tuple[str, str, Labels]]
    values: Floats


class History:
    """The time before the start for every service; the services are left as it ends."""

    def __init__(self, simulation: Simulation) -> None:
        self._axis = Axis(simulation.now)
        self._models = [service.model.name for service in simulation.services]
        self._series = [service.layout.series for service in simulation.services]
        self._tales = [
            Teller(simulation, service, self._axis).tell() for service in simulation.services
        ]

    def blocks(self, target_of: Mapping[str, str]) -> Iterator[HistoryBlock]:
        """Yield the three tiers, coarse to fine; ``target_of`` gives each model's metrics URL."""
        yield self._long(target_of)
        yield self._short(target_of, MIDDLE_SECONDS, MIDDLE_SPAN_SECONDS)
        yield self._short(target_of, FINE_SECONDS, FINE_SPAN_SECONDS)

    def _long(self, target_of: Mapping[str, str]) -> HistoryBlock:
        axis = self._axis
        places = axis.places(COARSE_SECONDS, DRAWN_SPAN_SECONDS)[1:]
        series: list[tuple[str, str, Labels]] = []
        rows: list[Floats] = []
        for model, names, tale in zip(self._models, self._series, self._tales, strict=True):
            series.extend((target_of[model], *names[column]) for column in tale.coarse_columns)
            later = tale.values[places][:, tale.coarse_columns]
            rows.append(np.concatenate((tale.coarse, later)).T)
        times = np.concatenate((axis.coarse, axis.edges[places]))
        return HistoryBlock(COARSE_SECONDS, times, series, np.concatenate(rows))

    def _short(self, target_of: Mapping[str, str], step: float, span: float) -> HistoryBlock:
        places = self._axis.places(step, span)
        series = [
            (target_of[model], name, labels)
            for model, names in zip(self._models, self._series, strict=True)
            for name, labels in names
        ]
        values = np.concatenate([tale.values[places].T for tale in self._tales])
        return HistoryBlock(step, self._axis.edges[places], series, values)
