"""What the demo's tests share: a simulation to step through, and sums over its series."""

from collections.abc import Mapping

from prometheus_client.parser import text_string_to_metric_families

from console.demo.catalogue import models_for
from console.demo.scenario import Scenario
from console.demo.server_metrics import Labels
from console.demo.service import Service, Simulation

NOW = 1_795_420_800.0  # a Monday, 08:00 UTC


def simulation(scenario: Scenario = "calm", seed: int = 1, models: int | None = None) -> Simulation:
    return Simulation(models_for(models), seed=seed, scenario=scenario, now=NOW)


def parse(page: str) -> dict[tuple[str, Labels], float]:
    """Read a page with prometheus_client, without the ``_total`` it adds to Triton's counters."""
    written = {line.split("{")[0].split(" ")[0] for line in page.splitlines()}
    return {
        (
            sample.name if sample.name in written else sample.name.removesuffix("_total"),
            tuple(sorted(sample.labels.items())),
        ): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
    }


def run(world: Simulation, seconds: int) -> None:
    for _ in range(seconds):
        world.step(world.now + 1.0)


def service_of(world: Simulation, model: str) -> Service:
    return next(service for service in world.services if service.model.name == model)


def total(service: Service, name: str, **labels: str) -> float:
    """Sum the series of that name whose labels match."""
    return sum(
        float(value)
        for (series, found), value in zip(service.layout.series, service.values, strict=True)
        if series == name and labels.items() <= dict(found).items()
    )


def totals(service: Service, label: str, name: str) -> Mapping[str, float]:
    """Sum the series of that name by one label."""
    values = {
        dict(found).get(label, "") for series, found in service.layout.series if series == name
    }
    return {value: total(service, name, **{label: value}) for value in values}
