"""check: registries are asked for model and alias, and decisions for what their controls offer."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from console.cli.check_command import check_decisions, check_places
from console.settings.endpoint_tables import ControlAction, ControlSettings
from console.settings.schema import ModelSettings, RegistrySettings, Settings
from console.settings.secrets import SecretResolver
from tests.conftest import free_port
from tests.model_servers import servers
from tests.support.web import Reply, Request, web_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import Run

API = "/api/2.0/mlflow/registered-models"


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with servers.mlflow(tmp_path_factory.mktemp("mlflow")) as url:
        for name in ("churn", "bare"):
            servers.post(f"{url}{API}/create", {"name": name})
        for source in ("s3://models/1", "s3://models/2"):
            document = {"name": "churn", "source": source}
            servers.post(f"{url}/api/2.0/mlflow/model-versions/create", document)
        document = {"name": "churn", "alias": "champion", "version": "1"}
        servers.post(f"{url}{API}/alias", document)
        yield url


def asked(registry: RegistrySettings) -> tuple[str, bool, str]:
    settings = Settings(models={"churn": ModelSettings(registry=registry)})
    (found,) = asyncio.run(check_places(settings, SecretResolver([], {})))
    return found


@pytest.mark.parametrize(
    ("name", "alias", "well", "said"),
    [
        ("churn", "champion", True, "churn, alias champion: version 1"),
        ("churn", None, True, "churn is registered, latest version 2; no alias is declared"),
        ("churn", "champ", False, "it has churn, but no alias champ of it; aliases: champion"),
        ("chrun", "champion", False, "it answers, but has no registered model chrun"),
        ("bare", None, False, "it has bare, but no version of it"),
    ],
)
def test_a_real_registry_is_asked_for_model_and_alias(
    mlflow: str, name: str, alias: str | None, well: bool, said: str
) -> None:
    what, found, sentence = asked(RegistrySettings(url=mlflow, name=name, alias=alias))
    assert (what, found) == ("registry churn", well), sentence
    assert said in sentence
    assert found or "look at url, name and alias" in sentence


def test_a_wrong_path_is_not_taken_for_a_missing_model(mlflow: str) -> None:
    _, well, sentence = asked(RegistrySettings(url=f"{mlflow}/nowhere", alias="champion"))
    assert not well
    assert "the URL may be wrong" in sentence


def test_nobody_listens() -> None:
    _, well, sentence = asked(RegistrySettings(url=f"http://127.0.0.1:{free_port()}"))
    assert not well
    assert "cannot be reached: connection refused; look at its url" in sentence


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (Reply(b"no", 401), "it wants to know who asks and no secret is declared"),
        (Reply(b"no", 403), "this identity may not read here"),
        (Reply(b"[]"), "not as an MLflow registry does"),
        (Reply(b"\xff{"), "not as an MLflow registry does"),
        (Reply(b'{"registered_model": {"name": 7}}'), "not as an MLflow registry does"),
        (Reply(b"\x1b[31mfault\n\n", 500), "answered 500"),
    ],
)
def test_a_registry_that_refuses_or_says_nonsense_gets_one_sentence(
    reply: Reply, said: str
) -> None:
    with web_server(lambda _: reply) as server:
        what, well, sentence = asked(RegistrySettings(url=server.url, alias="champion"))
    assert (what, well) == ("registry churn", False)
    assert said in sentence
    assert sentence.isprintable()


def test_the_command_says_it_in_one_line_and_only_reads(run: Run, tmp_path: Path) -> None:
    def told(request: Request) -> Reply:
        found: dict[str, object] = {"model_version": {"name": "churn", "version": "3"}}
        if request.path.startswith(f"{API}/get?"):
            found = {"registered_model": {"name": "churn"}}
        return Reply(json.dumps(found).encode(), content_type="application/json")

    path = tmp_path / "registry.toml"
    with web_server(told) as server:
        path.write_text(
            f'version = 1\n[journal]\nurl = "sqlite:///{tmp_path}/j.db"\n[models.churn]\n'
            f'registry = {{ url = "{server.url}", alias = "champion" }}\n'
        )
        path.chmod(0o600)
        done = run("check", "--config", str(path))
        quiet = run("check", "--offline", "--config", str(path))
        asked_for = [(each.method, each.path.partition("?")[0]) for each in server.requests]
    (line,) = [line for line in done.out.splitlines() if " registry " in line]
    assert line.startswith("ok     registry churn: answers in ")
    assert line.endswith("churn, alias champion: version 3")
    assert asked_for == [("GET", f"{API}/get"), ("GET", f"{API}/alias")]
    assert " registry " not in quiet.out


def judged(sink: str, control: ControlSettings) -> tuple[str, bool, str]:
    model = ModelSettings(decisions={sink: "sent"})
    (found,) = check_decisions(Settings(models={"churn": model}, controls={"sent": control}))
    return found


@pytest.mark.parametrize(
    ("sink", "preset", "action"),
    [
        ("tags", "mlflow-tags", "tag"),
        ("alias", "mlflow-alias", "alias"),
        ("annotate", "grafana-annotation", "annotate"),
    ],
)
def test_a_shipped_preset_offers_what_its_decision_needs(
    sink: str, preset: str, action: str
) -> None:
    assert judged(sink, ControlSettings("http", preset=preset)) == (
        f"models.churn.decisions.{sink}",
        True,
        f"controls.sent offers {action}",
    )


def test_a_control_of_ones_own_that_retrains() -> None:
    offered = ControlSettings("http", actions={"retrain": ControlAction(path="/run")})
    assert judged("retrain", offered)[1]
    _, well, sentence = judged(
        "retrain", ControlSettings("http", actions={"start": ControlAction(path="/run")})
    )
    assert not well
    assert sentence == (
        "controls.sent lacks what such a decision needs; found: start; allowed: a control that "
        "offers retrain, or the table controls.sent.actions.retrain of your own"
    )


@pytest.mark.parametrize(
    ("control", "said"),
    [
        (ControlSettings("http", preset="mlflow-alias"), "(preset mlflow-tags with kind ="),
        (ControlSettings("http"), "found: nothing;"),
        (ControlSettings("http", preset="mlflow-tag"), 'there is no preset "mlflow-tag"'),
        (
            ControlSettings("http", preset="mlflow-tags", kind="route"),
            "the preset mlflow-tags has no kind route; it has annotate",
        ),
    ],
)
def test_a_control_that_cannot_take_a_tag_says_what_is_allowed(
    control: ControlSettings, said: str
) -> None:
    what, well, sentence = judged("tags", control)
    assert (what, well) == ("models.churn.decisions.tags", False)
    assert said in sentence


def test_the_command_tells_it_even_offline(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "decisions.toml"
    path.write_text(
        'version = 1\n[models.churn]\ndecisions = { retrain = "dag" }\n'
        '[controls.dag]\ndriver = "http"\ntargets = ["http://127.0.0.1:1"]\n'
        '[controls.dag.actions.start]\npath = "/run"\n'
    )
    path.chmod(0o600)
    done = run("check", "--offline", "--config", str(path))
    assert done.code == 1
    assert "FAILED models.churn.decisions.retrain: controls.dag lacks what" in done.out
    assert "offers retrain" in done.out
