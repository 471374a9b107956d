"""``midwatch decide`` and ``midwatch decisions`` as somebody types them."""

from __future__ import annotations

import json
import math
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from console.cli.command_line import UsageError
from console.cli.decide_command import parse_review_by
from console.cli.main import run as run_here
from console.decisions.decision_log import decisions_in
from console.journal import open_journal
from tests.journal.records import WHO

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.cli.conftest import Run

    Say = Callable[..., tuple[int, str, str]]

NOW = 1_795_402_033.0  # 2026-11-23T02:47:13Z
BEN = replace(WHO, name="ben", os_user="ben", uid=1002)
HOSTILE = "late \x1b[31mlabels\x1b[0m \u202e[bold]$(touch x)"


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return configured(tmp_path, "armed")


def configured(tmp_path: Path, writes: str) -> Path:
    path = tmp_path / f"{writes}.toml"
    path.write_text(
        f'version = 1\nenvironment = "test"\nwrites = "{writes}"\noperator = {{ name = "ana" }}\n'
        f'[journal]\nurl = "sqlite:///{tmp_path / "j" / "journal.db"}"\n'
        "[models.fraud-scorer]\ntier = 1\n[models.toxicity]\n"
    )
    path.chmod(0o600)
    return path


@pytest.fixture
def say(config: Path, capsys: pytest.CaptureFixture[str]) -> Say:
    """Run a command in this process on a journal and no source."""

    def command(*arguments: str) -> tuple[int, str, str]:
        code = run_here(["--config", str(config), *arguments])
        assert isinstance(code, int)
        told = capsys.readouterr()
        return code, told.out, told.err

    return command


def hold(*more: str, model: str = "toxicity", reason: str = "labels are late") -> list[str]:
    return ["decide", model, "hold", "--reason", reason, "--review-by", "14d", *more]


def listed(say: Say, *more: str) -> list[dict[str, Any]]:
    code, out, _ = say("decisions", "--json", *more)
    assert code == 0
    document = json.loads(out)
    assert document["schema"] == "midwatch.decisions/1"
    found: list[dict[str, Any]] = document["decisions"]
    return found


def test_a_decision_is_written_listed_shown_and_closed(say: Say) -> None:
    code, out, err = say(*hold("--yes", "--option", "RETRAIN", "--expect", "PSI stays < 0.1"))
    assert code == 0
    assert out.startswith("applied: HOLD toxicity is written as ")
    assert "no numbers could be frozen" in err
    (made,) = listed(say)
    assert (made["kind"], made["model"], made["state"]) == ("HOLD", "toxicity", "in_force")
    assert made["options"] == ["RETRAIN"]
    assert made["evidence"]["taken_at"] is None
    assert made["review_by"].endswith("Z")
    code, out, _ = say("decisions", "show", made["id"][-6:])
    assert code == 0
    assert "expect   PSI stays < 0.1" in out
    assert "checked  nothing written" in out
    code, out, _ = say("decisions", "close", made["id"], "--outcome", "labels came", "--yes")
    assert (code, out) == (0, f"closed: HOLD toxicity ({made['id']})\n")
    (closed,) = listed(say, "toxicity")
    assert (closed["state"], closed["outcome"]) == ("closed", "labels came")
    assert say("decisions", "close", made["id"], "--outcome", "again", "--yes")[0] == 7
    assert listed(say, "fraud-scorer") == []
    assert say("decisions", "fraud-scorer")[2] == "no decision about fraud-scorer is written\n"
    assert say("journal", "verify")[0] == 0


def test_hostile_text_is_kept_whole_and_shown_harmless(say: Say) -> None:
    code, out, err = say(*hold("--yes", "--reverse-if", HOSTILE, reason=HOSTILE))
    assert code == 0
    (made,) = listed(say)
    assert made["reason"] == HOSTILE
    shown = say("decisions")[1] + say("decisions", "show", made["id"])[1]
    for text in (out, err, shown, say("decisions", "--json")[1]):
        assert "\x1b" not in text
        assert "\u202e" not in text
    assert "late ␛[31mlabels␛[0m \\u202e[bold]$(touch x)" in shown


def test_tier_1_is_pending_and_its_author_cannot_approve(say: Say) -> None:
    code, out, err = say(*hold("--yes", "--json", model="fraud-scorer"))
    assert code == 5
    document = json.loads(out)
    assert document["schema"] == "midwatch.decision/1"
    assert document["outcome"]["kind"] == "pending"
    op_id = document["decision"]["id"]
    assert f"midwatch approve {op_id}" in err
    code, _, err = say("approve", op_id, "--yes")
    assert code == 7
    assert "asked for it; the second person has another login" in err
    assert [each["state"] for each in listed(say)] == ["pending"]


