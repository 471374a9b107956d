"""Which style draws which role, for each theme.

A healthy value is grey: colour is spent only where something is to be read. State is never told
by colour alone; severity marks, words and denser glyphs say it too, so ``mono`` loses nothing.
Styles are Rich style texts (``bold #ff5555 on #202020``, ``reverse``).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from textual.theme import Theme

THEMES: tuple[str, ...] = ("dark", "light", "high-contrast", "colour-blind", "ansi", "mono")
"""Names a person may choose; ``mono`` is also what ``NO_COLOR`` gives."""

DEFAULT_THEME = "dark"


class Palette(Struct, frozen=True):
    """The styles of one theme: ``palette["s1"]`` is the style text of role ``s1``."""

    name: str
    dark: bool
    background: str
    """A ``#rrggbb`` colour, or ``default`` for the terminal's own."""
    foreground: str
    styles: Mapping[str, str]
    ansi: bool = False
    """Only the terminal's own colours, or none, are used."""

    def __getitem__(self, role: str) -> str:
        """The style text of ``role``; raises ``KeyError`` for a role this palette lacks."""
        return self.styles[role]

    def get(self, role: str, default: str = "") -> str:
        """The style text of ``role``, or ``default``."""
        return self.styles.get(role, default)


class _Hues(Struct, frozen=True):
    """The colours a theme is mixed from."""

    text: str
    quiet: str
    """Healthy values."""
    dim: str
    """Axes and units: readable, never needed."""
    s1: str
    s2: str
    s3: str
    s4: str
    unknown: str
    planned: str
    latency: str
    confidence: str
    drift: str
    cost: str
    threshold: str
    stale: str
    prod: str
    """Foreground and background of the header on a production fleet."""
    demo: str
    row: str = ""
    """Background of the row under the cursor; empty where inverting it is safer."""
    s1_extra: str = "bold"


def _mix(hues: _Hues) -> Mapping[str, str]:
    row = {"cursor.row": f"on {hues.row}"} if hues.row else {}
    return MappingProxyType(
        {
            **row,
            "text": hues.text,
            "dim": hues.dim,
            "ok": hues.quiet,
            "header": f"bold {hues.text}",
            "header.prod": f"bold {hues.prod}",
            "header.demo": f"bold {hues.demo}",
            "grid.header": f"underline {hues.quiet}",
            "s1": f"{hues.s1_extra} {hues.s1}".strip(),
            "s2": f"bold {hues.s2}",
            "s3": hues.s3,
            "s4": hues.s4,
            "unknown": f"italic {hues.unknown}",
            "unjudged": f"italic {hues.quiet}",
            "recovering": hues.planned,
            "planned": hues.planned,
            "stale": f"bold {hues.stale}",
            "error": f"bold {hues.s1}",
            "alarm": f"bold {hues.s1}",
            "armed": f"bold {hues.demo}",
            "cursor": "reverse",
            "selected": "underline",
            "title": f"bold {hues.text}",
            "key": f"bold {hues.text}",
            "prompt": f"bold {hues.text}",
            "latency": hues.latency,
            "confidence": hues.confidence,
            "drift": hues.drift,
            "cost": hues.cost,
            "second": hues.quiet,
            "third": hues.dim,
            "chart.axis": hues.dim,
            "chart.border": hues.dim,
            "chart.title": f"bold {hues.text}",
            "mark": f"bold {hues.planned}",
            "threshold": hues.threshold,
        }
    )


_DARK = _Hues(
    row="#2b333b",
    text="#d4d7da",
    quiet="#a3a8ad",
    dim="#83898f",
    s1="#ff7b6b",
    s2="#f2c14e",
    s3="#56b4e9",
    s4="#b6bcc2",
    unknown="#d9a0cf",
    planned="#7fc7b5",
    latency="#8fb8e8",
    confidence="#c9a8f0",
    drift="#7fcfa8",
    cost="#d8bc7a",
    threshold="#b0a090",
    stale="#101214 on #f2c14e",
    prod="#ffffff on #8c1d18",
    demo="#ffffff on #1f4f82",
)
_LIGHT = _Hues(
    row="#edf2f7",
    text="#1d2023",
    quiet="#50555a",
    dim="#6b7177",
    s1="#7a0019",
    s2="#946400",
    s3="#0b5fae",
    s4="#474c51",
    unknown="#8a2f7c",
    planned="#0b6b57",
    latency="#1f5fa8",
    confidence="#6a3fb0",
    drift="#16704a",
    cost="#7a5a08",
    threshold="#6a5a48",
    stale="#ffffff on #7a4a00",
    prod="#ffffff on #9c1c14",
    demo="#ffffff on #1f4f82",
)
_HIGH_CONTRAST = _Hues(
    row="#33414f",
    text="#ffffff",
    quiet="#d8d8d8",
    dim="#b8b8b8",
    s1="#ff8a80",
    s2="#ffd740",
    s3="#62c8ff",
    s4="#f0f0f0",
    unknown="#ffb3f0",
    planned="#8cf0d8",
    latency="#9cd0ff",
    confidence="#dcc0ff",
    drift="#90f0c0",
    cost="#ffe090",
    threshold="#e0d0c0",
    stale="#000000 on #ffd740",
    prod="#ffffff on #b00000",
    demo="#ffffff on #0040a0",
    s1_extra="bold underline",
)
# Okabe and Ito's set: vermilion, yellow, sky blue, reddish purple, bluish green, orange. The
# vermilion and the purple are lightened to stay readable on black.
_COLOUR_BLIND = _Hues(
    row="#25292d",
    text="#d8d8d8",
    quiet="#a8a8a8",
    dim="#888888",
    s1="#e8762c",
    s2="#f0e442",
    s3="#56b4e9",
    s4="#c0c0c0",
    unknown="#cc79a7",
    planned="#00b386",
    latency="#56b4e9",
    confidence="#cc79a7",
    drift="#00b386",
    cost="#e69f00",
    threshold="#b8b0a0",
    stale="#000000 on #f0e442",
    prod="#ffffff on #8a3a00",
    demo="#ffffff on #00578a",
    s1_extra="bold underline",
)
_ANSI = _Hues(
    text="default",
    quiet="default",
    dim="dim default",
    s1="bright_red",
    s2="yellow",
    s3="cyan",
    s4="default",
    unknown="magenta",
    planned="green",
    latency="blue",
    confidence="magenta",
    drift="green",
    cost="yellow",
    threshold="dim default",
    stale="black on yellow",
    prod="bright_white on red",
    demo="bright_white on blue",
)

