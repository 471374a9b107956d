"""Returns who is writing: the operator's declared name and what the host knows of the login."""

from __future__ import annotations

import os
import pwd
import socket
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from console.domain.entry import Who
from console.domain.text import visible

if TYPE_CHECKING:
    from collections.abc import Mapping

    from console.domain.entry import Writer

_UNSET = 4_294_967_295  # (uid_t)-1: the kernel's word for "nobody logged in", as in containers
_FIRST_PERSON_UID = 1000
_SHARED_NAMES = frozenset(
    {"admin", "ansible", "centos", "debian", "deploy", "ec2-user", "jenkins", "midwatch", "mlops"}
    | {"nobody", "on-call", "oncall", "operator", "ops", "opc", "root", "shared", "sre", "service"}
    | {"ubuntu", "user", "vagrant"}
)


def gather_who(
    name: str, name_source: str, environ: Mapping[str, str], *, proc: Path = Path("/proc/self")
) -> Who:
    """Return who this process acts for; nothing here fails, unknown things are None.

    ``name`` and ``name_source`` are the declared identity and where it was declared.
    """
    uid = os.getuid()
    login_uid = _kernel_number(proc / "loginuid")
    return Who(
        name=name,
        name_source=name_source,
        os_user=_account(uid) or f"uid {uid}",
        uid=uid,
        host=socket.gethostname(),
        pid=os.getpid(),
        sudo_user=environ.get("SUDO_USER") or None,
        login_uid=login_uid,
        login_user=None if login_uid is None else _account(login_uid),
        session_id=_kernel_number(proc / "sessionid"),
        ssh_connection=environ.get("SSH_CONNECTION") or None,
        tty=_tty(),
        multiplexer="tmux" if environ.get("TMUX") else "screen" if environ.get("STY") else None,
    )


def is_shared_login(who: Who) -> bool:
    """Return whether the account behind ``who`` is one that several people use, as far as seen.

    Accounts of the system (uid below 1000) and the usual names of shared logins count as shared;
    a second person cannot be told from the first on such an account.
    """
    return who.person in _SHARED_NAMES or who.person_uid < _FIRST_PERSON_UID


def same_person(one: Who, other: Who) -> bool:
    """Return whether two entries may come from one person: the same account, whatever the name.

    On one host the number counts as well: two names of one uid are one account.
    """
    if one.host == other.host and one.person_uid == other.person_uid:
        return True
    return one.person == other.person


def same_writer(asked: Writer | None, given: Writer | None) -> str:
    """Return why what a database server knows of two writers proves no second person, or nothing.

    Where roles are personal, both have to be, and two different ones; None is what no server says.
    """
    if asked is None or given is None or not (asked.personal or given.personal):
        return ""
    for each in (asked, given):
        if not each.personal:
            return (
                f"the database role {visible(each.role, 60)} is no person's (not a member of "
                "midwatch_people), so it proves no second person"
            )
    if asked.role == given.role:
        return f"both came as the database role {visible(given.role, 60)}"
    return ""


def _kernel_number(path: Path) -> int | None:
    try:
        number = int(path.read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None  # not Linux, or a container that hides it: the field says "unset"
    return None if number == _UNSET else number


def _account(uid: int) -> str | None:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return None


def _tty() -> str | None:
    for stream in (sys.__stdin__, sys.__stderr__):
        try:
            if stream is not None and stream.isatty():
                return os.ttyname(stream.fileno())
        except (OSError, ValueError):
            continue  # a closed stream has no terminal
    return None
