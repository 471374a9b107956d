"""Entries of the journal as lines for people and as documents for scripts."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import msgspec

from console.facts.entry import Entry, Who
from console.facts.text import visible
from console.journal import BrokenEntryError
from console.journal.canonical import iso

if TYPE_CHECKING:
    from collections.abc import Iterator

    from console.facts.entry import Verification

_TIMES = frozenset({"at", "store_at", "first_at", "last_at", "expires_at"})
_LONGEST = 4000
_NAMES = {
    "op_id": "operation",
    "confirm_class": "class",
    "blast": "blast radius",
    "config_digest": "configuration",
    "prev_hash": "hash before",
}


def document_of(value: msgspec.Struct | BrokenEntryError) -> dict[str, object]:
    """Return a Struct as JSON values with times in ISO 8601 UTC."""
    if isinstance(value, BrokenEntryError):
        return {"seq": value.seq, "broken": value.problem}
    made: dict[str, object] = msgspec.to_builtins(value)
    return _with_iso_times(made)


def _with_iso_times(table: dict[str, object]) -> dict[str, object]:
    """Return the journal's own times as text; what an entry carries inside stays as it is."""
    changed: dict[str, object] = {}
    for key, value in table.items():
        if key in _TIMES and isinstance(value, float):
            changed[key] = iso(value)
        elif key == "head" and isinstance(value, dict):
            changed[key] = _with_iso_times(value)
        elif key == "archived" and isinstance(value, (list, tuple)):
            changed[key] = [_with_iso_times(each) for each in value]
        else:
            changed[key] = value
    return changed


def listed_line(entry: Entry | BrokenEntryError) -> str:
    """Return one entry on one line: number, time, kind, what, who, why."""
    if isinstance(entry, BrokenEntryError):
        return f"{entry.seq:>6}  BROKEN: {visible(entry.problem)}"
    at = iso(entry.at)
    what = " ".join(part for part in (entry.action, entry.target, entry.confirm_class) if part)
    who = f"{entry.who.name}@{entry.who.host}"
    why = f'"{visible(entry.why, 100)}"' if entry.why else ""
    tail = visible(entry.incident, 40) if entry.incident else ""
    late = f"(clock {entry.clock_back_seconds:.0f} s back)" if entry.clock_back_seconds else ""
    line = (
        f"{entry.seq:>6}  {at[:10]} {at[11:19]}Z  {visible(entry.kind, 17):<17}  "
        f"{visible(what, 48) or '-':<30}  {visible(who, 40):<18}  {why}  {tail}  {late}"
    )
    return line.rstrip()


def entry_lines(entry: Entry) -> Iterator[str]:
    """Yield one entry field by field; fields that say nothing are left out."""
    for name in entry.__struct_fields__:
        value = getattr(entry, name)
        if value is None or value in ("", {}, 0.0):
            continue
        if name in _TIMES:
            shown = iso(value)
        elif isinstance(value, Who):
            shown = _who(value)
        elif isinstance(value, str):
            shown = visible(value, _LONGEST)
        else:
            shown = visible(json.dumps(value, ensure_ascii=False, sort_keys=True), _LONGEST)
        yield f"{_NAMES.get(name, name.replace('_', ' ')):<14}  {shown}"


def _who(who: Who) -> str:
    told = [f"{who.name} ({who.name_source})", f"account {who.os_user} on {who.host}"]
    if who.login_user and who.login_user != who.os_user:
        told.append(f"logged in as {who.login_user}")
    if who.sudo_user:
        told.append(f"sudo by {who.sudo_user}")
    if who.ssh_connection:
        told.append(f"ssh from {who.ssh_connection.split(' ')[0]}")
    if who.tty:
        told.append(f"terminal {who.tty}")
    if who.multiplexer:
        told.append(f"in {who.multiplexer}")
    told.append(f"process {who.pid}")
    return visible(", ".join(told), _LONGEST)


def verification_lines(judged: Verification) -> Iterator[str]:
    """Yield the judgement, the end of the chain, and what else was seen."""
    yield f"{'ok' if judged.ok else 'FAILED'}: {visible(judged.sentence, _LONGEST)}"
    if judged.head is not None:
        place = "head: entry" if judged.ok else "sound up to entry"
        yield f"{place} {judged.head.seq} {judged.head.hash} {iso(judged.head.at)}"
    for remark in judged.remarks:
        yield f"note: {visible(remark)}"
