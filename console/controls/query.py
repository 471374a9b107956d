"""JMESPath compiled once at start; what an answer makes of it is never allowed to raise."""

import re
from collections.abc import Mapping

import jmespath
from jmespath.exceptions import JMESPathError

from console.controls.protocol import ControlError
from console.controls.template import bind
from console.facts.control import JsonValue, Scalar
from console.facts.text import visible


class QueryFailed(Exception):
    """The expression cannot be applied to this answer; the text is a sentence."""


class Query:
    """One expression with its variables bound; ``text`` is what was compiled."""

    def __init__(self, expression: str, variables: Mapping[str, JsonValue], place: str) -> None:
        self.text = bind(expression, variables)
        self._place = place
        try:
            self._compiled = jmespath.compile(self.text)
        except JMESPathError as error:
            said = visible(re.sub(r"\s+", " ", str(error)).strip(), 200)
            raise ControlError(f"{place} is no JMESPath: {said}") from error

    def scalar(self, document: object) -> Scalar:
        """Return the plain value found, None for nothing; raises ``QueryFailed``."""
        found = self._search(document)
        if found is None or isinstance(found, (str, int, float, bool)):
            return found
        raise QueryFailed(f"{self._place} finds a list or an object where a plain value belongs")

    def holds(self, document: object) -> bool:
        """Tell whether the expression is exactly true; raises ``QueryFailed``."""
        return self._search(document) is True

    def _search(self, document: object) -> object:
        try:
            return self._compiled.search(document)
        except (JMESPathError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
            # jmespath lets a bare TypeError through when an answer compares text with numbers.
            said = visible(re.sub(r"\s+", " ", str(error)), 160)
            raise QueryFailed(f"{self._place} does not fit the answer: {said}") from error
