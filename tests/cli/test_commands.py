"""check, init, lint-metrics, plot, secret and the log."""

from __future__ import annotations

import stat
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

from console.cli.init_command import configuration, quoted
from console.domain.samples import SeenModel
from console.settings.load import Flags, load
from console.settings.schema import SourceSettings
from tests.conftest import free_port

if TYPE_CHECKING:
    from console.demo.demo_fleet import DemoFleet
    from tests.cli.conftest import Run


def test_check_says_well_and_where_values_came_from(run: Run, config: str) -> None:
    done = run("--config", config, "check")
    assert done.code == 0
    assert "ok     source demo: answers" in done.out
    assert "refresh: environment MIDWATCH_REFRESH" in done.out
    assert f"environment: file {config}:" in done.out


def test_check_offline_asks_nothing(run: Run, tmp_path: Path) -> None:
    done = run("--prometheus", f"http://127.0.0.1:{free_port()}", "check", "--offline")
    assert done.code == 0
    assert "source" not in done.out.replace("sources", "")


def test_check_names_what_fails_and_what_to_do(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "c.toml"
    path.write_text(
        'version = 1\n[[sources]]\nname = "far"\nkind = "prometheus"\n'
        f'url = "http://127.0.0.1:{free_port()}"\n'
        'auth = { type = "bearer", secret = "env:NOT_SET_ANYWHERE" }\n'
    )
    path.chmod(0o600)
    done = run("check", "--config", str(path))
    assert done.code == 1
    assert "FAILED secret sources.far.auth.secret" in done.out
    assert "NOT_SET_ANYWHERE" in done.out
    assert "FAILED source far" in done.out


def test_init_writes_a_configuration_that_loads(run: Run, fleet: DemoFleet, tmp_path: Path) -> None:
    target = tmp_path / "made.toml"
    flags = [part for url in fleet.targets[:2] for part in ("--scrape", url)]
    done = run("init", *flags, "-o", str(target))
    assert done.code == 0
    assert done.out == ""
    loaded = load(Flags(config=target), {"HOME": str(tmp_path)})
    # No declaration without what only people know: it would say of every row that it has no owner.
    assert loaded.settings.models == {}
    text = target.read_text()
    assert text.count('# [models."') == 2
    assert "No owner is known of 2 models." in text
    assert text.count("# runbook") == 1
    assert stat.S_IMODE(target.stat().st_mode) & 0o022 == 0


def test_init_never_overwrites_unless_forced(run: Run, fleet: DemoFleet, tmp_path: Path) -> None:
    target = tmp_path / "mine.toml"
    target.write_text("precious")
    done = run("init", "--scrape", fleet.targets[0], "-o", str(target))
    assert done.code == 1
    assert "--force" in done.err
    assert target.read_text() == "precious"
    assert run("init", "--scrape", fleet.targets[0], "-o", str(target), "--force").code == 0
    assert "fraud-scorer" in target.read_text()
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith(".mine")] == []


def test_init_survives_hostile_names() -> None:
    names = ['a"]\n[x', "\x1b[2J", "back\\slash", "\u202ertl", "日本", "x" * 300]
    seen = [SeenModel(name, name, "midwatch", "s", (name,), name) for name in names]
    source = SourceSettings(name="s", kind="prometheus", url="http://h")
    text = configuration([source], seen)
    declared = "\n".join(
        line.removeprefix("# ") for line in text.splitlines() if line.startswith("# [models.")
    )
    assert set(tomllib.loads(declared)["models"]) == set(names)
    assert tomllib.loads(text)["sources"][0]["name"] == "s"
    assert tomllib.loads(f"k = {quoted(names[0])}")["k"] == names[0]
    assert "\x1b" not in text


def test_lint_metrics_tells_given_from_missing(run: Run, fleet: DemoFleet) -> None:
    done = run("lint-metrics", fleet.targets[0])
    assert done.code == 0
    assert "ok      requests_rate" in done.out
    assert "missing tokens_rate" in done.out
    assert run("lint-metrics", f"http://127.0.0.1:{free_port()}/metrics").code == 1


def test_plot_without_a_past_says_why(run: Run, config: str) -> None:
    done = run("--config", config, "plot", "fraud-scorer", "latency_p95", "--range", "1h")
    assert done.code == 1
    assert "scrape source" in done.err
    wrong = run("--config", config, "plot", "fraud-scorr", "latency_p95")
    assert 'did you mean "fraud-scorer"?' in wrong.err


def test_secrets_are_set_tested_and_listed_without_being_printed(run: Run, tmp_path: Path) -> None:
    value = "s3cret-value"
    reference = f"file:{tmp_path}/kept"
    done = run("secret", "set", reference, given=f"{value}\n")
    assert done.code == 0
    assert stat.S_IMODE((tmp_path / "kept").stat().st_mode) == 0o600
    tested = run("secret", "test", reference)
    assert tested.code == 0
    path = tmp_path / "c.toml"
    path.write_text(
        'version = 1\n[[sources]]\nname = "p"\nkind = "prometheus"\nurl = "http://h"\n'
        f'auth = {{ type = "bearer", secret = "{reference}" }}\n'
    )
    path.chmod(0o600)
    listed = run("secret", "list", "--config", str(path))
    assert "sources.p.auth.secret" in listed.out
    for each in (done, tested, listed):
        assert value not in each.out + each.err
    (tmp_path / "kept").chmod(0o644)
    assert run("secret", "test", reference).code == 1


def test_the_log_is_private_and_holds_no_credentials(run: Run, tmp_path: Path) -> None:
    log = tmp_path / "sub" / "midwatch.log"
    address = f"http://ana:hunter2@127.0.0.1:{free_port()}"
    done = run("--log", str(log), "--prometheus", address, "status", "--instant")
    assert "hunter2" not in done.out + done.err
    assert log.exists()
    assert stat.S_IMODE(log.stat().st_mode) == 0o600
    assert "hunter2" not in log.read_text()


def test_a_log_that_cannot_be_written_is_said(run: Run, tmp_path: Path) -> None:
    done = run("--log", str(tmp_path), "check", "--offline")
    assert done.code == 1
    assert "cannot be written" in done.err
    assert list(tmp_path.iterdir()) == []
