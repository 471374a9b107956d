"""The shipped presets against the real servers they are for: out, read back, and in again."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from console.controls.registry import check_control
from tests.controls.acting import acted, prepared, preset, settled, undone
from tests.model_servers import servers


@pytest.fixture(scope="module")
def mlserver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with servers.mlserver(tmp_path_factory.mktemp("mlserver"), "fraud") as url:
        yield url


@pytest.fixture(scope="module")
def triton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with servers.triton(tmp_path_factory.mktemp("triton"), "fraud") as url:
        yield url


@pytest.fixture(scope="module")
def envoy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with servers.envoy(tmp_path_factory.mktemp("envoy"), "scorer", 50) as url:
        yield url


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with servers.mlflow(tmp_path_factory.mktemp("mlflow")) as url:
        api = f"{url}/api/2.0/mlflow"
        servers.post(f"{api}/registered-models/create", {"name": "fraud"})
        for source in ("s3://models/1", "s3://models/2"):
            servers.post(f"{api}/model-versions/create", {"name": "fraud", "source": source})
        yield url


async def test_mlserver_unloads_and_loads(mlserver: str) -> None:
    control = preset("mlserver", mlserver, model="fraud")
    assert (await control.read(time.time())).value == "READY"
    change, result, state = await acted(control, "trip")
    assert result.verdict == "accepted"
    assert state.value == "UNAVAILABLE"
    assert servers.status_of(f"{mlserver}/v2/models/fraud/ready") == 404
    assert (await undone(control, change)).value == "READY"
    assert servers.status_of(f"{mlserver}/v2/models/fraud/ready") == 200


async def test_mlserver_unloaded_twice_is_nothing_to_do(mlserver: str) -> None:
    control = preset("mlserver", mlserver, model="fraud")
    _, ready = await prepared(control, "trip")
    await control.send(ready, time.time())
    await settled(control, ready)
    _, again = await prepared(control, "trip")
    assert again.already
    assert (await control.send(again, time.time())).results == ()
    # The request that was prepared while it was loaded gets the server's 404: not a verdict.
    late = await control.send(ready, time.time())
    assert (late.verdict, late.results[0].status) == ("indeterminate", 404)
    await acted(control, "reset")


@pytest.mark.parametrize("name", ["mlserver", "triton"])
async def test_a_misspelt_model_is_seen_before_anything_is_sent(
    name: str, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue(name)
    control = preset(name, url, model="fruad")
    checked = await check_control(control, time.time())
    assert not checked.well
    _, change = await prepared(control, "trip")
    assert change.calls[0].impossible
    result = await control.send(change, time.time())
    assert (result.verdict, result.results[0].sent) == ("rejected", False)


async def test_triton_unloads_and_loads(triton: str) -> None:
    control = preset("triton", triton, model="fraud")
    assert (await check_control(control, time.time())).well
    change, result, state = await acted(control, "trip")
    assert result.verdict == "accepted"
    assert state.value == "UNAVAILABLE"
    assert servers.status_of(f"{triton}/v2/models/fraud/ready") == 400
    assert (await undone(control, change)).value == "READY"
    assert servers.status_of(f"{triton}/v2/models/fraud/ready") == 200


async def test_envoy_lets_nothing_through_and_then_as_much_as_before(envoy: str) -> None:
    control = preset("envoy", envoy, cluster="scorer", usual="50")
    assert (await control.read(time.time())).text == "50"
    change, result, state = await acted(control, "trip")
    assert (result.verdict, state.text) == ("accepted", "0")
    assert change.calls[0].inverse is not None
    assert change.calls[0].inverse.action == "reset"
    assert (await undone(control, change)).text == "50"


async def test_envoy_goes_back_to_an_override_that_stood_before(envoy: str) -> None:
    control = preset("envoy", envoy, cluster="scorer", usual="50")
    await acted(control, "limit", to=7)
    change, _, state = await acted(control, "trip")
    assert state.text == "0"
    assert (await undone(control, change)).text == "7"
    _, _, state = await acted(control, "reset")
    assert state.text == "50"


async def test_envoy_would_keep_the_override_of_a_misspelt_cluster(envoy: str) -> None:
    control = preset("envoy", envoy, cluster="scorerr")
    _, change = await prepared(control, "trip")
    assert change.calls[0].impossible
    assert "not there" in change.objections[0]


async def test_mlflow_moves_an_alias_and_back(registry: str) -> None:
    control = preset("mlflow-alias", registry, name="fraud", alias="champion")
    assert (await control.read(time.time())).value == "none"
    first, _, state = await acted(control, "fallback", to=1)
    assert state.value == "1"
    change, _, state = await acted(control, "fallback", to="2")
    assert state.value == "2"
    assert (await undone(control, change)).value == "1"
    assert (await undone(control, first)).value == "none"


async def test_mlflow_refuses_a_version_that_is_not_there(registry: str) -> None:
    control = preset("mlflow-alias", registry, name="fraud", alias="champion")
    _, change = await prepared(control, "rollback", to="99")
    result = await control.send(change, time.time())
    assert (result.verdict, result.results[0].status) == ("rejected", 404)
    assert "version=99" in result.sentence
    absent = preset("mlflow-alias", registry, name="frawd", alias="champion")
    _, change = await prepared(absent, "fallback", to="1")
    assert change.calls[0].impossible


async def test_sglang_router_takes_a_worker_out_and_in(tmp_path: Path) -> None:
    with (
        servers.sglang_worker() as one,
        servers.sglang_worker() as two,
        servers.sglang_router(tmp_path, [one, two]) as url,
    ):
        control = preset("sglang-router", url, worker=two)
        seen, change = await prepared(control, "trip")
        assert seen.value == "IN"
        assert change.calls[0].inverse is not None
        result = await control.send(change, time.time())
        assert (result.verdict, result.results[0].status) == ("accepted", 202)
        state, _ = await settled(control, change)
        assert state.value == "OUT"
        assert (await preset("sglang-router", url, worker=one).read(time.time())).value == "IN"
        assert (await undone(control, change)).value == "IN"
