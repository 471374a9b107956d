"""Secrets against real files, real children and a real hang."""

import os
import pickle
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.settings.helper_process import LARGEST_OUTPUT_BYTES, run_child
from console.settings.load import Flags, load
from console.settings.secret_references import redact_bytes
from console.settings.secrets import (
    SecretError,
    SecretResolver,
    SecretValue,
    list_references,
    redact,
    set_secret,
    shown_reference,
    test_secret,
)
from tests.settings.writing import put_references

ENVIRON = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}


def program(tmp_path: Path, script: str) -> str:
    path = tmp_path / "helper.sh"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    return f"cmd:{path}"


def value_of(reference: str, **environ: str) -> str:
    resolver = SecretResolver((reference,), {**ENVIRON, **environ})
    resolver.start()
    return resolver.get(reference).reveal()


def refusal(reference: str, **environ: str) -> str:
    with pytest.raises(SecretError) as caught:
        value_of(reference, **environ)
    return str(caught.value)


def test_a_value_never_shows_itself() -> None:
    secret = SecretValue("hunter2")
    assert "hunter2" not in f"{secret} {secret!r} {secret:>20}"
    assert secret == SecretValue("hunter2")
    assert secret != SecretValue("hunter3")
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(secret)


def test_from_the_environment() -> None:
    assert value_of("env:TOKEN", TOKEN="abc") == "abc"
    assert "TOKEN is not set; export it" in refusal("env:TOKEN")
    assert "empty" in refusal("env:TOKEN", TOKEN="")


