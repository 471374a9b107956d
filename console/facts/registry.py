"""What a model registry says of a model: which version, made of what, approved by whom."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Registered:
    """One model as its registry told it at ``at`` (Unix seconds); None: nothing was read yet.

    ``version`` is the one that ``links`` speak of: that which serves, else that of the alias.
    ``alias_version`` is where ``alias`` points, empty where it points nowhere. ``links`` hold
    data_snapshot, code, trained_at, approver and consent, as far as they are known. ``problem``
    says why something could not be read; what was known before stays.
    """

    name: str
    at: float | None = None
    version: str = ""
    alias: str = ""
    alias_version: str = ""
    links: Mapping[str, str] = field(default_factory=dict)
    problem: str = ""


def numbered(version: str) -> str:
    """Return a version as MLflow numbers it: ``v41`` is 41; what is no number stays as it is."""
    bare = version[1:] if version[:1] in ("v", "V") else version
    return bare if bare.isdecimal() else version
