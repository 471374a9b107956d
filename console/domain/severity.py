"""How bad it is: levels, findings, and what a row's breaker and route say."""

from __future__ import annotations

from enum import IntEnum

from msgspec import Struct


class Severity(IntEnum):
    """A row's level; a lower number is worse, and the number is its code in a column.

    UNJUDGED is a row whose numbers arrive and say nothing of its health: neither well nor an alarm.
    """

    S1 = 1
    S2 = 2
    UNKNOWN = 3
    UNJUDGED = 4
    S3 = 5
    S4 = 6
    OK = 7

    @property
    def label(self) -> str:
        """Return the level's name in JSON: S1 S2 S3 S4 unknown unjudged ok."""
        return self.name if self.name.startswith("S") else self.name.lower()


class BreakerState(IntEnum):
    """Circuit breaker states in Resilience4j's gauge order."""

    CLOSED = 0
    OPEN = 1
    HALF_OPEN = 2
    DISABLED = 3
    FORCED_OPEN = 4
    METRICS_ONLY = 5
    UNKNOWN = 255

    @property
    def code(self) -> str:
        """Return the short code of the fleet table."""
        return _BREAKER_CODES[self]

    @property
    def verb(self) -> str:
        """Return what the breaker does in this state, because "closed" means flowing."""
        return _BREAKER_VERBS[self]


_BREAKER_CODES = {
    BreakerState.CLOSED: "CLO",
    BreakerState.OPEN: "OPN",
    BreakerState.HALF_OPEN: "HLF",
    BreakerState.DISABLED: "DIS",
    BreakerState.FORCED_OPEN: "F-OP",
    BreakerState.METRICS_ONLY: "MET",
    BreakerState.UNKNOWN: "?",
}
_BREAKER_VERBS = {
    BreakerState.CLOSED: "passing",
    BreakerState.OPEN: "refusing",
    BreakerState.HALF_OPEN: "probing",
    BreakerState.DISABLED: "unprotected",
    BreakerState.FORCED_OPEN: "refusing by hand",
    BreakerState.METRICS_ONLY: "watching",
    BreakerState.UNKNOWN: "not known",
}


class ReplicaShare(Struct, frozen=True):
    """How many of a breaker's replicas are in the state that is shown; breakers live per process.

    The two open states count as one, because either refuses. ``noun`` names what is counted: in
    front of a shared dependency stand the breakers of all its callers.
    """

    alike: int = 0
    replicas: int = 0
    noun: str = "replicas"

    def extent(self, verb: str) -> str:
        """Return "2 of 4 replicas refusing" where replicas disagree, else an empty text."""
        if self.alike >= self.replicas:
            return ""
        return f"{self.alike} of {self.replicas} {self.noun} {verb}"


class Breaker(Struct, frozen=True):
    """A breaker as last seen, its worst replica where there are several.

    ``since`` is Unix seconds of the first sight of this state.
    """

    state: BreakerState = BreakerState.UNKNOWN
    since: float | None = None
    at: float | None = None
    share: ReplicaShare = ReplicaShare()

    @property
    def extent(self) -> str:
        """Return "2 of 4 replicas refusing" where replicas disagree, else an empty text."""
        verb = _BREAKER_VERBS[BreakerState.OPEN if _refuses(self.state) else self.state]
        return self.share.extent(verb)

    @property
    def said(self) -> str:
        """Return code and verb, "OPN refusing", or who refuses: "OPN 2 of 4 replicas refusing"."""
        return f"{self.state.code} {self.extent or self.state.verb}"


def _refuses(state: BreakerState) -> bool:
    return state in (BreakerState.OPEN, BreakerState.FORCED_OPEN)


class Route(Struct, frozen=True):
    """Where a model's traffic goes; empty ``target`` is not known, level "L0" is normal."""

    target: str = ""
    level: str = ""
    region: str = ""

    @property
    def known(self) -> bool:
        """Tell whether the source says where traffic goes."""
        return bool(self.target)


class Finding(Struct, frozen=True):
    """One rule that holds for a row: its stable id, level, sentence, and since when.

    ``recovering_since`` is Unix seconds from when on users are no longer hurt, None while they are.
    """

    rule: str
    level: Severity
    text: str
    since: float
    recovering_since: float | None = None

    @property
    def phase(self) -> str:
        """Return "hurting" or "recovering"."""
        return "hurting" if self.recovering_since is None else "recovering"


UNKNOWN_BREAKER = Breaker()
UNKNOWN_ROUTE = Route()
