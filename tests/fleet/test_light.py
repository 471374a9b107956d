"""What screens ask of this room before the first frame must not load NumPy."""

import subprocess
import sys


def test_why_and_say_load_no_numpy() -> None:
    code = (
        "import sys, console.fleet.why, console.fleet.say;"
        "sys.exit(1 if 'numpy' in sys.modules else 0)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
