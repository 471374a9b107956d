import os
import stat
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from console.facts.signals import SIGNALS
from console.settings.load import Flags, Loaded, SettingsError, load, operator_name
from console.settings.problems import Problem
from console.settings.schema import Settings

ROOT = Path(__file__).parents[2]

# What an operator may have learned from a colleague: every table, in its shortest spelling.
SHARED_EXAMPLE = """
version = 1
environment = "prod"
writes = "armed"
refresh = "5s"
operator = { name = "env:USER" }
[[sources]]
name = "prom-eu"
kind = "prometheus"
url = "https://prometheus.example.net"
auth = { type = "bearer", secret = "keyring:midwatch/prom-eu" }
tenant = "ml"
timeout = "8s"
fallback = "direct"
[[sources]]
name = "direct"
kind = "scrape"
targets = ["http://fraud-0.example.net:9100/metrics"]
[[alerts]]
name = "am"
kind = "alertmanager"
url = "https://alertmanager.example.net"
[journal]
url = "sqlite:///~/.local/state/midwatch/journal.db"
[models.fraud-scorer]
match = { model = "fraud-scorer" }
tier = 1
slo = { availability = 0.999, latency = { under = "400ms", share = 0.99 } }
review = { capacity_per_second = 0.13, sla = "15m" }
cost = { budget_month = 4000, per_1k_requests = 0.09 }
dependencies = ["feature-store-eu"]
signals.latency_p95 = "histogram_quantile(0.95, sum by (le) (rate(b{$match}[$window])))"
intervene = [{ when = "error_ratio > 0.2 for 3m", do = "trip" }]
controls = { breaker = "fraud-breaker" }
[[models.fraud-scorer.fallbacks]]
name = "fraud-small"
level = "L2"
capacity = 8.6
[dependencies.feature-store-eu]
owner = "platform"
[controls.fraud-breaker]
driver = "http"
preset = "resilience4j"
targets = ["https://fraud-0.example.net:8080"]
timeouts = { connect = 2, read = 5, total = 8 }
vars = { breaker = "risk-model" }
[controls.fraud-breaker.actions.trip]
verify = { every = 1.0, within = 30, stable_for = 2 }
"""


def loaded(tmp_path: Path, text: str, **environ: str) -> Loaded:
    path = tmp_path / "config.toml"
    path.write_text(text)
    path.chmod(0o600)
    return load(Flags(config=path), {"HOME": str(tmp_path), **environ})


def faults(tmp_path: Path, text: str) -> tuple[Problem, ...]:
    with pytest.raises(SettingsError) as caught:
        loaded(tmp_path, text)
    return caught.value.problems


def one_fault(tmp_path: Path, text: str) -> Problem:
    problems = faults(tmp_path, text)
    assert len(problems) == 1, caught_text(problems)
    return problems[0]


def caught_text(problems: tuple[Problem, ...]) -> str:
    return "\n".join(problem.render() for problem in problems)


def test_the_sample_is_complete_and_loads(tmp_path: Path) -> None:
    text = (ROOT / "config.sample.toml").read_text()
    result = loaded(tmp_path, text)
    assert result.warnings == ()
    sample = result.settings
    declared = {name for name in Settings.__struct_fields__ if f"\n{name.split('_s')[0]}" in text}
    tables = {name for name in Settings.__struct_fields__ if f"[{name}" in text}
    assert declared | tables == set(Settings.__struct_fields__)
    assert sample.models["fraud-scorer"].signals["latency_p95"].startswith("histogram")
    assert sample.sources[1].ca_file == str(tmp_path / "own-ca.pem")


def test_units_are_in_seconds_and_usd(tmp_path: Path) -> None:
    settings = loaded(tmp_path, SHARED_EXAMPLE).settings
    model = settings.models["fraud-scorer"]
    assert settings.refresh_seconds == 5.0
    assert model.slo is not None
    assert model.slo.latency is not None
    assert model.slo.latency.under_seconds == pytest.approx(0.4)
    assert model.review is not None
    assert model.review.sla_seconds == 900.0
    assert model.cost is not None
    assert model.cost.budget_month_usd == 4000.0
    assert model.fallbacks[0].capacity_per_second == 8.6
    timeouts = settings.controls["fraud-breaker"].timeouts
    assert timeouts is not None
    assert timeouts.total_seconds == 8.0