def test_from_a_private_file(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("abc\n")
    path.chmod(0o600)
    assert value_of(f"file:{path}") == "abc"
    assert value_of("file:~/token", HOME=str(tmp_path)) == "abc"
    assert "must be absolute" in refusal("file:token")
    assert "no such file" in refusal(f"file:{tmp_path}/none")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_others_can_read_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "token"
    path.write_text("hunter2\n")
    path.chmod(mode)
    said = refusal(f"file:{path}")
    assert "chmod 600" in said
    assert "hunter2" not in said


def test_from_a_program_without_a_shell(tmp_path: Path) -> None:
    assert value_of("cmd:printf '%s\\n' '$HOME; x'") == "$HOME; x"
    assert value_of(program(tmp_path, "echo first; echo notes")) == "first"


def test_a_program_has_no_terminal_no_input_and_a_session_of_its_own(tmp_path: Path) -> None:
    script = (
        'test -t 0 && exit 11; test -n "$GPG_TTY" && exit 12; read line && exit 13\n'
        "( : < /dev/tty ) 2>/dev/null && exit 14; echo fine"
    )
    assert value_of(program(tmp_path, script), GPG_TTY="/dev/pts/0") == "fine"


def test_a_failing_program_is_told_with_its_last_word(tmp_path: Path) -> None:
    said = refusal(program(tmp_path, "echo hunter2; printf 'no \\033[2J key\\n' >&2; exit 3"))
    assert "status 3" in said
    assert "no ␛[2J key" in said
    assert "hunter2" not in said


def test_a_hanging_program_is_ended_after_three_seconds() -> None:
    began = time.monotonic()
    said = refusal("cmd:sleep 60")
    assert 2.5 < time.monotonic() - began < 20.0
    assert "within 3 s" in said
    assert "unlock it in another shell" in said


def test_the_start_never_waits_and_closing_ends_the_children(tmp_path: Path) -> None:
    mark = tmp_path / "pid"
    reference = program(tmp_path, f"echo $$ > {mark}; exec sleep 60")
    resolver = SecretResolver((reference,), ENVIRON)
    began = time.monotonic()
    resolver.start()
    assert time.monotonic() - began < 15.0
    with pytest.raises(SecretError, match="still being looked up"):
        resolver.get(reference, timeout_seconds=0.2)
    resolver.close()
    pid = int(mark.read_text())
    deadline = time.monotonic() + 2
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not Path(f"/proc/{pid}").exists()


def test_a_flood_of_output_is_cut_short() -> None:
    assert "64 KiB" in refusal("cmd:yes")


def test_a_background_process_that_keeps_the_pipe_does_not_hold_us(tmp_path: Path) -> None:
    began = time.monotonic()
    assert value_of(program(tmp_path, "sleep 20 & echo v")) == "v"
    assert time.monotonic() - began < 10.0


def test_a_program_others_can_write_is_refused(tmp_path: Path) -> None:
    reference = program(tmp_path, "echo hunter2")
    (tmp_path / "helper.sh").chmod(0o722)
    assert "chmod go-w" in refusal(reference)
    (tmp_path / "helper.sh").chmod(0o700)
    room = tmp_path / "open"
    room.mkdir()
    inner = program(room, "echo hunter2")
    room.chmod(0o777)
    assert "anybody can replace it" in refusal(inner)


def test_a_program_must_exist_and_be_found_the_same_way_everywhere() -> None:
    assert "no such program" in refusal("cmd:certainly-not-installed")
    assert "absolute path" in refusal("cmd:./helper.sh")


def test_rotation_is_seen_after_a_refresh(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("old")
    path.chmod(0o600)
    reference = f"file:{path}"
    resolver = SecretResolver((reference,), ENVIRON)
    resolver.start()
    assert resolver.get(reference).reveal() == "old"
    path.write_text("new")
    assert resolver.get(reference).reveal() == "old"
    resolver.refresh(reference)
    assert resolver.get(reference).reveal() == "new"
    assert {secret.reveal() for secret in resolver.known()} == {"old", "new"}


def test_children_can_be_stopped_from_outside() -> None:
    stop = threading.Event()
    threading.Timer(0.2, stop.set).start()
    began = time.monotonic()
    assert run_child(("sleep", "60"), ENVIRON, 30, stop=stop).stopped == "closing"
    assert time.monotonic() - began < 20


def test_feeding_a_child_that_does_not_read_does_not_block() -> None:
    finished = run_child(("true",), ENVIRON, 5, feed=b"x" * LARGEST_OUTPUT_BYTES)
    assert finished.status == 0


# --- the keyring -------------------------------------------------------------------------------


def keyring_environ(tmp_path: Path, backend: str) -> dict[str, str]:
    return {
        **ENVIRON,
        "HOME": str(tmp_path),
        "PYTHON_KEYRING_BACKEND": backend,
        "PYTHONPATH": str(tmp_path),
    }


def test_no_keyring_names_the_other_three_ways(tmp_path: Path) -> None:
    result = test_secret(
        "keyring:midwatch/x", keyring_environ(tmp_path, "keyring.backends.fail.Keyring")
    )
    assert not result.ok
    assert "no keyring answers" in result.sentence
    for way in ("env:NAME", "file:/path", "cmd:program"):
        assert way in result.sentence


def test_without_d_bus_the_same_sentence_comes_from_the_real_search(tmp_path: Path) -> None:
    result = test_secret("keyring:midwatch/x", {**ENVIRON, "HOME": str(tmp_path)})
    assert not result.ok
    assert "env:NAME" in result.sentence


@pytest.mark.parametrize(
    ("backend", "word"),
    [("keyring.backends.null.Keyring", "drops"), ("store.PlaintextKeyring", "does not encrypt")],
)
def test_backends_that_keep_nothing_or_hide_nothing_are_refused(
    tmp_path: Path, backend: str, word: str
) -> None:
    write_backend(tmp_path)
    environ = keyring_environ(tmp_path, backend)
    assert word in test_secret("keyring:midwatch/x", environ).sentence
    with pytest.raises(SecretError, match=word):
        set_secret("keyring:midwatch/x", SecretValue("hunter2"), environ)


def write_backend(tmp_path: Path) -> None:
    """Put keyring backends of our own where the child can import them: good, lying, hanging."""
    (tmp_path / "store.py").write_text(
        "import json, pathlib, time\n"
        "from keyring.backend import KeyringBackend\n"
        f"FILE = pathlib.Path({str(tmp_path / 'store.json')!r})\n"
        "class Keyring(KeyringBackend):\n"
        "    priority = 9\n"
        "    def set_password(self, service, user, password):\n"
        "        FILE.write_text(json.dumps([service, user, password]))\n"
        "    def get_password(self, service, user):\n"
        "        if not FILE.exists():\n"
        "            return None\n"
        "        kept = json.loads(FILE.read_text())\n"
        "        return kept[2] if kept[:2] == [service, user] else None\n"
        "class PlaintextKeyring(Keyring):\n"
        "    pass\n"
        "class Forgetful(Keyring):\n"
        "    def set_password(self, service, user, password):\n"
        "        FILE.write_text(json.dumps([service, user, 'else']))\n"
        "class Hanging(Keyring):\n"
        "    def get_password(self, service, user):\n"
        "        time.sleep(60)\n"
        "class Broken(Keyring):\n"
        "    def get_password(self, service, user):\n"
        "        raise ValueError('no [/foo] interface')\n"
    )


def test_set_is_read_back_and_found_again(tmp_path: Path) -> None:
    write_backend(tmp_path)
    environ = keyring_environ(tmp_path, "store.Keyring")
    assert "midwatch secret set" in test_secret("keyring:midwatch/x", environ).sentence
    said = set_secret("keyring:midwatch/x", SecretValue("pä ss\n2"), environ)
    assert "read back" in said
    assert "store.Keyring" in test_secret("keyring:midwatch/x", environ).sentence
    assert value_of("keyring:midwatch/x", **environ) == "pä ss\n2"


def test_a_keyring_that_keeps_something_else_is_no_success(tmp_path: Path) -> None:
    write_backend(tmp_path)
    with pytest.raises(SecretError, match="not stored"):
        set_secret(
            "keyring:midwatch/x", SecretValue("v"), keyring_environ(tmp_path, "store.Forgetful")
        )


def test_a_hanging_keyring_is_ended(tmp_path: Path) -> None:
    write_backend(tmp_path)
    began = time.monotonic()
    result = test_secret("keyring:midwatch/x", keyring_environ(tmp_path, "store.Hanging"))
    assert time.monotonic() - began < 20
    assert not result.ok
    assert "env:NAME" in result.sentence


def test_a_broken_backend_is_told(tmp_path: Path) -> None:
    write_backend(tmp_path)
    result = test_secret("keyring:midwatch/x", keyring_environ(tmp_path, "store.Broken"))
    assert "ValueError: no [/foo] interface" in result.sentence


def test_a_keyring_module_in_the_working_directory_is_not_imported(tmp_path: Path) -> None:
    (tmp_path / "keyring.py").write_text("raise SystemExit(77)\n")
    code = (
        "from console.settings.secrets import test_secret\n"
        f"print(test_secret('keyring:a/b', {ENVIRON!r}).sentence)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert "no keyring answers" in done.stdout


# --- what the commands use ----------------------------------------------------------------------


def test_set_writes_a_private_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "token"
    set_secret(f"file:{path}", SecretValue("v1"), ENVIRON)
    assert path.stat().st_mode & 0o777 == 0o600
    assert value_of(f"file:{path}") == "v1"
    set_secret(f"file:{path}", SecretValue("v2"), ENVIRON)
    assert value_of(f"file:{path}") == "v2"
    assert [each.name for each in path.parent.iterdir()] == ["token"]


@pytest.mark.parametrize("reference", ["env:TOKEN", "cmd:pass show x", "hunter2"])
def test_set_says_where_it_cannot_store(reference: str) -> None:
    with pytest.raises(SecretError) as caught:
        set_secret(reference, SecretValue("hunter2"), ENVIRON)
    assert "hunter2" not in str(caught.value)


def test_list_finds_every_reference_with_its_key(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text((Path(__file__).parents[2] / "config.sample.toml").read_text())
    put_references(tmp_path)
    path.chmod(0o600)
    listed = list_references(load(Flags(config=path), {"HOME": "/home/ana"}).settings)
    assert [(each.key_path, each.reference) for each in listed] == [
        ("sources.prom-eu.auth.secret", "keyring:midwatch/prom-eu"),
        ("alerts.am.auth.secret", "env:ALERTMANAGER_PASSWORD"),
        ("alerts.pd.auth.secret", "file:/home/ana/.config/midwatch/pagerduty.token"),
        ("changes.grafana.auth.secret", "env:GRAFANA_TOKEN"),
        ("journal.anchor.secret", "env:WITNESS_TOKEN"),
        ("controls.fs-breaker.auth.secret", "cmd:pass show midwatch/features"),
        ("controls.pager.auth.secret", "env:PAGERDUTY_ROUTING_KEY"),
        ("controls.charts.auth.secret", "keyring:midwatch/grafana"),
    ]


def test_arguments_of_programs_are_not_shown() -> None:
    assert shown_reference("cmd:curl -H hunter2") == "cmd:curl …"
    assert "hunter2" not in shown_reference("hunter2")


def test_redaction_finds_other_spellings() -> None:
    secrets = (SecretValue("p&ss wörd"), SecretValue("p&ss wörd and more"))
    text = "p&ss wörd and more, p%26ss%20w%C3%B6rd, p%26ss+w%C3%B6rd, cCZzcyB3w7ZyZA==, p&ss wörd"
    assert redact(text, secrets) == ", ".join(["[secret]"] * 5)


def test_redaction_of_bytes_knows_json_and_leaves_short_words_of_data_alone() -> None:
    secrets = (SecretValue('a<b>&"c"-d\\e'), SecretValue("fraud"))
    body = rb'{"x": "a\u003cb\u003e\u0026\"c\"-d\\e", "y": "a<b>&\"c\"-d\\e", "job": "fraud"}'
    assert redact_bytes(body, secrets) == b'{"x": "[secret]", "y": "[secret]", "job": "[secret]"}'
    kept = redact_bytes(body, secrets, least_characters=12)
    assert kept == b'{"x": "[secret]", "y": "[secret]", "job": "fraud"}'
    assert redact_bytes(b"nothing", secrets) == b"nothing"


@given(st.text(min_size=1, max_size=8), st.text(max_size=40), st.text(max_size=40))
def test_redacted_text_never_holds_the_secret(secret: str, before: str, after: str) -> None:
    cleaned = redact(before + secret + after, (SecretValue(secret),))
    assert not any(secret in piece for piece in cleaned.split("[secret]"))
