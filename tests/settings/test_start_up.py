"""What loading the settings costs, and what it must not load."""

import subprocess
import sys
from pathlib import Path

from tests.settings.writing import put_references
from tests.support.pace import pace_seconds

ROOT = Path(__file__).parents[2]

CODE = """
import sys, time
from pathlib import Path
from console.settings.load import Flags, load
from console.settings.secrets import SecretResolver, list_references
best = 1.0
for _ in range(5):
    began = time.process_time()
    loaded = load(Flags(config=Path(sys.argv[1])), {"HOME": "/"})
    best = min(best, time.process_time() - began)
list_references(loaded.settings)
heavy = "httpx keyring numpy pandas textual pydantic requests plotext difflib asyncio".split()
print(best, *[name for name in heavy if name in sys.modules])
"""


def test_settings_load_fast_and_alone(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text((ROOT / "config.sample.toml").read_text())
    put_references(tmp_path)
    path.chmod(0o600)
    done = subprocess.run(
        [sys.executable, "-c", CODE, str(path)], capture_output=True, text=True, check=True
    )
    best_seconds, *loaded = done.stdout.split()
    assert loaded == []
    assert float(best_seconds) < 60.0 * min(pace_seconds() for _ in range(9))
