"""Decisions sent on: to a real MLflow, and to servers that answer as published ones do."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from console.actions.approval import approve
from console.actions.decision_record import (
    DecisionWish,
    decision_waiting,
    prepare_decision,
    write_decision,
)
from console.actions.decision_sinks import (
    PreparedSend,
    line_of,
    prepare_sends,
    prepare_unsent,
    with_sends,
)
from console.actions.fleet_view import FleetView
from console.actions.undo import prepare_undo
from console.decisions.decision_log import decisions_in, find_decision
from console.domain.action import ActionRefused, WritesNotAllowed
from console.domain.decision import PlannedSend
from console.domain.model import ModelRow
from console.engine.outside_feeds import Registries
from console.evaluation.inventory import lineage_of
from console.settings.schema import ModelSettings, RegistrySettings, Settings
from tests.actions.support import YES, actor, write_config
from tests.model_servers import servers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from console.actions.decision_record import PreparedDecision
    from console.actions.executor import ActionExecutor
    from console.domain.action import Outcome
    from console.domain.decision import DecisionRecord

DAY = 86400.0
MODEL = "fraud-scorer"


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with servers.mlflow(tmp_path_factory.mktemp("mlflow")) as url:
        yield url


@pytest.fixture
def registered(mlflow: str, request: pytest.FixtureRequest) -> str:
    """Register two versions under a name of the test's own, the alias on the first."""
    name = str(request.node.name)
    api = f"{mlflow}/api/2.0/mlflow"
    servers.post(f"{api}/registered-models/create", {"name": name})
    for source in ("s3://models/1", "s3://models/2", "s3://models/3"):
        servers.post(f"{api}/model-versions/create", {"name": name, "source": source})
    point(mlflow, name, "1")
    return name


def point(mlflow: str, name: str, version: str) -> None:
    document = {"name": name, "alias": "champion", "version": version}
    servers.post(f"{mlflow}/api/2.0/mlflow/registered-models/alias", document)


def version_of(mlflow: str, name: str, version: str) -> dict[str, Any]:
    query = f"name={name}&version={version}"
    found = servers.get(f"{mlflow}/api/2.0/mlflow/model-versions/get?{query}")
    model_version: dict[str, Any] = found["model_version"]
    return model_version


def tags_of(mlflow: str, name: str, version: str = "1") -> dict[str, str]:
    return {
        each["key"]: each["value"] for each in version_of(mlflow, name, version).get("tags", [])
    }


@pytest.fixture
def config(mlflow: str, registered: str, tmp_path: Path) -> Path:
    return write_config(
        tmp_path / "midwatch.toml",
        f"""version = 1
environment = "test"
[journal]
url = "sqlite:///{tmp_path / "journal.db"}"
[models.{MODEL}]
tier = 2
lineage = {{ version = "1" }}
decisions = {{ tags = "fraud-tags", alias = "fraud-alias" }}
[controls.fraud-tags]
driver = "http"
preset = "mlflow-tags"
targets = ["{mlflow}"]
vars = {{ name = "{registered}", version = "1" }}
[controls.fraud-alias]
driver = "http"
preset = "mlflow-alias"
targets = ["{mlflow}"]
vars = {{ name = "{registered}", alias = "champion" }}
""",
    )


def wish(kind: str = "ROLLBACK", **changes: object) -> DecisionWish:
    given: dict[str, object] = {
        "model": MODEL,
        "kind": kind,
        "reason": "version 1 fails on new merchants",
        "review_by": time.time() + 14 * DAY,
        "to_version": "2",
        **changes,
    }
    return DecisionWish(**given)  # type: ignore[arg-type]


async def prepared(
    acting: ActionExecutor, made: DecisionWish, sinks: tuple[str, ...] | None = None
) -> PreparedDecision:
    bench = acting.bench
    head = bench.journal.head()
    one = prepare_decision(
        made,
        FleetView(bench.settings, None, bench.clock()),
        bench.who,
        decisions_in(bench.journal).records,
        seen_seq=0 if head is None else head.seq,
    )
    return with_sends(one, await prepare_sends(acting, one.decision, None, sinks))


async def written(acting: ActionExecutor, made: DecisionWish) -> PreparedDecision:
    one = await prepared(acting, made)
    write_decision(acting.bench.journal, one, acting.mode, confirmed=True)
    return one


async def sent(acting: ActionExecutor, sends: tuple[PreparedSend, ...]) -> list[Outcome]:
    return [await acting.perform(each.action, YES) for each in sends if each.action is not None]


def recorded(acting: ActionExecutor, decision_id: str) -> DecisionRecord:
    return find_decision(decisions_in(acting.bench.journal), decision_id)


