"""Who else could change, or read, a file this program trusts."""

import os
import stat
from pathlib import Path


def writable_by_others(path: Path) -> str | None:
    """Return a sentence if somebody but root and this user can change ``path``, else None.

    Judged are the file behind every link, its owner, and each directory above it: who can write a
    directory can put another file in its place, unless the sticky bit stands in the way.
    """
    real = path.resolve(strict=True)
    status = real.stat()
    if status.st_uid not in (0, os.geteuid()):
        return f"{real} belongs to another user (uid {status.st_uid}); own it: chown {os.geteuid()}"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"{real} can be written by others; take that away: chmod go-w {real}"
    for directory in real.parents:
        above = directory.stat()
        if above.st_mode & stat.S_IWOTH and not above.st_mode & stat.S_ISVTX:
            return f"anybody can replace it in {directory}; take that away: chmod o-w {directory}"
        if above.st_uid not in (0, os.geteuid()):
            return f"the directory {directory} belongs to another user (uid {above.st_uid})"
    return None


def readable_by_others(path: Path) -> str | None:
    """Return a sentence if others can read ``path`` or another user owns it, else None."""
    status = path.stat()
    if status.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        return f"group or others can read {path}; take that away: chmod 600 {path}"
    if status.st_uid not in (0, os.geteuid()):
        return f"{path} belongs to another user (uid {status.st_uid}); own it: chown {os.geteuid()}"
    return None
