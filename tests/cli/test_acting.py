"""The commands that change the world, run for real: exit codes, words, documents."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.actions.support import write_config
from tests.actions.world import World, config_toml, world

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.cli.conftest import Run

WHY = ("--reason", "too many timeouts")


@pytest.fixture
def service() -> Iterator[World]:
    with world() as made:
        yield made


@pytest.fixture
def acting(service: World, tmp_path: Path) -> tuple[str, str]:
    text = config_toml(tmp_path / "j.db", [service.url], within=0.5)
    return "--config", str(write_config(tmp_path / "c.toml", text))


def test_applied_is_0_and_already_so_is_0(
    run: Run, service: World, acting: tuple[str, str]
) -> None:
    done = run("trip", "fraud-scorer", *WHY, "--yes", *acting)
    assert done.code == 0, done.err
    assert done.out.startswith("applied: Force open the breaker of fraud-scorer")
    assert "midwatch end " in done.out
    assert "state   CLOSED → FORCED_OPEN" in done.err
    again = run("trip", "fraud-scorer", *WHY, "--yes", *acting)
    assert (again.code, again.out.split(":")[0]) == (0, "no_op")
    assert len(service.changes) == 1


def test_a_change_that_is_not_seen_yet_is_4(
    run: Run, service: World, acting: tuple[str, str]
) -> None:
    service.applies = False
    assert run("trip", "fraud-scorer", *WHY, "--yes", *acting).code == 4
    service.status = 409
    refused = run("trip", "fraud-scorer", *WHY, "--yes", *acting)
    assert (refused.code, refused.out.split(":")[0]) == (1, "rejected")


def test_unverified_is_4_and_says_look(run: Run, service: World, acting: tuple[str, str]) -> None:
    def away_after_the_change(_: int) -> None:
        service.read_status = 503 if service.changes else 200

    service.after_read = away_after_the_change
    done = run("trip", "fraud-scorer", *WHY, "--yes", *acting)
    assert done.code == 4, done.err
    assert "look at it" in done.out
    locked = run("trip", "fraud-scorer", *WHY, "--yes", *acting)
    assert locked.code == 7
    assert "midwatch resolve" in locked.err
    (line,) = [one for one in run("journal", "list", *acting).out.splitlines() if " intent " in one]
    short = line.split()[3]
    told = run("resolve", short, "--as", "applied", *WHY, "--yes", *acting)
    assert told.code == 0, told.err
    assert f"{short})" in told.err


def test_partial_is_5(run: Run, tmp_path: Path) -> None:
    with world() as one, world(applies=False) as two:
        text = config_toml(tmp_path / "j.db", [one.url, two.url], within=0.5)
        config = write_config(tmp_path / "c.toml", text)
        done = run("trip", "fraud-scorer", *WHY, "--yes", "--config", str(config))
        assert done.code == 5
        assert "on 1 of 2 targets" in done.out


def test_superseded_is_6(run: Run, service: World, acting: tuple[str, str]) -> None:
    def another_hand(count: int) -> None:
        if count == 1:
            service.states["breaker"] = "OPEN"

    service.after_read = another_hand
    done = run("trip", "fraud-scorer", *WHY, "--yes", *acting)
    assert done.code == 6
    assert service.changes == []


def test_refused_by_a_guard_is_7_and_break_glass_goes_on(
    run: Run, service: World, acting: tuple[str, str]
) -> None:
    words = ("fallback", "fraud-scorer", "--to", "fraud-far", *WHY, "--yes", *acting)
    refused = run(*words)
    assert refused.code == 7
    assert "may be served in eu only" in refused.err
    assert "--break-glass" in refused.err
    assert service.changes == []
    done = run(*words, "--break-glass", "nothing else answers")
    assert done.code == 0
    record = json.loads(run("journal", "list", "--json", *acting).out)
    glass = [each for each in record["entries"] if each["kind"] == "break_glass"]
    assert glass[0]["why"] == "nothing else answers"


def test_writes_never_is_8_whatever_is_said(run: Run, service: World, tmp_path: Path) -> None:
    text = config_toml(tmp_path / "j.db", [service.url], writes="never")
    config = ("--config", str(write_config(tmp_path / "c.toml", text)))
    assert run("trip", "fraud-scorer", *WHY, "--yes", *config).code == 8
    assert run("keep", "--once", *config).code == 8
    assert run("drill", "fraud-scorer", "breaker", *WHY, "--yes", *config).code == 8
    assert run("trip", "fraud-scorer", *WHY, "--dry-run", *config).code == 0
    assert service.changes == []


def test_a_dry_run_shows_everything_and_sends_nothing(
    run: Run, service: World, acting: tuple[str, str]
) -> None:
    done = run("trip", "fraud-scorer", *WHY, "--ttl", "15m", "--dry-run", *acting)
    assert done.code == 0
    assert f"PUT {service.url}/state/breaker" in done.out
    assert "midwatch trip fraud-scorer --reason 'too many timeouts' --ttl 15m" in done.out
    assert "NO END" in done.out
    assert service.changes == []


def test_shift_end_is_the_next_of_the_configured_times(
    run: Run, service: World, tmp_path: Path
) -> None:
    later = datetime.fromtimestamp(time.time() + 5400.0, UTC).replace(second=0)
    text = config_toml(tmp_path / "j.db", [service.url])
    shift = f'[shift]\nends = ["{later:%H:%M}"]\nzone = "UTC"\n'
    config = "--config", str(write_config(tmp_path / "c.toml", text + shift))
    done = run("trip", "fraud-scorer", *WHY, "--ttl", "shift-end", "--yes", "--json", *config)
    assert done.code == 0, done.err
    ends_at = datetime.fromisoformat(json.loads(done.out)["outcome"]["ends_at"])
    assert abs((ends_at - later).total_seconds()) <= 2.0
    wrong = run("trip", "fraud-scorer", *WHY, "--ttl", "lunch", "--yes", *config)
    assert wrong.code == 64
    assert "or shift-end" in wrong.err


def test_two_commands_at_once_send_once(service: World, acting: tuple[str, str]) -> None:
    service.hang_seconds = 0.3
    words = [sys.executable, "-m", "console", "trip", "fraud-scorer", *WHY, "--yes", "--instant"]
    both = [
        subprocess.Popen(
            [*words, *acting],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    try:
        said = [each.communicate(timeout=60) for each in both]
        codes = sorted(each.returncode for each in both)
        # Of the second: already so (0), changed meanwhile (6), or somebody is acting on it (7).
        assert codes in ([0, 0], [0, 6], [0, 7]), said
        assert len(service.changes) == 1, said
    finally:
        for each in both:
            each.kill()


def test_a_terminal_without_arrows_is_no_obstacle(run: Run, acting: tuple[str, str]) -> None:
    plain = {"PYTHONIOENCODING": "ascii:strict", "PYTHONUTF8": "0"}
    done = run("trip", "fraud-scorer", *WHY, "--yes", *acting, **plain)
    assert done.code == 0
    assert run("overrides", *acting, **plain).code == 0


def test_a_document_for_scripts(run: Run, acting: tuple[str, str]) -> None:
    done = run("trip", "fraud-scorer", *WHY, "--yes", "--json", *acting)
    document = json.loads(done.out)
    assert document["schema"] == "midwatch.action/1"
    assert document["outcome"]["kind"] == "applied"
    assert document["outcome"]["ends_at"].endswith("Z")
    assert document["blast"]["moved_per_minute"]["value"] is None
    listed = json.loads(run("overrides", "--json", *acting).out)
    (override,) = listed["overrides"]
    assert override["op"] == document["op"]
    assert override["enforced_by"] == "nobody"
    assert override["state"] == "no end"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("trip", "fraud-scorer", "--yes"), "say why"),
        (("trip", "fraud-scorer", *WHY), "--yes goes ahead without asking"),
        (("trip", "fraud-scorer", *WHY, "--ttl", "soon"), "--ttl soon"),
        (("threshold", "fraud-scorer", "2", *WHY), "from 0 to 1"),
        (("drill", "fraud-scorer", "braker", *WHY), 'did you mean "breaker"'),
        (("trip", "fraud-scorer", "--raeson", "x"), "--reason"),
    ],
)
def test_bad_usage_is_64(
    run: Run, acting: tuple[str, str], words: tuple[str, ...], says: str
) -> None:
    done = run(*words, *acting)
    assert done.code == 64, done.err
    assert says in done.err


def on_a_terminal(acting: tuple[str, str], words: tuple[str, ...], answers: list[str]) -> str:
    """Run a command on a terminal of its own, answer what it asks, and return what was shown."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-m", "console", *words, *acting])
    shown = b""
    deadline = time.monotonic() + 30.0
    while time.monotonic() < deadline:
        try:
            piece = os.read(terminal, 65536)
        except OSError:  # Linux says so when the other side is gone
            break
        shown += piece
        if not piece:
            break
        if answers and b"Enter cancels: " in piece:
            os.write(terminal, answers.pop(0).encode() + b"\n")
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    return f"{shown.decode()}\nexit {os.waitstatus_to_exitcode(status)}"


