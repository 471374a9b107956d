"""Types of Alertmanager's API v2, as Grafana and Mimir serve it too."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from msgspec import Struct, field

ACK_PREFIX: Final = "ACK!"
"""karma and kthxbye read a silence whose comment starts so as an acknowledgement."""

PREFIXES: Final = ("", "/alertmanager", "/api/alertmanager/grafana")
"""Where API v2 stands below the declared address: Alertmanager, Mimir and Cortex, Grafana."""

API: Final = "/api/v2"
NOT_FOUND: Final = 404


class ApiSilenceStatus(Struct):
    """The state of a silence: active, pending or expired."""

    state: str = ""


class ApiMatcher(Struct):
    """One matcher; ``isEqual`` is not told by old servers, which know no other."""

    name: str
    value: str
    is_regex: bool = field(name="isRegex", default=False)
    is_equal: bool = field(name="isEqual", default=True)


class ApiSilence(Struct):
    """One silence as it is listed."""

    id: str
    starts_at: datetime | None = field(name="startsAt", default=None)
    ends_at: datetime | None = field(name="endsAt", default=None)
    created_by: str = field(name="createdBy", default="")
    comment: str = ""
    matchers: tuple[ApiMatcher, ...] = ()
    status: ApiSilenceStatus = field(default_factory=ApiSilenceStatus)

    @property
    def over(self) -> bool:
        """Tell whether it no longer silences anything."""
        return self.status.state == "expired"

    @property
    def labels(self) -> tuple[tuple[str, str], ...] | None:
        """Return the labels it names exactly, sorted; None where a matcher is no plain equality."""
        if any(each.is_regex or not each.is_equal for each in self.matchers):
            return None
        return tuple(sorted((each.name, each.value) for each in self.matchers))
