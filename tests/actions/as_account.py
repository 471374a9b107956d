"""Run one midwatch command as another account of this machine.

usage: python -m tests.actions.as_account UID COMMAND…

Only root can. Real and effective user are the other account from here on; only the right to read
files stays root's (setfsuid, Linux), because an interpreter may stand where nobody else can read.
"""

from __future__ import annotations

import ctypes
import os
import sys

from console.cli.main import run


def main() -> int:
    uid, command = int(sys.argv[1]), sys.argv[2:]
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, 0)
    ctypes.CDLL(None).setfsuid(0)
    assert (os.getuid(), os.geteuid(), os.getgid()) == (uid, uid, uid)
    found = run(command)
    return found if isinstance(found, int) else 98


if __name__ == "__main__":
    sys.exit(main())
