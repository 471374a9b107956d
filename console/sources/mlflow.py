"""The MLflow model registry, read: the version, its tags, and the run that made it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeVar

import msgspec
from msgspec import Struct

from console.domain.model import Registered, numbered
from console.domain.text import visible
from console.http.resilience import WireError

if TYPE_CHECKING:
    from console.http.client import Wire

Wanted = TypeVar("Wanted", bound=Struct)

API = "/api/2.0/mlflow"
NOT_FOUND = 404
UNKNOWN_THING = b"RESOURCE_DOES_NOT_EXIST"
"""How MLflow says that it does not know a name; any other 404 comes from a wrong address."""
ALIASES_SHOWN = 5
LONGEST_LINK = 200

VERSION_TAGS = {
    "data_snapshot": ("data_snapshot", "dataset"),
    "code": ("code", "git_commit"),
    "trained_at": ("trained_at",),
    "approver": ("approver", "approved_by"),
    "consent": ("consent",),
}
"""Tags of a version that say a link, the first that is there."""

RUN_TAGS = {"data_snapshot": "data_snapshot", "code": "mlflow.source.git.commit"}


class RegistryUnreadable(Exception):
    """The registry answered, but not with what was asked for; the message is a sentence."""


class _Pair(Struct):
    key: str
    value: str = ""


class _Version(Struct):
    version: str
    run_id: str = ""
    tags: tuple[_Pair, ...] = ()


class _VersionAnswer(Struct):
    model_version: _Version


class _Alias(Struct):
    alias: str
    version: str = ""


class _Model(Struct):
    name: str
    latest_versions: tuple[_Version, ...] = ()
    aliases: tuple[_Alias, ...] = ()


class _ModelAnswer(Struct):
    registered_model: _Model


class _Dataset(Struct):
    name: str = ""
    digest: str = ""


class _DatasetInput(Struct):
    dataset: _Dataset


class _Inputs(Struct):
    dataset_inputs: tuple[_DatasetInput, ...] = ()


class _RunInfo(Struct):
    end_time: int | None = None


class _RunData(Struct):
    tags: tuple[_Pair, ...] = ()


class _Run(Struct):
    info: _RunInfo
    data: _RunData = msgspec.field(default_factory=_RunData)
    inputs: _Inputs = msgspec.field(default_factory=_Inputs)


class _RunAnswer(Struct):
    run: _Run


class MlflowReader:
    """Reads one registered model; ``alias`` empty asks for no alias."""

    def __init__(self, name: str, alias: str, wire: Wire) -> None:
        self.name = name
        self.alias = alias
        self._wire = wire

    async def read(self, serving: str, now: float) -> Registered:
        """Return what the registry says of the version that serves (empty: not known).

        Without one it speaks of the alias's version. Raises `WireError`, and
        `RegistryUnreadable` where the model, or an answer, is not as it should be.
        """
        aliased = await self._aliased() if self.alias else None
        wanted = numbered(serving)
        found = aliased
        problem = ""
        if wanted and (aliased is None or aliased.version != wanted):
            found = await self._version(wanted)
            if found is None:
                problem = f"it has no version {visible(wanted, 40)} of {visible(self.name, 80)}"
        if found is None and not problem:
            where = f"the alias {visible(self.alias, 60)} points nowhere" if self.alias else ""
            problem = where or "which version serves is not known, and no alias is declared"
        return Registered(
            name=self.name,
            at=now,
            version="" if found is None else found.version,
            alias=self.alias,
            alias_version="" if aliased is None else aliased.version,
            links={} if found is None else await self._links(found),
            problem=problem,
        )

    async def check(self) -> str:
        """Return in a few words how the model is registered, whatever version serves.

        Raises `WireError`, and `RegistryUnreadable` where the model or the alias is not there.
        """
        shown = visible(self.name, 80)
        answer = await self._asked("registered-models/get", {"name": self.name}, _ModelAnswer)
        if answer is None:
            raise RegistryUnreadable(f"it answers, but has no registered model {shown}")
        model = answer.registered_model
        if not self.alias:
            if not model.latest_versions:
                raise RegistryUnreadable(f"it has {shown}, but no version of it")
            # One version a stage, in no order.
            newest = max((each.version for each in model.latest_versions), key=_number)
            newest = visible(newest, 40)
            return f"{shown} is registered, latest version {newest}; no alias is declared"
        # Asked the way the engine asks: what is listed may still not be let read.
        aliased = await self._aliased()
        if aliased is None:
            known = [visible(each.alias, 60) for each in model.aliases[:ALIASES_SHOWN]]
            raise RegistryUnreadable(
                f"it has {shown}, but no alias {visible(self.alias, 60)} of it; "
                f"aliases: {', '.join(known) or 'none'}"
            )
        return f"{shown}, alias {visible(self.alias, 60)}: version {visible(aliased.version, 40)}"

    async def aclose(self) -> None:
        """Close every connection."""
        await self._wire.aclose()

    async def _aliased(self) -> _Version | None:
        query = {"name": self.name, "alias": self.alias}
        answer = await self._asked("registered-models/alias", query, _VersionAnswer)
        return None if answer is None else answer.model_version

    async def _version(self, version: str) -> _Version | None:
        query = {"name": self.name, "version": version}
        answer = await self._asked("model-versions/get", query, _VersionAnswer)
        return None if answer is None else answer.model_version

    async def _links(self, version: _Version) -> dict[str, str]:
        """Return what the version's own tags say, and for the rest what its run says."""
        tags = {pair.key: pair.value for pair in version.tags}
        links = {
            link: next((tags[name] for name in names if tags.get(name)), "")
            for link, names in VERSION_TAGS.items()
        }
        run = None
        if version.run_id:
            answer = await self._asked("runs/get", {"run_id": version.run_id}, _RunAnswer)
            run = None if answer is None else answer.run
        if run is not None:
            for link, told in _of_run(run).items():
                links[link] = links[link] or told
        return {link: visible(text, LONGEST_LINK) for link, text in links.items() if text}

    async def _asked(self, path: str, query: dict[str, str], wanted: type[Wanted]) -> Wanted | None:
        """Return one answer, None where the registry does not know what is asked for."""
        try:
            answer = await self._wire.get(f"{API}/{path}", query)
        except WireError as fault:
            # An alias that is not there is a 400 of its own name in MLflow, not a 404.
            unknown = (fault.status == NOT_FOUND and UNKNOWN_THING in fault.body) or (
                fault.status == 400 and b"alias" in fault.body.lower()
            )
            if unknown:
                return None
            raise
        try:
            return msgspec.json.decode(answer.body, type=wanted)
        except (msgspec.DecodeError, UnicodeDecodeError) as fault:
            raise RegistryUnreadable(
                f"{answer.url_shown} answers, but not as an MLflow registry does "
                f"({visible(str(fault), 120)})"
            ) from fault


def _number(version: str) -> int:
    return int(version) if version.isdecimal() else 0


def _of_run(run: _Run) -> dict[str, str]:
    tags = {pair.key: pair.value for pair in run.data.tags}
    told = {link: tags[name] for link, name in RUN_TAGS.items() if tags.get(name)}
    used = next((each.dataset for each in run.inputs.dataset_inputs if each.dataset.name), None)
    if used is not None:
        told.setdefault("data_snapshot", f"{used.name}@{used.digest}" if used.digest else used.name)
    if run.info.end_time:
        ended = datetime.fromtimestamp(run.info.end_time / 1000.0, UTC)
        told["trained_at"] = ended.strftime("%Y-%m-%dT%H:%M:%SZ")
    return told
