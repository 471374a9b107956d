"""The one HTTP client of the console; httpx itself is loaded with the first request."""

from console.wire.breaker import Breaker
from console.wire.client import Wire
from console.wire.endpoint import Endpoint, endpoint_of, endpoint_of_target
from console.wire.errors import WireError
from console.wire.exchange import Answer

__all__ = [
    "Answer",
    "Breaker",
    "Endpoint",
    "Wire",
    "WireError",
    "endpoint_of",
    "endpoint_of_target",
]
