"""What sources say a model is made of: the labels of its information series, by model."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from console.facts.samples import Answer
    from console.signals.query import Query

INFO_COLUMN = "info"
_SEVERAL = " + "


class Lineage:
    """Labels of `model_info` by source and series value; several versions are joined by ``+``."""

    def __init__(self) -> None:
        self._known: dict[str, dict[str, dict[str, str]]] = {}

    def take(self, source: str, query: Query, answer: Answer) -> bool:
        """Learn from an answer; tell whether anything is different from before."""
        if query.column != INFO_COLUMN or answer.error is not None:
            return False
        found: dict[str, dict[str, dict[str, None]]] = {}
        for key in answer.keys:
            labels = found.setdefault(key[0], {})
            for name, value in zip(query.by[1:], key[1:], strict=True):
                if value:
                    labels.setdefault(name, {})[value] = None
        told = {
            model: {name: _SEVERAL.join(values) for name, values in labels.items()}
            for model, labels in found.items()
        }
        if told == self._known.get(source, {}):
            return False
        self._known[source] = told
        return True

    def of(self, source: str, series_value: str) -> Mapping[str, str]:
        """Return what is known of one model, empty where its source says nothing."""
        return self._known.get(source, {}).get(series_value, {})
