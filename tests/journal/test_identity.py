"""Who is written into the record, as far as a host can know."""

from __future__ import annotations

import os
from pathlib import Path

from msgspec.structs import replace

from console.domain.entry import Writer
from console.domain.version import VERSION
from console.journal import declared_name, gather_who, is_shared_login, same_person
from console.journal.identity import same_writer
from console.journal.opening import config_digest_of
from console.settings.schema import OperatorSettings, Settings
from tests.journal.records import WHO


def _proc(directory: Path, **values: str) -> Path:
    for name, value in values.items():
        (directory / name).write_text(value)
    return directory


def test_the_kernels_login_survives_and_unset_is_none(tmp_path: Path) -> None:
    uid = os.getuid()
    who = gather_who("ana", "env:USER", {}, proc=_proc(tmp_path, loginuid=str(uid), sessionid="12"))
    assert (who.login_uid, who.session_id) == (uid, 12)
    assert who.login_user == who.os_user
    unset = _proc(tmp_path, loginuid="4294967295", sessionid="4294967295")
    who = gather_who("ana", "env:USER", {}, proc=unset)
    assert (who.login_uid, who.login_user, who.session_id) == (None, None, None)
    assert gather_who("ana", "x", {}, proc=tmp_path / "absent").login_uid is None


def test_what_the_environment_says_is_taken_as_it_is() -> None:
    environ = {
        "SUDO_USER": "ben",
        "SSH_CONNECTION": "10.1.2.3 5551 10.0.0.1 22",
        "TMUX": "/tmp/tmux-0/default,1,0",
    }
    who = gather_who("ana", "operator.name", environ)
    assert who.sudo_user == "ben"
    assert who.ssh_connection == "10.1.2.3 5551 10.0.0.1 22"
    assert who.multiplexer == "tmux"
    assert (who.uid, who.pid) == (os.getuid(), os.getpid())
    assert gather_who("ana", "operator.name", {}).multiplexer is None


def test_a_person_is_the_account_that_logged_in() -> None:
    assert WHO.person == "ana"
    via_sudo = replace(WHO, os_user="root", uid=0, sudo_user="ben")
    assert via_sudo.person == "root"
    assert replace(via_sudo, login_user="cem", login_uid=1003).person == "cem"
    assert replace(via_sudo, login_user=None, login_uid=4711).person == "uid 4711"
    assert same_person(WHO, replace(WHO, name="somebody else", host="ops-2"))
    assert not same_person(WHO, via_sudo)
    assert same_person(WHO, replace(WHO, os_user="ana-too")), "two names of one uid on one host"


def test_what_the_environment_says_changes_no_person() -> None:
    claims = {"SUDO_USER": "joel", "SUDO_UID": "4000", "USER": "joel", "LOGNAME": "joel"}
    me = gather_who("ana", "operator.name", {})
    claimed = gather_who("ana", "operator.name", claims | {"SSH_CONNECTION": "1 2 3 4"})
    assert (claimed.person, claimed.person_uid) == (me.person, me.person_uid)
    assert same_person(me, claimed)
    assert is_shared_login(me) == is_shared_login(claimed)


def test_personal_roles_of_a_server_have_to_differ() -> None:
    ana = Writer(role="ana", address="10.0.0.1", personal=True)
    team = Writer(role="midwatch_writer", address="10.0.0.1", personal=False)
    assert same_writer(ana, replace(ana, role="joel")) == ""
    assert "both came as the database role ana" in same_writer(ana, ana)
    assert "midwatch_writer is no person's" in same_writer(ana, team)
    assert "midwatch_writer is no person's" in same_writer(team, ana)
    assert same_writer(team, team) == same_writer(None, ana) == ""


def test_accounts_several_people_use_are_shared_logins() -> None:
    assert not is_shared_login(WHO)
    assert is_shared_login(replace(WHO, os_user="ubuntu"))
    assert is_shared_login(replace(WHO, os_user="root", uid=0))
    assert is_shared_login(replace(WHO, os_user="svc-ml", uid=412))
    assert is_shared_login(replace(WHO, os_user="root", uid=0, sudo_user="ben"))
    assert is_shared_login(replace(WHO, os_user="deploy", sudo_user="ben"))
    assert not is_shared_login(
        replace(WHO, os_user="root", uid=0, login_user="cem", login_uid=1003)
    )


def test_the_declared_name_says_where_it_was_declared() -> None:
    named = Settings(operator=OperatorSettings(name="Ana P."))
    assert declared_name(named, {}) == ("Ana P.", "operator.name")
    by_user = Settings()
    assert declared_name(by_user, {"USER": "ben"}) == ("ben", "env:USER")
    assert declared_name(by_user, {})[1] == "login"


def test_the_configuration_is_digested_as_it_is(tmp_path: Path) -> None:
    assert config_digest_of(None) == ""
    file = tmp_path / "config.toml"
    file.write_text("version = 1\n")
    first = config_digest_of(file)
    assert first.startswith("sha256:")
    file.write_text("version = 1 \n")
    assert config_digest_of(file) != first
    assert VERSION
