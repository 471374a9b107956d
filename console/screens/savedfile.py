"""What a console saves for somebody: pictures of its screens, postmortems of its incidents."""

from __future__ import annotations

import os
from pathlib import Path

from console.screens.values import clock_text


def saved_path(argument: str, kind: str, name: str, suffix: str, now: float) -> Path:
    """Return where to save: the path given, or a name of its own in the state directory.

    ``kind`` is the folder there. Nothing is ever written into the current directory unasked.
    """
    if argument:
        return Path(argument).expanduser()
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    stamp = f"{int(now)}-{clock_text(now).replace(':', '')}Z"
    return Path(state).expanduser() / "midwatch" / kind / f"{name}-{stamp}.{suffix}"


def save_text(text: str, path: Path, what: str) -> tuple[str, str]:
    """Write a file that only its owner reads; return the sentence about it and its role."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        return f"{what} was not saved: {error.strerror or error}", "error"
    return f"saved {path}", "text"
