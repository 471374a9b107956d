"""What is loaded before the first frame, because that is what a person waits for."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

CODE = """
import asyncio, sys, threading
from pathlib import Path
import console.app
from console.domain.text import ConsoleOptions
from console.settings.load import Loaded
from console.settings.schema import Settings

HEAVY = {"numpy", "pandas", "requests", "httpx", "keyring", "plotext", "pydantic"}

def loaded_now():
    return sorted(HEAVY & {name.split(".")[0] for name in sys.modules})

seen = {}
release = threading.Event()

def make():
    # The engine is made after the first paint: what is loaded now is what it cost.
    seen["before engine"] = loaded_now()
    release.wait(20)
    raise RuntimeError("no engine in this test")

async def main():
    loaded = Loaded(Settings(), {}, Path("unused.toml"))
    app = console.app.MidwatchApp(loaded, ConsoleOptions(), make)
    async with app.run_test(size=(80, 24)) as pilot:
        for _ in range(1000):
            await pilot.pause(0.02)
            if seen:
                break
        header = app.screen.query_one("#header").plain
        assert "waiting for the first answer" in header, header
        await pilot.press("question_mark")
        await pilot.press("escape")
        release.set()
        for _ in range(1000):
            await pilot.pause(0.02)
            if "could not start" in app.screen.query_one("#header").plain:
                break
        assert "no engine in this test" in app.screen.query_one("#header").plain

asyncio.run(main())
assert seen == {"before engine": []}, seen
assert loaded_now() == [], loaded_now()
print("light")
"""


def test_the_first_frame_loads_nothing_heavy() -> None:
    done = subprocess.run(
        [sys.executable, "-c", CODE], cwd=ROOT, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.stdout.strip() == "light", done.stderr[-2000:]


ALLOWED = ["console.domain.distribution.DriftReference"]
"""A Struct among the settings is a table of the file, which this is not."""

DEFINED = """
import dataclasses, sys
import textual.app
import console.app, console.cli.console_command
print([
    f"{name}.{each.__qualname__}"
    for name, module in sys.modules.items()
    if name.split(".")[0] in ("console", "widgets", "themes")
    for each in vars(module).values()
    if isinstance(each, type) and dataclasses.is_dataclass(each) and each.__module__ == name
])
"""


def test_the_first_frame_waits_for_one_dataclass_of_ours() -> None:
    # Each takes a millisecond to define, five times as long as a Struct: use one of those, or
    # import the module where it is first wanted.
    done = subprocess.run(
        [sys.executable, "-c", DEFINED], cwd=ROOT, capture_output=True, text=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert done.stdout.strip() == "['console.domain.distribution.DriftReference']", (
        done.stdout + done.stderr[-2000:]
    )
