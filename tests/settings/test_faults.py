"""Every fault of a file: where it is, what was found, what is allowed, the nearest spelling."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from console.settings.load import Flags, SettingsError, load
from tests.settings.writing import SOURCE, caught_text, faults, loaded, one_fault

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("text", "key_path", "found", "allowed", "hint"),
    [
        ('[shift]\nends = ["25:00"]', "shift.ends[1]", "25:00", "06:00", ""),
        ("[shift]\nends = []", "shift.ends", "nothing", "06:00", ""),
        ('[journal]\nanchor = { every = "1m" }', "journal.anchor.file", "nothing", "url", ""),
        (
            '[journal]\nanchor = { file = "a", url = "https://w/h" }',
            "journal.anchor.url",
            "both",
            "one",
            "",
        ),
        (
            '[journal]\nanchor = { file = "a", secret = "env:T" }',
            "journal.anchor.secret",
            "beside a file",
            "no such key",
            "",
        ),
        ('[shift]\nzone = "Berlin"', "shift.zone", "Berlin", "Europe/Berlin", ""),
        ('enviroment = "x"', "enviroment", "unknown key", "environment", "environment"),
        ("refresh = 5", "refresh", "5 (a number)", "duration", '"5s"'),
        ('refresh = "soon"', "refresh", '"soon"', "1h30m", ""),
        ('refresh = "1ms"', "refresh", '"1ms"', "at least 1s", ""),
        ('writes = "armd"', "writes", '"armd"', "never, armed, open", "armed"),
        ("mouse = 1", "mouse", "1 (a number)", "true or false", ""),
        ("models = 3", "models", "3 (a number)", "a table", ""),
        ("sources = {}", "sources", "a table", "a list", ""),
        ('panes = "drift"', "panes", '"drift"', "a list", "drift"),
        ("version = 2", "version", "2", "from 1 to 1", ""),
        ("[models.m]\ntier = 4", "models.m.tier", "4", "from 1 to 3", ""),
        ("[models.m]\ntier = true", "models.m.tier", "true", "whole number", ""),
        (
            "[models.m]\nslo = { availability = 99.9 }",
            "models.m.slo.availability",
            "99.9",
            "from 0 to 1",
            "0.999",
        ),
        (
            "[models.m]\nconfidence = { threshold = nan }",
            "models.m.confidence.threshold",
            "nan",
            "from 0 to 1",
            "",
        ),
        (
            '[models.m]\nsignals.latency_p59 = "x"',
            "models.m.signals.latency_p59",
            "unknown signal",
            "latency_p50",
            "latency_p99",
        ),
        (
            '[models.m]\nsignals.ece = "x[$windows]"',
            "models.m.signals.ece",
            "$windows",
            "$window, $match",
            "$window",
        ),
        ('[models.m]\nsource = "no"', "models.m.source", '"no"', "nothing is declared", ""),
        (
            '[models.m]\ndependencies = ["store"]\n[dependencies.stores]',
            "models.m.dependencies[1]",
            "dependency or model that is not declared",
            "stores",
            "stores",
        ),
        (
            '[models.m]\ncontrols = { breaker = "b" }',
            "models.m.controls.breaker",
            "a control that is not declared",
            "nothing is declared",
            "",
        ),
        (
            '[models.m]\ncontrols = { braker = "b" }',
            "models.m.controls.braker",
            "unknown key",
            "breaker, route",
            "breaker",
        ),
        (
            '[models.m]\nintervene = [{ when = "eror_ratio > 1", do = "trip" }]',
            "models.m.intervene[1].when",
            "eror_ratio",
            "error_ratio",
            "error_ratio",
        ),
        (
            '[models.m]\nintervene = [{ when = "error_ratio > 1", do = "tripp" }]',
            "models.m.intervene[1].do",
            "tripp",
            "trip",
            "trip",
        ),
        ('[journal]\nurl = "mysql://x"', "journal.url", "mysql", "sqlite:///PATH", ""),
        ('[keymap]\nquit = ""', "keymap.quit", '""', "key names", ""),
        ('[controls.c]\ndriver = "http"', "controls.c.targets", "nothing", "base URL", ""),
        (
            '[controls.c]\ndriver = "local"\n[controls.c.read]\npath = "/a/../b"',
            "controls.c.read.path",
            "..",
            "without ..",
            "",
        ),
    ],
)
def test_each_fault_says_where_what_and_what_is_allowed(
    tmp_path: Path, text: str, key_path: str, found: str, allowed: str, hint: str
) -> None:
    fault = one_fault(tmp_path, text)
    assert fault.key_path == key_path
    assert found in fault.found
    assert allowed in fault.allowed
    assert hint in fault.hint
    assert fault.file == str(tmp_path / "config.toml")
    assert fault.line is not None
    assert key_path in fault.render()


@pytest.mark.parametrize(
    ("text", "key_path", "found"),
    [
        (SOURCE, "sources.a.url", "nothing"),
        (SOURCE + 'url = "host:9090"', "sources.a.url", "host:9090"),
        (SOURCE + 'url = "ftp://host"', "sources.a.url", "ftp://host"),
        (SOURCE + 'url = "http://h/?q=1"', "sources.a.url", "?q=1"),
        (SOURCE + 'url = "http://h:99999"', "sources.a.url", "99999"),
        (SOURCE + 'url = "http://h"\nurls = ["http://i"]', "sources.a.url", "both"),
        (SOURCE + 'url = "http://h"\ntargets = ["http://i"]', "sources.a.targets", "targets on"),
        (SOURCE + 'url = "http://h"\nfallback = "a"', "sources.a.fallback", "itself"),
        (SOURCE + 'url = "http://h"\nfallback = "b"', "sources.a.fallback", "not declared"),
        (SOURCE + 'url = "http://h"\n' + SOURCE + 'url = "http://i"', "sources[2].name", "second"),
        (SOURCE + 'url = "http://h"\nauth = { type = "basic" }', "sources.a.auth", "nothing"),
        (
            SOURCE + 'url = "http://h"\nauth = { type = "none", header = "X" }',
            "sources.a.auth.header",
            "beside",
        ),
        (SOURCE.replace("prometheus", "scrape"), "sources.a.targets", "nothing"),
        (
            SOURCE.replace("prometheus", "scrape")
            + 'targets = ["http://h/metrics"]\nurl = "http://h"',
            "sources.a.url",
            "url on a scrape source",
        ),
    ],
)
def test_faults_of_sources(tmp_path: Path, text: str, key_path: str, found: str) -> None:
    problems = faults(tmp_path, text)
    assert any(
        fault.key_path.startswith(key_path) and found in fault.found for fault in problems
    ), caught_text(problems)


def test_secrets_in_the_file_are_refused_and_never_shown(tmp_path: Path) -> None:
    problems = faults(
        tmp_path,
        SOURCE
        + 'url = "http://ana:hunter2@h"\nauth = { type = "bearer", secret = "hunter2" }\n'
        + '[journal]\nurl = "postgresql://ana:hunter2@h/db"\n',
    )
    assert {fault.key_path for fault in problems} == {
        "sources.a.url",
        "sources.a.auth.secret",
        "journal.url",
    }
    assert "hunter2" not in caught_text(problems)


def test_all_faults_come_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    problems = faults(
        tmp_path,
        'refresh = 5\ntheme = "drak"\n'
        + SOURCE
        + 'timeout = "x"\n[models.m]\ntier = 9\nnope = 1\n',
    )
    assert [fault.line for fault in problems] == [1, 2, 3, 6, 8, 9]


def test_hostile_text_in_the_file_is_made_visible(tmp_path: Path) -> None:
    text = caught_text(faults(tmp_path, '"\\u001b[2J" = 1\ntheme = "\\u001b]0;x\\u0007[/foo]"\n'))
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "␛[2J" in text


def test_broken_toml_is_told_with_line_and_column(tmp_path: Path) -> None:
    fault = one_fault(tmp_path, 'version = 1\nrefresh = = "5s"\n')
    assert fault.line == 2
    assert "column" in fault.found


def test_bytes_that_are_no_text_are_told_with_the_line(tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_bytes(b'version = 1\nenvironment = "\xff"\n')
    path.chmod(0o600)
    with pytest.raises(SettingsError, match="not UTF-8"):
        load(Flags(config=path), {})


def test_values_nested_without_end_are_a_fault(tmp_path: Path) -> None:
    assert "nested" in one_fault(tmp_path, "a = " + "[" * 5000).found


VALUES = ("1", "true", "[]", "{}", '""', "[1]", "{a = 1}", "nan", "1979-05-27", "[{name = 1}]", "=")


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.data())
def test_a_damaged_file_is_never_a_crash(tmp_path: Path, data: st.DataObject) -> None:
    lines = (ROOT / "config.sample.toml").read_text().split("\n")
    for _ in range(data.draw(st.integers(1, 4))):
        number = data.draw(st.integers(0, len(lines) - 1))
        match data.draw(st.sampled_from(["drop", "twice", "letter", "value"])):
            case "drop":
                del lines[number]
            case "twice":
                lines.insert(number, data.draw(st.sampled_from(lines)))
            case "letter":
                letter = data.draw(st.characters(codec="utf-8"))
                lines[number] = letter + lines[number][1:]
            case _:
                value = data.draw(st.sampled_from(VALUES))
                lines[number] = f"{lines[number].partition('=')[0]}= {value}"
    try:
        loaded(tmp_path, "\n".join(lines))
    except SettingsError as error:
        for fault in error.problems:
            assert fault.line is not None, fault
            assert fault.found
            assert fault.allowed
