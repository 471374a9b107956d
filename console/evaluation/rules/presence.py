"""Rules on missing data and owners, on alerts of other systems, and on recent changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from console.domain.severity import Severity
from console.domain.signals import BURN_WINDOWS
from console.evaluation.evidence import Truth, certain
from console.evaluation.row_labels import is_trial
from console.evaluation.rules.rule import Rule
from console.metrics.units import clock, name, span

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from console.domain.alert import Alert
    from console.evaluation.evidence import Evidence

    Floats = NDArray[np.float64]
    Mask = NDArray[np.bool_]


def _fires(evidence: Evidence, level: Severity) -> Truth:
    """Judge that an alert of this level fires; none is only known where all places answered."""
    rows = evidence.mask(
        row for row, alerts in evidence.alerts.items() if _of(alerts, level) is not None
    )
    nowhere = ~rows if evidence.alerts_whole else evidence.mask(())
    return Truth(rows, nowhere)


def _of(alerts: tuple[Alert, ...], level: Severity) -> Alert | None:
    return next((alert for alert in alerts if alert.severity is level), None)


def _text(evidence: Evidence, row: int, level: Severity) -> str:
    alerts = evidence.alerts.get(row, ())
    first = _of(alerts, level)
    if first is None:
        return "an alert fired"
    others = sum(alert.severity is level for alert in alerts) - 1
    more = f", and {others} more" if others else ""
    said = f": {first.summary}" if first.summary else ""
    held = first.acknowledgement
    seen = f", acknowledged by {name(held.by or 'somebody')}" if held is not None else ""
    return f"alert {name(first.name)} fires since {clock(first.since)}{seen}{more}{said}"


def _page(evidence: Evidence) -> Truth:
    return _fires(evidence, Severity.S1)


def _page_text(evidence: Evidence, row: int) -> str:
    return _text(evidence, row, Severity.S1)


def _warning(evidence: Evidence) -> Truth:
    return _fires(evidence, Severity.S2)


def _warning_text(evidence: Evidence, row: int) -> str:
    return _text(evidence, row, Severity.S2)


ALERT_RULES = (
    Rule(
        "alert_page",
        Severity.S1,
        "an alert with severity critical or page fires for the model; silenced and inhibited ones "
        "do not count, acknowledged ones do",
        ("alerts",),
        _page,
        _page_text,
        spans=True,
        opens_incident=False,
    ),
    Rule(
        "alert_warning",
        Severity.S2,
        "an alert with severity warning fires for the model; silenced and inhibited ones do not "
        "count, acknowledged ones do",
        ("alerts",),
        _warning,
        _warning_text,
        spans=True,
        opens_incident=False,
    ),
)

CHANGE_SECONDS = 3600.0


def _trial(evidence: Evidence) -> Truth:
    return certain(evidence.routes.trial | evidence.mask(evidence.versions))


def _trial_text(evidence: Evidence, row: int) -> str:
    route = evidence.route(row)
    if is_trial(route):
        return f"{name(route.target)} is running"
    versions = ", ".join(name(version) for version in evidence.versions.get(row, ())[:4])
    return f"several versions serve: {versions}"


def _changed(evidence: Evidence) -> Truth:
    return certain(evidence.now - evidence.changed_at <= CHANGE_SECONDS)


def _changed_text(evidence: Evidence, row: int) -> str:
    return f"version, code or data changed at {clock(float(evidence.changed_at[row]))}"


NOTICE_RULES = (
    Rule(
        "canary",
        Severity.S4,
        "the route is a canary or shadow, or several versions serve",
        ("route", "versions"),
        _trial,
        _trial_text,
    ),
    Rule(
        "changed",
        Severity.S4,
        "version, code or data changed within the last hour",
        ("info",),
        _changed,
        _changed_text,
    ),
)

ABSENT_SECONDS = 300.0
HOUR = BURN_WINDOWS["1h"]


def _absent(evidence: Evidence) -> Truth:
    tier_one = evidence.statics.tier == 1
    long_enough = evidence.now - evidence.absent_since > ABSENT_SECONDS
    return certain(tier_one & ~evidence.has_data & long_enough)


def absent_too_briefly(evidence: Evidence) -> Mask:
    """Return the tier 1 rows without data, but not for as long (that is known of) as pages."""
    long_enough = evidence.now - evidence.absent_since > ABSENT_SECONDS
    mask: Mask = (evidence.statics.tier == 1) & ~evidence.has_data & ~long_enough
    return mask


def why_absent(evidence: Evidence, row: int) -> str:
    """Return why nothing is known of a row, in words."""
    model = evidence.statics.rows[row]
    if not model.source:
        return "no source has it"
    source = name(model.source)
    state = evidence.source_states.get(model.source, "up")
    if state in ("down", "stale"):
        return f"no data: {source} is {'down' if state == 'down' else 'not answering'}"
    if state == "starting":
        return f"no data yet: {source} is starting"
    if evidence.has_data[row]:
        return f"its traffic or errors have no current answer from {source}"
    if evidence.doubtful[row]:
        return f"no current answer from {source}"
    return f"no data from {source}"


def _absent_text(evidence: Evidence, row: int) -> str:
    since = evidence.now - float(evidence.absent_since[row])
    return f"{why_absent(evidence, row)}, for {span(since)}"


def _unknown(evidence: Evidence) -> Truth:
    return certain(~evidence.has_data | evidence.doubtful)


def _unowned(evidence: Evidence) -> Truth:
    return certain(evidence.statics.configured & ~evidence.statics.owned)


def _unowned_text(evidence: Evidence, row: int) -> str:
    return f"no owner is declared for {name(evidence.statics.rows[row].model)}"


JUDGED_BY = ("latency_p95", "latency_mean", "ttft_p95", "low_confidence_ratio")
"""Signals that say something of a model's health where its errors do not."""