def test_approve_takes_a_second_person_of_another_login(
    say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert say(*hold("--yes", "--approver", "ben"))[0] == 5
    (made,) = listed(say)
    for place in ("console.journal", "console.journal.opening"):
        monkeypatch.setattr(f"{place}.gather_who", lambda *_: BEN)
    code, out, _ = say("approve", made["id"].lower(), "--yes", "--reason", "agreed")
    assert (code, out) == (0, "approved: HOLD toxicity\n")
    (approved,) = listed(say)
    assert approved["state"] == "in_force"
    assert approved["approved_by"] == "ben (ben@ops-1)"
    code, _, err = say("approve", made["id"], "--yes")
    assert code == 7
    assert "has approved that decision already" in err


def test_overdue_decisions_are_s3_and_due(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    assert say(*hold("--yes"))[0] == 0
    assert say("decisions", "--due")[2] == "no decision is due\n"
    later = time.time() + 15 * 86400
    monkeypatch.setattr("console.cli.action_session.time.time", lambda: later)
    code, out, err = say("decisions", "--due")
    assert code == 0
    assert "OVERDUE" in out
    assert "1 model has overdue decisions" in err
    overdue = json.loads(say("decisions", "--json")[1])["overdue"]
    assert [(each["rule"], each["level"]) for each in overdue] == [("decision_overdue", "S3")]


def test_a_dry_run_writes_nothing_and_tells_a_refusal(say: Say) -> None:
    assert say(*hold("--dry-run"))[:2] == (0, "dry run: nothing was written\n")
    arguments = hold("--dry-run", "--json")
    arguments[2] = "RETRAIN"
    code, out, _ = say(*arguments)
    assert code == 7
    document = json.loads(out)
    assert document["outcome"] is None
    assert "inputs_unknown" in [each["id"] for each in document["guards"]]
    assert listed(say) == []


def test_retrain_without_numbers_needs_a_reason_for_going_ahead(say: Say) -> None:
    arguments = hold("--yes")
    arguments[2] = "retrain"
    code, _, err = say(*arguments)
    assert code == 7
    assert "the quality of the inputs is not known" in err
    assert say(*arguments, "--break-glass", "the store is being moved")[0] == 0
    (made,) = listed(say)
    assert made["despite"] == "the store is being moved"
    assert len(made["objections"]) == 1


def test_a_roll_back_names_the_command_that_does_it(say: Say) -> None:
    arguments = hold("--yes")
    arguments[2] = "rollback"
    code, _, err = say(*arguments)
    assert code == 0
    (made,) = listed(say)
    assert f"midwatch rollback toxicity --reason 'decision {made['id']}'" in err


def test_writes_never_means_never(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = configured(tmp_path, "never")
    assert run_here(["--config", str(path), *hold("--yes")]) == 8
    assert 'writes = "never"' in capsys.readouterr().err
    journal = open_journal(f"sqlite:///{tmp_path / 'j' / 'journal.db'}", who=WHO, environment="t")
    assert decisions_in(journal).records == ()
    journal.close()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (hold(), "there is no terminal to ask on"),
        (hold("--yes")[:-3], "say when it is looked at again"),
        (["decide", "toxicity", "hold", "--review-by", "14d"], "say why"),
        (["decide", "toxicity", "reetrain", *hold()[3:]], 'did you mean "RETRAIN"'),
        (["decisions", "close", "ABCDEF"], "say what came of it"),
        (["decisions", "close", "--outcome", "x"], "name one decision"),
        (["decisions", "toxicity", "more"], "takes one MODEL"),
    ],
)
def test_bad_usage_is_64_and_writes_nothing(say: Say, arguments: list[str], said: str) -> None:
    code, out, err = say(*arguments)
    assert (code, out) == (64, "")
    assert said in err
    assert listed(say) == []


def test_an_unknown_model_or_decision_is_named(say: Say) -> None:
    code, _, err = say(*hold("--yes", model="toxicty"))
    assert code == 7
    assert 'did you mean "toxicity"' in err
    code, _, err = say("decisions", "show", "NOSUCH")
    assert code == 1
    assert "no decision NOSUCH" in err


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-12-01", "2026-12-02T00:00:00Z"),
        ("2026-12-01T09:30Z", "2026-12-01T09:30:00Z"),
        ("2026-12-01 09:30", "2026-12-01T09:30:00Z"),
        ("2026-12-01T09:30:05+02:00", "2026-12-01T07:30:05Z"),
        (" 14d ", "2026-12-07T02:47:13Z"),
    ],
)
def test_a_review_date_is_a_day_a_moment_or_a_time_from_now(text: str, expected: str) -> None:
    moment = datetime.fromtimestamp(parse_review_by(text, NOW), UTC)
    assert moment.strftime("%Y-%m-%dT%H:%M:%SZ") == expected


