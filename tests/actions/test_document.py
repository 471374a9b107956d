"""The table of what was tried names tests that are there."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def test_every_test_that_the_document_names_is_there() -> None:
    text = (ROOT / "docs" / "actions.md").read_text(encoding="utf-8")
    named = NAMED.findall(text)
    assert len(named) > 30
    missing = [
        f"{place}::{name}"
        for place, name in named
        if f"def {name}(" not in (ROOT / place).read_text(encoding="utf-8")
    ]
    assert missing == []
