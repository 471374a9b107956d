"""Lines of keys, compared with documents whose answers are written into them."""

import tomllib

import pytest

from console.settings.convert import LineIndex, Spot

DOCUMENT = '''version = 1
text = """
[not.a.table]
key = 1
"""
literal = \'\'\'
[[nor.this]]\'\'\'
list = [
  "a#b", # ] a comment
  "]",
]
"quoted key".'x y' = 2
[a.b]
c = "\\"["
path = 'C:\\'
d.e = { f = 1 }
[[rows]]
name = "one"
[rows.sub]
deep = 1
[[rows]]
name = "two"
[[rows.inner]]
x = 1
[[rows.inner]]
x = 2
[last]
z = 1
'''


@pytest.mark.parametrize(
    ("parts", "line"),
    [
        (("version",), 1),
        (("text",), 2),
        (("literal",), 6),
        (("list",), 8),
        (("list", 1), 8),
        (("quoted key", "x y"), 12),
        (("a", "b", "c"), 14),
        (("a", "b", "path"), 15),
        (("a", "b", "d", "e"), 16),
        (("a", "b", "d", "e", "f"), 16),
        (("a", "b", "missing"), 13),
        (("rows", 0, "name"), 18),
        (("rows", 0, "sub", "deep"), 20),
        (("rows", 1, "name"), 22),
        (("rows", 1, "inner", 0, "x"), 24),
        (("rows", 1, "inner", 1, "x"), 26),
        (("last", "z"), 28),
        (("a",), 13),
        (("a", "b", "d"), 16),
        (("rows",), 17),
        (("nothing",), None),
    ],
)
def test_lines(parts: tuple[str | int, ...], line: int | None) -> None:
    assert tomllib.loads(DOCUMENT)
    assert LineIndex(DOCUMENT).line(parts) == line


def test_paths_are_readable_and_harmless() -> None:
    spot = Spot().child("models").child("fraud scorer\x1b").child("tier")
    assert spot.shown == 'models."fraud scorer␛".tier'
    assert Spot().child("sources").item(0, "prom-eu").child("url").shown == "sources.prom-eu.url"
    assert Spot().child("sources").item(1, None).shown == "sources[2]"
