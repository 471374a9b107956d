"""Overrides and entries of the sample night, for tests of what is in force."""

from __future__ import annotations

from dataclasses import replace

from console.domain.action import Override, Step
from console.domain.entry import Entry, Who
from tests.support.snapshots import SAMPLE_NOW

LI = Who(name="li", name_source="operator.name", os_user="li", uid=1002, host="ops-1", pid=77)


def held(target: str = "toxicity", verb: str = "trip", **changes: object) -> Override:
    """An override that began 8 minutes before the sample moment and ends in 12."""
    made = Override(
        op_id="01K84D0Q7V0000000000000001",
        seq=41,
        verb=verb,
        target=target,
        wanted="FORCED_OPEN",
        controls=("breaker",),
        by="li",
        reason="provider bug",
        began_at=SAMPLE_NOW - 480.0,
        ends_at=SAMPLE_NOW + 720.5,
        enforced_by="service",
        end=(Step("breaker", "half-open"),),
        undo=(Step("breaker", "reset"),),
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def fallback(target: str = "doc-extract", to: str = "doc-small", **changes: object) -> Override:
    """A fallback by ana for an hour, ended by the keeper."""
    made: dict[str, object] = {
        "op_id": "01K84D0Q7V0000000000000002", "seq": 42, "to": to, "wanted": to, "by": "ana",
        "reason": "timeouts", "ends_at": SAMPLE_NOW + 3900.5, "enforced_by": "keeper",
        "end": (Step("route", "restore"),),
    }  # fmt: skip
    return held(target, "fallback", **(made | changes))


def entry(seq: int, kind: str = "note", **changes: object) -> Entry:
    """One entry of a journal, without a chain behind it."""
    fields: dict[str, object] = {
        "schema": 1, "chain": "c", "segment": 1, "seq": seq, "id": f"01K84D0Q7V{seq:016d}",
        "at": SAMPLE_NOW - 600.0 + seq, "store_at": None, "clock_back_seconds": 0.0,
        "environment": "prod", "kind": kind, "action": "", "target": "toxicity", "op_id": "",
        "why": "looked", "confirm_class": "", "incident": "", "before": None, "wanted": None,
        "after": None, "blast": {}, "details": {}, "who": LI, "version": "0.1.0",
        "config_digest": "", "prev_hash": f"{seq - 1:064x}", "hash": f"{seq:064x}", **changes,
    }  # fmt: skip
    return Entry(**fields)  # type: ignore[arg-type]
