"""The one HTTP client of the console; httpx itself is loaded with the first request."""

import sys
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from types import ModuleType

# httpx brings its own command line along (click, Pygments, rich's progress bars), half of what it
# takes to load; it does without where that module cannot be imported.
sys.modules.setdefault("httpx._main", cast("ModuleType", None))

from console.http.client import Answer, Wire  # noqa: E402
from console.http.endpoint import Endpoint, endpoint_of, endpoint_of_target  # noqa: E402
from console.http.resilience import Breaker, WireError  # noqa: E402

__all__ = [
    "Answer",
    "Breaker",
    "Endpoint",
    "Wire",
    "WireError",
    "endpoint_of",
    "endpoint_of_target",
]
