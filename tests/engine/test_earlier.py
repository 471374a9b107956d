"""What came before an incident, out of a real record: read, empty, away, or of somewhere else."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from console.domain.entry import NO_RECORD, BrokenEntry, Record
from console.domain.incident import IncidentView
from console.engine.incident_view import FRESH_SECONDS, EarlierIncidents
from console.engine.journal_tail import Records
from console.engine.service import Engine
from console.journal import JournalError
from tests.engine.fakes import loaded
from tests.engine.test_impact import counting, engine_at
from tests.engine.test_records import VALUES, reading, settings_with, writer
from tests.support.incident_views import sample_incident
from tests.support.snapshots import sample_snapshot

if TYPE_CHECKING:
    from pathlib import Path

    from console.domain.incident import SameBefore
    from console.domain.snapshot import Snapshot
    from console.journal import Journal
    from console.settings.schema import Settings
    from tests.engine.test_records import Writer

NOW = 1_795_402_033.0
DAY = 86400.0
INCIDENT = "abcd1234"


def tell(other: Writer, since: float, close: str = "") -> None:
    """Write that an incident on alpha was taken, and how it was closed."""
    mine = {"incident": INCIDENT, "target": f"inc:{INCIDENT}"}
    details = {
        "step": "taken", "since": since, "title": "alpha", "severity": "S1", "model": "alpha",
        "models": ["alpha"], "alerts": {"midwatch": [{"alertname": "burn_page"}]},
    }  # fmt: skip
    other.write(kind="ack", at=since + 60.0, why="mine", details=details, **mine)
    if close:
        said = {"verdict": "useful", "since": since, "title": "alpha", "decision": "HOLD"}
        other.write(kind="close", at=since + 1800.0, why=close, details=said, **mine)


async def test_the_view_tells_the_one_before_out_of_the_record(tmp_path: Path) -> None:
    path = tmp_path / "j" / "journal.db"
    with writer(path) as other:
        tell(other, NOW - 5 * DAY, "rolled back v8")
        tell(other, NOW - 3600.0)
    with writer(path, "staging") as elsewhere:
        tell(elsewhere, NOW - 2 * DAY, "not ours")
    engine = engine_at(path, NOW)
    await engine.tick()
    view = await engine.incident_view(INCIDENT)
    assert isinstance(view, IncidentView), view
    (one,) = view.before.earlier
    assert (one.id, one.alike, one.shared) == (INCIDENT, "model", "alpha")
    assert (one.closing, one.verdict, one.took(one.ended_at)) == ("rolled back v8", "useful", 1800)
    assert view.before.begins == (NOW - 5 * DAY, NOW - 3600.0)
    assert view.before.since is not None
    assert (view.update.due_at, view.update.why) == (None, "it is resolved")
    await engine.close()


class Asked:
    """A way to open a journal that counts how often it was, and fails on demand."""

    def __init__(self) -> None:
        self.count = 0
        self.fails = False

    def __call__(self, settings: Settings) -> Journal:
        self.count += 1
        if self.fails:
            raise JournalError("the disk \x1b[2J is gone")
        return reading(settings)


async def before(earlier: EarlierIncidents, snapshot: Snapshot, now: float) -> SameBefore:
    return await earlier.before(sample_incident(now), snapshot, now)


async def test_a_record_that_is_away_is_not_one_without_any(tmp_path: Path) -> None:
    path = tmp_path / "j" / "journal.db"
    with writer(path) as other:
        tell(other, NOW - 5 * DAY)
    opens = Asked()
    earlier = EarlierIncidents(Records(opens, settings_with(path), lambda: NOW))
    snapshot = replace(sample_snapshot(NOW), environment="default")
    found = await before(earlier, snapshot, NOW)
    assert (found.earlier, found.unknown) == ((), "")
    assert found.since is not None
    opens.fails = True
    kept = await before(earlier, snapshot, NOW + FRESH_SECONDS - 1.0)
    assert kept.unknown == ""
    asked = opens.count
    away = await before(earlier, snapshot, NOW + FRESH_SECONDS)
    assert opens.count == asked + 1
    assert away.unknown.startswith("the record cannot be read: the disk")
    assert away.unknown.isprintable()
    assert away.blocks(NOW) == (None,) * 24
    opens.fails = False
    assert (await before(earlier, snapshot, NOW + FRESH_SECONDS)).unknown == ""


async def test_an_empty_record_and_none_at_all_are_told_apart(tmp_path: Path) -> None:
    nowhere = EarlierIncidents(Records(None, settings_with(tmp_path / "x"), lambda: NOW))
    off = replace(sample_snapshot(NOW), record=NO_RECORD)
    assert (await before(nowhere, off, NOW)).unknown == "no record is read here"
    absent = replace(sample_snapshot(NOW), record=Record("absent"))
    found = await before(nowhere, absent, NOW)
    assert (found.since, found.unknown, found.known) == (None, "", 0)


async def test_broken_entries_are_a_doubt(tmp_path: Path) -> None:
    path = tmp_path / "j" / "journal.db"
    with writer(path) as other:
        tell(other, NOW - 5 * DAY)
    earlier = EarlierIncidents(Records(reading, settings_with(path), lambda: NOW))
    record = Record("open", broken=(BrokenEntry(2, "edited"),))
    found = await before(earlier, replace(sample_snapshot(NOW), record=record), NOW)
    assert found.doubt == "1 broken entries of the record were left out"


async def test_an_update_is_unknown_while_the_record_is_away(tmp_path: Path) -> None:
    opens = Asked()
    path = tmp_path / "j" / "journal.db"
    with writer(path) as other:
        tell(other, NOW - 5 * DAY)
    settings = settings_with(path)
    source = counting(VALUES)
    engine = Engine(loaded(settings), sources=[source], clock=lambda: NOW, open_record=opens)
    snapshot = await engine.tick()
    engine.latest = replace(snapshot, incidents=(sample_incident(NOW),))
    known = await engine.incident_view(sample_incident(NOW).id)
    assert isinstance(known, IncidentView)
    assert known.update.last_at is None
    assert known.update.due_at == sample_incident(NOW).since + 1800.0
    opens.fails = True
    away = await engine.incident_view(sample_incident(NOW).id)
    assert isinstance(away, IncidentView)
    assert (away.update.due_at, away.update.unknown) == (None, "the record cannot be read")
    await engine.close()
