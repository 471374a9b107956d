"""Which questions a tick asks, as many however many models there are."""

from console.signals.query import Cadence, Query

__all__ = ["Cadence", "Query"]
