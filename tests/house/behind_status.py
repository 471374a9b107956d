"""Counts the files whose functions run in ``midwatch status --json`` against a scraped target."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.support.web import Reply, web_server

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "tests" / "metrics" / "data" / "vllm.txt").read_text("utf-8")

_PROFILED = """
import json, sys, threading
from pathlib import Path
root = Path(sys.argv[1])
entered = set()
def note(frame, event, _):
    # Bodies of modules and classes run once when they are imported; functions are optimised code.
    if event == "call" and frame.f_code.co_flags & 1:
        entered.add(frame.f_code.co_filename)
threading.setprofile(note)
sys.setprofile(note)
from console.launch import main
try:
    sys.argv = ['midwatch', *sys.argv[2:]]
    code = main()
except SystemExit as end:
    code = end.code
sys.setprofile(None)
own = sorted(
    str(Path(name).relative_to(root))
    for name in entered
    if name.startswith(str(root)) and Path(name).relative_to(root).parts[0] in
    ("console", "widgets", "themes")
)
print(json.dumps(own), file=sys.stderr)
"""


def files_behind_status() -> list[str]:
    """Return the product files of which a function runs, in any thread, sorted by path."""
    with web_server(lambda request: Reply(TEXT.encode())) as server:
        done = subprocess.run(
            [
                sys.executable,
                *("-c", _PROFILED, str(ROOT)),
                *("--scrape", f"{server.url}/metrics", "status", "--json"),
            ],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    if not done.stdout.startswith("{"):
        raise RuntimeError(f"midwatch status gave no document: {done.stderr[-2000:]}")
    files: list[str] = json.loads(done.stderr.strip().splitlines()[-1])
    return files
