"""docs/configuration.md holds the generated table, as the schema is now."""

from pathlib import Path
from typing import get_args

from console.settings.schema import ThemeName
from console.settings.schema_doc import table
from themes.palette import THEMES

DOCS = Path(__file__).parents[2] / "docs"


def test_the_table_in_the_docs_is_fresh() -> None:
    text = (DOCS / "configuration.md").read_text()
    generated = text.partition("<!-- generated: keys -->\n")[2].partition("<!-- end -->")[0]
    assert generated.strip() == table().strip(), (
        "run: python -m console.settings.schema_doc --write"
    )


def test_the_docs_name_every_variable_and_way() -> None:
    text = (DOCS / "configuration.md").read_text()
    for variable in ("CONFIG", "THEME", "REFRESH", "WRITES", "ASCII", "ENVIRONMENT", "PROMETHEUS"):
        assert f"MIDWATCH_{variable}" in text
    secrets = (DOCS / "secrets.md").read_text()
    for way in ("env:", "file:", "cmd:", "keyring:"):
        assert way in secrets


def test_the_themes_of_the_file_are_the_themes_there_are() -> None:
    assert get_args(ThemeName) == THEMES
