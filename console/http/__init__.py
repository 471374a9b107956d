"""The one HTTP client of the console; httpx itself is loaded with the first request."""

from console.http.client import Answer, Wire
from console.http.endpoint import Endpoint, endpoint_of, endpoint_of_target
from console.http.resilience import Breaker, WireError

__all__ = [
    "Answer",
    "Breaker",
    "Endpoint",
    "Wire",
    "WireError",
    "endpoint_of",
    "endpoint_of_target",
]
