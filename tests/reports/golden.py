"""Exports as they are promised to look: ``python -m tests.reports.golden`` makes them anew."""

from __future__ import annotations

from pathlib import Path

from console.handover.build import handover
from console.handover.handover_text import handover_blocks
from console.reports.failures import failures, failures_blocks
from console.reports.markdown import markdown
from console.reports.postmortem import postmortem
from console.reports.postmortem_text import postmortem_blocks
from console.reports.redact import cleaned
from tests.reports.samples import SHIFT, empty_facts, failure_facts, postmortem_facts, shift_facts

FOLDER = Path(__file__).parent / "golden"


def documents() -> dict[str, str]:
    """Return every golden file by name as it would be written now."""
    return {
        "handover.md": markdown(handover_blocks(cleaned(handover(shift_facts(), SHIFT)))),
        "handover-unknown.md": markdown(handover_blocks(cleaned(handover(empty_facts(), SHIFT)))),
        "postmortem.md": markdown(postmortem_blocks(cleaned(postmortem(postmortem_facts())))),
        "failures.md": markdown(failures_blocks(cleaned(failures(failure_facts())))),
    }


if __name__ == "__main__":
    for name, text in documents().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
