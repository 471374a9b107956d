"""Contract tests: decisions sent to servers built from what Grafana and Airflow publish."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from console.actions.decision_record import DecisionWish, write_decision
from console.actions.decision_sinks import prepare_unsent, prepare_with_sends, text_of
from console.actions.undo import prepare_undo
from console.decisions.decision_log import decisions_in, find_decision
from tests.actions.support import YES, actor, write_config
from tests.controls.grafana import grafana, told
from tests.http.serving import Asked, Handler, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from console.actions.decision_record import PreparedDecision
    from console.actions.executor import ActionExecutor
    from console.domain.action import Outcome

MODEL = "churn-ranker"
SECRET = "glsa_test"


def config(tmp_path: Path, decisions: str, controls: str) -> Path:
    return write_config(
        tmp_path / "midwatch.toml",
        f"""version = 1
environment = "test"
[journal]
url = "sqlite:///{tmp_path / "journal.db"}"
[models.{MODEL}]
decisions = {decisions}
{controls}""",
    )


def with_grafana(tmp_path: Path, url: str) -> Path:
    token = tmp_path / "grafana.token"
    token.write_text(SECRET)
    token.chmod(0o600)
    return config(
        tmp_path,
        '{ annotate = "charts" }',
        f"""[controls.charts]
driver = "http"
preset = "grafana-annotation"
targets = ["{url}"]
auth = {{ type = "bearer", secret = "file:{token}" }}
""",
    )


def wish(kind: str = "HOLD", reason: str = "labels are late") -> DecisionWish:
    return DecisionWish(MODEL, kind, reason, time.time() + 14 * 86400.0)


async def decided(
    acting: ActionExecutor, made: DecisionWish
) -> tuple[PreparedDecision, list[Outcome]]:
    one = await prepare_with_sends(acting, made, None)
    write_decision(acting.bench.journal, one, acting.mode, confirmed=True)
    sends = [each.action for each in one.sends if each.action is not None]
    return one, [await acting.perform(each, YES) for each in sends]


async def test_grafana_contract_a_decision_is_marked_on_the_charts_and_taken_off(
    tmp_path: Path,
) -> None:
    with grafana() as charts, actor(with_grafana(tmp_path, charts.url)) as acting:
        one, (outcome,) = await decided(acting, wish())
        decision = one.decision
        assert outcome.kind == "applied"
        assert charts.annotations == {
            1: {
                "text": text_of(decision),
                "time": round(decision.taken_at * 1000),
                "tags": ["midwatch", f"model:{MODEL}", "HOLD", f"midwatch-decision:{decision.id}"],
            }
        }
        (send,) = one.sends
        assert send.action is not None
        assert any("unproven, contract only" in each for each in send.action.unproven)
        assert SECRET not in send.action.changes[0].calls[0].shown
        back = await prepare_undo(acting, outcome.op_id, "wrong model", None, None)
        assert (await acting.perform(back, YES)).kind == "applied"
        assert charts.annotations == {}


async def test_grafana_contract_a_lost_answer_leaves_one_mark_and_never_a_second(
    tmp_path: Path,
) -> None:
    with grafana() as charts, actor(with_grafana(tmp_path, charts.url)) as acting:
        charts.loses_answers = True
        one, (outcome,) = await decided(acting, wish())
        assert outcome.kind == "applied"
        record = find_decision(decisions_in(acting.bench.journal), one.decision.id)
        assert record.unsent == ()
        assert await prepare_unsent(acting, record, None) == ()
        assert charts.posted == 1


async def test_grafana_contract_a_refused_token_changes_nothing_and_says_so(
    tmp_path: Path,
) -> None:
    with grafana() as charts:
        path = with_grafana(tmp_path, charts.url)
        (tmp_path / "grafana.token").write_text("glsa_other")
        with actor(path) as acting:
            one, outcomes = await decided(acting, wish())
            assert charts.annotations == {}
            told_so = [each.problem for each in one.sends] + [each.sentence for each in outcomes]
            assert any("401" in each for each in told_so)
            assert all("glsa_other" not in each for each in told_so)


@contextmanager
def airflow() -> Iterator[tuple[str, dict[str, dict[str, Any]]]]:
    """A DAG whose runs have the client's own id, so that a second start is a 409."""
    runs: dict[str, dict[str, Any]] = {}

    def behave(handler: Handler, asked: Asked) -> None:
        if asked.method == "GET":
            run = runs.get(asked.path.rpartition("/")[2])
            told(handler, 200 if run else 404, run or {"detail": "DAGRun not found"})
            return
        document = json.loads(asked.body)
        if document["dag_run_id"] in runs:
            told(handler, 409, {"detail": "DAGRun already exists"})
            return
        runs[document["dag_run_id"]] = {**document, "state": "queued"}
        told(handler, 200, runs[document["dag_run_id"]])

    with serving(behave) as server:
        yield server.url, runs


async def test_airflow_contract_a_retraining_is_started_once_by_any_http_control(
    tmp_path: Path,
) -> None:
    with airflow() as (url, runs):
        path = config(
            tmp_path,
            '{ retrain = "train" }',
            f"""[controls.train]
driver = "http"
targets = ["{url}"]
vars = {{ decision = "none" }}
[controls.train.read]
path = "/api/v2/dags/retrain/dagRuns/midwatch-{{decision}}"
value = "state && 'started'"
missing = {{ status = [404], means = "not started" }}
[controls.train.actions.retrain]
label = "Start the retraining"
danger = "safe"
class = "B"
desired = ["started"]
from = ["not started"]
path = "/api/v2/dags/retrain/dagRuns"
[controls.train.actions.retrain.json]
dag_run_id = "midwatch-${{decision}}"
note = "${{reason}}"
conf = {{ model = "${{model}}" }}
""",
        )
        with actor(path) as acting:
            held, outcomes = await decided(acting, wish())
            assert (held.sends, outcomes, runs) == ((), [], {})
            one, outcomes = await decided(
                acting, DecisionWish(**{**as_dict(wish("RETRAIN")), "despite": "inputs are known"})
            )
            assert [each.kind for each in outcomes] == ["applied"]
            run = runs[f"midwatch-{one.decision.id}"]
            assert (run["note"], run["conf"]) == ("labels are late", {"model": MODEL})
            again = await prepare_with_sends(
                acting, DecisionWish(**{**as_dict(wish("RETRAIN")), "id": one.decision.id}), None
            )
            (send,) = again.sends
            assert send.action is not None
            assert send.action.already


def as_dict(made: DecisionWish) -> dict[str, Any]:
    return {name: getattr(made, name) for name in made.__slots__}
