"""The examples in ``deploy/``: what Kubernetes and systemd say of them, and what they start."""

from __future__ import annotations

import configparser
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from console.cli.command_table import COMMANDS
from console.cli.main import parser_of
from console.domain.version import VERSION
from console.settings.load import Flags, load

ROOT = Path(__file__).resolve().parents[2]
KUBERNETES = ROOT / "deploy" / "kubernetes" / "midwatch.yaml"
UNIT = ROOT / "deploy" / "systemd" / "midwatch-keep.service"


@pytest.fixture
def documents() -> list[dict[str, Any]]:
    return list(yaml.safe_load_all(KUBERNETES.read_text()))


def test_kubernetes_knows_every_field(documents: list[dict[str, Any]]) -> None:
    for document in documents:
        kubernetes_validate.validate(document, "1.31", strict=True)
    assert [each["kind"] for each in documents] == [
        "Namespace", "ConfigMap", "Secret", "Deployment", "Deployment",
    ]  # fmt: skip


def test_the_configuration_in_it_is_one_that_loads(
    documents: list[dict[str, Any]], tmp_path: Path
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(documents[1]["data"]["config.toml"])
    path.chmod(0o600)
    loaded = load(Flags(config=path), {"HOME": str(tmp_path)})
    assert loaded.settings.journal.url.startswith("postgresql://")
    named = set(re.findall(r"file:/run/midwatch/([\w.]+)", documents[1]["data"]["config.toml"]))
    assert named == set(documents[2]["stringData"])


def test_every_mount_has_a_volume_and_every_name_is_declared(
    documents: list[dict[str, Any]],
) -> None:
    declared = {(each["kind"], each["metadata"]["name"]) for each in documents}
    for deployment in documents[3:]:
        spec = deployment["spec"]["template"]["spec"]
        volumes = {each["name"]: each for each in spec["volumes"]}
        for container in (*spec["initContainers"], *spec["containers"]):
            assert {mount["name"] for mount in container["volumeMounts"]} <= set(volumes)
            assert container["image"] == f"midwatch:{VERSION}"
        assert ("ConfigMap", volumes["config"]["configMap"]["name"]) in declared
        assert ("Secret", volumes["secrets"]["secret"]["secretName"]) in declared
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert deployment["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_what_the_pod_and_the_unit_start_is_a_command_that_parses(
    documents: list[dict[str, Any]],
) -> None:
    keeper = documents[3]["spec"]["template"]["spec"]["containers"][0]["args"]
    unit = configparser.ConfigParser(interpolation=None, strict=False)
    unit.read(UNIT)
    started = unit["Service"]["ExecStart"].split()[1:]
    for config, path, name in (keeper, started):
        assert (config, path) == ("--config", "/etc/midwatch/config.toml")
        parser_of(COMMANDS[name]).parse_all([])


def test_systemd_finds_nothing_to_say(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze, which a container rarely has")
    text = UNIT.read_text().replace("/usr/local/bin/midwatch", "/bin/true")
    unit = tmp_path / UNIT.name
    unit.write_text(re.sub(r"(?m)^(User|Group)=midwatch$", "", text))
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)],
        capture_output=True,
        text=True,
        timeout=60,
        env=dict(os.environ),
    )
    assert (done.returncode, done.stderr.strip()) == (0, "")
