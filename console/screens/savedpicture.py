"""Where a picture of the screen is saved."""

from __future__ import annotations

import os
from pathlib import Path

from console.screens.values import clock_text


def picture_path(argument: str, place: str, now: float) -> Path:
    """Return where to save: the path given, or a name of its own in the state directory.

    Nothing is ever written into the current directory unasked.
    """
    if argument:
        return Path(argument).expanduser()
    state = os.environ.get("XDG_STATE_HOME") or "~/.local/state"
    stamp = f"{int(now)}-{clock_text(now).replace(':', '')}Z"
    return Path(state).expanduser() / "midwatch" / "pictures" / f"{place}-{stamp}.svg"


def save_picture(svg: str, path: Path) -> tuple[str, str]:
    """Write a picture; return the sentence about it and the role it is said in."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(svg, encoding="utf-8")
    except OSError as error:
        return f"the picture was not saved: {error.strerror or error}", "error"
    return f"saved {path}", "text"