def test_nothing_at_all_is_a_configuration(tmp_path: Path) -> None:
    result = load(Flags(), {"HOME": str(tmp_path)})
    assert result.path is None
    assert result.settings.sources == ()
    assert result.settings.refresh_seconds == 5.0
    assert result.origins["refresh"].kind == "default"
    assert result.settings.journal.url.startswith(f"sqlite:///{tmp_path}/.local/state")


def test_state_and_configuration_follow_xdg(tmp_path: Path) -> None:
    home = tmp_path / "cfg" / "midwatch"
    home.mkdir(parents=True)
    (home / "config.toml").write_text('environment = "here"\n')
    (home / "config.toml").chmod(0o644)
    result = load(Flags(), {"XDG_CONFIG_HOME": str(tmp_path / "cfg"), "XDG_STATE_HOME": "/state"})
    assert result.settings.environment == "here"
    assert result.settings.journal.url == "sqlite:////state/midwatch/journal.db"


def test_origins_name_the_line(tmp_path: Path) -> None:
    origins = loaded(tmp_path, SHARED_EXAMPLE).origins
    assert origins["refresh"].where.endswith("config.toml:5")
    assert origins["sources.direct.targets"].where.endswith(":18")
    assert origins["models.fraud-scorer.fallbacks.fraud-small.level"].where.endswith(":37")
    assert origins["models.fraud-scorer.owner"].kind == "default"


@pytest.mark.parametrize(
    ("text", "key_path", "found", "allowed", "hint"),
    [
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


SOURCE = '[[sources]]\nname = "a"\nkind = "prometheus"\n'


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


def test_a_named_file_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="No such file"):
        load(Flags(config=tmp_path / "none.toml"), {})
    with pytest.raises(SettingsError, match="No such file"):
        load(Flags(), {"MIDWATCH_CONFIG": str(tmp_path / "none.toml")})


@pytest.mark.parametrize("mode", [0o620, 0o602])
def test_a_file_others_can_write_is_refused(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "config.toml"
    path.write_text("version = 1\n")
    path.chmod(mode)
    with pytest.raises(SettingsError, match="chmod go-w"):
        load(Flags(config=path), {})


def test_a_directory_others_can_write_is_refused(tmp_path: Path) -> None:
    room = tmp_path / "open"
    room.mkdir()
    path = room / "config.toml"
    path.write_text("version = 1\n")
    path.chmod(0o600)
    room.chmod(0o777)
    with pytest.raises(SettingsError, match="chmod o-w"):
        load(Flags(config=path), {})
    room.chmod(0o777 | stat.S_ISVTX)
    assert load(Flags(config=path), {}).path == path


def test_warnings_about_promises_that_cannot_page(tmp_path: Path) -> None:
    low = loaded(tmp_path, "[models.m]\nslo = { availability = 0.9 }\n").warnings
    assert any("14.4x rule cannot fire" in sentence for sentence in low)
    assert loaded(tmp_path, "[models.m]\nslo = { availability = 0.93 }\n").warnings == ()


def test_warnings_about_secrets_in_the_open(tmp_path: Path) -> None:
    auth = 'auth = { type = "bearer", secret = "env:T" }\n'
    assert "unencrypted" in loaded(tmp_path, SOURCE + 'url = "http://h"\n' + auth).warnings[0]
    assert loaded(tmp_path, SOURCE + 'url = "http://127.0.0.1:1"\n' + auth).warnings == ()


def test_operator_name_falls_back_to_the_login(tmp_path: Path) -> None:
    settings = loaded(tmp_path, "").settings
    assert operator_name(settings, {"USER": "ana"}) == "ana"
    assert operator_name(settings, {}) != ""
    assert operator_name(settings, {"USER": "\x1b[2J"}) == "␛[2J"
    named = loaded(tmp_path, 'operator = { name = "joel" }').settings
    assert operator_name(named, {"USER": "ana"}) == "joel"


def test_every_signal_may_have_own_promql(tmp_path: Path) -> None:
    text = "[models.m.signals]\n" + "".join(f'"{name}" = "x"\n' for name in SIGNALS)
    assert set(loaded(tmp_path, text).settings.models["m"].signals) == set(SIGNALS)


def test_the_file_of_another_user_is_refused(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    path = tmp_path / "config.toml"
    path.write_text("version = 1\n")
    path.chmod(0o600)
    os.chown(path, 54321, -1)
    with pytest.raises(SettingsError, match="another user"):
        load(Flags(config=path), {})


def test_what_is_no_file_is_refused_instead_of_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe", 0o600)
    for name in ("pipe", "."):
        with pytest.raises(SettingsError, match="not a file"):
            load(Flags(config=tmp_path / name), {})


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
