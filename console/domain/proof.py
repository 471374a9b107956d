"""What proves a model's readiness: attestations, drills, sign-offs, and each check as judged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

CheckState = Literal["pass", "manual", "fail", "expired", "n-a", "unknown"]
"""``unknown``: it could not be looked at now, which is never a pass."""

CheckGroup = Literal["Observe", "Resist", "Operate", "Govern"]
CHECK_GROUPS: tuple[CheckGroup, ...] = ("Observe", "Resist", "Operate", "Govern")

POINTS: Mapping[str, float] = {"pass": 1.0, "manual": 0.5}
"""Points of a state, as in the ML Test Score; others have none, and n-a does not count."""


class CheckResult(Struct, frozen=True, kw_only=True):
    """One check of one model as judged: state, why, by whom or what, until when it holds.

    ``at`` and ``until`` are Unix seconds, None: no moment of its own, no end. ``evidence`` is a
    link or a file's name, ``sha256`` the hash of the file or reference, ``entry`` the number of
    the journal entry that proves it and ``entry_hash`` its hash.
    """

    check: str
    number: int
    group: CheckGroup
    gate: bool
    title: str
    state: CheckState
    text: str
    by: str = ""
    at: float | None = None
    until: float | None = None
    evidence: str = ""
    sha256: str = ""
    entry: int | None = None
    entry_hash: str = ""

    @property
    def good(self) -> bool:
        """Tell whether it stands in nobody's way."""
        return self.state in ("pass", "manual", "n-a")


class GroupScore(Struct, frozen=True):
    """Points of one group out of the checks that apply to the model."""

    group: CheckGroup
    points: float
    most: int

    @property
    def share(self) -> float:
        """Points / checks that apply (0-1); 1 where none applies."""
        return self.points / self.most if self.most else 1.0


class Attested(Struct, frozen=True, kw_only=True):
    """What a person put on the record about one check; times in Unix seconds.

    ``version`` is the one that served then, ``not_applicable`` that the check does not concern
    the model, ``withdrawn`` that an earlier proof was taken back.
    """

    check: str
    target: str
    by: str
    account: str
    at: float
    until: float
    note: str
    evidence: str = ""
    sha256: str = ""
    version: str = ""
    not_applicable: bool = False
    withdrawn: bool = False
    entry: int = 0
    entry_hash: str = ""


class Exercised(Struct, frozen=True, kw_only=True):
    """A drill that ended, or an action of that kind used for real; times in Unix seconds.

    ``states`` are what was seen, in order. ``detect_seconds`` and ``recover_seconds`` are how long
    until the console saw it, and until all was as before; None was not seen.
    """

    what: str
    target: str
    by: str
    at: float
    passed: bool
    drill: bool
    text: str
    states: tuple[str, ...] = ()
    detect_seconds: float | None = None
    recover_seconds: float | None = None
    entry: int = 0
    entry_hash: str = ""


class HandedOver(Struct, frozen=True, kw_only=True):
    """The newest handover of the record; times in Unix seconds, None: nobody accepted it."""

    op_id: str
    by: str
    at: float
    accepted_by: str = ""
    accepted_at: float | None = None
    entry: int = 0
    entry_hash: str = ""


class ClosedIncident(Struct, frozen=True, kw_only=True):
    """The newest incident about a model that was closed; ``at`` is Unix seconds."""

    incident: str
    title: str
    at: float
    by: str
    entry: int = 0
    entry_hash: str = ""


class SignOff(Struct, frozen=True, kw_only=True):
    """Readiness as somebody signed it: every check frozen, by whom, and who approved it.

    ``approver`` is whom the author named; on tier 1 it counts once another account approved
    (``needs_approval``). ``intact`` is False where the checks are not what the digest says.
    """

    id: str
    target: str
    by: str
    account: str
    at: float
    reason: str
    digest: str
    checks: tuple[CheckResult, ...]
    headline: str = ""
    version: str = ""
    tier: int = 2
    approver: str = ""
    needs_approval: bool = False
    approved_by: str = ""
    approved_at: float | None = None
    intact: bool = True
    entry: int = 0
    entry_hash: str = ""

    @property
    def stands(self) -> bool:
        """Tell whether it counts: whole, and approved where it has to be."""
        return self.intact and (bool(self.approved_by) or not self.needs_approval)


class Proofs(Struct, frozen=True, kw_only=True):
    """Everything on the record that proves readiness, as of the newest entry read.

    ``attested`` is by (target, check), ``exercised`` and ``passed`` (the newest that passed) by
    (target, what), ``signed`` by target, oldest first; ``closed`` by target.
    """

    attested: Mapping[tuple[str, str], Attested] = {}
    exercised: Mapping[tuple[str, str], Exercised] = {}
    passed: Mapping[tuple[str, str], Exercised] = {}
    signed: Mapping[str, tuple[SignOff, ...]] = {}
    closed: Mapping[str, ClosedIncident] = {}
    handover: HandedOver | None = None

    @property
    def empty(self) -> bool:
        """Tell whether nothing is on the record that could end."""
        return not (self.attested or self.exercised or self.signed)

    def sign_off(self, target: str) -> SignOff | None:
        """Return the newest sign-off of a target that stands."""
        standing = [each for each in self.signed.get(target, ()) if each.stands]
        return standing[-1] if standing else None


NO_PROOFS = Proofs()


class ModelReadiness(Struct, frozen=True, kw_only=True):
    """One model's readiness at ``at`` (Unix seconds): every check, points, gates, sign-off."""

    target: str
    model: str
    tier: int
    version: str
    at: float
    checks: tuple[CheckResult, ...]
    scores: tuple[GroupScore, ...]
    signed: SignOff | None = None
    waiting: SignOff | None = None
    changed: tuple[str, ...] = ()

    @property
    def lowest(self) -> GroupScore:
        """The group with the smallest share of its points: the headline, never the mean."""
        return min(self.scores, key=lambda each: each.share)

    @property
    def gates(self) -> tuple[CheckResult, ...]:
        """The checks that have to pass on tier 1; none on other tiers."""
        return tuple(each for each in self.checks if each.gate) if self.tier == 1 else ()

    @property
    def closed_gates(self) -> tuple[CheckResult, ...]:
        """The gates that do not let it through."""
        return tuple(each for each in self.gates if not each.good)

    @property
    def gaps(self) -> tuple[CheckResult, ...]:
        """Every check that is not as it should be, gates first, then in their order."""
        found = [each for each in self.checks if not each.good]
        return tuple(
            sorted(found, key=lambda each: (not (each.gate and self.tier == 1), each.number))
        )

    @property
    def headline(self) -> str:
        """The lowest group in a few words."""
        lowest = self.lowest
        return f"{lowest.group} {lowest.points:g} of {lowest.most}"