def test_a_person_is_asked_and_anything_but_the_answer_cancels(
    service: World, acting: tuple[str, str]
) -> None:
    words = ("trip", "fraud-scorer", *WHY, "--instant")
    shown = on_a_terminal(acting, words, ["d", ""])
    assert "type fraud-scorer to do it" in shown
    assert f"call    PUT {service.url}/state/breaker" in shown
    assert "cancelled, nothing was sent" in shown
    assert shown.endswith("exit 1")
    assert service.changes == []
    assert on_a_terminal(acting, words, ["y"]).endswith("exit 1")
    assert on_a_terminal(acting, words, ["payments"]).endswith("exit 1")
    assert service.changes == []
    assert on_a_terminal(acting, words, ["fraud-scorer"]).endswith("exit 0")
    assert service.state("breaker") == "FORCED_OPEN"


def test_the_ways_out_by_name(run: Run, service: World, acting: tuple[str, str]) -> None:
    run("fallback", "fraud-scorer", *WHY, "--yes", *acting)
    assert service.state("route") == "fraud-small", "without --to the first of the ladder"
    line = run("overrides", *acting)
    assert "fraud-scorer" in line.out
    assert "NO END" in line.out
    assert "midwatch keep" in line.err
    assert run("renew", "fraud-scorer", "--ttl", "4h", *WHY, "--yes", *acting).code == 0
    assert run("end", "fraud-scorer", *WHY, "--yes", *acting).code == 0
    assert service.state("route") == "primary"
    assert "nothing is held" in run("overrides", *acting).err
    op = json.loads(run("threshold", "fraud-scorer", "0.9", *WHY, "--yes", "--json", *acting).out)
    few = run("undo", op["op"][-3:], *WHY, "--yes", *acting)
    assert (few.code, "names no finished operation" in few.err) == (7, True)
    assert run("undo", op["op"][-6:].lower(), *WHY, "--yes", *acting).code == 0
    assert service.state("threshold") == 0.6
    assert run("journal", "verify", *acting).code == 0


