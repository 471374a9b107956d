import itertools
import re

import numpy as np
import pytest
from rich.color import Color
from rich.style import Style
from textual.app import App

from themes.palette import ROLES, THEMES, palette, textual_theme

COLOURED = [name for name in THEMES if name not in ("ansi", "mono")]
REQUIRED = (
    "text dim header header.prod header.demo s1 s2 s3 s4 unknown planned ok stale error cursor "
    "title key alarm latency confidence drift cost chart.axis threshold selected prompt"
)
FAINT = {"dim", "third", "chart.axis", "chart.border"}

# Linear RGB seen by people without one kind of cone (Machado, Oliveira and Fernandes 2009).
PROTAN = np.array(
    [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ]
)
DEUTAN = np.array(
    [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]
)
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def linear(hex_colour: str) -> np.ndarray:
    triplet = Color.parse(hex_colour).get_truecolor()
    values = np.array(triplet) / 255
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def luminance(hex_colour: str) -> float:
    return float(linear(hex_colour) @ TO_XYZ[1])


def contrast(one: str, two: str) -> float:
    light, dark = sorted((luminance(one), luminance(two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def lab(rgb: np.ndarray) -> np.ndarray:
    x, y, z = np.clip(TO_XYZ @ np.clip(rgb, 0, 1), 0, None) / np.array([0.9505, 1.0, 1.089])
    f = [v ** (1 / 3) if v > 0.008856 else 7.787 * v + 16 / 116 for v in (x, y, z)]
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def colours(name: str, role: str) -> tuple[str, str]:
    chosen = palette(name)
    style = Style.parse(chosen[role])
    front = style.color.name if style.color else chosen.foreground
    back = style.bgcolor.name if style.bgcolor else chosen.background
    return front, back


@pytest.mark.parametrize("name", THEMES)
def test_every_theme_draws_every_role_in_a_readable_style(name):
    styles = palette(name).styles
    # A theme without colours of its own inverts the row under the cursor.
    assert set(styles) - {"cursor.row"} == ROLES
    assert ("cursor.row" in styles) == (name in COLOURED)
    assert set(REQUIRED.split()) <= ROLES
    for text in styles.values():
        Style.parse(text)


@pytest.mark.parametrize("name", COLOURED)
@pytest.mark.parametrize("role", sorted(ROLES))
def test_contrast(name, role):
    assert contrast(*colours(name, role)) >= (3.0 if role in FAINT else 4.5)


@pytest.mark.parametrize("name", COLOURED)
@pytest.mark.parametrize(
    "role", ["text", "ok", "s1", "s2", "s3", "s4", "unknown", "planned", "dim"]
)
def test_contrast_under_the_cursor(name, role):
    back = Style.parse(palette(name)["cursor.row"]).bgcolor
    assert back is not None
    assert contrast(colours(name, role)[0], back.name) >= (3.0 if role in FAINT else 4.5)


@pytest.mark.parametrize("name", COLOURED)
@pytest.mark.parametrize("seen_by", ["everybody", "protan", "deutan"])
def test_severities_are_told_apart_by_colour_blind_eyes_too(name, seen_by):
    see = {"everybody": np.eye(3), "protan": PROTAN, "deutan": DEUTAN}[seen_by]
    seen = {role: lab(see @ linear(colours(name, role)[0])) for role in ("s1", "s2", "s3", "ok")}
    for one, two in itertools.combinations(seen, 2):
        distance = float(np.linalg.norm(seen[one] - seen[two]))
        assert distance >= 20, f"{one} and {two} look alike in {name} to {seen_by}: {distance:.0f}"


@pytest.mark.parametrize("name", COLOURED)
def test_what_is_healthy_is_grey(name):
    for role in ("ok", "text", "dim"):
        red, green, blue = Color.parse(colours(name, role)[0]).get_truecolor()
        assert max(red, green, blue) - min(red, green, blue) <= 16


def test_mono_has_no_colour_and_tells_the_severities_apart():
    styles = palette("dark", no_color=True).styles
    assert not any(Style.parse(text).color or Style.parse(text).bgcolor for text in styles.values())
    assert len({styles[role] for role in ("s1", "s2", "s3", "ok")}) == 4
    assert styles["cursor"] == "reverse"


def test_ansi_uses_the_terminals_own_colours_only():
    assert not any(re.search("#|rgb|color", text) for text in palette("ansi").styles.values())


def test_an_unknown_theme_names_the_themes_there_are():
    with pytest.raises(ValueError, match="choose one of dark, light"):
        palette("neon")


@pytest.mark.parametrize("name", THEMES)
async def test_textual_accepts_the_theme_and_the_style_sheet(name):
    from pathlib import Path

    import themes

    sheet = Path(next(iter(themes.__path__))) / "midwatch.tcss"

    class ThemedApp(App[None]):
        CSS_PATH = sheet

        def on_mount(self) -> None:
            theme = textual_theme(name)
            self.register_theme(theme)
            self.theme = theme.name

    async with ThemedApp(ansi_color=palette(name).ansi or None).run_test(size=(80, 24)) as pilot:
        await pilot.pause()
        assert pilot.app.theme == f"midwatch-{name}"
