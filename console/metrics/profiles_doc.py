"""Writes the signal tables of docs/profiles.md from the profiles.

``python -m console.metrics.profiles_doc docs/profiles.md`` puts them between the markers.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from console.domain.signals import SIGNALS
from console.metrics.expressions import (
    Expression,
    Gauge,
    HistogramMean,
    Quantile,
    Raw,
    Scaled,
    ShareAbove,
    ShareBelow,
    method,
)
from console.metrics.profile import FACTS, PARTS, profiles

if TYPE_CHECKING:
    from console.metrics.profile import Profile

BEGIN = "<!-- written by console.metrics.profiles_doc: begin -->"
END = "<!-- written by console.metrics.profiles_doc: end -->"


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
    """Return the overview and one section a profile, as Markdown."""
    found = [profiles()[name] for name in sorted(profiles())]
    return "\n".join([_overview(found), *map(_section, found)])


def _overview(found: list[Profile]) -> str:
    lines = ["| signal | unit | given by |", "| --- | --- | --- |"]
    for name, fact in SIGNALS.items():
        if fact.derived:
            continue
        givers = ", ".join(profile.name for profile in found if _gives(profile, name))
        lines.append(f"| `{name}` | {fact.unit} | {givers} |")
    return "\n".join([*lines, ""])


def _gives(profile: Profile, signal: str) -> bool:
    spend = signal in ("cost_per_hour", "cost_today", "cost_month")
    return signal in profile.signals or (spend and "cost_rate" in profile.signals)


def _section(profile: Profile) -> str:
    lines = [
        f"### {profile.title} (`{profile.name}`)",
        "",
        f"A {profile.role}. Recognised by {_code(profile.signature)}. {_named(profile)}, "
        + (
            f"version label `{profile.version_label}`."
            if profile.version_label
            else "no version label."
        ),
        *(f"Read in {', '.join(profile.cites)}." for _ in profile.cites[:1]),
        "",
        *(f"- {note}" for note in profile.notes),
        *([""] if profile.notes else []),
        "| signal | from | how | note |",
        "| --- | --- | --- | --- |",
    ]
    for name, definition in sorted(profile.signals.items(), key=_in_contract_order):
        note = definition.note or PARTS.get(name, "")
        lines.append(_line(name, definition.expression, note))
    for name, why in profile.not_given.items():
        lines.append(f"| `{name}` | – | not given | {why} |")
    for name, fact in profile.facts.items():
        labels = ", ".join(fact.by)
        lines.append(_line(name, fact.expression, f"{fact.note or FACTS[name]}; by {labels}"))
    return "\n".join([*lines, ""])


def _named(profile: Profile) -> str:
    """Return in words how the profile's models get their names."""
    if profile.bind is not None:
        return f"Speaks of the models that run at the same {_code(profile.bind.on)}"
    rule = profile.model
    if rule is None:
        return f"Model label `{profile.model_label}`"
    if rule.template is not None:
        return f"The model is `{rule.template}`"
    if rule.first_of:
        return f"The model is the first of {_code(rule.first_of)} that has a value"
    return f"The model stands in `{rule.label}`, by the pattern `{rule.pattern}`".replace(
        "|", "\\|"
    )


def _in_contract_order(item: tuple[str, object]) -> int:
    names = list(SIGNALS)
    return names.index(item[0]) if item[0] in SIGNALS else len(names)


def _line(name: str, expression: Expression, note: str) -> str:
    metrics = "own PromQL" if isinstance(expression, Raw) else _code(sorted(expression.metrics()))
    return f"| `{name}` | {metrics} | {_how(expression)} | {note} |"


def _how(expression: Expression) -> str:
    match expression:
        case Quantile(q=q):
            return f"quantile {q:g} of summed buckets"
        case HistogramMean():
            return "mean"
        case ShareBelow() if not isinstance(expression, ShareAbove):
            return "share under the threshold's bucket edge"
        case ShareAbove():
            return "share above the objective's bucket edge"
        case Gauge(above=above) if above is not None:
            return f"{method(expression)} of those above {above:g}"
        case Scaled(of=of, factor=factor):
            return f"{_how(of)}, times {factor:g}"
    return method(expression)


def _code(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def main(arguments: list[str]) -> int:
    """Rewrite the tables of the document named by the only argument."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m console.metrics.profiles_doc docs/profiles.md\n")
        return 64
    path = Path(arguments[0])
    path.write_text(written(path.read_text(encoding="utf-8")), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
