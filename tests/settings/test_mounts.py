"""Secrets and configuration that a container is given: read-only mounts, and a group of its own."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from console.settings import problems
from console.settings.problems import readable_by_others, writable_by_others

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    """A Secret as Kubernetes mounts it: a link into a directory, mode 0640, the pod's group."""
    data = tmp_path / "..data"
    data.mkdir()
    path = data / "token"
    path.write_text("x")
    path.chmod(0o640)
    os.chown(path, -1, os.getgid())
    link = tmp_path / "token"
    link.symlink_to(path)
    return link


def test_on_a_read_only_mount_the_own_group_may_read(
    secret: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "chmod 600" in (readable_by_others(secret) or "")
    monkeypatch.setattr(problems, "is_mounted_read_only", lambda _: True)
    assert readable_by_others(secret) is None
    secret.resolve().chmod(0o644)
    assert "chmod 600" in (readable_by_others(secret) or "")


def test_a_directory_that_anybody_may_write_is_no_danger_on_a_read_only_mount(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mount = tmp_path / "config"
    mount.mkdir()
    path = mount / "preset.toml"
    path.write_text("")
    mount.chmod(0o777)
    assert "anybody can replace it" in (writable_by_others(path) or "")
    monkeypatch.setattr(problems, "is_mounted_read_only", lambda _: True)
    assert writable_by_others(path) is None


def test_an_ordinary_directory_is_not_mounted_read_only(tmp_path: Path) -> None:
    assert not problems.is_mounted_read_only(tmp_path)