async def test_a_decision_tags_its_version_and_moves_the_alias(
    config: Path, mlflow: str, registered: str
) -> None:
    with actor(config) as acting:
        one = await written(acting, wish())
        decision = one.decision
        assert decision.sends == (
            PlannedSend(
                sink="tags",
                control=f"fraud-tags?decision={decision.id}&kind=ROLLBACK",
                wanted=line_of(decision),
                before="none",
            ),
            PlannedSend(sink="alias", control="fraud-alias", wanted="2", before="1"),
        )
        assert recorded(acting, decision.id).unsent == decision.sends
        outcomes = await sent(acting, one.sends)
        assert [each.kind for each in outcomes] == ["applied", "applied"]
        assert tags_of(mlflow, registered) == {
            f"midwatch.decision.{decision.id}": line_of(decision)
        }
        assert version_of(mlflow, registered, "2")["aliases"] == ["champion"]
        record = recorded(acting, decision.id)
        assert [(each.sink, each.outcome) for each in record.sent] == [
            ("tags", "applied"),
            ("alias", "applied"),
        ]
        assert record.unsent == ()
        assert await prepare_unsent(acting, record, None) == ()
        # What was sent can be taken back like any other change.
        back = await prepare_undo(acting, outcomes[1].op_id, "wrong version", None, None)
        assert (await acting.perform(back, YES)).kind == "applied"
        assert version_of(mlflow, registered, "1")["aliases"] == ["champion"]
        back = await prepare_undo(acting, outcomes[0].op_id, "wrong version", None, None)
        assert (await acting.perform(back, YES)).kind == "applied"
        assert tags_of(mlflow, registered) == {}
        record = recorded(acting, decision.id)
        assert [each.outcome for each in record.sent] == ["undone", "undone"]
        assert record.unsent == decision.sends


async def test_an_alias_that_somebody_moved_meanwhile_is_left_alone(
    config: Path, mlflow: str, registered: str
) -> None:
    with actor(config) as acting:
        one = await written(acting, wish())
        point(mlflow, registered, "3")
        tags, alias = await sent(acting, one.sends)
        assert tags.kind == "applied"
        assert alias.kind == "superseded"
        assert "was 1 and is 3 now" in alias.sentence
        assert version_of(mlflow, registered, "3")["aliases"] == ["champion"]
        record = recorded(acting, one.decision.id)
        assert [each.sink for each in record.unsent] == ["alias"]
        # Sending it again judges by what was seen when it was decided, not by what is there now.
        (again,) = await prepare_unsent(acting, record, None)
        assert again.action is not None
        assert again.action.guards[0].id == "changed_since_decided"
        assert (await acting.perform(again.action, YES)).kind == "superseded"
        assert version_of(mlflow, registered, "3")["aliases"] == ["champion"]
        # Somebody else came to the same: nothing is left to do.
        point(mlflow, registered, "2")
        (again,) = await prepare_unsent(acting, record, None)
        assert again.action is not None
        assert (await acting.perform(again.action, YES)).kind == "no_op"
        assert recorded(acting, one.decision.id).unsent == ()


async def test_what_waits_for_its_second_person_is_sent_after_the_approval(
    config: Path, mlflow: str, registered: str
) -> None:
    config.write_text(config.read_text().replace("tier = 2", "tier = 1"))
    with actor(config) as ana, actor(config, name="ben", account="ben") as ben:
        one = await written(ana, wish())
        record = recorded(ana, one.decision.id)
        with pytest.raises(ActionRefused, match="waits for its second person"):
            await prepare_unsent(ana, record, None)
        journal = ben.bench.journal
        asked = decision_waiting(journal, one.decision.id, time.time())
        assert asked is not None
        assert "alias 1 → 2" in str(asked.blast["effect"])
        approve(journal, asked, ben.bench.who, "agreed", time.time())
        record = recorded(ben, one.decision.id)
        with pytest.raises(ActionRefused, match="annotate is not waiting"):
            await prepare_unsent(ben, record, None, ("annotate",))
        sends = await prepare_unsent(ben, record, None)
        assert [each.kind for each in await sent(ben, sends)] == ["applied", "applied"]
        assert version_of(mlflow, registered, "2")["aliases"] == ["champion"]
        assert [each.by for each in recorded(ana, one.decision.id).sent] == ["ben", "ben"]