LEAST_REQUESTS = 20.0
"""Fewer requests in a window than these say nothing, unless they fail (the burn rules)."""

LOST_OF_6H = 84.0
"""14 requests an hour: then an hour without any is no chance (Poisson, e^-14 = 8e-7)."""


def _counted(evidence: Evidence, window: str) -> Floats:
    return evidence.values(f"requests_count@{window}")


def _is_judged(evidence: Evidence) -> Mask:
    """Return the rows of whose health something is known: errors or slowness of enough requests."""
    found = np.zeros(len(evidence.statics), dtype=np.bool_)
    recent = _counted(evidence, "1h") > 0
    for window in BURN_WINDOWS:
        burn = evidence.derived.burn[window]
        # A missing count is not a low one; windows beyond the hour count while there is traffic.
        enough = ~(_counted(evidence, window) < LEAST_REQUESTS) | burn.proven
        found |= np.isfinite(burn.values) & enough & (recent | (BURN_WINDOWS[window] <= HOUR))
    for signal in JUDGED_BY:
        found |= np.isfinite(evidence.values(signal))
    return found


def _has_no_traffic(evidence: Evidence) -> Mask:
    """Return the rows that nothing was asked of within the last hour, or 5m where that is all."""
    hour, minutes = _counted(evidence, "1h"), _counted(evidence, "5m")
    asked = np.where(np.isfinite(hour), hour, np.where(np.isfinite(minutes), minutes, np.nan))
    rate = evidence.values("requests_rate")
    none: Mask = (asked == 0.0) | (~np.isfinite(asked) & (rate == 0.0))
    return none & ~(rate > 0.0)


def _unjudged_rows(evidence: Evidence) -> Mask:
    return evidence.has_data & ~evidence.doubtful & ~_is_judged(evidence)


def _idle(evidence: Evidence) -> Truth:
    return certain(_unjudged_rows(evidence) & _has_no_traffic(evidence))


def _lost(evidence: Evidence) -> Truth:
    lost = _counted(evidence, "6h") >= LOST_OF_6H
    return certain(_unjudged_rows(evidence) & _has_no_traffic(evidence) & lost)


def _unjudged(evidence: Evidence) -> Truth:
    return certain(_unjudged_rows(evidence) & ~_has_no_traffic(evidence))


def _idle_text(evidence: Evidence, row: int) -> str:
    for window in ("6h", "1d"):
        count = float(_counted(evidence, window)[row])
        if count > 0:
            return f"no traffic, not judged; {count:,.0f} requests in {window}"
    return "no traffic, not judged"


def _lost_text(evidence: Evidence, row: int) -> str:
    return f"no request for an hour, {float(_counted(evidence, '6h')[row]):,.0f} in 6h: not judged"


def _unjudged_text(evidence: Evidence, row: int) -> str:
    for window in ("1h", "5m"):
        count = float(_counted(evidence, window)[row])
        if np.isfinite(count):
            if not np.isfinite(evidence.derived.burn[window].values[row]):
                return f"{count:,.0f} requests in {window}, errors and latency not measured"
            bad = count * float(evidence.derived.burn[window].bad_ratio[row])
            return f"{count:,.0f} requests in {window}, {bad:,.0f} bad: too few to judge"
    return "neither errors nor latency nor confidence are measured: not judged"


PRESENCE_RULES = (
    Rule(
        "unjudged",
        Severity.UNJUDGED,
        "there is traffic, and neither errors nor latency nor confidence of it can be judged",
        ("requests_rate", "error_ratio@1h", "requests_count@1h", *JUDGED_BY),
        _unjudged,
        _unjudged_text,
        immediate=True,
    ),
    Rule(
        "lost_traffic",
        Severity.UNJUDGED,
        f"no request for an hour, and {LOST_OF_6H:.0f} or more in 6h: more than chance",
        ("requests_rate", "requests_count@1h", "requests_count@6h"),
        _lost,
        _lost_text,
        immediate=True,
    ),
    Rule(
        "no_traffic",
        Severity.UNJUDGED,
        "no request for an hour: there is nothing to judge",
        ("requests_rate", "requests_count@1h"),
        _idle,
        _idle_text,
        immediate=True,
        implied_by=("lost_traffic",),
    ),
    Rule(
        "no_data_tier1",
        Severity.S1,
        "a tier 1 model has had no data for more than 5 minutes",
        ("requests_rate", "error_ratio"),
        _absent,
        _absent_text,
    ),
    Rule(
        "no_data",
        Severity.UNKNOWN,
        "no current answer to any signal of the tick, or to traffic and errors: the row is unknown",
        ("requests_rate", "error_ratio", "error_ratio@5m", "error_ratio@1h"),
        _unknown,
        why_absent,
        immediate=True,
        implied_by=("no_data_tier1",),
    ),
    Rule(
        "no_owner",
        Severity.S3,
        "the model is in the configuration and has no owner",
        (),
        _unowned,
        _unowned_text,
        spans=True,
    ),
)
