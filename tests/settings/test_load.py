import os
import stat
from pathlib import Path

import pytest

from console.domain.signals import SIGNALS
from console.settings.load import Flags, SettingsError, load, operator_name
from console.settings.schema import Settings
from tests.settings.writing import SOURCE, loaded

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


def test_an_anchor_beside_the_journal_is_no_witness(tmp_path: Path) -> None:
    beside = '[journal]\nurl = "sqlite:///j/j.db"\nanchor = { file = "j/anchor" }\n'
    (warning,) = loaded(tmp_path, beside).warnings
    assert "whoever can rewrite the one can rewrite the other" in warning
    aside = beside.replace("j/anchor", "w/anchor")
    assert loaded(tmp_path, aside).warnings == ()
    plain = '[journal]\nanchor = { url = "http://w.example.net/h", secret = "env:T" }\n'
    (warning,) = loaded(tmp_path, plain).warnings
    assert "travels unencrypted" in warning


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