@pytest.mark.parametrize(
    "text",
    ["", "soon", "31.12.2026", "2026-02-30", "2026-13-01", "20261201", "2026-W49-1", "9999-12-31",
     "2026-12-01T25:00Z", "2026-12-01T09:30+99:99", "٢٠٢٦-12-01", "-3d", "1e9", "2026-12-01\x1b"],
)  # fmt: skip
def test_a_malformed_review_date_says_what_is_one(text: str) -> None:
    with pytest.raises(UsageError, match="it is a day such as") as caught:
        parse_review_by(text, NOW)
    assert "\x1b" not in str(caught.value)


@given(st.text(max_size=40) | st.from_regex(r"[0-9]{1,9}[-T:Zdwhms.+ 0-9]{0,24}", fullmatch=True))
def test_no_text_breaks_the_reading_of_a_review_date(text: str) -> None:
    try:
        found = parse_review_by(text, NOW)
    except UsageError:
        return
    assert math.isfinite(found)


def test_evidence_of_a_running_fleet_is_in_the_document(run: Run, fleet, tmp_path: Path) -> None:
    path = tmp_path / "demo.toml"
    path.write_text(fleet.config_toml().replace('refresh = "5s"\n', ""))
    path.chmod(0o600)
    done = run("--config", str(path), *hold("--yes", "--json", model="churn-ranker"))
    assert done.code == 0
    made = json.loads(done.out)["decision"]
    signals = {each["signal"]: each for each in made["evidence"]["signals"]}
    assert signals["drift_psi"]["state"] == "ok"
    assert signals["drift_psi"]["n"] > 200
    assert signals["drift_psi"]["at"].endswith("Z")
    assert made["lineage"]["version"] == "18"
    assert "evidence drift_psi" in done.err


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--send", "tag"], "nothing of that name"),
        (["--send", ","], "names nothing"),
        (["--send", "tags", "--no-send"], "exclude each other"),
    ],
)
def test_where_it_is_sent_is_checked_before_anything_is_read(
    say: Say, flags: list[str], said: str
) -> None:
    code, out, err = say(*hold("--yes", *flags))
    assert (code, out) == (64, "")
    assert said in err
    assert listed(say) == []


def test_a_place_that_is_not_declared_is_refused_and_nothing_is_written(say: Say) -> None:
    code, _, err = say(*hold("--yes", "--send", "tags"))
    assert code == 7
    assert "models.toxicity.decisions.tags is not declared" in err
    assert listed(say) == []


def test_without_a_place_there_is_nothing_to_send(say: Say) -> None:
    code, out, _ = say(*hold("--yes", "--json"))
    assert code == 0
    made = json.loads(out)
    assert made["sends"] == []
    name = made["decision"]["id"]
    code, _, err = say("decisions", "send", name[-6:], "--yes")
    assert code == 0
    assert "nothing of it is waiting to be sent" in err
    assert say("decisions", "send", name, "--send", "alias", "--yes")[0] == 7
    (known,) = listed(say)
    assert known["sent"] == []


def test_a_place_that_does_not_answer_leaves_the_decision_standing(config: Path, say: Say) -> None:
    config.write_text(
        config.read_text().replace(
            "[models.toxicity]", '[models.toxicity]\ndecisions = { annotate = "charts" }'
        )
        + '[controls.charts]\ndriver = "http"\npreset = "grafana-annotation"\n'
        'targets = ["http://127.0.0.1:9"]\n'
    )
    code, out, err = say(*hold("--yes", "--dry-run"))
    assert code == 0
    code, out, err = say(*hold("--yes"))
    assert code in (4, 5), err
    assert "applied: HOLD toxicity is written as" in out
    assert "annotate" in out
    (known,) = listed(say)
    assert known["state"] == "in_force"
    code, out, _ = say("decisions", "show", known["id"])
    assert "unsent" in out