_MONO: Mapping[str, str] = MappingProxyType(
    {
        **{role: "none" for role in _mix(_DARK) if role != "cursor.row"},
        "dim": "dim",
        "header": "bold",
        "header.prod": "bold reverse",
        "header.demo": "bold underline",
        "grid.header": "underline",
        "s1": "bold reverse",
        "s2": "bold underline",
        "s3": "bold",
        "unknown": "italic",
        "unjudged": "italic",
        "recovering": "",
        "stale": "bold reverse",
        "error": "bold reverse",
        "alarm": "bold",
        "armed": "bold reverse",
        "cursor": "reverse",
        "selected": "underline",
        "title": "bold",
        "key": "bold",
        "prompt": "bold",
        "third": "dim",
        "chart.axis": "dim",
        "chart.border": "dim",
        "chart.title": "bold",
        "mark": "bold",
        "threshold": "dim",
    }
)

_PALETTES: Mapping[str, Palette] = MappingProxyType(
    {
        "dark": Palette("dark", True, "#101214", _DARK.text, _mix(_DARK)),
        "light": Palette("light", False, "#fafaf7", _LIGHT.text, _mix(_LIGHT)),
        "high-contrast": Palette(
            "high-contrast", True, "#000000", _HIGH_CONTRAST.text, _mix(_HIGH_CONTRAST)
        ),
        "colour-blind": Palette(
            "colour-blind", True, "#101010", _COLOUR_BLIND.text, _mix(_COLOUR_BLIND)
        ),
        "ansi": Palette("ansi", True, "default", "default", _mix(_ANSI), ansi=True),
        "mono": Palette("mono", True, "default", "default", _MONO, ansi=True),
    }
)

ROLES: frozenset[str] = frozenset(_MONO)
"""Every role a palette draws."""


def palette(name: str = DEFAULT_THEME, no_color: bool = False) -> Palette:
    """Return the palette of theme ``name``, or ``mono`` when ``no_color`` asks for no colour.

    Raises ``ValueError`` that lists the themes when there is none of that name.
    """
    if name not in _PALETTES:
        raise ValueError(f"there is no theme {name!r}; choose one of {', '.join(THEMES)}")
    return _PALETTES["mono" if no_color else name]


def textual_theme(name: str) -> Theme:
    """Return the Textual theme ``midwatch-<name>`` with this palette's colours.

    An app that shows ``ansi`` or ``mono`` must also be made with ``ansi_color=True``: only then
    does Textual leave the terminal's own colours alone. Raises ``ValueError`` like ``palette``.
    """
    from textual.theme import Theme

    chosen = palette(name)
    if chosen.ansi:
        return Theme(
            name=f"midwatch-{name}",
            ansi=True,
            primary="ansi_default",
            secondary="ansi_default",
            warning="ansi_default",
            error="ansi_default",
            success="ansi_default",
            accent="ansi_default",
            foreground="ansi_default",
            background="ansi_default",
            surface="ansi_default",
            panel="ansi_default",
            boost="ansi_default",
            dark=True,
            # Textual's own style sheet asks for these two whenever a theme says it is ANSI.
            variables={"ansi-background": "ansi_default", "ansi-foreground": "ansi_default"},
        )
    hues = {"dark": _DARK, "light": _LIGHT, "high-contrast": _HIGH_CONTRAST}.get(
        name, _COLOUR_BLIND
    )
    return Theme(
        name=f"midwatch-{name}",
        primary=hues.s3,
        secondary=hues.quiet,
        warning=hues.s2,
        error=hues.s1,
        success=hues.planned,
        accent=hues.s3,
        foreground=chosen.foreground,
        background=chosen.background,
        surface=chosen.background,
        panel=chosen.background,
        boost=chosen.background,
        dark=chosen.dark,
        text_alpha=1.0,
    )
