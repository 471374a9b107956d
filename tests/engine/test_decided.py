"""Decisions in the Snapshot: written by others, followed from tick to tick, judged once overdue."""

from __future__ import annotations

import itertools
from contextlib import closing
from pathlib import Path

import pytest
from msgspec.structs import replace

from console.domain.entry import EntryDraft, Who
from console.domain.severity import Severity
from console.evaluation.rules.holds import DECISION_OVERDUE
from console.journal import Journal, open_journal
from tests.engine.keep_record import WHO
from tests.engine.test_records import NOW, engine_on, url_of
from tests.support.decisions import DAY, decision, taken

BEN = replace(WHO, name="ben", os_user="ben", uid=1002)
HELD = decision(
    model="alpha",
    environment="default",
    taken_at=NOW - 30 * DAY,
    review_by=NOW - DAY,
    needs_approval=True,
)


def opened(path: Path, who: Who, environment: str = "default") -> closing[Journal]:
    return closing(open_journal(url_of(path), who=who, environment=environment))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "journal.db"


async def test_what_others_decide_appears_with_its_approval_and_goes_quiet_with_its_outcome(
    path: Path,
) -> None:
    ticks = itertools.count()
    # Each look is a moment later: a look at the same answer proves nothing more.
    engine = engine_on(path, lambda: NOW + 0.01 * next(ticks))
    assert (await engine.tick()).decisions == ()
    with (
        opened(path, WHO) as ana,
        opened(path, BEN) as ben,
    ):
        asked = ana.append(taken(HELD))
        await engine.tick()
        seen = await engine.tick()
        (known,) = seen.decisions
        assert (known.decision, known.pending, known.state(NOW)) == (HELD, True, "overdue")
        finding = next(one for one in seen.findings[0] if one.rule == DECISION_OVERDUE)
        assert finding.level is Severity.S3
        assert "never approved" in finding.text
        digest = asked.details["digest"]
        given = EntryDraft(
            kind="approval", at=NOW, target="alpha", op_id=HELD.id,
            details={"step": "given", "digest": digest},
        )  # fmt: skip
        ana.append(given)
        assert (await engine.tick()).decisions[0].pending
        ben.append(given)
        (known,) = (await engine.tick()).decisions
        assert not known.pending
        assert known.approved_by.startswith("ben (ben@")
        ben.append(
            EntryDraft(
                kind="decision", at=NOW, target="alpha", op_id=HELD.id, why="labels came",
                details={"step": "closed"},
            )
        )  # fmt: skip
        for _ in range(3):
            seen = await engine.tick()
        assert (seen.decisions[0].closed_by, seen.decisions[0].outcome) == ("ben", "labels came")
        assert DECISION_OVERDUE not in {each.rule for each in seen.findings.get(0, ())}
    await engine.close()


async def test_a_single_look_reads_them_and_not_those_of_another_environment(path: Path) -> None:
    with (
        opened(path, WHO) as here,
        opened(path, WHO, "staging") as there,
    ):
        here.append(taken(HELD))
        there.append(taken(replace(HELD, id="01KB2DECISION0000000000009")))
    engine = engine_on(path)
    seen = await engine.once(remembers=False)
    assert [each.decision.id for each in seen.decisions] == [HELD.id]
    assert DECISION_OVERDUE in {each.rule for each in seen.findings[0]}
    await engine.close()
