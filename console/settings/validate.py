"""Checks keys against each other and warns of unwise settings."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from console.settings.convert import Conversion, Spot
from console.settings.endpoint_tables import AlertSettings, AuthSettings, Served, SourceSettings
from console.settings.problems import cut
from console.settings.schema import AnchorSettings, ModelSettings, Settings

_LABEL_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
FAST_BURN_RATE = 14.4
LOWEST_FAST_BURN_SLO = 0.93
FEWEST_REFERENCE_ROWS = 1000


def check_whole(settings: Settings, document: Mapping[str, object], conversion: Conversion) -> None:
    """Report every fault that only shows when several keys are seen together."""
    root = Spot()
    for source in settings.sources:
        spot = _named(document, "sources", source.name)
        _check_source(source, spot, conversion)
        _check_auth(source.auth, spot.child("auth"), conversion)
    for alert in settings.alerts:
        spot = _named(document, "alerts", alert.name)
        _check_alert(alert, spot, conversion)
        _check_auth(alert.auth, spot.child("auth"), conversion)
    for told in settings.changes:
        spot = _named(document, "changes", told.name)
        _check_one_url(told.url, told.urls, spot, conversion)
        _check_auth(told.auth, spot.child("auth"), conversion)
    for name, model in settings.models.items():
        _check_model(name, model, root.child("models").child(name), conversion)
    for name, control in settings.controls.items():
        spot = root.child("controls").child(name)
        _check_auth(control.auth, spot.child("auth"), conversion, of_control=True)
        if control.targets and control.targets_from:
            conversion.complain_also(
                spot.child("targets_from"), "both targets and targets_from", "one of the two"
            )
        if control.driver == "http" and not control.targets and not control.targets_from:
            conversion.complain_also(
                spot.child("targets"), "nothing", "at least one base URL, or targets_from"
            )
    if settings.journal.anchor is not None:
        _check_anchor(settings.journal.anchor, root.child("journal").child("anchor"), conversion)
    if not settings.shift.ends:
        ends = root.child("shift").child("ends")
        conversion.complain_also(ends, "nothing", 'at least one time of day such as "06:00"')
    if len(settings.readiness.drill_hours) not in (0, 2):
        hours = root.child("readiness").child("drill_hours")
        conversion.complain_also(
            hours, f"{len(settings.readiness.drill_hours)} times", "two times, from and to"
        )
    if "quit" in settings.keymap and not settings.keymap["quit"].strip():
        conversion.complain_also(root.child("keymap").child("quit"), "no key", "at least one key")


def _check_anchor(anchor: AnchorSettings, spot: Spot, conversion: Conversion) -> None:
    if anchor.file and anchor.url:
        conversion.complain_also(spot.child("url"), "both file and url", "one of the two")
    elif not anchor.file and not anchor.url:
        conversion.complain_also(spot.child("file"), "nothing", "file, or url")
    elif anchor.file and anchor.secret:
        conversion.complain_also(
            spot.child("secret"), "secret beside a file", "no such key for a file"
        )


def _named(document: Mapping[str, object], table: str, name: str) -> Spot:
    """Return the place of the first entry of that name: faulty entries are not in the Settings."""
    entries = document.get(table)
    listed = entries if isinstance(entries, list) else []
    for index, entry in enumerate(listed):
        if isinstance(entry, dict) and entry.get("name") == name:
            return Spot().child(table).item(index, name)
    return Spot().child(table)


def _check_source(source: SourceSettings, spot: Spot, conversion: Conversion) -> None:
    if source.kind == "scrape":
        if not source.targets:
            conversion.complain_also(spot.child("targets"), "nothing", "at least one /metrics URL")
        for key in ("url", "urls"):
            if getattr(source, key):
                conversion.complain_also(
                    spot.child(key), f"{key} on a scrape source", "targets with the /metrics URLs"
                )
    else:
        _check_one_url(source.url, source.urls, spot, conversion)
        if source.targets:
            conversion.complain_also(
                spot.child("targets"), "targets on a prometheus source", "url or urls"
            )
    for label in source.drop_labels:
        if _LABEL_NAME.fullmatch(label) is None:
            conversion.complain_also(
                spot.child("drop_labels"), f'"{cut(label)}"', "label names: letters, digits and _"
            )
    if source.fallback == source.name:
        conversion.complain_also(spot.child("fallback"), "the source itself", "another source")


def _check_alert(alert: AlertSettings, spot: Spot, conversion: Conversion) -> None:
    for word, level in alert.severity.items():
        if level not in ("S1", "S2", "S3", "S4"):
            conversion.complain_also(
                spot.child("severity").child(word), f'"{cut(level)}"', '"S1", "S2", "S3" or "S4"'
            )
    if alert.kind != "pagerduty" or alert.url or alert.urls:
        _check_one_url(alert.url, alert.urls, spot, conversion)


def _check_one_url(
    url: str | None, urls: tuple[str, ...], spot: Spot, conversion: Conversion
) -> None:
    if url and urls:
        conversion.complain_also(spot.child("url"), "both url and urls", "one of the two")
    if not url and not urls and not conversion.faulty(spot.child("urls")):
        conversion.complain_also(
            spot.child("url"), "nothing", "url, or urls for replicas of one server"
        )


def _check_auth(
    auth: AuthSettings | None, spot: Spot, conversion: Conversion, *, of_control: bool = False
) -> None:
    if auth is None:
        return
    if auth.type in ("path", "body") and not of_control:
        conversion.complain_also(
            spot.child("type"), f'type = "{auth.type}" outside controls', "another proof"
        )
    needed = {
        "none": (),
        "basic": ("username", "secret"),
        "bearer": ("secret",),
        "header": ("header", "secret"),
        "mtls": ("cert_file", "key_file"),
        "path": ("secret",),
        "body": ("header", "secret"),
    }[auth.type]
    for key in needed:
        if not getattr(auth, key):
            conversion.complain_also(
                spot.child(key), "nothing", f'a value, for type = "{auth.type}"'
            )
    used = {*needed, *(("secret",) if auth.type == "mtls" else ())}
    if auth.type == "header":
        used.add("prefix")
    for key in ("secret", "username", "header", "prefix", "cert_file", "key_file"):
        if getattr(auth, key) and key not in used:
            conversion.complain_also(
                spot.child(key), f'{key} beside type = "{auth.type}"', "no such key for this type"
            )


def _check_model(name: str, model: ModelSettings, spot: Spot, conversion: Conversion) -> None:
    if name in model.dependencies:
        conversion.complain_also(spot.child("dependencies"), "the model itself", "other names")


def warnings_of(settings: Settings) -> Iterator[str]:
    """Yield sentences about what is allowed but will not do what one may think."""
    yield from _slo_warnings(settings)
    yield from _plaintext_warnings(settings)
    yield from _reference_warnings(settings)
    yield from _anchor_warnings(settings)
    for name, model in settings.models.items():
        if model.region and model.allowed_regions and model.region not in model.allowed_regions:
            yield (
                f"models.{name}.region is {model.region!r}, which its own allowed_regions "
                "leaves out: the route will count as a breach"
            )


def _anchor_warnings(settings: Settings) -> Iterator[str]:
    anchor = settings.journal.anchor
    if anchor is None:
        return
    journal = Path(settings.journal.url.removeprefix("sqlite:///")).expanduser()
    if anchor.file and Path(anchor.file).parent == journal.parent:
        yield (
            "journal.anchor.file is beside the journal: whoever can rewrite the one can rewrite "
            "the other; keep it on another host, or at least under another account"
        )
    if anchor.url and anchor.secret and _goes_unencrypted(anchor.url):
        yield f"journal.anchor: its secret travels unencrypted to {anchor.url}; use https"


def _plaintext_warnings(settings: Settings) -> Iterator[str]:
    declared: list[Served] = [*settings.sources, *settings.alerts, *settings.changes]
    for source in declared:
        proof = source.auth is not None and source.auth.type not in ("none", "mtls")
        targets = source.targets if isinstance(source, SourceSettings) else ()
        for url in (source.url or "", *source.urls, *targets):
            if proof and _goes_unencrypted(url):
                yield f"{source.name}: its secret travels unencrypted to {url}; use https"
    for name, control in settings.controls.items():
        if not control.allow_plaintext and any(map(_goes_unencrypted, control.targets)):
            yield (
                f"controls.{name}: its targets use plain http, which changes are refused over; "
                "use https, or say allow_plaintext = true"
            )


def _reference_warnings(settings: Settings) -> Iterator[str]:
    for name, model in settings.models.items():
        reference = None if model.drift is None else model.drift.reference
        if reference is None:
            continue
        where = f"models.{name}.drift.reference, {reference.name}"
        if reference.n < FEWEST_REFERENCE_ROWS:
            yield (
                f"{where}: it rests on n={reference.n:.0f}; under {FEWEST_REFERENCE_ROWS} its own "
                "noise looks like drift: take it over a longer range"
            )
        values = {name, *(value for part in model.matches for value in part.values())}
        if reference.model not in values:
            yield f"{where}: it was taken from another model, {reference.model}"


def _goes_unencrypted(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return url.startswith("http:") and host not in ("localhost", "::1") and host[:4] != "127."


def _slo_warnings(settings: Settings) -> Iterator[str]:
    for name, model in settings.models.items():
        slo = model.slo
        if slo is None or slo.availability is None:
            continue
        if slo.availability < LOWEST_FAST_BURN_SLO:
            yield (
                f"models.{name}.slo.availability is {slo.availability:g}: below 0.93 the "
                f"{FAST_BURN_RATE:g}x rule cannot fire, because even a full outage burns slower"
            )
        if slo.availability == 1.0:
            yield (
                f"models.{name}.slo.availability is 1: there is no error budget, so every "
                "single bad request counts as endless burn; 0.999 is a common choice"
            )
