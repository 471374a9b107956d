"""Model names by rule: a value worked out of a series' labels, in PromQL and on stored labels.

A profile whose server writes the model plainly into one label needs no rule. Where it stands in
two labels, inside a longer text, or in whichever of several labels is there, the rule makes a
label of its own (`MODEL_LABEL`), before anything is summed: a ratio of two rows cannot be made of
their two ratios afterwards.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from msgspec import Struct

from console.metrics.labels import ExpressionError, checked_label, pattern_of, quoted

if TYPE_CHECKING:
    from collections.abc import Mapping

MODEL_LABEL = "mw_model"
"""The label that a rule writes; it exists in answers only, never in a source's series."""

_FIELD = re.compile(r"\{([a-zA-Z_][a-zA-Z0-9_]*)\}")
_WHOLE = "${1}"


class NameRule(Struct, frozen=True, forbid_unknown_fields=True, rename={"template": "from"}):
    """How labels become one value; exactly one of the three ways is set.

    ``template`` (``from`` in a file) joins labels: ``{application}/{deployment}``, with the same
    text between all of them. ``first_of`` is the first label that has a value. ``label`` takes
    one label, and the group ``(?P<model>…)`` or ``(?P<version>…)`` of ``pattern`` where that
    matches the whole of it; else the label as it stands.
    """

    template: str | None = None
    label: str | None = None
    pattern: str | None = None
    first_of: tuple[str, ...] = ()
    no_values: tuple[str, ...] = ()

    def check(self) -> None:
        """Raise `ExpressionError` for a rule that says nothing, or cannot be written as PromQL."""
        if sum((self.template is not None, self.label is not None, bool(self.first_of))) != 1:
            raise ExpressionError("a name rule has one of from, label and first_of")
        for label in self.labels:
            checked_label(label)
        if self.template is not None:
            self._separator()
        if self.pattern is not None:
            try:
                compiled = re.compile(self.pattern)
            except re.error as problem:
                text = f"the pattern {self.pattern!r} is not a regular expression: {problem}"
                raise ExpressionError(text) from problem
            if not {"model", "version"} & compiled.groupindex.keys():
                raise ExpressionError("a name pattern has a group (?P<model>…) or (?P<version>…)")

    @property
    def labels(self) -> tuple[str, ...]:
        """Return the labels that the rule reads."""
        if self.template is not None:
            return tuple(_FIELD.findall(self.template))
        return self.first_of or ((self.label,) if self.label is not None else ())

    def value(self, labels: Mapping[str, str], group: str = "model") -> str:
        """Return the value for a series with these labels; empty where there is none."""
        if self.template is not None:
            values = [labels.get(label, "") for label in self.labels]
            return self._separator().join(values) if any(values) else ""
        if self.first_of:
            found = (labels.get(label, "") for label in self.first_of)
            return next((value for value in found if value and value not in self.no_values), "")
        whole = labels.get(self.label or "", "")
        matched = _compiled(self.pattern).fullmatch(whole) if self.pattern is not None else None
        if matched is not None and group in matched.re.groupindex:
            return matched.group(group) or ""
        return whole if group == "model" else ""

    def promql(self, inside: str, target: str = MODEL_LABEL) -> str:
        """Return the vector ``inside`` with the value written into the label ``target``."""
        if self.template is not None:
            listed = ", ".join(map(quoted, self.labels))
            joined = quoted(self._separator())
            return f"label_join({inside}, {quoted(target)}, {joined}, {listed})"
        if self.first_of:
            return self._first_promql(inside, target)
        assert self.label is not None
        text = _replaced(inside, target, _WHOLE, self.label, "(.*)")
        if self.pattern is None:
            return text
        return _replaced(text, target, "${model}", self.label, self.pattern)

    def _first_promql(self, inside: str, target: str) -> str:
        text = inside
        if self.no_values:
            nothing = "|".join(map(pattern_of, filter(None, self.no_values)))
            for label in self.first_of:
                text = _replaced(text, label, "", label, nothing)
        for label in reversed(self.first_of):
            if label != target:
                text = _replaced(text, target, _WHOLE, label, "(.+)")
        return text

    def _separator(self) -> str:
        assert self.template is not None
        parts = _FIELD.split(self.template)
        between = set(parts[2:-1:2])
        if len(parts) < 3 or parts[0] or parts[-1] or len(between) > 1:
            raise ExpressionError(
                f"{self.template!r} is not labels joined by one text, such as {{a}}/{{b}}"
            )
        return between.pop() if between else ""


def _replaced(inside: str, target: str, replacement: str, label: str, pattern: str) -> str:
    # A label may hold a line break, which a dot passes over only with this flag.
    whole = f"(?s){pattern}" if "." in pattern else pattern
    arguments = ", ".join(map(quoted, (target, replacement, label, whole)))
    return f"label_replace({inside}, {arguments})"


@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.DOTALL)


@dataclass(frozen=True)
class Derived:
    """One label that a rule writes onto series before they are grouped."""

    label: str
    rule: NameRule

    def promql(self, inside: str, wanted: str | None = None) -> str:
        """Return ``inside`` with the label, only the series whose value is ``wanted`` if given."""
        text = self.rule.promql(inside, self.label)
        if wanted is None:
            return text
        one = _replaced("vector(1)", self.label, wanted.replace("$", "$$"), "", "")
        return f"{text} and on ({self.label}) {one}"

    @cached_property
    def reads(self) -> frozenset[str]:
        """Return the labels that the rule reads."""
        return frozenset(self.rule.labels)
