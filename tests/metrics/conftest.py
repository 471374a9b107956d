"""One real Prometheus for the room's tests, filled with the same samples that are evaluated."""

from collections.abc import Iterator

import pytest

from tests.metrics.fleet import midwatch_store, random_store
from tests.metrics.servers import servers_store
from tests.metrics.stored import ListStore
from tests.support.prometheus_server import running_prometheus


@pytest.fixture(scope="session")
def midwatch_samples() -> ListStore:
    return midwatch_store()


@pytest.fixture(scope="session")
def server_samples() -> ListStore:
    return servers_store()


@pytest.fixture(scope="session")
def random_samples() -> ListStore:
    return random_store()


@pytest.fixture(scope="session")
def prometheus(
    midwatch_samples: ListStore,
    server_samples: ListStore,
    random_samples: ListStore,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("signals")
    stores = (midwatch_samples, server_samples, random_samples)
    everything = ListStore([series for store in stores for series in store.series])
    with running_prometheus(directory, blocks=everything.openmetrics()) as url:
        yield url
