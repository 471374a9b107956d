"""How much history a number needs; the same for every source."""

from __future__ import annotations

COVERED_SHARE = 0.9
"""A long window is answered when the history covers at least this share of it."""

SHORT_WINDOW_SECONDS = 900.0
"""Windows up to this length are answered from what there is; a longer one would be a wrong number,
not a rough one."""
