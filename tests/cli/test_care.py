"""Caring for incidents as somebody types it, against a real Alertmanager."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from console.cli.main import run as run_here
from console.journal import open_journal
from console.journal.store_base import Question
from tests.incidents.servers import AlertmanagerServer, ask
from tests.journal.records import WHO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Say = Callable[..., tuple[int, str, str]]

HOSTILE = "ticket \x1b[31m\u202e[bold]$(touch x)"


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AlertmanagerServer]:
    made = AlertmanagerServer(tmp_path_factory.mktemp("manager"))
    try:
        made.start().fire(
            {"alertname": "Errors", "model": "fraud", "severity": "warning"},
            {"alertname": "Slow", "model": "chat", "severity": "critical"},
        )
        yield made
    finally:
        made.stop()


def configured(tmp_path: Path, manager: AlertmanagerServer, writes: str = "armed") -> Path:
    path = tmp_path / f"{writes}.toml"
    path.write_text(
        f'version = 1\nenvironment = "test"\nwrites = "{writes}"\noperator = {{ name = "ana" }}\n'
        f'refresh = "1s"\n[journal]\nurl = "sqlite:///{tmp_path / "j" / "journal.db"}"\n'
        f'[[alerts]]\nname = "am"\nkind = "alertmanager"\nurl = "{manager.origin}"\n'
        '[models.fraud]\noncall = { primary = "joel" }\n[models.chat]\n'
    )
    path.chmod(0o600)
    return path


@pytest.fixture
def say(
    tmp_path: Path, manager: AlertmanagerServer, capsys: pytest.CaptureFixture[str]
) -> Iterator[Say]:
    """Run a command in this process."""
    config = configured(tmp_path, manager)

    def command(*arguments: str, at: Path = config) -> tuple[int, str, str]:
        code = run_here(["--config", str(at), *arguments])
        assert isinstance(code, int)
        told = capsys.readouterr()
        assert "Traceback" not in told.err
        return code, told.out, told.err

    yield command
    for each in silences(manager):
        manager.expire(each["id"])


def silences(manager: AlertmanagerServer) -> list[dict[str, Any]]:
    found = ask(f"{manager.api}/silences")
    return [each for each in found if each["status"]["state"] != "expired"]


def entries(tmp_path: Path, *kinds: str) -> list[Any]:
    place = f"sqlite:///{tmp_path / 'j' / 'journal.db'}"
    journal = open_journal(place, who=WHO, environment="test")
    try:
        return list(journal.entries(Question(kinds=kinds)))  # type: ignore[arg-type]
    finally:
        journal.close()


def test_an_incident_is_taken_listed_and_let_go(
    say: Say, manager: AlertmanagerServer, tmp_path: Path
) -> None:
    code, out, _ = say("ack", "fraud", "--ttl", "2h", "--next-check", "30m", "--reason", HOSTILE)
    assert code == 0
    assert out.startswith("applied: fraud is acknowledged until ")
    (silence,) = silences(manager)
    assert silence["comment"].startswith("ACK! ticket ")

    code, out, _ = say("incidents", "--held", "--json")
    assert code == 0
    document = json.loads(out)
    assert document["schema"] == "midwatch.held/1"
    (held,) = document["held"]
    assert (held["by"], held["kind"], held["place"], held["certain"]) == ("ana", "ack", "am", True)
    assert held["models"] == ["fraud"]
    assert held["next_check_at"] < held["ends_at"]
    code, out, _ = say("incidents", "--held")
    assert out.splitlines()[1].split() == [
        "ID", "S", "WHO", "HOW", "AGE", "ENDS", "CHECK", "PLACE", "ABOUT", "WHY",
    ]  # fmt: skip
    assert all(each == "\n" or each.isprintable() for each in out)

    incidents = json.loads(say("incidents", "--json")[1])["incidents"]
    assert {one["model"]: one["acknowledged_by"] for one in incidents} == {
        "fraud": "ana", "chat": None,
    }  # fmt: skip
    assert f"acknowledged by ana until {held['ends_at']}" in say("incidents", "--plain")[1]

    code, out, _ = say("release", held["incident"], "--json")
    assert (code, json.loads(out)["outcome"]["kind"]) == (0, "applied")
    assert silences(manager) == []
    assert say("incidents", "--held")[1].endswith(": nothing\n")


def test_a_rehearsal_shows_the_exact_request_and_does_nothing(
    say: Say, manager: AlertmanagerServer, tmp_path: Path
) -> None:
    code, out, _ = say("ack", "fraud", "--dry-run")
    assert code == 0
    assert f"POST {manager.api}/silences" in out
    assert '"value": "Errors"' in out
    code, out, _ = say("snooze", "chat", "--ttl", "5h", "--dry-run", "--json")
    document = json.loads(out)
    assert (document["schema"], document["verb"], document["local"]) == (
        "midwatch.care/1", "snooze", False,
    )  # fmt: skip
    assert document["outcome"] is None
    assert len(document["requests"]) == 1
    assert silences(manager) == []
    assert entries(tmp_path, "ack", "intent") == []


def test_everything_that_can_be_said_of_an_incident(
    say: Say, manager: AlertmanagerServer, tmp_path: Path
) -> None:
    def applied(*arguments: str) -> str:
        code, out, err = say(*arguments)
        assert code == 0, (out, err)
        return out

    applied("note", "fraud", "provider", "says", "20 min")
    assert "escalated to joel" in applied("escalate", "fraud", "--reason", "it spreads")
    applied("severity", "fraud", "S1")
    merged = applied("merge", "chat", "--into", "fraud", "--json")
    assert [one["models"] for one in json.loads(say("incidents", "--json")[1])["incidents"]] == [
        ["chat", "fraud"]
    ]
    applied("undo", json.loads(merged)["op"], "--reason", "too quick")
    assert len(json.loads(say("incidents", "--json")[1])["incidents"]) == 2
    applied("note", "--change", "config push #8812", "--about", "fraud", "--at", "10m")
    code, _, err = say("close", "fraud", "--verdict", "noise", "--decision", "HOLD")
    assert code == 7
    assert "still fire; say why" in err
    applied("close", "fraud", "--verdict", "noise", "--decision", "HOLD", "--reason", "bad rule")
    (one,) = (
        each for each in json.loads(say("incidents", "--json")[1])["incidents"]
        if each["model"] == "fraud"
    )  # fmt: skip
    assert (one["state"], one["severity"]) == ("suppressed", "S1")
    assert one["suppressed_by"] == ["closed by ana as noise: bad rule"]
    assert [each.kind for each in entries(tmp_path, "change", "note", "close")] == [
        "note", "change", "close",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (("ack", "nope"), 7, "names no incident"),
        (("ack", "fraud", "--ttl", "soon"), 64, "--ttl soon"),
        (("ack",), 64, "ID"),
        (("snooze", "fraud", "--ttl", "2h"), 64, "--yes goes without asking"),
        (("severity", "fraud", "S7"), 7, "S7 is no level"),
        (("note", "fraud"), 64, "midwatch note ID TEXT"),
        (("note", "--about", "fraud"), 64, "belong to --change"),
        (("note", "--change", "x", "fraud"), 64, "--about"),
        (("note", "--change", "what", "--at", "soon"), 64, "--at"),
        (("note", "--change", "what", "--about", "nope"), 7, "is no model"),
        (("close", "fraud", "--verdict", "noise"), 7, "name the decision"),
        (("release", "fraud"), 7, "nobody has fraud"),
        (("undo", "01NOPE", "--reason", "why not"), 7, "names no finished operation"),
    ],
)
def test_what_cannot_be_done_says_why(
    say: Say, arguments: tuple[str, ...], code: int, told: str
) -> None:
    found, _, err = say(*arguments)
    assert (found, told in err) == (code, True), err


def test_writes_never_bars_it_all(say: Say, manager: AlertmanagerServer, tmp_path: Path) -> None:
    barred = configured(tmp_path, manager, "never")
    for arguments in (
        ("ack", "fraud"), ("note", "fraud", "a word"), ("note", "--change", "a word"),
        ("close", "fraud", "--verdict", "noise", "--decision", "HOLD"),
    ):  # fmt: skip
        assert say(*arguments, at=barred)[0] == 8
    assert silences(manager) == []