async def test_what_makes_no_sense_or_is_not_there_is_said_and_not_sent(
    config: Path, mlflow: str, registered: str
) -> None:
    with actor(config) as acting:
        held = await prepared(acting, wish("HOLD", to_version=""))
        assert [each.sink for each in held.sends] == ["tags"]
        (asked,) = (await prepared(acting, wish("HOLD", to_version=""), ("alias",))).sends
        assert asked.problem.startswith("the alias moves only where the decision names")
        with pytest.raises(ActionRefused, match="retrain is not declared"):
            await prepared(acting, wish(), ("retrain",))
        one = await written(acting, wish(to_version="99"))
        tags, alias = await sent(acting, one.sends)
        assert (tags.kind, alias.kind) == ("applied", "rejected")
        assert "version=99" in alias.sentence
        acting.mode = "read_only"
        with pytest.raises(WritesNotAllowed):
            await sent(acting, one.sends)
    config.write_text(config.read_text().replace(f'name = "{registered}"', 'name = "frawd"'))
    with actor(config) as acting:
        problems = [each.problem for each in (await prepared(acting, wish())).sends]
        assert all("this is not there" in each for each in problems)
        unsent = replace(one.decision, sends=())
        assert unsent.sends == ()


async def test_the_registry_tells_version_data_code_and_approver_once_a_minute(
    mlflow: str, registered: str
) -> None:
    api = f"{mlflow}/api/2.0/mlflow"
    started: Any = servers.post(f"{api}/runs/create", {"experiment_id": "0", "start_time": 1})
    run_id = started["run"]["info"]["run_id"]
    for key, value in (("mlflow.source.git.commit", "9be2c1aa"), ("team", "risk")):
        servers.post(f"{api}/runs/set-tag", {"run_id": run_id, "key": key, "value": value})
    dataset = {"name": "transactions", "digest": "88aa", "source_type": "s3", "source": "{}"}
    servers.post(f"{api}/runs/log-inputs", {"run_id": run_id, "datasets": [{"dataset": dataset}]})
    ended = {"run_id": run_id, "status": "FINISHED", "end_time": 1_759_017_600_000}
    servers.post(f"{api}/runs/update", ended)
    document = {"name": registered, "source": "s3://models/4", "run_id": run_id}
    made: Any = servers.post(f"{api}/model-versions/create", document)
    version = str(made["model_version"]["version"])
    tag = {"name": registered, "version": version, "key": "approver", "value": "joel"}
    servers.post(f"{api}/model-versions/set-tag", tag)

    settings = RegistrySettings(url=mlflow, name=registered, alias="champion")
    registries = Registries(Settings(models={MODEL: ModelSettings(registry=settings)}))
    row = ModelRow(MODEL, version=f"v{version}")
    try:
        await asyncio.wait(registries.start([row], 1000.0))
        found = registries.known[MODEL]
        assert (found.version, found.alias_version, found.problem) == (version, "1", "")
        assert found.links == {
            "data_snapshot": "transactions@88aa",
            "code": "9be2c1aa",
            "trained_at": "2025-09-28T00:00:00Z",
            "approver": "joel",
        }
        lineage = lineage_of(row, found)
        assert lineage.conflicts == (
            f"version: v{version} serves, the registry's alias champion is on 1",
        )
        assert registries.start([row], 1030.0) == []
        # Another version serves: that is asked about at once, and the registry has none such.
        await asyncio.wait(registries.start([ModelRow(MODEL, version="v99")], 1031.0))
        found = registries.known[MODEL]
        assert (found.version, found.links) == ("", {})
        assert found.problem == f"it has no version 99 of {registered}"
        # Nothing is known to serve, so the registry speaks of where its alias points.
        await asyncio.wait(registries.start([ModelRow(MODEL)], 1100.0))
        assert registries.known[MODEL].version == "1"
        absent = RegistrySettings(url=mlflow, name=registered, alias="nobody")
        await registries.configure(Settings(models={MODEL: ModelSettings(registry=absent)}))
        await asyncio.wait(registries.start([ModelRow(MODEL)], 1101.0))
        assert registries.known[MODEL].problem == "the alias nobody points nowhere"
    finally:
        await registries.close()


async def test_a_registry_that_is_away_is_told_and_what_was_known_stays() -> None:
    settings = RegistrySettings(url="http://127.0.0.1:9", name="fraud", alias="champion")
    registries = Registries(Settings(models={MODEL: ModelSettings(registry=settings)}))
    try:
        await asyncio.wait(registries.start([ModelRow(MODEL)], 1000.0))
        problem = registries.known[MODEL].problem
        assert "127.0.0.1" in problem
        gaps = lineage_of(ModelRow(MODEL), registries.known[MODEL]).gaps
        assert gaps[-1] == f"what the registry says ({problem})"
    finally:
        await registries.close()
