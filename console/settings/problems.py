"""Everything wrong with a configuration, said at once and each with what to do about it."""

from collections.abc import Iterable

from msgspec import Struct

from console.facts.text import visible

SHOWN_CHARACTERS = 80


class Problem(Struct, frozen=True):
    """One fault: where it stands, what was found, what is allowed, the nearest right spelling."""

    file: str
    line: int | None
    key_path: str
    found: str
    allowed: str
    hint: str = ""

    def render(self) -> str:
        """Return the fault as lines of plain text, safe to print on a terminal."""
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        head = f"{place}: {self.key_path}" if self.key_path else place
        lines = [head, f"    found    {self.found}", f"    allowed  {self.allowed}"]
        if self.hint:
            lines.append(f"    hint     {self.hint}")
        return "\n".join(lines)


class SettingsError(Exception):
    """The configuration cannot be used; ``problems`` holds every fault that was found."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = tuple(problems)
        super().__init__(self.render())

    def render(self) -> str:
        """Return all faults as plain text, one block a fault, ended by a count."""
        count = len(self.problems)
        closing = (
            "1 problem in the configuration."
            if count == 1
            else f"{count} problems in the configuration."
        )
        return "\n".join([*(problem.render() for problem in self.problems), closing])


def show(value: object) -> str:
    """Return a value from a file as one short, harmless piece of text with the name of its type."""
    match value:
        case bool():
            return f"{str(value).lower()} (true/false)"
        case str():
            return f'"{cut(value)}"'
        case int() | float():
            return f"{cut(repr(value))} (a number)"
        case list():
            return f"a list of {len(value)}"
        case dict():
            return "a table"
        case _:
            return f"{cut(str(value))} (a {type(value).__name__})"


def cut(text: str) -> str:
    """Return ``text`` with control characters visible and at most ``SHOWN_CHARACTERS`` long."""
    # Cut first: making 10 MB of rubbish visible only to throw it away would stall the start.
    shortened = text if len(text) <= SHOWN_CHARACTERS else text[: SHOWN_CHARACTERS - 1] + "…"
    return visible(shortened)


def nearest(word: str, choices: Iterable[str]) -> str:
    """Return ``did you mean "x"?`` for the closest of ``choices``, or nothing if none is close."""
    from difflib import get_close_matches  # only a faulty configuration pays for it

    known = {choice.casefold(): choice for choice in choices}
    close = get_close_matches(word.casefold()[:200], list(known), n=1, cutoff=0.6)
    return f'did you mean "{cut(known[close[0]])}"?' if close else ""


def one_of(choices: Iterable[str]) -> str:
    """Return the choices as a phrase, the first twelve spelled out."""
    listed = [cut(choice) for choice in choices]
    if not listed:
        return "nothing is declared there yet"
    more = f" and {len(listed) - 12} more" if len(listed) > 12 else ""
    return "one of " + ", ".join(listed[:12]) + more
