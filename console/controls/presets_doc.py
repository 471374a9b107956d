"""The preset tables of docs/controls.md, written from the presets themselves.

``python -m console.controls.presets_doc docs/controls.md`` puts them between the markers.
"""

import sys
from pathlib import Path

from console.controls.declaration import Change, Kind, Preset, presets
from console.domain.control import Proof

BEGIN = "<!-- written by console.controls.presets_doc: begin -->"
END = "<!-- written by console.controls.presets_doc: end -->"


def written(text: str) -> str:
    """Return a document with the tables between its markers as they should be now.

    Raises ValueError when the markers are not there.
    """
    before, found, rest = text.partition(BEGIN)
    _, closed, after = rest.partition(END)
    if not found or not closed:
        raise ValueError(f"the document lacks the lines {BEGIN!r} and {END!r}")
    return f"{before}{BEGIN}\n\n{tables()}\n{END}{after}"


def tables() -> str:
    """Return the overview and one section a preset, as Markdown."""
    found = presets()
    lines = ["| preset | kinds | speaks to | proof |", "| --- | --- | --- | --- |"]
    lines += [
        f"| `{name}` | {', '.join(f'`{kind}`' for kind in preset.kinds)} | {preset.title} "
        f"| {_proof(preset)} |"
        for name, preset in found.items()
    ]
    lines.append("")
    for name, preset in found.items():
        lines += _section(name, preset)
    return "\n".join(lines)


def _proof(preset: Preset) -> str:
    return Proof(preset.proof, preset.server, preset.source).sentence


def _section(name: str, preset: Preset) -> list[str]:
    lines = [f"### `{name}`", ""]
    for kind_name, kind in preset.kinds.items():
        lines += [f'`kind = "{kind_name}"`{_variables(kind)}', ""]
        if kind.note:
            lines += [kind.note, ""]
        lines += ["| action | does | starts from | proves itself by | asks |"]
        lines += ["| --- | --- | --- | --- | --- |"]
        lines += [_row(action, change) for action, change in kind.actions.items()]
        lines.append("")
    return lines


def _variables(kind: Kind) -> str:
    needed = [f"`vars.{name}`: {meaning}" for name, meaning in kind.needs.items()]
    usual = [f"`vars.{name}`, by itself `{value!r}`" for name, value in kind.vars.items()]
    return f" needs {'; '.join([*needed, *usual])}." if needed or usual else "."


def _row(action: str, change: Change) -> str:
    starts = ", ".join(f"`{state}`" for state in change.from_states) or "any"
    first, *later = (f"`{state}`" for state in change.desired or ("told",))
    first = first if change.desired else "nothing: it is told, and cannot be read back"
    desired = f"{first}, or after it {', '.join(later)}" if later else first
    return (
        f"| `{action}` | {change.label or action} | {starts} | {desired} "
        f"| `{change.method} {change.path}` |"
    )


def main(arguments: list[str]) -> int:
    """Write the tables into the document named on the command line."""
    path = Path(arguments[0])
    path.write_text(written(path.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
