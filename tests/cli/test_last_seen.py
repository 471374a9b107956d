"""The last known screen: whose it is, what it says, and that the console replaces it."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from typing import TYPE_CHECKING

import pyte
import pytest

from console.reports.last_seen import (
    EVERY_SECONDS,
    FIRST_TICK,
    FORM,
    MARKS,
    OLDEST_SECONDS,
    keep,
    keeper_of,
    picture,
    place_of,
)
from console.settings.secret_references import SecretValue
from tests.support.pty_session import PtySession
from tests.support.snapshots import big_snapshot
from themes.glyphs import ASCII, UNICODE

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_790_000_240.0
AWAY = ("--prometheus", "http://127.0.0.1:9")
TEXT = "\n".join(
    (
        f"{FORM}\t{NOW - 240:.0f}\tprod",
        "1\t0\t2\t0\t0\t0",
        "1\tfraud-scorer\t41\t1.9s\t6%\terrors burn the budget",
        "5\tmo\x1b[2Jdel\t3\t?\t?\t",
        "7\t模型" + "x" * 300,
    )
)


def drawn(written: str, columns: int, lines: int) -> list[str]:
    screen = pyte.Screen(columns, lines)
    pyte.ByteStream(screen).feed(written.encode())
    return screen.display


@pytest.mark.parametrize(("columns", "lines"), [(40, 8), (80, 24), (160, 45)])
def test_a_picture_is_marked_with_its_age_and_fits_the_terminal(columns: int, lines: int) -> None:
    written = picture(TEXT, NOW, columns, lines)
    assert written is not None
    shown = drawn(written, columns, lines)
    assert shown[0].rstrip().endswith("LAST SEEN 4m ago")
    assert "■1 fraud-scorer" in shown[3]
    assert "mo?[2Jdel" in shown[4], "text from outside is no command to a terminal"
    assert shown[5].startswith("    模")
    assert "LAST SEEN 4m ago: no current" in shown[lines - 1]
    assert not any(line.strip() for line in shown[6 : lines - 1])


def test_in_ascii_a_picture_is_ascii() -> None:
    written = picture(TEXT, NOW, 80, 24, ascii_only=True)
    assert written is not None
    assert written.isascii()
    assert "#1 fraud-scorer" in drawn(written, 80, 24)[3]


def test_marks_are_those_of_the_table() -> None:
    names = ("s1", "s2", "s3", "s4", "unknown", "unjudged")
    assert [(one[1], one[2]) for one in MARKS] == [
        (UNICODE.severity[name], ASCII.severity[name]) for name in names
    ]


def test_what_is_old_or_not_ours_is_not_painted() -> None:
    assert picture(TEXT, NOW + OLDEST_SECONDS, 80, 24) is None
    assert picture(TEXT, NOW - 600, 80, 24) is None, "a clock that was set back"
    assert picture(TEXT.replace("seen 1", "seen 2"), NOW, 80, 24) is None
    assert picture("", NOW, 80, 24) is None
    assert picture(TEXT, NOW, 30, 24) is None


def test_a_place_is_a_fleets_and_holds_no_credentials(tmp_path: Path) -> None:
    state = {"XDG_STATE_HOME": str(tmp_path)}
    place = place_of(["--prometheus", "http://u:hunter2@a:1/x?token=t"], state)
    assert place == place_of(["--prometheus=http://a:1/x", "--ascii", "--theme", "light"], state)
    assert place != place_of(["--prometheus", "http://b:1/x"], state)
    assert place != place_of(["--config", "x.toml"], state)
    for words in (
        ["demo"],
        ["status"],
        ["--plain"],
        ["--help"],
        ["--config"],
        ["--read-only", "x"],
    ):
        assert place_of(words, state) is None, words
    assert place_of([], {**state, "MIDWATCH_LAST_SEEN": "0"}) is None


def test_what_is_kept_is_private_whole_and_without_secrets(tmp_path: Path) -> None:
    snapshot = big_snapshot(200, seed=3)
    secret = snapshot.rows[int(snapshot.order[0])].model
    place = tmp_path / "midwatch" / "last-seen-1"
    keep(snapshot, str(place), [SecretValue(secret)])
    assert stat.S_IMODE(place.stat().st_mode) == 0o600
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700
    text = place.read_text(encoding="utf-8")
    assert secret not in text
    written = picture(text, snapshot.taken_at + 30, 160, 45)
    assert written is not None
    assert snapshot.rows[int(snapshot.order[1])].model in written
    assert [path.name for path in place.parent.iterdir()] == ["last-seen-1"]


def test_it_is_kept_once_a_minute_and_not_before_rules_had_their_second_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    place, told, now = tmp_path / "seen", list[str](), [1000.0]
    monkeypatch.setattr("console.reports.last_seen.time.monotonic", lambda: now[0])
    snapshot = replace(big_snapshot(3, seed=1), tick=FIRST_TICK - 1)
    take = keeper_of(str(place), tuple, told.append)
    take(snapshot)
    assert not place.exists()
    take(replace(snapshot, tick=FIRST_TICK))
    place.unlink()
    now[0] += EVERY_SECONDS - 1
    take(replace(snapshot, tick=FIRST_TICK + 1))
    assert not place.exists()
    now[0] += 1
    take(replace(snapshot, tick=FIRST_TICK + 2))
    assert place.exists()
    take = keeper_of(str(place / "below a file"), tuple, told.append)
    take(replace(snapshot, tick=FIRST_TICK))
    now[0] += EVERY_SECONDS
    take(replace(snapshot, tick=FIRST_TICK))
    assert len(told) == 1


def kept(tmp_path: Path) -> tuple[dict[str, str], str]:
    """Keep a fleet for `AWAY`; return the environment and a name on its screen."""
    import time
    from dataclasses import replace

    env = {"XDG_STATE_HOME": str(tmp_path), "HOME": str(tmp_path)}
    snapshot = replace(big_snapshot(5, seed=2), taken_at=time.time() - 240)
    place = place_of(AWAY, {**os.environ, **env})
    assert place is not None
    keep(snapshot, place, ())
    return env, snapshot.rows[0].model


def test_it_is_there_before_the_console_which_draws_over_it_and_hears_waiting_keys(
    tmp_path: Path,
) -> None:
    env, model = kept(tmp_path)
    with PtySession(["-m", "console", *AWAY], 100, 30, env) as terminal:
        terminal.wait_for(b"LAST SEEN 4m ago", 60.0)
        painted = bytes(terminal.output)
        assert model.encode() in painted
        assert b"\x1b[?1004h" not in painted, "Textual is not there yet"
        terminal.send("?")
        terminal.wait_for(b"Keys on the fleet screen", 60.0)
        assert bytes(terminal.output).count(b"\x1b[?1049h") == 1, "cleared again, it would flash"
        terminal.send("\x1b")
        screen = pyte.Screen(100, 30)
        stream = pyte.ByteStream(screen)
        fed = 0
        for _ in range(600):
            terminal.read(0.1)
            stream.feed(plain(bytes(terminal.output[fed:])))
            fed = len(terminal.output)
            if not any("Keys on the" in line for line in screen.display):
                break
        whole = "\n".join(screen.display)
        assert "MIDWATCH" in whole
        assert model not in whole
        assert "LAST SEEN" not in whole
        terminal.send("q")
        terminal.wait_for(b"\x1b[?1049l", 60.0)


def plain(written: bytes) -> bytes:
    """Leave out the private sequences that pyte would print."""
    import re

    return re.sub(rb"\x1b\[[<>=?][0-9;]*[a-zA-Z]", b"", written)


def test_a_console_that_cannot_start_leaves_a_clean_screen_and_says_why(tmp_path: Path) -> None:
    env, _ = kept(tmp_path)
    with PtySession(["-m", "console", *AWAY, "--theme", "none"], 100, 30, env) as terminal:
        terminal.wait_for(b"\x1b[?1049l", 60.0)
        at = terminal.output.find(b"\x1b[?1049l")
        terminal.wait_for(b"theme", 60.0, at)
        assert b"theme" not in bytes(terminal.output[:at])


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    env, _ = kept(tmp_path)
    place = next((tmp_path / "midwatch").glob("last-seen-*"))
    place.rename(tmp_path / "elsewhere")
    place.symlink_to(tmp_path / "elsewhere")
    with PtySession(["-m", "console", *AWAY], 100, 30, env) as terminal:
        terminal.wait_for(b"MIDWATCH", 60.0)
        terminal.wait_for(b"\x1b[?1004h", 60.0)
        assert b"LAST SEEN" not in terminal.output


def test_nothing_is_imported_for_it() -> None:
    code = (
        "import sys; before = set(sys.modules); import console.reports.last_seen; "
        "print(sorted(set(sys.modules) - before - {'__future__', 'zlib', 'stat', 'time', 'io'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "['console', 'console.reports', 'console.reports.last_seen']"
