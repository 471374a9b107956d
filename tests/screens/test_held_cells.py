"""WHO and AGE of a row whose incident somebody has."""

from dataclasses import replace

import pytest

from console.domain.incident import Care, Hold
from console.screens.row_view import RowView
from console.screens.tables.fleet_cells import age, who
from tests.support.snapshots import SAMPLE_NOW, sample_snapshot
from themes.glyphs import UNICODE


@pytest.mark.parametrize(
    ("kind", "minutes", "shown"),
    [("ack", 9, "a9m"), ("snooze", 9, "z9m"), ("ack", 22, "22m"), ("ack", 180, "a3h")],
)
def test_a_row_shows_who_has_it_and_for_how_long(kind: str, minutes: int, shown: str) -> None:
    base = sample_snapshot()
    hold = Hold(
        "01OP", 4, "f1", "ack" if kind == "ack" else "snooze", "ben\x1b", "ben", "looking",
        SAMPLE_NOW - 60.0 * minutes, SAMPLE_NOW + 3600.0, models=("fraud-scorer",),
    )  # fmt: skip
    plain = RowView(base, base.index["fraud-scorer"])
    held = RowView(
        replace(base, care={"f1": Care("f1", SAMPLE_NOW - 900.0, hold=hold)}),
        base.index["fraud-scorer"],
    )
    assert age(held, UNICODE).text == shown
    assert who(held, UNICODE).text.startswith("ben")
    assert who(held, UNICODE).text.isprintable()
    assert who(plain, UNICODE).text != who(held, UNICODE).text
    other = RowView(held.snapshot, base.index["support-llm"])
    assert age(other, UNICODE).text == "22m"
