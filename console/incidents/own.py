"""What Midwatch's own rules call: S1 and S2 findings as alerts of a source of their own; pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from console.facts.alert import OWN_SOURCE, Alert
from console.facts.text import visible
from console.incidents.reading import fingerprint

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from console.facts.severity import Severity

FRESH_TEXTS: Final = 200
"""Of so many findings the sentence is written anew at every look; of more it stays as it began."""


@dataclass(frozen=True, slots=True)
class OwnFinding:
    """One rule that holds for a model, at S1 or S2; ``since`` in Unix seconds.

    ``row`` is what the model's sentence is asked for by.
    """

    row: int
    model: str
    rule: str
    level: Severity
    since: float
    runbook: str = ""


def own_alerts(
    findings: Sequence[OwnFinding],
    sentence: Callable[[OwnFinding], str],
    known: Mapping[tuple[str, str], Alert],
) -> dict[tuple[str, str], Alert]:
    """Return an alert for each finding, by model and rule.

    ``known`` are those of the look before: an alert that did not change is the identical object.
    """
    fresh = len(findings) <= FRESH_TEXTS
    return {
        (one.model, one.rule): _alert(one, sentence, known.get((one.model, one.rule)), fresh=fresh)
        for one in findings
    }


def _alert(
    finding: OwnFinding,
    sentence: Callable[[OwnFinding], str],
    known: Alert | None,
    *,
    fresh: bool,
) -> Alert:
    same = known is not None and known.since == finding.since and known.severity is finding.level
    if known is not None and same:
        if not fresh:
            return known
        text = visible(sentence(finding))
        return known if text == known.summary else replace(known, summary=text)
    labels = {"alertname": finding.rule, "evaluator": OWN_SOURCE, "model": finding.model}
    return Alert(
        fingerprint=fingerprint(labels),
        source=OWN_SOURCE,
        name=finding.rule,
        state="firing",
        severity=finding.level,
        severity_text=finding.level.label,
        since=finding.since,
        labels=tuple(sorted(labels.items())),
        summary=visible(sentence(finding)),
        runbook=visible(finding.runbook),
        model=finding.model,
    )
