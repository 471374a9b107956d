import subprocess
import sys

HEAVY = ("numpy", "pandas", "httpx", "keyring", "plotext", "requests", "pydantic")


def loaded_after(statement: str) -> set[str]:
    code = f"{statement}; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return {name.partition(".")[0] for name in done.stdout.split()}


def test_no_widget_loads_what_the_first_frame_cannot_afford():
    loaded = loaded_after(
        "import widgets.grid, widgets.chart, widgets.canvas, widgets.textbox, widgets.textbox, "
        "widgets.prompt, widgets.diff_renderer, widgets.lines"
    )
    assert not loaded & set(HEAVY)
    assert "console" not in loaded


def test_themes_are_read_without_textual():
    loaded = loaded_after("import themes.palette, themes.glyphs")
    assert not loaded & {"textual", "rich", "console", *HEAVY}
