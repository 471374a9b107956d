"""Reads deploys and configuration changes from Grafana's annotations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlencode

import msgspec
from msgspec import Struct, field

from console.domain.snapshot import Change
from console.domain.text import visible
from console.incidents.feeds import Faults, decode_each, foreign, without_html

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from console.http.client import Wire
    from console.http.endpoint import SecretLookup
    from console.settings.endpoint_tables import ChangeSettings

LOOK_BACK_SECONDS: Final = 86400.0
"""How far back changes are asked for: as long as a Snapshot keeps them."""

MOST: Final = 500
"""So many annotations are asked for; Grafana's own default of 100 would hide some in silence."""

MAX_BYTES: Final = 8 * 1024 * 1024
_ABOUT: Final = ("model:", "dependency:", "service:")
_LONGEST_TEXT: Final = 200


class _Annotation(Struct):
    """One annotation; ``time`` is in milliseconds, ``alert_id`` is not 0 for Grafana's own."""

    time: float
    text: str = ""
    tags: tuple[str, ...] | None = ()
    login: str = ""
    alert_id: int = field(name="alertId", default=0)


_LIST = msgspec.json.Decoder(list[msgspec.Raw])
_ANNOTATION = msgspec.json.Decoder(_Annotation)


@dataclass(frozen=True, slots=True)
class ToldChanges:
    """What one place told at one moment; ``warnings`` are sentences about what is missing."""

    changes: tuple[Change, ...]
    warnings: tuple[str, ...] = ()


class GrafanaAnnotations:
    """Reads ``/api/annotations`` of the last day; what alerts wrote there themselves is left out.

    A tag ``model:NAME``, ``dependency:NAME`` or ``service:NAME`` says what a change is about; one
    without such a tag concerns the whole fleet.
    """

    kind = "grafana"

    def __init__(self, name: str, wire: Wire, tags: Sequence[str] = ()) -> None:
        self.name = name
        self._wire = wire
        self._tags = tuple(tags)

    async def read(self, now: float) -> ToldChanges:
        """Return the changes of the last day; raises `WireError` and `AlertsUnreadable`."""
        asked = [
            ("from", str(int((now - LOOK_BACK_SECONDS) * 1000))),
            ("to", str(int(now * 1000))),
            ("limit", str(MOST)),
            ("type", "annotation"),
            *(("tags", tag) for tag in self._tags),
        ]
        answer = await self._wire.get(f"/api/annotations?{urlencode(asked)}")
        try:
            raws = _LIST.decode(answer.body)
        except msgspec.MsgspecError:
            raise foreign(answer.body, "Grafana's list of annotations") from None
        faults = Faults("annotations")
        found = [one for one in decode_each(raws, _ANNOTATION, faults) if not one.alert_id]
        warnings = list(faults.sentences())
        if len(raws) >= MOST:
            warnings.append(f"only the newest {MOST} annotations are read; name tags to narrow it")
        return ToldChanges(tuple(_changes(found, now)), tuple(warnings))

    async def aclose(self) -> None:
        """Close every connection."""
        await self._wire.aclose()


def _changes(found: Iterable[_Annotation], now: float) -> Iterable[Change]:
    """Yield one change for each thing an annotation is about; what is planned is no change yet."""
    for one in found:
        at = one.time / 1000.0
        if at > now:
            continue
        tags = one.tags or ()
        subjects = [tag.partition(":")[2] for tag in tags if tag.startswith(_ABOUT)]
        words = visible(" ".join(without_html(one.text).split()), _LONGEST_TEXT)
        words = words or visible(", ".join(tags), _LONGEST_TEXT) or "an annotation without a text"
        by = f" ({visible(one.login, 60)})" if one.login else ""
        for subject in dict.fromkeys(name for name in subjects if name) or ("",):
            yield Change(at, subject, f"{words}{by}")


def build_annotations(
    settings: ChangeSettings, resolver: SecretLookup | None = None
) -> GrafanaAnnotations:
    """Return a reader that has not connected yet; raises `ValueError` where it cannot be made."""
    from console.http.client import Wire
    from console.http.endpoint import endpoint_of

    wire = Wire(endpoint_of(settings), resolver, max_bytes=MAX_BYTES)
    return GrafanaAnnotations(settings.name, wire, settings.tags)