def test_a_drill_goes_there_and_back_and_stands_in_the_record(
    run: Run, service: World, acting: tuple[str, str]
) -> None:
    words = ("drill", "fraud-scorer", "fallback", "--hold", "100ms", *WHY, "--yes", *acting)
    done = run(*words)
    assert done.code == 0, done.err
    assert "drill passed: fraud-scorer fallback: primary → fraud-small → primary" in done.out
    assert service.state("route") == "primary"
    record = json.loads(run("journal", "list", "--json", *acting).out)["entries"]
    (drilled,) = [each for each in record if each["kind"] == "drill"]
    assert drilled["details"]["passed"] is True
    failed = run(
        "drill", "fraud-scorer", "breaker", "--hold", "0.1s", "--settle", "500ms", *WHY,
        "--yes", *acting,
    )  # fmt: skip
    assert failed.code == 4, "the breaker stayed half-open"
    assert "had not closed again" in failed.out


def test_only_the_keeper_ends_it_when_whoever_began_it_is_gone(
    run: Run, service: World, acting: tuple[str, str]
) -> None:
    keeper = subprocess.Popen(
        [sys.executable, "-m", "console", "keep", "--every", "300ms", *acting],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ},
    )
    try:
        assert keeper.stdout is not None
        assert "keeping" in keeper.stdout.readline()
        assert run("trip", "fraud-scorer", *WHY, "--ttl", "3s", "--yes", *acting).code == 0
        assert service.state("breaker") == "FORCED_OPEN"
        deadline = time.monotonic() + 15.0
        while service.state("breaker") == "FORCED_OPEN" and time.monotonic() < deadline:
            time.sleep(0.1)
        assert service.state("breaker") == "HALF_OPEN"
        assert "ended: trip fraud-scorer by ana" in keeper.stdout.readline()
        keeper.send_signal(signal.SIGTERM)
        assert keeper.wait(10) == 0
    finally:
        keeper.kill()
        keeper.communicate(timeout=10)
    assert "nothing is held" in run("overrides", *acting).err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_the_actions_code_wins_over_the_pipes(service: World, acting: tuple[str, str]) -> None:
    command = [sys.executable, "-m", "console", "trip", "fraud-scorer", *WHY, "--yes", "--instant"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [*command, *acting],
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 0, done.stderr
    assert "the output cannot be written" in done.stderr
    assert "now FORCED_OPEN" in done.stderr
    assert len(service.changes) == 1
