"""Print the notes of a version from CHANGELOG.md, or of ``Unreleased`` where it has none yet."""

import re
import sys
from pathlib import Path

text = (Path(__file__).resolve().parents[1] / "CHANGELOG.md").read_text(encoding="utf-8")
parts = dict(re.findall(r"^## \[?([^\]\n ]+)\]?[^\n]*\n(.*?)(?=^## |\Z)", text, re.M | re.S))
version = sys.argv[1]
notes = parts.get(version) or parts.get("Unreleased")
if not notes or not notes.strip():
    sys.exit(f"CHANGELOG.md has no part for {version} and nothing under Unreleased")
sys.stdout.write(f"# Midwatch {version}\n\n{notes.strip()}\n")
